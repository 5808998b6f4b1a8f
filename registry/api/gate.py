"""Every request enters here: its target is checked, its route found, its body read, and its answer given the headers that all answers have.

Protocol: Service Center sections 1.1 to 1.7. What a handler raises as `RegistryError` becomes the error JSON; anything else is a defect, is
logged with its traceback and answered by 500003.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
import zlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol
from urllib.parse import parse_qsl, unquote_to_bytes

import structlog
from aiohttp import HttpVersion11, web

from registry.access import Mode
from registry.api.call import SERVER, Call, Listeners, Reply, Route, Tenancy, json_reply
from registry.api.router import Router, params_of
from registry.engine import Engine
from registry.engine.alarms import INTERNAL
from registry.errors import Refusal, RegistryError, invalid

_LONGEST_TARGET = 2048
COMPRESSED_FROM = 1400
"""Bytes from which on a body is worth compressing. Section 1.5."""
_CORS_METHODS = frozenset(("GET", "POST", "PUT", "DELETE", "UPDATE", "OPTIONS"))
_CORS_HEADERS = frozenset(("origin", "accept", "content-type", "x-domain-name", "x-consumerid"))
_ROUTER_TYPE = "text/plain; charset=utf-8"
_ROUTER_HEADERS = {"X-Content-Type-Options": "nosniff"}
_NOT_FOUND = Reply(404, b"404 page not found\n", _ROUTER_TYPE, _ROUTER_HEADERS)
_KIE_PATH = re.compile(r"/v1/[^/]+/kie(/.*)?")
_KIE_NOT_FOUND = Reply(404, b"404: Page Not Found", _ROUTER_TYPE)
BODILESS = (204, 304)
"""Statuses of answers that have neither a body nor a content type."""
_NO_GZIP = re.compile(r"\s*q\s*=\s*0(\.0*)?\s*")

log = structlog.get_logger(__name__)
Observer = Callable[[str, int, str, str, float], None]


class Keeper(Protocol):
    """Who is asked about every request while access control is on: registry/api/door."""

    def refuses_unheard(self, call: Call) -> Reply | None: ...

    def admit(self, call: Call) -> Reply | None: ...

    def inside(self, call: Call) -> AbstractContextManager[None]: ...


class Gate:
    """The handler of all ports. `body_limits` are bytes by the name of their setting; `timeout` is seconds for a whole body."""

    def __init__(
        self,
        engine: Engine,
        routes: Sequence[Route],
        listeners: Listeners,
        door: Keeper,
        *,
        body_limits: Mapping[str, int],
        timeout: float,
    ) -> None:
        self._engine = engine
        self._router = Router(routes)
        self._listeners = listeners
        self._body_limits = body_limits
        self._timeout = timeout
        self._door = door
        self.learn: Callable[[Call, Reply], None] = lambda _call, _reply: None
        self.observe: Observer = lambda _method, _status, _api, _domain, _seconds: None

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        reply = await self._answer(request)
        if isinstance(reply, web.StreamResponse):
            return reply
        return self.render(request, reply)

    def render(self, request: web.BaseRequest, reply: Reply) -> web.Response:
        """The answer with the headers that all answers have, compressed where the client takes that."""
        headers = {"Content-Type": reply.content_type, **common_headers(request), **reply.headers}
        body = reply.body
        packed = "Content-Encoding" in headers
        if not packed and len(body) >= COMPRESSED_FROM and accepts_gzip(request.headers.get("Accept-Encoding", "")):
            body = gzip(body)
            headers["Content-Encoding"] = "gzip"
        if reply.status in BODILESS:
            del headers["Content-Type"]
        response = web.Response(status=reply.status, body=body, headers=headers)
        if not request.content.is_eof():
            response.force_close()
        return response

    async def _answer(self, request: web.BaseRequest) -> Reply | web.StreamResponse:
        target = _origin_form(request.raw_path)
        path, _, query = target.partition("?")
        decoded = unquote_to_bytes(path).decode(errors="replace")
        routes = self._find(decoded)
        refusal = _check_target(target, path, lenient=_is_lenient(routes))
        if refusal is not None:
            return refusal
        if request.method == "OPTIONS":
            return _preflight(request)
        route = routes.get(request.method)
        if route is None:
            return _method_not_allowed(routes) if routes else _not_found(decoded)
        pairs = parse_qsl(query, keep_blank_values=True)
        call = Call(self._engine, route, request, params_of(route, decoded), pairs, b"", self._listeners)
        return await self._serve(call)

    def _find(self, path: str) -> Mapping[str, Route]:
        """The routes of a path; those of KIE and the engine's own API are found with a slash at the end too."""
        routes = self._router.find(path)
        if not routes and path.endswith("/"):
            routes = self._router.find(path.rstrip("/"))
            routes = routes if _is_lenient(routes) else {}
        if self._engine.access.mode is Mode.OFF and any(route.needs_access for route in routes.values()):
            return {}
        return routes

    async def _serve(self, call: Call) -> Reply | web.StreamResponse:
        started, domain = time.perf_counter(), "default"
        with contextlib.suppress(Refusal):
            domain = call.header("X-Domain-Name") or domain
        reply = await self._guarded(call, self._heard)
        self.observe(call.request.method, reply.status, call.route.name, domain, time.perf_counter() - started)
        return reply

    async def inner(self, call: Call) -> Reply | web.StreamResponse:
        """Answer what a page asks of the API for whoever looks at it: past the same door, by the same handler. Its body is there."""
        return await self._guarded(call, self._asked_within)

    async def _guarded(
        self, call: Call, answer: Callable[[Call], Awaitable[Reply | web.StreamResponse]]
    ) -> Reply | web.StreamResponse:
        """What a call is answered with; refusals and defects in the words of its route's protocol."""
        reply: Reply | web.StreamResponse
        try:
            reply = await answer(call)
        except Refusal as error:
            reply = error_reply(call.route.refused(error))
        except ConnectionError:
            raise
        except Exception as error:
            log.exception("request.failed", method=call.request.method, route=call.route.path)
            reply = error_reply(call.route.refused(RegistryError(500003, type(error).__name__)))
        if reply.status >= 500:
            self._engine.alarms.activate(INTERNAL, f"{call.request.method} {call.route.path}")
        return reply

    async def _heard(self, call: Call) -> Reply | web.StreamResponse:
        call.header("X-Domain-Name")  # one that is no UTF-8 is refused, whether its route asks for it or not
        reply = await (self._open(call) if self._engine.access.mode is Mode.OFF else self._through_door(call))
        if isinstance(reply, Reply):
            self.learn(call, reply)
        return reply

    async def _asked_within(self, call: Call) -> Reply | web.StreamResponse:
        _check_size(call.body, self._body_limits[call.route.body_limit])
        refused = None if self._engine.access.mode is Mode.OFF else self._door.admit(call)
        if refused is not None:
            return refused
        with self._door.inside(call):
            return await call.route.handler(call)

    async def _open(self, call: Call) -> Reply | web.StreamResponse:
        call.body = await self._read_body(call.request, self._body_limits[call.route.body_limit])
        with self._door.inside(call):
            return await call.route.handler(call)

    async def _through_door(self, call: Call) -> Reply | web.StreamResponse:
        """Ask the door before the body is read, and once more when it is there: what a request is about may be in it."""
        door = self._door
        refused = door.refuses_unheard(call)
        if refused is None:
            call.body = await self._read_body(call.request, self._body_limits[call.route.body_limit])
            refused = door.admit(call)
        if refused is not None:
            return refused
        with door.inside(call):
            return await call.route.handler(call)

    async def _read_body(self, request: web.BaseRequest, limit: int) -> bytes:
        if not request.can_read_body:
            return b""
        if (request.content_length or 0) > limit:
            raise invalid("http: request body too large")
        if request.headers.get("Expect", "").lower() == "100-continue" and request.version >= HttpVersion11:
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            request.writer.output_size = 0
        if request.content.is_eof():
            whole = request.content.read_nowait(-1)
            _check_size(whole, limit)
            return whole
        body = bytearray()
        try:
            async with asyncio.timeout(self._timeout):
                async for chunk in request.content.iter_any():
                    body += chunk
                    _check_size(body, limit)
        except TimeoutError as error:
            raise invalid("the body did not arrive in time") from error
        except RuntimeError as error:  # aiohttp's word for a client that had left before its body was asked for
            raise ConnectionResetError("the client left in its body") from error
        return bytes(body)


def common_headers(request: web.BaseRequest) -> dict[str, str]:
    """The headers that all answers have, websockets aside. Sections 1.3 to 1.5."""
    headers = {"Server": SERVER, "Vary": "Origin, Accept-Encoding"}
    if "Origin" in request.headers and request.method in _CORS_METHODS - {"OPTIONS"}:
        headers["Access-Control-Allow-Origin"] = "*"
    return headers


def _check_size(body: bytes | bytearray, limit: int) -> None:
    if len(body) > limit:
        raise invalid("http: request body too large")


def error_reply(error: Refusal) -> Reply:
    """The error JSON: the code is a string, the detail is left out where there is none."""
    document = {"errorCode": str(error.error.code), "errorMessage": error.error.message}
    if error.detail:
        document["detail"] = error.detail
    reply = json_reply(document)
    return Reply(error.error.status, reply.body, reply.content_type)


def accepts_gzip(accept_encoding: str) -> bool:
    """Whether an Accept-Encoding header names gzip and does not rule it out."""
    for item in accept_encoding.split(","):
        name, _, weight = item.partition(";")
        if name.strip().lower() == "gzip":
            return _NO_GZIP.fullmatch(weight) is None
    return False


def gzip(body: bytes) -> bytes:
    """The body compressed: quickly, and the same bytes every time."""
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    return packer.compress(body) + packer.flush()


def _origin_form(target: str) -> str:
    """The target without scheme and host, which proxies' clients send."""
    if not target.startswith(("http://", "https://")):
        return target
    _, _, rest = target.partition("://")
    slash = rest.find("/")
    return rest[slash:] if slash >= 0 else "/"


def _is_lenient(routes: Mapping[str, Route]) -> bool:
    return any(route.tenancy in (Tenancy.KIE, Tenancy.CONFIG, Tenancy.QUERY) for route in routes.values())


def _check_target(target: str, path: str, *, lenient: bool) -> Reply | None:
    """Section 1.3. The APIs of configuration are lenient: neither length nor end of the target count, nor slashes in the query."""
    odd = len(target) >= _LONGEST_TARGET or target.endswith((";", "&", "?", "+", "@"))
    if not path.startswith("/") or (odd and not lenient):
        return _invalid(target[:_LONGEST_TARGET])
    cleaned = _cleaned(path)
    if cleaned != path:
        query = target[len(path) :]
        return Reply(301, headers={"Location": cleaned + query})
    if "//" in target and not lenient:
        return _invalid(target)
    return None


def _invalid(target: str) -> Reply:
    """It repeats what was asked for, so no browser may take it for a page."""
    return Reply(400, f"Invalid Request URI {target}".encode(), headers=_ROUTER_HEADERS)


def _cleaned(path: str) -> str:
    if "//" not in path and "/." not in path:
        return path
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            kept[-1:] = []
        elif segment not in ("", "."):
            kept.append(segment)
    slash = "/" if path.endswith("/") and kept else ""
    return "/" + "/".join(kept) + slash


def _not_found(path: str) -> Reply:
    return _KIE_NOT_FOUND if _KIE_PATH.fullmatch(path) else _NOT_FOUND


def _method_not_allowed(routes: Mapping[str, Route]) -> Reply:
    allowed = {"Allow": ", ".join(sorted(routes))}
    if any(route.tenancy is Tenancy.KIE for route in routes.values()):
        return Reply(405, b"405: Method Not Allowed", _ROUTER_TYPE, allowed)
    return Reply(405, b"Method Not Allowed\n", _ROUTER_TYPE, {**_ROUTER_HEADERS, **allowed})


def _preflight(request: web.BaseRequest) -> Reply:
    """Any OPTIONS request ends here: what a browser may send from another origin. Section 1.4."""
    origin = {"Access-Control-Allow-Origin": "*"} if "Origin" in request.headers else {}
    wanted = request.headers.get("Access-Control-Request-Method")
    if wanted is None:
        return Reply(headers=origin)
    vary = {"Vary": "Origin, Access-Control-Request-Method, Access-Control-Request-Headers, Accept-Encoding"}
    asked = request.headers.get("Access-Control-Request-Headers", "")
    names = {name.strip().lower() for name in asked.split(",") if name.strip()}
    if wanted not in _CORS_METHODS or not names <= _CORS_HEADERS:
        return Reply(headers=vary)
    echoed = {"Access-Control-Allow-Headers": asked} if asked else {}
    return Reply(headers={**vary, **origin, "Access-Control-Allow-Methods": wanted, **echoed})

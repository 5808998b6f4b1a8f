"""Every request enters here: its target is checked, its route found, its body read, and its answer given the headers that all answers have.

Protocol: Service Center sections 1.1 to 1.7. What a handler raises as `RegistryError` becomes the error JSON; anything else is a defect, is
logged with its traceback and answered by 500003.
"""

from __future__ import annotations

import asyncio
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import parse_qsl, unquote_to_bytes

import structlog
from aiohttp import HttpVersion11, web

from registry.api.call import TEXT_TYPE, Call, Listeners, Reply, Route, json_reply
from registry.api.router import Router, params_of
from registry.engine import Engine
from registry.engine.alarms import INTERNAL
from registry.errors import Refusal, RegistryError, invalid

_LONGEST_TARGET = 2048
_COMPRESSED_FROM = 1400
_CORS_METHODS = frozenset(("GET", "POST", "PUT", "DELETE", "UPDATE", "OPTIONS"))
_CORS_HEADERS = frozenset(("origin", "accept", "content-type", "x-domain-name", "x-consumerid"))
_NOT_FOUND = Reply(404, b"404 page not found\n", TEXT_TYPE, {"X-Content-Type-Options": "nosniff"})

log = structlog.get_logger(__name__)
Observer = Callable[[str, int, str, str, float], None]


class Gate:
    """The handler of all ports. `body_limits` are bytes by the name of their setting; `timeout` is seconds for a whole body."""

    def __init__(
        self,
        engine: Engine,
        routes: Sequence[Route],
        listeners: Listeners,
        *,
        server: str,
        body_limits: Mapping[str, int],
        timeout: float,
    ) -> None:
        self._engine = engine
        self._router = Router(routes)
        self._listeners = listeners
        self._server = server
        self._body_limits = body_limits
        self._timeout = timeout
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
        headers = {"Content-Type": reply.content_type, "Server": self._server, "Vary": "Origin, Accept-Encoding"}
        headers.update(reply.headers)
        if "Origin" in request.headers and request.method in _CORS_METHODS - {"OPTIONS"}:
            headers["Access-Control-Allow-Origin"] = "*"
        body = reply.body
        if len(body) >= _COMPRESSED_FROM and "gzip" in request.headers.get("Accept-Encoding", ""):
            body = gzip(body)
            headers["Content-Encoding"] = "gzip"
        if reply.status == 304:
            del headers["Content-Type"]
        return web.Response(status=reply.status, body=body, headers=headers)

    async def _answer(self, request: web.BaseRequest) -> Reply | web.StreamResponse:
        target = _origin_form(request.raw_path)
        path, _, query = target.partition("?")
        refusal = _check_target(target, path)
        if refusal is not None:
            return refusal
        if request.method == "OPTIONS":
            return _preflight(request)
        try:
            decoded = unquote_to_bytes(path).decode()
        except UnicodeDecodeError:
            return _NOT_FOUND
        routes = self._router.find(decoded)
        route = routes.get(request.method)
        if route is None:
            return _method_not_allowed(routes) if routes else _NOT_FOUND
        pairs = parse_qsl(query, keep_blank_values=True)
        call = Call(self._engine, route, request, params_of(route, decoded), pairs, b"", self._listeners)
        return await self._serve(call)

    async def _serve(self, call: Call) -> Reply | web.StreamResponse:
        started = time.perf_counter()
        reply: Reply | web.StreamResponse
        try:
            call.body = await self._read_body(call.request, self._body_limits[call.route.body_limit])
            reply = await call.route.handler(call)
            if isinstance(reply, Reply):
                self.learn(call, reply)
        except Refusal as error:
            reply = error_reply(error)
        except (ConnectionError, TimeoutError):
            raise
        except Exception as error:
            log.exception("request.failed", method=call.request.method, route=call.route.path)
            reply = error_reply(RegistryError(500003, type(error).__name__))
        if reply.status >= 500:
            self._engine.alarms.activate(INTERNAL, f"{call.request.method} {call.route.path}")
        name = call.route.handler.__qualname__
        domain = call.header("X-Domain-Name") or "default"
        self.observe(call.request.method, reply.status, name, domain, time.perf_counter() - started)
        return reply

    async def _read_body(self, request: web.BaseRequest, limit: int) -> bytes:
        if not request.can_read_body:
            return b""
        if (request.content_length or 0) > limit:
            raise invalid("http: request body too large")
        if request.headers.get("Expect", "").lower() == "100-continue" and request.version >= HttpVersion11:
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            request.writer.output_size = 0
        if request.content.is_eof():
            return _within(request.content.read_nowait(-1), limit)
        chunks: list[bytes] = []
        size = 0
        async with asyncio.timeout(self._timeout):
            async for chunk in request.content.iter_any():
                size += len(chunk)
                chunks.append(_within(chunk, limit - size + len(chunk)))
        return b"".join(chunks)


def _within(body: bytes, limit: int) -> bytes:
    if len(body) > limit:
        raise invalid("http: request body too large")
    return body


def error_reply(error: Refusal) -> Reply:
    """The error JSON: the code is a string, the detail is left out where there is none."""
    document = {"errorCode": str(error.error.code), "errorMessage": error.error.message}
    if error.detail:
        document["detail"] = error.detail
    reply = json_reply(document)
    return Reply(error.error.status, reply.body, reply.content_type)


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


def _check_target(target: str, path: str) -> Reply | None:
    if not path.startswith("/") or len(target) >= _LONGEST_TARGET or target.endswith((";", "&", "?", "+", "@")):
        return Reply(400, f"Invalid Request URI {target[:_LONGEST_TARGET]}".encode())
    cleaned = _cleaned(path)
    if cleaned != path:
        query = target[len(path) :]
        return Reply(301, headers={"Location": cleaned + query})
    if "//" in target:
        return Reply(400, f"Invalid Request URI {target}".encode())
    return None


def _cleaned(path: str) -> str:
    if "//" not in path and "/." not in path:
        return path
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            kept[-1:] = []
        elif segment not in ("", "."):
            kept.append(segment)
    slash = "/" if path.endswith(("/", "/.", "/..")) and kept else ""
    return "/" + "/".join(kept) + slash


def _method_not_allowed(routes: Mapping[str, Route]) -> Reply:
    return Reply(405, b"Method Not Allowed\n", TEXT_TYPE, {"Allow": ", ".join(sorted(routes))})


def _preflight(request: web.BaseRequest) -> Reply:
    """Any OPTIONS request ends here: what a browser may send from another origin. Section 1.4."""
    origin = {"Access-Control-Allow-Origin": "*"} if "Origin" in request.headers else {}
    wanted = request.headers.get("Access-Control-Request-Method")
    if wanted is None:
        return Reply(headers=origin)
    vary = {"Vary": "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"}
    asked = request.headers.get("Access-Control-Request-Headers", "")
    names = {name.strip().lower() for name in asked.split(",") if name.strip()}
    if wanted not in _CORS_METHODS or not names <= _CORS_HEADERS:
        return Reply(headers=vary)
    echoed = {"Access-Control-Allow-Headers": asked} if asked else {}
    return Reply(headers={**vary, **origin, "Access-Control-Allow-Methods": wanted, **echoed})

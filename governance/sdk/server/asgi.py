"""The rules for any ASGI application: Starlette, FastAPI, Django, Quart."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any, TypeAlias
from urllib.parse import parse_qsl

from governance.invocation.invocation import LocalReply, Reply
from governance.sdk.answers import message_of
from governance.sdk.server.inbound import Arrival, Inbound

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Application: TypeAlias = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]


class GovernedASGI:
    """An application behind the rules: `app = GovernedASGI(app, service.inbound)`. Websockets and lifespan events pass as they are."""

    def __init__(self, application: Application, inbound: Inbound) -> None:
        self._application = application
        self._inbound = inbound

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        status, begun = 500, False

        async def watched(message: Message) -> None:
            nonlocal status, begun
            if message["type"] == "http.response.start":
                status, begun = message["status"], True
                message = _ending(message, scope) if self._inbound.gate.closed else message
            await send(message)

        async def run() -> Reply:
            await self._application(scope, receive, watched)
            return LocalReply(status)

        reply = await self._inbound.handle(_arrival(scope), run)
        # A fallback comes too late for an answer that has begun: the server ends that as it can.
        if isinstance(reply, LocalReply) and reply.by and not begun:
            await _refuse(reply, watched)


def _ending(message: Message, scope: Mapping[str, Any]) -> Message:
    """The beginning of an answer that is its connection's last. HTTP/2 has no such header."""
    if not str(scope.get("http_version", "1.1")).startswith("1"):
        return message
    others = [header for header in message.get("headers", ()) if header[0].lower() != b"connection"]
    return {**message, "headers": [*others, (b"connection", b"close")]}


def _arrival(scope: Mapping[str, Any]) -> Arrival:
    return Arrival(
        method=scope["method"],
        path=scope["path"],
        headers=_headers(scope["headers"]),
        queries=lambda: dict(reversed(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))),
        pattern=lambda: _pattern(scope),
    )


def _pattern(scope: Mapping[str, Any]) -> str:
    """The path of the route that Starlette and FastAPI leave in the scope; Django and Quart leave none."""
    route = scope.get("route")
    return str(getattr(route, "path_format", None) or getattr(route, "path", None) or "")


def _headers(raw: Iterable[tuple[bytes, bytes]]) -> Mapping[str, str]:
    """Of several with one name the first, as elsewhere; read as UTF-8, as aiohttp does, so that a rule means the same in both."""
    found: dict[str, str] = {}
    for name, value in raw:
        found.setdefault(name.decode("latin-1").lower(), value.decode("utf-8", "surrogateescape"))
    return found


async def _refuse(reply: LocalReply, send: Send) -> None:
    body = message_of(reply)
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})

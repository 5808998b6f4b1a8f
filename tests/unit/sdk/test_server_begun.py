"""An answer that has begun is never followed by another one, whatever a rule would give in its place."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from governance.invocation.live import LiveRules
from governance.rules.selection import OwnService
from governance.sdk.server import GovernedASGI, Inbound, governed
from governance.sdk.stages import inbound
from tests.unit.sdk.servers import serving


def falling_back() -> Inbound:
    """The way in to a service that gives nothing in place of its failures."""
    rules = LiveRules(OwnService("shop"))
    rules.update({"servicecomb.fallbackpolicy.Provider.shop.policy": "returnnull"})

    async def nobody(_: object) -> None:
        """Nobody proves who calls."""

    return Inbound(rules, inbound(rules), {}, nobody)


async def asked(failing_after: int) -> list[str]:
    """What an ASGI application sends that fails after so many messages of its answer."""
    sent: list[str] = []
    answer = [
        {"type": "http.response.start", "status": 200, "headers": []},
        {"type": "http.response.body", "body": b"half", "more_body": True},
    ]

    async def application(_scope: object, _receive: object, send: Any) -> None:
        for message in answer[:failing_after]:
            await send(message)
        raise ZeroDivisionError

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message["type"])

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request"}

    scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": []}
    await GovernedASGI(application, falling_back())(scope, receive, send)
    return sent


async def test_an_asgi_answer_that_has_begun_is_the_only_one() -> None:
    whole = ["http.response.start", "http.response.body"]
    assert await asked(failing_after=0) == whole, "the fallback's"
    assert await asked(failing_after=1) == whole[:1]
    assert await asked(failing_after=2) == whole


async def test_an_aiohttp_answer_that_has_begun_breaks_off() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        if request.path == "/whole":
            raise ZeroDivisionError
        answer = web.StreamResponse()
        await answer.prepare(request)
        await answer.write(b"half")
        raise ZeroDivisionError

    middleware = governed(falling_back())

    async def behind(request: web.Request) -> web.StreamResponse:
        return await middleware(request, handler)

    async with serving(behind) as address, aiohttp.ClientSession() as session:
        async with session.get(f"{address}/whole") as answer:
            assert (answer.status, await answer.read()) == (200, b"")
        async with session.get(f"{address}/half") as answer:
            with pytest.raises(aiohttp.ClientPayloadError):
                await answer.read()

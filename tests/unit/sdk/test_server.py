"""The provider's side: what is refused does not reach the handler, what comes in is the context, in aiohttp and in Starlette."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TypeAlias

import aiohttp
import pytest
from aiohttp import web
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from governance.invocation import context
from governance.invocation.chain import Proceed
from governance.invocation.invocation import Invocation, LocalReply, Reply
from governance.invocation.live import LiveRules
from governance.rules.selection import OwnService
from governance.sdk.server import GovernedASGI, Inbound, governed
from tests.unit.sdk.servers import under_uvicorn

Serving: TypeAlias = Callable[[Inbound], AbstractAsyncContextManager[str]]
SCHEMA = 'swagger: "2.0"\nbasePath: /\npaths: {/show: {get: {operationId: show}}}'


class Door:
    """A stage that remembers who passes, and refuses whom the path names."""

    name = "door"

    def __init__(self) -> None:
        self.passed: list[Invocation] = []
        self.came_back: list[int | str] = []

    async def __call__(self, invocation: Invocation, proceed: Proceed) -> Reply:
        """Refuse or proceed."""
        self.passed.append(invocation)
        if invocation.request.path == "/refused":
            return LocalReply(429, "rate limited.", by="door")
        try:
            reply = await proceed(invocation)
        except Exception as error:
            self.came_back.append(type(error).__name__)
            raise
        self.came_back.append(reply.status)
        return reply


@contextlib.asynccontextmanager
async def in_aiohttp(inbound: Inbound) -> AsyncIterator[str]:
    """An aiohttp server behind the rules."""

    async def show(_request: web.Request) -> web.Response:
        return web.json_response(dict(context.current()))

    async def missing(_request: web.Request) -> web.Response:
        raise web.HTTPNotFound

    async def broken(_request: web.Request) -> web.Response:
        raise ZeroDivisionError

    app = web.Application(middlewares=[governed(inbound)])
    app.add_routes([web.get("/show", show), web.get("/refused", broken)])
    app.add_routes([web.get("/missing", missing), web.get("/broken", broken)])
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@contextlib.asynccontextmanager
async def in_starlette(inbound: Inbound) -> AsyncIterator[str]:
    """A Starlette application behind the rules."""

    async def show(_request: Request) -> JSONResponse:
        return JSONResponse(dict(context.current()))

    async def missing(_request: Request) -> JSONResponse:
        return JSONResponse({}, 404)

    async def broken(_request: Request) -> JSONResponse:
        raise ZeroDivisionError

    routes = [Route("/show", show), Route("/missing", missing), Route("/broken", broken), Route("/refused", broken)]
    async with under_uvicorn(GovernedASGI(Starlette(routes=routes), inbound)) as address:
        yield address


@pytest.fixture(params=[in_aiohttp, in_starlette], ids=["aiohttp", "starlette"])
def serving(request: pytest.FixtureRequest) -> Serving:
    """Both kinds of servers."""
    made: Serving = request.param
    return made


async def fetched(url: str, headers: Mapping[str, str] = {}) -> tuple[int, str]:
    """Status and body."""
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as answer:
        return answer.status, await answer.text()


def inbound(stages: Sequence[Door], **values: str) -> Inbound:
    """The way in to the service shop."""
    rules = LiveRules(OwnService("shop"))
    rules.update({f"servicecomb.{key.replace('__', '.')}": text for key, text in values.items()})
    return Inbound(rules, stages, {"shop": SCHEMA}, nobody_known)


async def nobody_known(_context: Mapping[str, str]) -> None:
    """Nobody proves who calls."""


async def test_what_is_refused_does_not_reach_the_handler(serving: Serving) -> None:
    async with serving(inbound([Door()])) as address:
        assert await fetched(f"{address}/refused") == (429, '{"message": "rate limited."}')


async def test_a_stage_sees_what_came_back(serving: Serving) -> None:
    door = Door()
    async with serving(inbound([door])) as address:
        statuses = [(await fetched(f"{address}/{path}"))[0] for path in ("show", "missing", "broken")]
    assert statuses == [200, 404, 500]
    assert door.came_back == [200, 404, "ZeroDivisionError"]


async def test_the_caller_and_the_operation_are_known(serving: Serving) -> None:
    door = Door()
    async with serving(inbound([door])) as address:
        await fetched(f"{address}/show?q=1", {"x-cse-context": '{"x-cse-src-microservice":"web"}'})
        await fetched(f"{address}/missing")
    known, unknown = door.passed
    assert (known.service, known.request.service_name, known.schema, known.operation) == ("web", "web", "shop", "show")
    assert (unknown.service, unknown.request.service_name, unknown.schema) == ("", None, "")


async def test_the_context_is_what_came_along_and_what_rules_ask_for(serving: Serving) -> None:
    rules = inbound(
        [Door()],
        routeRule__weather="[{match: {headers: {Type: {exact: a}}}, route: [{weight: 100, tags: {version: 1.0.0}}]}]",
        matchGroup__m="matches: [{method: [GET]}]",
        mapper__m="target: {path: $U, verb: $M, city: '$Q{city}', agent: '$H{x-agent}', none: '$H{x-none}', fix: here}",
    )
    headers = {"X-CSE-Context": '{"user":"tom"}', "Type": "a", "X-Agent": "me", "x-other": "1"}
    async with serving(rules) as address:
        status, body = await fetched(f"{address}/show?city=Berlin", headers)
    assert status == 200
    mapped = {"path": "/show", "verb": "GET", "city": "Berlin", "agent": "me", "fix": "here"}
    assert json.loads(body) == {"user": "tom", "type": "a", **mapped}
    assert context.current() == {}

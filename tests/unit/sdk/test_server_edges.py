"""What must not change because rules stand before an application, byte by byte: connections, streams, and what frameworks do beside."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import TypeAlias

import aiohttp
import pytest
from aiohttp import web
from fastapi import BackgroundTasks, FastAPI, HTTPException, Request
from fastapi.responses import PlainTextResponse, StreamingResponse
from yarl import URL

from governance.invocation import context
from governance.invocation.live import LiveRules
from governance.rules.selection import OwnService
from governance.sdk.server import GovernedASGI, Inbound, governed
from governance.sdk.stages import inbound
from tests.raw import connect, request
from tests.unit.sdk.servers import under_uvicorn

RULES = {
    "servicecomb.matchGroup.closed": "matches: [{apiPath: {exact: /refused}}]",
    "servicecomb.bulkhead.closed": "{maxConcurrentCalls: 0, maxWaitDuration: 0}",
}


class Shop:
    """An application in two frameworks. `reached` are the paths that handlers were asked for, `came` says that a slow one was,
    `goes_on` lets it end."""

    def __init__(self) -> None:
        rules = LiveRules(OwnService("shop"))
        rules.update(RULES)
        self.inbound = Inbound(rules, inbound(rules), {}, self._nobody_known)
        self.reached: list[str] = []
        self.came, self.goes_on = asyncio.Event(), asyncio.Event()
        self.beside: asyncio.Future[dict[str, str]] = asyncio.get_running_loop().create_future()
        self.lifespan: list[str] = []

    async def _nobody_known(self, _context: object) -> None:
        """Nobody proves who calls."""

    async def slowly(self) -> AsyncIterator[bytes]:
        """An answer in two parts, the second of which waits."""
        yield b"first "
        await self.goes_on.wait()
        yield context.current().get("user", "").encode()

    @contextlib.asynccontextmanager
    async def in_aiohttp(self) -> AsyncIterator[str]:
        """Served by aiohttp; its address."""

        async def answer(request: web.Request) -> web.StreamResponse:
            self.reached.append(request.path)
            if request.path == "/wait":
                self.came.set()
                await self.goes_on.wait()
            if request.path != "/stream":
                return web.Response(text="here")
            response = web.StreamResponse()
            await response.prepare(request)
            async for part in self.slowly():
                await response.write(part)
            return response

        app = web.Application(middlewares=[governed(self.inbound)])
        app.router.add_route("*", "/{path:.*}", answer)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()

    @contextlib.asynccontextmanager
    async def in_fastapi(self) -> AsyncIterator[str]:
        """Served by FastAPI in uvicorn; its address."""
        async with under_uvicorn(GovernedASGI(self._fastapi(), self.inbound)) as address:
            yield address

    def _fastapi(self) -> FastAPI:
        @contextlib.asynccontextmanager
        async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
            self.lifespan.append("begun")
            yield
            self.lifespan.append("over")

        app = FastAPI(lifespan=lifespan)

        @app.get("/stream")
        async def stream() -> StreamingResponse:
            return StreamingResponse(self.slowly())

        @app.get("/items/{number}")
        async def item(number: int) -> dict[str, int]:
            if number == 7:
                raise HTTPException(418, "seven")
            if number == 0:
                raise ZeroDivisionError
            return {"number": number}

        @app.get("/beside")
        async def beside(tasks: BackgroundTasks) -> str:
            tasks.add_task(self._later)
            return "here"

        @app.api_route("/{path:path}", methods=["GET", "POST"])
        async def anything(request: Request) -> PlainTextResponse:
            self.reached.append(request.url.path)
            if request.url.path == "/wait":
                self.came.set()
                await self.goes_on.wait()
            return PlainTextResponse("here")

        return app

    async def _later(self) -> None:
        await self.goes_on.wait()
        self.beside.set_result(dict(context.current()))


Serving: TypeAlias = Callable[[Shop], AbstractAsyncContextManager[str]]


@pytest.fixture(params=[Shop.in_aiohttp, Shop.in_fastapi], ids=["aiohttp", "fastapi"])
def serving(request: pytest.FixtureRequest) -> Serving:
    """Both kinds of servers."""
    made: Serving = request.param
    return made


def port_of(address: str) -> int:
    """The port of an address."""
    port = URL(address).port
    assert port
    return port


@pytest.mark.parametrize("size", [0, 10, 300_000])
async def test_a_connection_goes_on_after_a_refusal(serving: Serving, size: int) -> None:
    shop = Shop()
    async with serving(shop) as address, connect(port_of(address)) as connection:
        for _ in range(3):
            refused = await connection.exchange(request("POST", "/refused", b"x" * size))
            assert (refused.status, refused.body[:11]) == (429, b'{"message":')
            answered = await connection.exchange(request("GET", "/show"))
            assert (answered.status, answered.body) == (200, b"here")
    assert shop.reached == ["/show"] * 3


async def test_a_refusal_does_not_wait_for_the_body_and_what_comes_of_it_is_no_request(serving: Serving) -> None:
    shop = Shop()
    head, body = request("POST", "/refused", b"GET /show HTTP/1.1\r\n\r\n" * 1000).split(b"\r\n\r\n", 1)
    async with serving(shop) as address, connect(port_of(address)) as connection:
        assert (await connection.exchange(head + b"\r\n\r\n" + body[:5000])).status == 429
        answered = await connection.exchange(body[5000:] + request("GET", "/after"))
        assert (answered.status, answered.body) == (200, b"here")
    assert shop.reached == ["/after"]


async def test_a_chunked_body_that_is_refused_is_read_to_its_end(serving: Serving) -> None:
    shop = Shop()
    head = b"POST /refused HTTP/1.1\r\nHost: shop\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunks = (b"1000\r\n" + b"y" * 4096 + b"\r\n") * 40 + b"0\r\n\r\n"
    async with serving(shop) as address, connect(port_of(address)) as connection:
        assert (await connection.exchange(head + chunks)).status == 429
        assert (await connection.exchange(request("GET", "/after"))).status == 200


async def test_who_comes_when_the_service_leaves_is_told_so_and_hung_up_on(serving: Serving) -> None:
    shop = Shop()
    async with serving(shop) as address, connect(port_of(address)) as connection:
        assert (await connection.exchange(request("GET", "/show"))).status == 200
        assert await shop.inbound.gate.close(1)
        refused = await connection.exchange(request("POST", "/show", b"x" * 10))
        assert (refused.status, refused.body) == (503, b'{"message": "application is shutting down"}')
        assert {name.lower(): value for name, value in refused.headers}["connection"] == "close"
        assert await connection.closed()
    assert shop.reached == ["/show"]


async def test_who_is_inside_when_the_service_leaves_is_answered_and_the_connection_ends(serving: Serving) -> None:
    shop = Shop()
    async with serving(shop) as address, connect(port_of(address)) as connection:
        connection.writer.write(request("GET", "/wait"))
        async with asyncio.timeout(10):
            await shop.came.wait()
        assert not await shop.inbound.gate.close(0)
        closing = asyncio.create_task(shop.inbound.gate.close(10))
        shop.goes_on.set()
        answered = await connection.read()
        assert (answered.status, answered.body) == (200, b"here")
        assert {name.lower(): value for name, value in answered.headers}["connection"] == "close"
        assert await closing
        assert await connection.closed()


async def test_a_stream_passes_part_by_part_within_its_context(serving: Serving) -> None:
    shop = Shop()
    async with serving(shop) as address, aiohttp.ClientSession() as session:
        headers = {"x-cse-context": '{"user":"tom"}'}
        async with asyncio.timeout(10), session.get(f"{address}/stream", headers=headers) as answer:
            assert await answer.content.readany() == b"first "
            assert shop.inbound.gate.inside == 1
            shop.goes_on.set()
            assert await answer.content.read() == b"tom"


async def test_a_client_that_goes_away_is_not_counted_as_inside(serving: Serving) -> None:
    shop = Shop()
    async with serving(shop) as address, connect(port_of(address)) as connection:
        connection.writer.write(request("GET", "/stream"))
        await connection.reader.readuntil(b"first ")
        connection.writer.close()
        shop.goes_on.set()
        assert await shop.inbound.gate.close(10)


async def test_what_fastapi_does_is_as_without_rules() -> None:
    shop = Shop()
    async with shop.in_fastapi() as address, aiohttp.ClientSession() as session:
        wanted = {"/items/1": 200, "/items/7": 418, "/items/x": 422, "/items/0": 500}
        found = {}
        for path in wanted:
            async with session.get(address + path) as answer:
                found[path] = answer.status
                body = await answer.text()
                assert "seven" in body or path != "/items/7"
        assert found == wanted
        assert shop.lifespan == ["begun"]
    assert shop.lifespan == ["begun", "over"]


async def test_a_background_task_has_the_context_and_is_waited_for_when_the_service_leaves() -> None:
    shop = Shop()
    async with shop.in_fastapi() as address, aiohttp.ClientSession() as session:
        async with session.get(f"{address}/beside", headers={"x-cse-context": '{"user":"tom"}'}) as answer:
            assert (answer.status, await answer.text()) == (200, '"here"')
        assert not await shop.inbound.gate.close(0)
        shop.goes_on.set()
        assert await shop.beside == {"user": "tom"}
        assert await shop.inbound.gate.close(10)

"""Watching: what an event leads to, and how the connection is kept."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp
import pytest
from aiohttp import web

from governance.sdk import ServiceSettings
from governance.sdk.addresses import AddressPool
from governance.sdk.client import CenterClient
from governance.sdk.watch import Watch
from tests.unit.sdk.fakes import Time, running
from tests.unit.sdk.servers import nobody, serving


class Wanted:
    """Stands for `Discovery`: what is to be pulled, in order."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[object] = asyncio.Queue()

    def want(self, app: str, service: str) -> None:
        self.queue.put_nowait((app, service))

    def want_all(self) -> None:
        self.queue.put_nowait("all")

    async def next(self) -> object:
        async with asyncio.timeout(10):
            return await self.queue.get()


@contextlib.asynccontextmanager
async def watching(*addresses: str, **settings: object) -> AsyncIterator[tuple[Watch, Wanted, Time]]:
    known = ServiceSettings(name="c", addresses=addresses, **settings)  # type: ignore[arg-type]
    wanted, time = Wanted(), Time()
    async with aiohttp.ClientSession() as session:
        client = CenterClient(known, AddressPool(known.addresses))
        client.open_with(session)
        watch = Watch(client, wanted, lambda: wanted.queue.put_nowait("forgotten"))  # type: ignore[arg-type]
        async with running(watch.run("me", time.pause)):
            yield watch, wanted, time
    assert not watch.connected


def saying(*frames: bytes | str) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """A watch endpoint that says these frames, and closes when the client has had time to read them: at its close."""

    async def handle(request: web.Request) -> web.StreamResponse:
        assert request.path == "/v4/default/registry/microservices/me/watcher"
        assert request.headers["X-Domain-Name"] == "default"
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        for frame in frames:
            await (socket.send_bytes(frame) if isinstance(frame, bytes) else socket.send_str(frame))
        if not frames:
            await socket.close()
        async for _ in socket:
            pass
        return socket

    return handle


_EVENT = '{"action":"CREATE","key":{"appId":"shop","serviceName":"cart"},"instance":{}}'


@pytest.mark.parametrize("frame", [_EVENT, _EVENT.encode()])
async def test_after_an_event_its_service_is_pulled(frame: bytes | str) -> None:
    async with serving(saying(frame)) as address, watching(address) as (watch, wanted, _):
        assert await wanted.next() == "all", "what happened before the connection stood was told to nobody"
        assert await wanted.next() == ("shop", "cart")
        assert watch.connected


@pytest.mark.parametrize("frame", ["?", '"x"', "[]", "{}", '{"key":{}}', '{"key":7}', b"\xff\x00"])
async def test_after_what_cannot_be_read_everything_is_pulled(frame: bytes | str) -> None:
    async with serving(saying(frame)) as address, watching(address) as (_, wanted, _time):
        assert [await wanted.next(), await wanted.next()] == ["all", "all"]


async def test_an_engine_that_does_not_know_the_service_is_heard() -> None:
    async with serving(saying("service does not exist")) as address, watching(address) as (_, wanted, _time):
        assert [await wanted.next(), await wanted.next()] == ["all", "forgotten"]


async def test_a_lost_connection_is_made_again_after_a_second() -> None:
    async with serving(saying()) as address, watching(address) as (_, wanted, time):
        for _ in range(3):
            assert await wanted.next() == "all"
            await time.until_someone_pauses()
            await time.pass_(1)
    assert time.pauses[:3] == [1, 1, 1]


async def test_pauses_grow_while_nobody_answers() -> None:
    with nobody() as dead:
        async with watching(dead) as (watch, wanted, time):
            while len(time.pauses) < 7:
                await time.until_someone_pauses()
                await time.pass_(time.pauses[-1])
            assert time.pauses[:7] == [1, 2, 4, 8, 10, 10, 10]
            assert not watch.connected
            assert wanted.queue.empty()


async def test_the_next_address_is_followed_where_one_refuses() -> None:
    async with serving(saying(_EVENT)) as alive:
        with nobody() as dead:
            async with watching(dead, alive) as (_, wanted, time):
                assert [await wanted.next(), await wanted.next()] == ["all", ("shop", "cart")]
                assert time.pauses == []


async def test_a_connection_that_is_refused_is_made_with_a_new_token() -> None:
    tokens, seen = iter(("old", "new")), []

    async def handle(request: web.Request) -> web.StreamResponse:
        if request.path == "/v4/token":
            return web.json_response({"token": next(tokens)})
        seen.append(request.headers["Authorization"])
        return await saying(_EVENT)(request) if seen[-1] == "Bearer new" else web.Response(status=401)

    account = {"account_name": "c", "account_password": "-"}
    async with serving(handle) as address, watching(address, **account) as (_, wanted, time):
        assert [await wanted.next(), await wanted.next()] == ["all", ("shop", "cart")]
        assert time.pauses == []
    assert seen == ["Bearer old", "Bearer new"]


async def test_a_connection_is_made_anew_when_there_is_another_token() -> None:
    tokens, seen = iter((web.Response(status=404), web.json_response({"token": "T"}))), []

    async def handle(request: web.Request) -> web.StreamResponse:
        if request.path == "/v4/token":
            return next(tokens)
        seen.append(request.headers.get("Authorization"))
        return await saying(_EVENT)(request)

    account = {"account_name": "c", "account_password": "-"}
    async with serving(handle) as address, watching(address, **account) as (watch, wanted, time):
        assert [await wanted.next(), await wanted.next()] == ["all", ("shop", "cart")]
        client = watch._client
        assert await client.account.renewed(client.session, {})
        await time.until_someone_pauses()
        assert not watch.connected
        await time.pass_(1)
        assert [await wanted.next(), await wanted.next()] == ["all", ("shop", "cart")]
    assert seen == [None, "Bearer T"]


async def test_a_connection_that_is_refused_for_another_reason_is_no_reason_to_log_in() -> None:
    asked: list[str] = []

    async def handle(request: web.Request) -> web.StreamResponse:
        asked.append(request.path)
        return web.json_response({"token": "T"}, status=200 if request.path == "/v4/token" else 403)

    account = {"account_name": "c", "account_password": "-"}
    async with serving(handle) as address, watching(address, **account) as (watch, _, time):
        await time.until_someone_pauses()
        assert not watch.connected
    assert asked == ["/v4/token", "/v4/default/registry/microservices/me/watcher"]

"""No call keeps its connection, however it ends: after each of these, the one connection that there is serves the next call."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from types import SimpleNamespace
from typing import TypeAlias

import aiohttp
import pytest
from aiohttp import web

from governance.sdk import LocalAnswer, RetriesExhaustedError, Session
from tests.unit.sdk.known import Known, instance, session_of
from tests.unit.sdk.servers import nobody, serving

Ending: TypeAlias = Callable[[Session, "Shop"], Awaitable[None]]
BIG = b"x" * 300_000
ALL = {"servicecomb.matchGroup.all": "matches: [{apiPath: {prefix: /ill}}, {apiPath: {prefix: /slow}}]"}


class Shop:
    """A provider whose paths misbehave. `asked` is set whenever someone asks, `began` once half an answer is out.
    `over` ends what would go on."""

    def __init__(self) -> None:
        self.asked, self.began, self.over = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.calls = 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Fails with a long body (/ill), never answers (/slow), stops in the middle (/half), breaks off (/broken), or says what it got."""
        self.calls += 1
        self.asked.set()
        match request.path:
            case "/ill":
                return web.Response(status=503, body=BIG)
            case "/slow":
                await self.over.wait()
            case "/half" | "/broken":
                await self._half(request)
            case "/big":
                return web.Response(body=BIG)
        return web.Response(text=hashlib.sha256(await request.read()).hexdigest())

    async def _half(self, request: web.Request) -> None:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(BIG)
        self.began.set()
        if request.path == "/half":
            await self.over.wait()
        assert request.transport is not None
        request.transport.abort()


@contextlib.asynccontextmanager
async def open_shop() -> AsyncIterator[tuple[Shop, str]]:
    """A provider and its address; all that it does is over after 15 s at the latest."""
    shop = Shop()
    async with serving(shop.answer) as address:
        try:
            async with asyncio.timeout(15):
                yield shop, address
        finally:
            shop.over.set()


async def a_retry_in_vain(http: Session, shop: Shop) -> None:
    async with http.get("cse://cart/ill") as answer:
        assert answer.status == 503
    assert shop.calls == 3


async def a_retry_in_vain_that_is_an_error(http: Session, _shop: Shop) -> None:
    with pytest.raises(RetriesExhaustedError):
        async with http.get("cse://cart/ill"):
            pass


async def a_fallback(http: Session, shop: Shop) -> None:
    async with http.get("cse://cart/ill") as answer:
        assert isinstance(answer, LocalAnswer)
    assert shop.calls == 1


async def an_answer_to_be_kept_that_breaks_off(http: Session, shop: Shop) -> None:
    async with http.get("cse://cart/broken") as answer:
        assert (answer.status, len(await answer.read()) in (0, 64)) == (200, True), "nothing, or what was good last"
    assert shop.began.is_set()


async def an_answer_to_be_kept_that_is_given_up(http: Session, shop: Shop) -> None:
    call = asyncio.create_task(_got(http, "/half"))
    await shop.began.wait()
    await _given_up(call)


async def a_time_limit(http: Session, _shop: Shop) -> None:
    async with http.get("cse://cart/slow") as answer:
        assert (answer.status, getattr(answer, "made_by", "")) == (504, "timeLimiter")


async def a_timeout_of_the_call(http: Session, _shop: Shop) -> None:
    with pytest.raises(TimeoutError):
        async with http.get("cse://cart/slow", timeout=aiohttp.ClientTimeout(total=0.05)):
            pass


async def a_timeout_around_the_call(http: Session, _shop: Shop) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05), http.get("cse://cart/slow"):
            pass


async def a_timeout_around_the_body(http: Session, _shop: Shop) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2), http.get("cse://cart/half") as answer:
            await answer.read()


async def a_call_that_is_given_up(http: Session, shop: Shop) -> None:
    call = asyncio.create_task(_got(http, "/slow"))
    await shop.asked.wait()
    await _given_up(call)


async def a_pause_before_a_retry_that_is_given_up(http: Session, shop: Shop) -> None:
    call = asyncio.create_task(_got(http, "/ill"))
    await shop.asked.wait()
    assert len(await _got(http, "/show")) == 64, "the connection is free as soon as the pause begins"
    await _given_up(call)
    assert shop.calls == 2


async def a_body_that_nobody_reads(http: Session, _shop: Shop) -> None:
    async with http.get("cse://cart/big") as answer:
        assert answer.status == 200


async def an_error_of_the_caller(http: Session, _shop: Shop) -> None:
    with pytest.raises(ZeroDivisionError):
        async with http.get("cse://cart/big"):
            raise ZeroDivisionError


async def a_body_that_is_left_in_the_middle(http: Session, _shop: Shop) -> None:
    async with http.get("cse://cart/half") as answer:
        assert isinstance(answer, aiohttp.ClientResponse)
        assert await answer.content.readany()


async def a_body_to_send_that_fails(http: Session, _shop: Shop) -> None:
    async def failing() -> AsyncIterator[bytes]:
        yield b"first"
        raise ZeroDivisionError

    with pytest.raises((ZeroDivisionError, aiohttp.ClientError)):
        async with http.post("cse://cart/show", data=failing()) as answer:
            await answer.read()


async def a_body_that_streams(http: Session, _shop: Shop) -> None:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield BIG

    async with http.post("cse://cart/show", data=parts()) as answer:
        assert await answer.text() == hashlib.sha256(BIG * 3).hexdigest()


async def _got(http: Session, path: str) -> bytes:
    async with http.get(f"cse://cart{path}") as answer:
        return await answer.read()


async def _given_up(call: asyncio.Task[bytes]) -> None:
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call


def rule(**texts: str) -> Mapping[str, str]:
    """Items, with a group for what misbehaves."""
    return ALL | {f"servicecomb.{key.replace('__', '.')}": text for key, text in texts.items()}


_FALLBACK = "fallbackpolicy__Consumer__cart__policy"
CASES: list[tuple[Ending, Mapping[str, str]]] = [
    (a_retry_in_vain, rule(retry__all="{maxAttempts: 2, waitDuration: 1}")),
    (
        a_retry_in_vain_that_is_an_error,
        rule(retry__all="{maxAttempts: 2, waitDuration: 1, failAfterMaxAttempts: true}"),
    ),
    (a_fallback, rule(**{_FALLBACK: "returnnull"})),
    (
        a_fallback,
        rule(retry__all="{maxAttempts: 0, failAfterMaxAttempts: true}", **{_FALLBACK: "returnnull"}),
    ),
    (an_answer_to_be_kept_that_breaks_off, rule(**{_FALLBACK: "fromcache"})),
    (an_answer_to_be_kept_that_is_given_up, rule(**{_FALLBACK: "fromcache"})),
    (a_time_limit, rule(timeLimiter__all="{timeoutDuration: 50}")),
    (a_timeout_of_the_call, rule(retry__all="{maxAttempts: 1, waitDuration: 1}")),
    (a_timeout_around_the_call, {}),
    (a_timeout_around_the_body, {}),
    (a_call_that_is_given_up, rule(retry__all="{maxAttempts: 2, waitDuration: 1}")),
    (a_call_that_is_given_up, rule(instanceIsolation__all="{}", instanceBulkhead__all="{}", loadbalance__all="{}")),
    (a_pause_before_a_retry_that_is_given_up, rule(retry__all="{maxAttempts: 2, waitDuration: 60000}")),
    (a_body_that_nobody_reads, {}),
    (an_error_of_the_caller, {}),
    (a_body_that_is_left_in_the_middle, {}),
    (a_body_to_send_that_fails, {}),
    (a_body_that_streams, {}),
]


@pytest.mark.parametrize(("ending", "items"), CASES, ids=[ending.__name__ for ending, _ in CASES])
async def test_the_connection_is_free_again(ending: Ending, items: Mapping[str, str]) -> None:
    async with open_shop() as (shop, address):
        known = Known(cart=[instance(address)])
        async with session_of(known, items, connections=1) as http:
            await ending(http, shop)
            assert len(await _got(http, "/show")) == 64
            for _ in range(3):
                shop.calls = 0
                shop.asked.clear()
                shop.began.clear()
                await ending(http, shop)
            assert len(await _got(http, "/show")) == 64


async def test_passing_over_one_that_cannot_be_reached_keeps_nothing() -> None:
    async with open_shop() as (shop, address):
        with nobody() as dead:
            known = Known(cart=[instance(dead), instance(address), instance(dead)])
            async with session_of(known, connections=1) as http:
                for _ in range(6):
                    assert len(await _got(http, "/show")) == 64
    assert shop.calls == 6


@contextlib.asynccontextmanager
async def lost_once_opened() -> AsyncIterator[tuple[str, aiohttp.TraceConfig]]:
    """An address whose connections are gone before a call can write to them, as those in the queue of a process that is killed.
    Calls have to be traced by what comes with it.
    """
    gone = asyncio.Event()

    async def close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write_eof()
        await reader.read()
        gone.set()
        writer.close()

    async def begun(_session: object, call: SimpleNamespace, asked: aiohttp.TraceRequestStartParams) -> None:
        call.is_lost = asked.url.port == port

    async def opened(_session: object, call: SimpleNamespace, _opened: object) -> None:
        if call.is_lost:
            await gone.wait()
            gone.clear()

    trace = aiohttp.TraceConfig()
    trace.on_request_start.append(begun)
    trace.on_connection_create_end.append(opened)
    async with await asyncio.start_server(close, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}", trace


async def test_one_whose_connection_is_gone_before_anything_is_sent_is_passed_over() -> None:
    async with open_shop() as (shop, address), lost_once_opened() as (lost, trace):
        known = Known(cart=[instance(lost), instance(address), instance(lost)])
        async with session_of(known, connections=1, traces=[trace]) as http:
            for _ in range(3):
                assert len(await _got(http, "/show")) == 64
                async with http.post("cse://cart/show") as answer:
                    assert answer.status == 200
    assert shop.calls == 6


async def test_a_call_whose_connection_is_gone_when_its_body_is_written_is_repeated_under_a_retry_alone() -> None:
    async with open_shop() as (shop, address), lost_once_opened() as (lost, trace):
        known = Known(cart=[instance(lost), instance(address)])
        items = {"servicecomb.matchGroup.all": "matches: [{apiPath: {prefix: /}}]", "servicecomb.retry.all": "{}"}
        async with session_of(known, items, connections=1, traces=[trace]) as http:
            for _ in range(4):
                async with http.post("cse://cart/show", data=BIG) as answer:
                    assert await answer.text() == hashlib.sha256(BIG).hexdigest()
        assert shop.calls == 4
        async with session_of(known, connections=1, traces=[trace]) as http:
            ended = [await _posted(http) for _ in range(4)]
    assert sorted(ended) == [False, False, True, True]
    assert shop.calls == 6


async def _posted(http: Session) -> bool:
    with contextlib.suppress(aiohttp.ClientConnectionError):
        async with http.post("cse://cart/show", data=BIG) as answer:
            return answer.status == 200
    return False


async def test_many_calls_that_are_given_up_at_once_leave_the_way_free() -> None:
    async with open_shop() as (shop, address):
        known = Known(cart=[instance(address)])
        async with session_of(known, connections=3) as http:
            calls = [asyncio.create_task(_got(http, "/slow")) for _ in range(20)]
            await shop.asked.wait()
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
            assert [len(await _got(http, "/show")) for _ in range(5)] == [64] * 5

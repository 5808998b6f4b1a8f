"""KIE's long polls over HTTP: who is woken by what, how soon, and what is left when they end. Each on the hot path and on the long way."""

from __future__ import annotations

import asyncio
import re
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from tests.api.kie import JAVA_HEADERS, Kie, java_line
from tests.engine import EngineProcess, eventually, running_engine
from tests.raw import RawAnswer, RawConnection, connect, request

pytestmark = pytest.mark.asyncio(loop_scope="module")
MALL = {"app": "mall", "environment": ""}
CART = {"app": "mall", "service": "cart", "environment": ""}
SOON = 5.0
"""Seconds in which a change reaches a poller, on a machine that does much else."""


async def open_polls(kie: Kie) -> int:
    """How many requests wait, as the engine counts them."""
    async with kie.session.get(f"{kie.url.partition('/v1/')[0]}/metrics") as response:
        found = re.search(r"^waggle_config_polls (\S+)$", await response.text(), re.MULTILINE)
    assert found is not None
    return int(float(found[1]))


async def waiting(kie: Kie, count: int, seconds: float = 20.0) -> None:
    """Wait until so many requests wait."""

    async def reached() -> bool:
        return await open_polls(kie) == count

    await eventually(reached, seconds)


@pytest_asyncio.fixture(params=[True, False], ids=["hot", "long way"], scope="module", loop_scope="module")
async def engine(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[EngineProcess]:
    """An engine of each kind, for all tests: each has a project of its own."""
    async with running_engine(tmp_path_factory.mktemp("engine") / "data", hot_path=request.param) as started:
        yield started


@pytest_asyncio.fixture(loop_scope="module")
async def kie(engine: EngineProcess) -> AsyncIterator[Kie]:
    async with aiohttp.ClientSession() as session:
        made = Kie(session, engine.url, f"p{uuid.uuid4().hex[:8]}")
        await waiting(made, 0)
        yield made


@asynccontextmanager
async def own_engine(data: Path, **settings: object) -> AsyncIterator[tuple[EngineProcess, Kie]]:
    """An engine that a test may stop."""
    async with running_engine(data, **settings) as engine, aiohttp.ClientSession() as session:
        yield engine, Kie(session, engine.url, "default")


@dataclass(slots=True)
class Poller:
    """A Java client of one dimension, on a connection of its own."""

    connection: RawConnection
    kie: Kie
    labels: dict[str, str]
    exact: bool = True
    revision: int = -1

    async def pull(self) -> None:
        """The first pull, which is answered at once, although it says `wait`."""
        answer = await self.connection.exchange(self._line("30s"))
        assert answer.status == 200
        self._learn(answer)

    async def poll(self, wait: str = "30s") -> None:
        """Ask for what is newer."""
        self.connection.writer.write(self._line(wait))
        await self.connection.writer.drain()

    async def told(self) -> list[str]:
        """The values of the list that ends the poll."""
        answer = await self.connection.read()
        assert answer.status == 200, answer.raw
        self._learn(answer)
        return re.findall(r'"value":"([^"]*)"', answer.body.decode())

    async def over(self, connection: str | None = None) -> None:
        """The poll ends because its time is over, and the answer says so much about its connection."""
        answer = await self.connection.read()
        assert (answer.status, answer.body, answer.header("X-Kie-Revision")) == (304, b"", None)
        assert answer.header("Connection") == connection

    def _line(self, wait: str) -> bytes:
        headers = {**JAVA_HEADERS, "Accept_Encoding": "identity"}
        return request("GET", java_line(self.kie.project, self.labels, self.revision, wait, self.exact), **headers)

    def _learn(self, answer: RawAnswer) -> None:
        revision = int(answer.header("X-Kie-Revision") or 0)
        assert revision >= self.revision
        self.revision = revision


@asynccontextmanager
async def pollers(kie: Kie, *dimensions: tuple[dict[str, str], bool]) -> AsyncIterator[list[Poller]]:
    """A poller of each dimension that has pulled."""
    port = int(kie.url.split(":")[2].partition("/")[0])
    async with AsyncExitStack() as stack:
        made = [
            Poller(await stack.enter_async_context(connect(port)), kie, labels, exact) for labels, exact in dimensions
        ]
        for poller in made:
            await poller.pull()
        yield made


async def test_a_change_is_told_in_milliseconds(kie: Kie) -> None:
    """Created, updated, disabled, deleted, deleted with others, imported: each ends a poll with the list as it is then."""
    async with pollers(kie, (MALL, True)) as (poller,):
        ids: list[str] = []

        async def change(number: int) -> None:
            match number:
                case 0:
                    ids.append((await kie.create("k", "0", MALL))["id"])
                case 1:
                    await kie.update(ids[0], "1")
                case 2:
                    await kie.ok("PUT", f"/kv/{ids[0]}", {"status": "disabled"})
                case 3:
                    await kie.ok("DELETE", f"/kv/{ids[0]}", status=204)
                case 4:
                    item = {"key": "imported", "value": "4", "labels": MALL}
                    answer = await kie.ok("POST", "/file?override=force", {"data": [item]})
                    ids.append(answer["success"][0]["id"])
                case 5:
                    await kie.ok("DELETE", "/kv", {"ids": [ids[1], "nope"]}, 204)

        for number, values in enumerate([["0"], ["1"], ["1"], [], ["4"], []]):
            await poller.poll()
            await waiting(kie, 1)
            started = time.perf_counter()
            await change(number)
            assert await poller.told() == values
            assert time.perf_counter() - started < SOON
        assert await open_polls(kie) == 0


async def test_who_is_woken(kie: Kie) -> None:
    """Exact: the same labels. Else: all of them, where one that the item lacks counts as empty. Other projects sleep on."""
    other = Kie(kie.session, kie.url.partition("/v1/")[0], f"{kie.project}x")
    async with (
        pollers(kie, (MALL, True), (CART, True), ({"app": "mall"}, False), ({"public": ""}, False), ({}, False)) as own,
        pollers(other, (MALL, True), ({}, False)) as others,
    ):
        exact, cart, app, public, all_of_it = own
        for poller in (*own, *others):
            await poller.poll()
        await waiting(kie, 7)
        await kie.create("k", "one", MALL)
        for poller in (exact, app, public, all_of_it):
            assert await poller.told() == ([] if poller is public else ["one"])
        await waiting(kie, 3)
        await kie.create("p", "two", {"app": "x", "public": "no"})
        await kie.create("c", "three", CART)
        assert await cart.told() == ["three"]
        await waiting(kie, 2)
        await other.create("k", "four", MALL)
        for poller in others:
            assert await poller.told() == ["four"]


async def test_the_list_after_a_wait_is_the_whole_topic(kie: Kie) -> None:
    """Status, value and page narrow a list, but not what follows a change; and they keep nobody asleep."""
    item = await kie.create("a", "one", MALL)
    await kie.create("b", "two", MALL)
    _, revision = await kie.listed()
    for narrowed in ("status=disabled", "value=nothing", "limit=1&offset=1"):
        asked = asyncio.create_task(kie.call("GET", f"/kv?label=app:mall&{narrowed}&wait=30s&revision={revision}"))
        await waiting(kie, 1)
        changed = await kie.update(item["id"], f"new {narrowed}")
        status, body, headers = await asked
        assert (status, body["total"], len(body["data"])) == (200, 2, 2)
        revision = int(headers["X-Kie-Revision"])
        assert revision == changed["update_revision"]


async def test_a_wait_without_a_revision_waits_for_the_next_change(kie: Kie) -> None:
    """However much there is already."""
    item = await kie.create("k", "one", MALL)
    asked = asyncio.create_task(kie.call("GET", "/kv?label=app:mall&wait=30s"))
    await waiting(kie, 1)
    await kie.update(item["id"], "two")
    status, body, _ = await asked
    assert (status, body["data"][0]["value"]) == (200, "two")


async def test_the_time_is_over(kie: Kie) -> None:
    """304 neither sooner nor much later than asked for, without a body; nothing waits longer."""
    async with pollers(kie, (MALL, True)) as (poller,):
        for wait, seconds in (("150ms", 0.15), ("0.3s", 0.3), ("0s", 0.0), ("-5s", 0.0)):
            started = time.perf_counter()
            await poller.poll(wait)
            await poller.over()
            assert seconds <= time.perf_counter() - started < seconds + SOON
        assert await open_polls(kie) == 0
        await kie.create("k", "one", MALL)
        await poller.poll()
        assert await poller.told() == ["one"], "after a 304 the connection goes on"


async def test_no_change_between_the_check_and_the_wait_is_missed(kie: Kie) -> None:
    """Under a stream of writes every poller comes to see the last value, and never one that is older than what it saw."""
    item = await kie.create("k", "0", MALL)
    last, writers = 120, 3

    async def follow(poller: Poller) -> int:
        seen, rounds = -1, 0
        while seen < last:
            await poller.poll("10s")
            (value,) = await poller.told()
            assert int(value) >= seen
            seen, rounds = int(value), rounds + 1
        return rounds

    async def write() -> None:
        for number in range(1, last + 1):
            await kie.update(item["id"], str(number))

    async def disturb(number: int) -> None:
        for _ in range(last):
            await kie.ok("POST", "/file?override=force", {"data": [{"key": f"d{number}", "labels": {"other": "x"}}]})

    async with pollers(kie, *[(MALL, True)] * 4, ({"app": "mall"}, False)) as made:
        rounds = await asyncio.gather(*map(follow, made), write(), *map(disturb, range(writers)))
    assert min(number for number in rounds if number is not None) > 5


async def test_a_thousand_pollers_are_woken_once_each(engine: EngineProcess, kie: Kie) -> None:
    """Each gets one answer for one change, all of them the same, and nothing is left waiting."""
    item = await kie.create("k", "0", MALL)
    _, revision = await kie.listed("label=app:mall&label=environment:&match=exact")
    row = request("GET", java_line(kie.project, MALL, revision, "60s"), **JAVA_HEADERS)
    async with AsyncExitStack() as stack:
        await _pulled(engine, kie, stack)
        connections = await asyncio.gather(*(stack.enter_async_context(connect(engine.port)) for _ in range(1000)))
        for connection in connections:
            connection.writer.write(row)
        await waiting(kie, 1000)
        await kie.update(item["id"], "1")
        answers = await asyncio.gather(*(connection.read() for connection in connections))
        assert {(answer.status, b'"value":"1"' in answer.body) for answer in answers} == {(200, True)}
        assert len({answer.header("X-Kie-Revision") for answer in answers}) == 1
        assert await open_polls(kie) == 0
        probe = await asyncio.gather(
            *(connection.exchange(request("GET", "/v1/health?mode=liveness")) for connection in connections)
        )
        assert {answer.body for answer in probe} == {b""}, (
            "the next answer is that of the next request: there was no second"
        )


async def _pulled(engine: EngineProcess, kie: Kie, stack: AsyncExitStack) -> None:
    """One first pull, from which the hot path knows the line."""
    connection = await stack.enter_async_context(connect(engine.port))
    first = await connection.exchange(request("GET", java_line(kie.project, MALL, -1, "60s"), **JAVA_HEADERS))
    assert first.status == 200


async def test_pollers_that_vanish_leave_nothing_behind(engine: EngineProcess, kie: Kie) -> None:
    """Ten thousand that ask and are gone, one batch after another: none is counted, and those who stay are served.

    The long way, which only a client with unusual headers takes, is tried with a tenth of them.
    """
    batches = 10 if engine.settings["hot_path"] else 1
    await kie.create("k", "0", MALL)
    _, revision = await kie.listed()
    row = request("GET", java_line(kie.project, MALL, revision, "4m"), **JAVA_HEADERS)
    async with AsyncExitStack() as stack:
        await _pulled(engine, kie, stack)
        stays = await stack.enter_async_context(connect(engine.port))
        stays.writer.write(row)
        await waiting(kie, 1)
        for _ in range(batches):
            streams = await asyncio.gather(*(asyncio.open_connection("127.0.0.1", engine.port) for _ in range(1000)))
            for _, writer in streams:
                writer.write(row)
            await waiting(kie, 1001)
            for number, (_, writer) in enumerate(streams):
                if number % 2:
                    writer.transport.abort()
                else:
                    writer.close()
            await waiting(kie, 1)
        await kie.create("k2", "1", MALL)
        assert (await stays.read()).status == 200
    await waiting(kie, 0)


async def test_polls_are_bounded(tmp_path: Path) -> None:
    """One more than `poll_max` is refused with 429 in KIE's words; when one leaves there is room."""
    async with (
        own_engine(tmp_path / "data", poll_max=3) as (_, kie),
        pollers(kie, *[(MALL, True)] * 4) as made,
    ):
        for poller in made[:3]:
            await poller.poll()
        await waiting(kie, 3)
        await made[3].poll()
        refused = await made[3].connection.read()
        assert (refused.status, b'"errorCode":"429001"' in refused.body) == (429, True)
        made[0].connection.writer.close()
        await waiting(kie, 2)
        await made[3].poll()
        await waiting(kie, 3)
        await kie.create("k", "one", MALL)
        assert await made[3].told() == ["one"]


@pytest.mark.parametrize("hot", [True, False])
async def test_an_engine_that_stops_answers_who_waits(hot: bool, tmp_path: Path) -> None:
    """304, long before their time is over, and the engine is gone as soon; whoever would ask again is told to do so elsewhere."""
    async with (
        own_engine(tmp_path / "data", hot_path=hot, shutdown_timeout=60) as (engine, kie),
        pollers(kie, (MALL, True), ({}, False)) as made,
    ):
        for poller in made:
            await poller.poll("4m")
        await waiting(kie, 2)
        started = time.perf_counter()
        assert await engine.stop() == 0
        assert time.perf_counter() - started < 50, "less than shutdown_timeout"
        for poller in made:
            await poller.over("close")
            assert await poller.connection.closed()


async def test_after_a_restart_a_poll_with_an_old_revision_is_answered_at_once(tmp_path: Path) -> None:
    """Whatever was changed meanwhile, nobody sleeps through it; and with the new revision it waits as before."""
    async with own_engine(tmp_path / "data") as (engine, kie):
        item = await kie.create("k", "one", MALL)
        async with pollers(kie, (MALL, True)) as (poller,):
            known = poller.revision
        await engine.kill()
        await engine.start()
        async with pollers(kie, (MALL, True)) as (poller,):
            assert poller.revision > known
            poller.revision = known
            await poller.poll()
            assert await poller.told() == ["one"]
            await poller.poll()
            await waiting(kie, 1)
            await kie.update(item["id"], "two")
            assert await poller.told() == ["two"]

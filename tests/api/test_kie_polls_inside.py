"""Long polls from the inside: the server runs in this process, on its own kind of loop, with clocks and bounds that a test can set."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import orjson
import pytest
import uvloop

from registry.server import Server
from registry.settings import Settings
from tests.api.kie import JAVA_HEADERS, JSON_TYPE, java_line
from tests.inside import served
from tests.raw import RawConnection, connect, request

MALL = {"app": "mall", "environment": ""}
YEAR = 365 * 86400 * 10**9
BOTH_WAYS = pytest.mark.parametrize("hot", [True, False], ids=["hot", "long way"])


def _serve(folder: Path, hot: bool, test: Callable[[Server, int], Awaitable[None]], **bounds: float) -> None:
    """Run the test beside a server whose settings need not be allowed ones."""

    async def main() -> None:
        settings = Settings().model_copy(
            update={
                "data_dir": folder,
                "hot_path": hot,
                "port": 0,
                "kie_port": 0,
                "config_port": 0,
                "monitor_port": 0,
                **bounds,
            }
        )
        server = Server(settings)
        async with served(server) as address:
            await test(server, int(address.rsplit(":", 1)[1]))

    uvloop.run(main())


async def _pulled(connection: RawConnection, wait: str) -> int:
    """The first pull, from which the hot path knows the line; the revision."""
    first = await connection.exchange(request("GET", java_line("default", MALL, -1, wait), **JAVA_HEADERS))
    return int(first.header("X-Kie-Revision") or 0)


def _poll(connection: RawConnection, revision: int, wait: str) -> None:
    connection.writer.write(request("GET", java_line("default", MALL, revision, wait), **JAVA_HEADERS))


async def _until(check: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not check():
            await asyncio.wait([asyncio.ensure_future(asyncio.Event().wait())], timeout=0.01)


@BOTH_WAYS
def test_a_clock_that_jumps_wakes_and_starves_nobody(
    hot: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A year forward and two back while polls wait: those with time left wait on, the others end in time, a change comes through."""
    wall = time.time_ns

    async def test(server: Server, port: int) -> None:
        async with connect(port) as patient, connect(port) as hasty:
            revision = await _pulled(patient, "60s")
            await _pulled(hasty, "700ms")
            for shift in (YEAR, -YEAR):
                asked = time.monotonic()
                _poll(patient, revision, "60s")
                _poll(hasty, revision, "700ms")
                await _until(lambda: server.pollers.count == 2)
                monkeypatch.setattr(time, "time_ns", lambda shift=shift: wall() + shift)
                monkeypatch.setattr(time, "time", lambda shift=shift: (wall() + shift) / 1e9)
                assert (await hasty.read()).status == 304
                assert 0.6 < time.monotonic() - asked < 30, "it was not woken before its time"
                assert server.pollers.count == 1, "the patient one waits on"
                body = orjson.dumps({"key": f"k{shift}", "labels": MALL})
                created = await hasty.exchange(request("POST", "/v1/default/kie/kv", body, Content_Type=JSON_TYPE))
                told = await patient.read()
                assert told.status == 200
                assert abs(orjson.loads(created.body)["create_time"] - (wall() + shift) / 1e9) < 60
                assert int(told.header("X-Kie-Revision") or 0) > revision, "revisions are no times"
                revision = int(told.header("X-Kie-Revision") or 0)

    _serve(tmp_path / "data", hot, test)


@BOTH_WAYS
def test_who_waits_is_not_idle(hot: bool, tmp_path: Path) -> None:
    """A poll longer than `idle_timeout` is answered in its time; a connection that asks nothing is closed."""

    async def test(server: Server, port: int) -> None:
        async with connect(port) as poller, connect(port) as idle:
            revision = await _pulled(poller, "1200ms")
            await _pulled(idle, "1200ms")
            _poll(poller, revision, "1200ms")
            await _until(lambda: server.pollers.count == 1)
            assert await idle.closed()
            assert server.pollers.count == 1
            assert (await poller.read()).status == 304
            assert await poller.closed()

    _serve(tmp_path / "data", hot, test, idle_timeout=0.3)


def test_a_client_that_sends_on_and_on_is_not_read_on_and_on(tmp_path: Path) -> None:
    """While its poll waits, only so much of what follows is kept; it is answered after it, all of it."""
    more = request("GET", "/v1/default/kie/kv?label=a:" + "b" * 150)
    count = 6_000

    async def test(server: Server, port: int) -> None:
        async with connect(port) as connection:
            revision = await _pulled(connection, "60s")
            _poll(connection, revision, "60s")
            await _until(lambda: server.pollers.count == 1)
            connection.writer.write(more * count)
            (protocol,) = server._http.connections
            await _until(lambda: len(protocol._kept) > 65536)
            async with connect(port) as other:
                body = orjson.dumps({"key": "k", "labels": MALL})
                created = await other.exchange(request("POST", "/v1/default/kie/kv", body, Content_Type=JSON_TYPE))
            assert created.status == 200
            assert len(protocol._kept) < 2**20 < len(more) * count
            assert (await connection.read()).status == 200
            assert {(await connection.read()).body for _ in range(count)} == {b'{"total":0,"data":[]}'}

    _serve(tmp_path / "data", True, test)


@BOTH_WAYS
def test_pollers_that_are_gone_leave_no_table_and_no_connection(hot: bool, tmp_path: Path) -> None:
    """Of fifty projects, exact and open, those that vanish and those that are told: nothing is kept of any."""

    async def test(server: Server, port: int) -> None:
        async with contextlib.AsyncExitStack() as stack:
            connections = [await stack.enter_async_context(connect(port)) for _ in range(100)]
            for number, connection in enumerate(connections):
                target = java_line(f"p{number // 2}", MALL, -1, "60s", exact=bool(number % 2))
                first = await connection.exchange(request("GET", target, **JAVA_HEADERS))
                target = target.replace("revision=-1", f"revision={first.header('X-Kie-Revision')}")
                connection.writer.write(request("GET", target, **JAVA_HEADERS))
            await _until(lambda: server.pollers.count == 100)
            assert len(server.pollers._waits) == 100
            assert len(server.pollers._open) == 50
            body = orjson.dumps({"key": "k", "labels": MALL})
            async with connect(port) as other:
                row = request("POST", "/v1/p0/kie/kv", body, Content_Type=JSON_TYPE)
                assert (await other.exchange(row)).status == 200
            assert {(await connection.read()).status for connection in connections[:2]} == {200}
            assert server.pollers.count == 98
        await _until(lambda: server.pollers.count == 0)
        assert (server.pollers._waits, server.pollers._open) == ({}, {})
        await _until(lambda: not server._http.connections)

    _serve(tmp_path / "data", hot, test)

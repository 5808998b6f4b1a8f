"""Crowds that sign in: the loop, the threads and the memory of the engine stay what they were."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from tests.api.access import ROOT_PASSWORD
from tests.api.office import guarded
from tests.engine import Client, EngineProcess
from tests.raw import connect, request

_RATE = 200
_SECONDS = 4


def _status(engine: EngineProcess, name: str) -> int:
    """A number of the process's status: `Threads`, or `VmRSS` in kilobytes."""
    found = re.search(rf"{name}:\s+(\d+)", Path(f"/proc/{engine.pid}/status").read_text(encoding="ascii"))
    assert found is not None
    return int(found[1])


@contextlib.asynccontextmanager
async def _crowd(url: str, clients: int) -> AsyncIterator[list[aiohttp.ClientSession]]:
    """Sessions of clients at addresses of their own, as many machines would have."""
    async with contextlib.AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(
                aiohttp.ClientSession(
                    url, connector=aiohttp.TCPConnector(limit=0, local_addr=(f"127.0.1.{number + 1}", 0))
                )
            )
            for number in range(clients)
        ]


async def _guess(session: aiohttp.ClientSession, number: int) -> int:
    body = {"name": f"name-{number}", "password": "Guess1ng!"}
    async with session.post("/v4/token", json=body) as answer:
        await answer.read()
        return answer.status


async def _latencies(client: Client, until: float) -> list[float]:
    """How long health takes, asked again and again."""
    found = []
    while time.monotonic() < until:
        before = time.monotonic()
        await client.call("GET", "/health", None, 200)
        found.append(time.monotonic() - before)
    return sorted(found)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="NO /proc: threads and memory were not looked at")
async def test_a_crowd_that_signs_in_takes_neither_time_nor_threads_nor_other_peoples_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """200 passwords a second from 20 addresses: health is answered as ever, and who comes from another address signs in meanwhile."""
    async with guarded(tmp_path / "data", monkeypatch, "enforce") as (engine, client, _):
        threads, memory = _status(engine, "Threads"), _status(engine, "VmRSS")
        usual = await _latencies(client, time.monotonic() + 1)
        async with _crowd(engine.url, 20) as crowd:
            guesses: list[asyncio.Task[int]] = []

            async def arrive() -> None:
                """Guesses come at their rate, whether those before are answered or not."""
                began = time.monotonic()
                while len(guesses) < _RATE * _SECONDS:
                    while len(guesses) < _RATE * (time.monotonic() - began):
                        guesses.append(asyncio.create_task(_guess(crowd[len(guesses) % len(crowd)], len(guesses))))
                    await client.call("GET", "/health/ready", None, 200)

            arriving = asyncio.create_task(arrive())
            latencies = await _latencies(client, time.monotonic() + _SECONDS)
            await arriving
            right = {"name": "root", "password": ROOT_PASSWORD}
            await client.call("POST", "/v4/token", right, 200)
            waiting = sum(not guess.done() for guess in guesses)
            assert waiting > len(guesses) / 2, "nobody waited: this shows nothing"
            assert latencies[len(latencies) // 2] < 0.05 + 5 * usual[len(usual) // 2], latencies[-20:]
            assert latencies[int(len(latencies) * 0.99)] < 0.5 + 5 * usual[-1], latencies[-20:]
            assert _status(engine, "Threads") <= threads + 2
            assert _status(engine, "VmRSS") < memory + 60_000
            await engine.kill()
            await asyncio.gather(*guesses, return_exceptions=True)


async def test_the_rate_holds_however_tries_are_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At once, one behind the other in one packet, under many names, with forged addresses, by the switch: all are of one address."""
    async with guarded(tmp_path / "data", monkeypatch, "observe", token_rate=8) as (
        engine,
        client,
        _,
    ):  # root's sign-in was one

        async def tried(number: int) -> int:
            headers = {
                "X-Forwarded-For": f"10.0.0.{number}",
                "X-Real-Ip": f"10.0.1.{number}",
                "Forwarded": "for=1.1.1.1",
            }
            body = {"name": f"name-{number}", "password": "Guess1ng!", "mode": "off"}
            method, path = (("POST", "/v4/token"), ("PUT", "/waggle/v1/access"))[number % 2]
            async with client.session.request(method, client.url + path, json=body, headers=headers) as answer:
                return answer.status

        statuses = await asyncio.gather(*map(tried, range(60)))
        async with connect(engine.port) as connection:
            body = b'{"name":"root","password":"Guess1ng!"}'
            connection.writer.write(request("POST", "/v4/token", body) * 20)
            statuses += [(await connection.read()).status for _ in range(20)]
        allowed = [status for status in statuses if status != 429]
        assert set(allowed) == {401}
        assert 7 <= len(allowed) <= 12, "a few more come in with the time that this takes"

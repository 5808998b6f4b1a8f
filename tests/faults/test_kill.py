"""kill -9 while clients change everything at once: what was acknowledged is there, what was acknowledged as deleted is not."""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.engine import Client, EngineProcess, client_of, running_engine
from tests.faults.load import Tally, Worker

WORKERS = 12
ROUNDS = 3


async def _revision(client: Client) -> int:
    _, body, _ = await client.call("GET", "/health/ready", None, 200)
    return int(body["revision"])  # type: ignore[index]


async def _follow(engine: EngineProcess, seen: list[int]) -> None:
    """Read the event stream until the engine is gone, noting the revisions of what it tells."""
    with contextlib.suppress(aiohttp.ClientError, ConnectionError):
        async with aiohttp.ClientSession() as session, session.get(f"{engine.url}/waggle/v1/events") as answer:
            async for line in answer.content:
                if line.startswith(b"id: "):
                    seen.append(int(line[4:]))  # noqa: PERF401  the loop ends by an error; what came before counts


async def _load_until_killed(engine: EngineProcess, workers: list[Worker], enough: int) -> list[int]:
    """Let all workers work at once, and kill the engine in their midst. The revisions that the stream told of meanwhile."""
    tally, seen = Tally(enough), list[int]()
    async with contextlib.AsyncExitStack() as clients:
        working = [
            asyncio.create_task(worker.run(await clients.enter_async_context(client_of(engine.url)), tally))
            for worker in workers
        ]
        following = asyncio.create_task(_follow(engine, seen))
        ended = asyncio.create_task(tally.reached.wait())
        await asyncio.wait([ended, *working], timeout=60, return_when=asyncio.FIRST_COMPLETED)
        assert ended.done(), (
            f"a worker stopped after {tally.count} changes: {[task for task in working if task.done()]}"
        )
        await engine.kill()
        await asyncio.gather(*working, following)
    return seen


@pytest.mark.parametrize("seed", [1, 2])
async def test_nothing_acknowledged_is_lost_and_nothing_deleted_comes_back(seed: int, tmp_path: Path) -> None:
    """Over several kills on one folder, with compaction and checkpoints in between; revisions never go back."""
    chance = random.Random(seed)
    workers = [Worker(f"w{number}", str(seed)) for number in range(WORKERS)]
    highest = 0
    async with running_engine(tmp_path / "data", journal_history=100) as engine:
        for number in range(ROUNDS):
            seen = await _load_until_killed(engine, workers, chance.randrange(300, 900))
            assert seen == sorted(set(seen)), f"seed {seed}, round {number}"
            assert len(seen) > 50, f"seed {seed}, round {number}: the stream told of too little to mean anything"
            assert seen[0] > highest, f"seed {seed}, round {number}"
            await engine.start()
            async with client_of(engine.url) as client:
                revision = await _revision(client)
                assert revision >= seen[-1], f"seed {seed}, round {number}"
                highest = revision
                in_doubt = sum(bool(worker.doubt) for worker in workers)
                assert in_doubt > 0, "the kill came while nothing was under way"
                for worker in workers:
                    await worker.check(client, f"seed {seed}, round {number}")
        assert sum(len(worker.facts) for worker in workers) > 3 * WORKERS
        assert await engine.stop() == 0
        await engine.start()
        async with client_of(engine.url) as client:
            for worker in workers:
                await worker.check(client, f"seed {seed}, after a stop in order")


async def _killed_during(task: asyncio.Task[Any], engine: EngineProcess, seconds: float) -> None:
    """Kill the engine that the task starts or stops after so many seconds, if it is there."""
    await asyncio.wait([task], timeout=seconds)
    if engine.process is not None:
        with contextlib.suppress(ProcessLookupError):
            engine.process.send_signal(signal.SIGKILL)
    await asyncio.wait([task])
    task.exception()
    await engine.kill()


@pytest.mark.parametrize("seed", [1])
async def test_a_kill_at_any_moment_of_a_start_or_stop_costs_nothing(seed: int, tmp_path: Path) -> None:
    """While the folder is made, the file created, the journal replayed, the log checkpointed and removed."""
    chance = random.Random(seed)
    engine = EngineProcess(tmp_path / "data")
    names: set[str] = set()
    try:
        for number in range(7):
            starting = asyncio.create_task(engine.start())
            await _killed_during(starting, engine, chance.uniform(0.2, 1.2))
            await engine.start()
            async with client_of(engine.url) as client:
                _, listed, _ = await client.call("GET", "/microservices", None, 200)
                found = {service["serviceName"] for service in listed.get("services", [])}  # type: ignore[attr-defined]
                assert found == names, f"seed {seed}, start {number}"
                names.add(f"service{number}")
                await client.service(f"service{number}")
            stopping = asyncio.create_task(engine.stop())
            await _killed_during(stopping, engine, chance.uniform(0, 0.1))
    finally:
        if engine.process is not None and engine.process.returncode is None:
            await engine.kill()

"""The configuration under faults: killed in a stream of writes, and with no room to store any."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.api.kie import JAVA_HEADERS, Kie, java_line
from tests.engine import EngineProcess, eventually, running_engine
from tests.faults.full_disk import Disk
from tests.raw import connect, request

WRITERS = 16
ROUNDS = 3
MALL = {"app": "mall", "environment": ""}


@asynccontextmanager
async def client_of(engine: EngineProcess) -> AsyncIterator[Kie]:
    """A client of KIE's default project."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session:
        yield Kie(session, engine.url, "default")


class Writer:
    """Writes items of its own one after another, and knows what must be there: all that was acknowledged.

    A request without an answer is in doubt: it has happened, or it has not.
    """

    def __init__(self, name: str, seed: int) -> None:
        self.name = name
        self.values: dict[str, str] = {}
        self.doubt: dict[str, str | None] = {}
        self.revisions: list[int] = []
        self._ids: dict[str, str] = {}
        self._chance = random.Random(f"{seed}/{name}")
        self._step = 0

    async def run(self, kie: Kie, enough: asyncio.Semaphore) -> None:
        """Write until the engine is gone."""
        while True:
            self._step += 1
            key, value = self._choose()
            self.doubt = {key: value}
            try:
                await self._write(kie, key, value)
            except (aiohttp.ClientError, ConnectionError):
                return
            self.doubt = {}
            _apply(self.values, key, value)
            enough.release()

    def _choose(self) -> tuple[str, str | None]:
        if self.values and self._chance.random() < 0.5:
            key = self._chance.choice(sorted(self.values))
            return key, None if self._chance.random() < 0.3 else str(self._step)
        return f"{self.name}.{self._step}", str(self._step)

    async def _write(self, kie: Kie, key: str, value: str | None) -> None:
        if value is None:
            await kie.ok("DELETE", f"/kv/{self._ids[key]}", status=204)
            return
        if key in self.values:
            item = await kie.update(self._ids[key], value)
        else:
            item = await kie.create(key, value, MALL)
            self._ids[key] = item["id"]
        self.revisions.append(item["update_revision"])

    def check(self, found: dict[str, Any], told: str) -> None:
        """Compare what is there with what must be; doubt ends here."""
        own = {key: item["value"] for key, item in found.items() if key.startswith(f"{self.name}.")}
        after = dict(self.values)
        for key, value in self.doubt.items():
            _apply(after, key, value)
        assert own in (self.values, after), f"{told}, {self.name}, in doubt: {self.doubt}"
        self.values, self.doubt = own, {}
        self._ids = {key: found[key]["id"] for key in own}


def _apply(values: dict[str, str], key: str, value: str | None) -> None:
    if value is None:
        values.pop(key, None)
    else:
        values[key] = value


async def _write_until_killed(engine: EngineProcess, writers: list[Writer], enough: int) -> None:
    acknowledged = asyncio.Semaphore(0)
    async with client_of(engine) as kie:
        working = [asyncio.create_task(writer.run(kie, acknowledged)) for writer in writers]
        async with asyncio.timeout(60):
            for _ in range(enough):
                await acknowledged.acquire()
        assert not any(task.done() for task in working)
        await engine.kill()
        await asyncio.gather(*working)


@pytest.mark.parametrize("hot", [True, False], ids=["hot", "long way"])
async def test_nothing_acknowledged_is_lost_and_no_revision_comes_twice(hot: bool, tmp_path: Path) -> None:
    """Killed again and again in a stream of writes on one folder, with compaction in between: all is there, with new revisions."""
    seed = 7
    chance = random.Random(seed)
    writers = [Writer(f"w{number}", seed) for number in range(WRITERS)]
    listed_at = 0
    async with running_engine(tmp_path / "data", hot_path=hot, journal_history=100) as engine:
        for number in range(ROUNDS):
            told = f"seed {seed}, round {number}"
            before = [len(writer.revisions) for writer in writers]
            await _write_until_killed(engine, writers, chance.randrange(200, 500))
            fresh = [rev for writer, start in zip(writers, before, strict=True) for rev in writer.revisions[start:]]
            assert len(fresh) > 100, told
            assert min(fresh) > listed_at, f"{told}: a revision that a client may hold was given out again"
            assert any(writer.doubt for writer in writers), f"{told}: the kill came while nothing was under way"
            await engine.start()
            async with client_of(engine) as kie:
                items, listed_at = await kie.listed()
                assert listed_at > max(fresh), told
                found = {item["key"]: item for item in items}
                assert len(found) == len(items), told
                for writer in writers:
                    writer.check(found, told)
        revisions = [revision for writer in writers for revision in writer.revisions]
        assert len(revisions) == len(set(revisions))
        assert sum(len(writer.values) for writer in writers) > WRITERS


async def test_a_poller_finds_its_way_through_a_kill(tmp_path: Path) -> None:
    """Its connection breaks; with the revision that it had it is told of all that was stored meanwhile, at once."""
    async with running_engine(tmp_path / "data") as engine:
        async with client_of(engine) as kie:
            item = await kie.create("k", "one", MALL)
            _, revision = await kie.listed()
        row = request("GET", java_line("default", MALL, revision, "4m"), **JAVA_HEADERS)
        async with connect(engine.port) as connection, client_of(engine) as kie:
            connection.writer.write(row)
            await eventually(lambda: _one_waits(kie))
            await engine.kill()
            assert await connection.closed()
        await engine.start()
        async with client_of(engine) as kie:
            await kie.update(item["id"], "two")
        async with connect(engine.port) as connection:
            answer = await connection.exchange(row)
            assert (answer.status, b'"value":"two"' in answer.body) == (200, True)


async def _one_waits(kie: Kie) -> bool:
    async with kie.session.get(f"{kie.url.partition('/v1/')[0]}/metrics") as response:
        return "waggle_config_polls 1.0\n" in await response.text()


# --- No room


async def _until_refused(kie: Kie) -> None:
    for number in range(2000):
        body = {"key": f"fill.{number}", "value": "x" * 4000, "labels": {"fill": "x"}}
        status, answer, _ = await kie.call("POST", "/kv", body)
        if status != 200:
            assert answer["errorCode"] == "500001"
            return
    raise AssertionError("the disk was never full")


async def test_a_full_disk_refuses_changes_and_nothing_of_them_shows(disk: Disk) -> None:
    """500001 for every kind of change, whoever asks; lists go on, polls sleep on; when there is room the next change comes through."""
    async with disk.engine() as engine, client_of(engine) as kie:
        item = await kie.create("k", "one", MALL)
        disk.fill(engine)
        await _until_refused(kie)
        shown, revision = await kie.listed()
        row = request("GET", java_line("default", MALL, revision, "4m"), **JAVA_HEADERS)
        async with connect(engine.port) as poller, connect(engine.port) as hot:
            poller.writer.write(row)
            await eventually(lambda: _one_waits(kie))
            for _ in range(3):
                await _refused_all(kie, item["id"])
                refused = await hot.exchange(request("POST", f"{kie.path}/kv", b'{"key":"hot"}', **JAVA_HEADERS))
                assert (refused.status, b'"errorCode":"500001"' in refused.body) == (500, True)
                assert (await kie.listed())[0] == shown
                assert await kie.ok("GET", f"/kv/{item['id']}")
            assert await _one_waits(kie), "nobody was woken by what did not happen"
            _, after = await kie.listed()
            disk.empty(engine)
            await eventually(lambda: _takes_changes(kie))
            told = await poller.read()
            assert (told.status, b'"key":"room"' in told.body) == (200, True)
            assert int(re.sub(r"\D", "", told.header("X-Kie-Revision") or "0")) > after, (
                "none who listed meanwhile misses it"
            )


async def _refused_all(kie: Kie, key_id: str) -> None:
    labels = {"labels": MALL}
    await kie.refused(500001, "POST", "/kv", {"key": "new", **labels})
    await kie.refused(500001, "PUT", f"/kv/{key_id}", {"value": "two"})
    await kie.refused(500001, "DELETE", f"/kv/{key_id}")
    await kie.refused(500001, "DELETE", "/kv", {"ids": [key_id]})
    await kie.refused(500001, "POST", "/file?override=force", {"data": [{"key": "k", "value": "x", **labels}]})


async def _takes_changes(kie: Kie) -> bool:
    status, _, _ = await kie.call("POST", "/kv", {"key": "room", "labels": MALL})
    return status == 200

"""What a client sees over the wire while a commit takes its time, and when it then fails: nothing that is not stored."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from registry.server import Server
from registry.settings import Settings
from tests.engine import Client, client_of, eventually
from tests.faults.watching import watching
from tests.inside import served
from tests.raw import RawConnection, connect, request
from tests.unit.storage.journals import SlowJournal

ROOT = "/v4/default/registry"
FIND = f"{ROOT}/instances?appId=default&serviceName=provider"


class World:
    """A server in this process on a journal whose commits wait for a gate, with one provider that has one instance."""

    def __init__(self, server: Server, journal: SlowJournal, client: Client) -> None:
        self.server = server
        self.journal = journal
        self.client = client

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.client.url.rsplit(":", 1)[1])

    async def waiting(self, number: int) -> None:
        """Wait until so many changes wait for their commit."""

        async def check() -> bool:
            return self.server.engine.committer.waiting >= number

        await eventually(check)

    def let(self, *, full: bool) -> None:
        """Let the commit that waits happen, or fail."""
        self.journal.full = full
        self.journal.gate.set()


@contextlib.asynccontextmanager
async def _world(tmp_path: Path) -> AsyncIterator[World]:
    settings = {
        "shutdown_timeout": 60,
        "port": 0,
        "kie_port": 0,
        "config_port": 0,
        "monitor_port": 0,
        "storage": "memory",
        "self_register": False,
    }
    server = Server(Settings(**settings, data_dir=tmp_path))
    journal = SlowJournal()
    server.engine.journal = server.engine.committer._journal = journal
    async with served(server) as address, client_of(address) as client:
        await client.service("provider", serviceId="provider-id")
        await client.service("consumer", serviceId="consumer-id")
        await client.instance("provider-id", instanceId="i")
        assert await _found(client) == {"i"}
        try:
            yield World(server, journal, client)
        finally:
            journal.gate.set()


async def _found(client: Client) -> set[str]:
    return {str(instance["instanceId"]) for instance in await client.find("provider", "consumer-id")}


def _registration(name: str) -> bytes:
    body = b'{"instance":{"instanceId":"%s","hostName":"h"}}' % name.encode()
    return request("POST", f"{ROOT}/microservices/provider-id/instances", body)


async def _silent(*tasks: asyncio.Task[object]) -> None:
    """None of the tasks gets an answer as long as others get many."""
    await asyncio.wait(tasks, timeout=0.1)
    assert not any(task.done() for task in tasks), "an answer came before what it tells of was stored"


async def _hot(connection: RawConnection, data: bytes) -> None:
    """Ask until the hot path knows the request by heart, and has said so."""
    for _ in range(3):
        assert (await connection.exchange(data)).status == 200


@pytest.mark.parametrize("full", [False, True])
async def test_reads_wait_for_what_they_would_show(full: bool, tmp_path: Path) -> None:
    """Finds, lists and existence; also a find that the hot path knew by heart until the change."""
    async with _world(tmp_path) as world, connect(world.port) as reader, connect(world.port) as hot:
        client = world.client
        find = request("GET", FIND, X_ConsumerId="consumer-id")
        await _hot(hot, find)
        before = (await hot.exchange(find)).header("X-Resource-Revision")
        world.journal.gate.clear()
        change = asyncio.create_task(client.call("DELETE", "/microservices/provider-id?force=1"))
        await world.waiting(2)
        exists = "/existence?type=microservice&appId=default&serviceName=other&version=0.0.1"
        other = asyncio.create_task(client.call("POST", "/microservices", {"service": {"serviceName": "other"}}))
        await world.waiting(3)
        reads = [
            asyncio.create_task(client.call("GET", "/microservices")),
            asyncio.create_task(client.call("GET", exists)),
        ]
        await _silent(change, other, *reads)
        world.let(full=full)
        listed, existing = (await asyncio.gather(*reads))[:2]
        assert {(await change)[0], (await other)[0]} == {500 if full else 200}
        names = {service["serviceName"] for service in listed[1]["services"]}  # type: ignore[index]
        assert names == ({"provider", "consumer"} if full else {"consumer", "other"})
        assert existing[0] == (400 if full else 200)
        for connection in (hot, reader):
            found = await connection.exchange(find)
            assert found.status == (200 if full else 400)
            if full:
                assert found.header("X-Resource-Revision") == before, "it is the list that the client has"


@pytest.mark.parametrize("full", [False, True])
async def test_a_find_on_the_hot_path_waits_for_a_change_of_its_list(full: bool, tmp_path: Path) -> None:
    """The remembered answer is stale from the change on, the new one is given out once it is stored, and after a failure the old list."""
    async with _world(tmp_path) as world, connect(world.port) as hot:
        find = request("GET", FIND, X_ConsumerId="consumer-id")
        await _hot(hot, find)
        world.journal.gate.clear()
        change = asyncio.create_task(world.client.call("DELETE", "/microservices/provider-id/instances/i"))
        await world.waiting(1)
        asked = asyncio.create_task(hot.exchange(find))
        await _silent(change, asked)
        world.let(full=full)
        assert (await change)[0] == (500 if full else 200)
        for answer in (await asked, await hot.exchange(find), await hot.exchange(find)):
            assert (answer.status, b'"instanceId":"i"' in answer.body) == (200, full)


@pytest.mark.parametrize("full", [False, True])
async def test_a_repeated_registration_is_answered_as_the_first_one_is(full: bool, tmp_path: Path) -> None:
    """A client that was impatient and asks again on another connection is not told that it is registered before that is stored."""
    async with _world(tmp_path) as world, connect(world.port) as first, connect(world.port) as second:
        for connection in (first, second):
            await _hot(connection, _registration("known"))
        world.journal.gate.clear()
        asked = [asyncio.create_task(first.exchange(_registration("new")))]
        await world.waiting(1)
        asked.append(asyncio.create_task(second.exchange(_registration("new"))))
        await _silent(*asked)
        world.let(full=full)
        assert [answer.status for answer in await asyncio.gather(*asked)] == [500 if full else 200] * 2
        assert ("new" in await _found(world.client)) != full


async def test_heartbeats_health_and_metrics_do_not_wait_for_the_store(tmp_path: Path) -> None:
    """A disk that hangs holds nobody up who does not ask for what it would say."""
    async with _world(tmp_path) as world, connect(world.port) as hot:
        beat = request("PUT", f"{ROOT}/microservices/provider-id/instances/i/heartbeat")
        await _hot(hot, beat)
        world.journal.gate.clear()
        change = asyncio.create_task(world.client.instance("provider-id", instanceId="new"))
        await world.waiting(1)
        for _ in range(20):
            assert (await hot.exchange(beat)).status == 200
        for path in ("/health/ready", "/metrics", "/v4/default/admin/alarms"):
            await world.client.call("GET", path, None, 200)
        await _silent(change)
        world.let(full=False)
        assert await change == "new"


async def test_watchers_hear_of_what_is_stored_and_of_nothing_else(tmp_path: Path) -> None:
    """Not before the commit, and not at all where it fails."""
    async with _world(tmp_path) as world, watching(world.client, "consumer-id", "provider") as watch:
        world.journal.gate.clear()
        refused = asyncio.create_task(world.client.call("DELETE", "/microservices/provider-id/instances/i"))
        await world.waiting(1)
        event = asyncio.create_task(watch.event())
        await _silent(refused, event)
        world.let(full=True)
        assert (await refused)[0] == 500
        world.journal.full = False

        async def ready() -> bool:
            return (await world.client.call("GET", "/health/ready"))[0] == 200

        await eventually(ready)
        await world.client.instance("provider-id", instanceId="new")
        assert ((await event)["action"], watch.instances) == ("CREATE", {"i", "new"})


async def test_a_registration_that_waits_for_its_commit_is_answered_before_the_end(tmp_path: Path) -> None:
    """The stop begins while it waits, on the hot path and on the long one; either answer says that it is the last."""
    async with _world(tmp_path) as world, connect(world.port) as hot, connect(world.port) as plain:
        await _hot(hot, _registration("known"))
        world.journal.gate.clear()
        hot_answer = asyncio.create_task(hot.exchange(_registration("by-heart")))
        await world.waiting(1)
        slow = _registration("long-way").replace(
            b"Host: engine\r\n", b"Host: engine\r\nX-Unknown: takes the long way\r\n"
        )
        plain_answer = asyncio.create_task(plain.exchange(slow))
        await world.waiting(2)
        world.server.stop()
        await _silent(hot_answer, plain_answer)
        world.let(full=False)
        answers = await asyncio.gather(hot_answer, plain_answer)
        assert [(answer.status, answer.header("Connection")) for answer in answers] == [(200, "close")] * 2
        async with asyncio.timeout(50):  # less than shutdown_timeout: nobody is waited for who has been answered
            assert await hot.closed()
            assert await plain.closed()

"""What services and their clients notice of a restart: nothing that they would have to repair."""

from __future__ import annotations

import asyncio
import json
import signal
from datetime import datetime
from pathlib import Path

import pytest

from tests.engine import Client, client_of, eventually, running_engine
from tests.faults.watching import watching

TTL = 2.0


async def _names(client: Client, service: str) -> set[str]:
    _, body, _ = await client.call("GET", f"/microservices/{service}/instances", None, 200)
    return {instance["instanceId"] for instance in body.get("instances", [])}  # type: ignore[attr-defined]


def _logged(log: Path, event: str) -> list[datetime]:
    """When the engine logged an event."""
    entries = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    return [datetime.fromisoformat(entry["timestamp"]) for entry in entries if entry["event"] == event]


async def _beat(client: Client, service: str, *names: str) -> None:
    for name in names:
        await client.call("PUT", f"/microservices/{service}/instances/{name}/heartbeat", None, 200)


async def test_instances_have_a_full_lease_after_a_restart(tmp_path: Path) -> None:
    """They need not register again: their heartbeats are taken; who is silent from then on stays for a whole lease, and no longer."""
    async with running_engine(tmp_path / "data", instance_ttl=TTL, last_known_seconds=0) as engine:
        async with client_of(engine.url) as client:
            service = await client.service("provider")
            for name in ("healthy", "silent"):
                await client.instance(service, instanceId=name)
        await engine.kill()
        await engine.start()
        async with client_of(engine.url) as client:
            await _beat(client, service, "healthy")
            assert await _names(client, service) == {"healthy", "silent"}

            async def gone() -> bool:
                await _beat(client, service, "healthy")
                return await _names(client, service) == {"healthy"}

            await eventually(gone)
        replayed, expired = _logged(engine.log, "journal.replayed")[-1], _logged(engine.log, "lease.expired")
        assert len(expired) == 1
        assert TTL <= (expired[0] - replayed).total_seconds() < 3 * TTL


async def test_a_watcher_reconnects_to_a_consistent_state(tmp_path: Path) -> None:
    """What it finds after the restart, and what it is told from then on, add up to what is there."""
    async with running_engine(tmp_path / "data") as engine, client_of(engine.url) as client:
        provider, consumer = await client.service("provider"), await client.service("consumer")
        await client.instance(provider, instanceId="i0")
        async with watching(client, consumer, "provider") as watch:
            assert watch.instances == {"i0"}
            await client.instance(provider, instanceId="i1")
            await watch.until({"i0", "i1"})
            await engine.kill()
            with pytest.raises(TypeError):
                await watch.event()
            assert watch.socket.closed, "a watcher of a killed engine is told so by its connection"
        await engine.start()
        async with watching(client, consumer, "provider") as watch:
            assert watch.instances == {"i0", "i1"}
            await client.call("DELETE", f"/microservices/{provider}/instances/i0", None, 200)
            await asyncio.gather(*(client.instance(provider, instanceId=f"i{number}") for number in range(2, 30)))
            await watch.until({f"i{number}" for number in range(1, 30)})
            assert watch.instances == {str(instance["instanceId"]) for instance in await client.find("provider")}


async def test_who_depends_on_whom_is_remembered(tmp_path: Path) -> None:
    """A consumer that only reopens its watch, without another find, is told of changes as before."""
    async with running_engine(tmp_path / "data") as engine, client_of(engine.url) as client:
        provider, consumer = await client.service("provider"), await client.service("consumer")
        await client.find("provider", consumer)
        await engine.kill()
        await engine.start()
        async with client.session.ws_connect(f"{client.registry}/microservices/{consumer}/watcher") as socket:
            await client.instance(provider, instanceId="new")
            async with asyncio.timeout(20):
                assert '"instanceId":"new"' in await socket.receive_str()


async def test_nobody_is_evicted_because_the_engine_stood_still(tmp_path: Path) -> None:
    """SIGSTOP for more than two leases, during which no heartbeat can arrive; then SIGCONT."""
    async with (
        running_engine(
            tmp_path / "data", instance_ttl=TTL, last_known_seconds=0, protection_min_instances=1000
        ) as engine,
        client_of(engine.url) as client,
    ):
        service = await client.service("provider")
        names = [f"i{number}" for number in range(5)]
        for name in names:
            await client.instance(service, instanceId=name)
        await _beat(client, service, *names)
        assert engine.process is not None
        engine.process.send_signal(signal.SIGSTOP)
        waiting = asyncio.create_task(_beat(client, service, "i0"))
        finished, _ = await asyncio.wait([waiting], timeout=2.5 * TTL)
        assert not finished, "a stopped engine answers nobody"
        engine.process.send_signal(signal.SIGCONT)
        await waiting
        await _beat(client, service, *names)
        assert await _names(client, service) == set(names)
        async with client.session.get(f"{client.url}/metrics") as answer:
            assert "waggle_leases_expired_total 0.0" in await answer.text()

        async def all_gone() -> bool:
            return await _names(client, service) == set()

        await eventually(all_gone)  # leases run again

"""Leases over HTTP: whoever is silent leaves in time, whoever is heard of stays, and many at once are not taken for dead."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Coroutine
from pathlib import Path

import pytest

from tests.api.sse import Event, event_stream
from tests.engine import Client, EngineProcess, client_of, eventually, running_engine

pytestmark = pytest.mark.asyncio(loop_scope="module")
SETTINGS = {"instance_min_interval": 1, "instance_min_times": 0}
EAGER = {"mode": "push", "interval": 1, "times": 0}


async def _names(client: Client, service: str = "provider") -> set[str]:
    return {str(row["instanceId"]) for row in await client.find(service)}


async def _metric(client: Client, name: str) -> float:
    async with client.session.get(f"{client.url}/metrics") as response:
        found = re.search(rf"^{re.escape(name)} (\S+)$", await response.text(), re.MULTILINE)
    assert found is not None, name
    return float(found[1])


async def test_a_silent_instance_leaves_after_its_lease_and_not_before(api: Client) -> None:
    """Its own: the one beside it, with the default of two minutes, stays."""
    service = await api.service("provider")
    await api.instance(service, instanceId="patient")
    started = time.monotonic()
    await api.instance(service, instanceId="eager", healthCheck=EAGER)
    assert await _names(api) == {"patient", "eager"}

    async def has_left() -> bool:
        return await _names(api) == {"patient"}

    await eventually(has_left)
    assert time.monotonic() - started >= 1.0
    status, body, _ = await api.call("PUT", f"/microservices/{service}/instances/eager/heartbeat")
    assert (status, body["errorCode"]) == (400, "400017")  # type: ignore[index]


async def test_every_kind_of_heartbeat_renews(api: Client) -> None:
    """Single, in a batch, and by registering again; each is kept while one that does nothing leaves, twice over."""
    service = await api.service("provider")
    path = f"/microservices/{service}/instances"
    for name in ("single", "batch", "again"):
        await api.instance(service, instanceId=name, healthCheck=EAGER)
    for name in ("silent", "silent-too"):
        await api.instance(service, instanceId=name, healthCheck=EAGER)

        async def all_but_the_silent(name: str = name) -> bool:
            await api.call("PUT", f"{path}/single/heartbeat", None, 200)
            await api.call("PUT", "/heartbeats", {"instances": [{"serviceId": service, "instanceId": "batch"}]}, 200)
            assert await api.instance(service, instanceId="again", healthCheck=EAGER) == "again"
            left = await _names(api)
            assert left >= {"single", "batch", "again"}
            return name not in left

        await eventually(all_but_the_silent)


async def test_the_setting_of_a_lease_counts_for_everyone(tmp_path: Path) -> None:
    """`instance_ttl`, whatever an instance asks for."""
    async with running_engine(tmp_path / "data", instance_ttl=1) as engine, client_of(engine.url) as client:
        await client.instance(await client.service("provider"))

        async def has_left() -> bool:
            return await _names(client) == set()

        await eventually(has_left)


class Fleet:
    """Services with instances of short leases."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.members: list[dict[str, str]] = []

    async def add(self, service: str, number: int) -> None:
        """Register so many instances of a service."""
        owner = await self.client.service(service)
        for _ in range(number):
            name = await self.client.instance(owner, healthCheck={"mode": "push", "interval": 1, "times": 1})
            self.members.append({"serviceId": owner, "instanceId": name})

    async def beat(self) -> None:
        """One heartbeat of every member."""
        _, body, _ = await self.client.call("PUT", "/heartbeats", {"instances": self.members}, 200)
        assert "errMessage" not in str(body)

    async def beat_until(self, event: Coroutine[None, None, Event]) -> Event:
        """Beat until an event comes."""
        task = asyncio.create_task(event)

        async def has_come() -> bool:
            await self.beat()
            return task.done()

        await eventually(has_come)
        return task.result()


async def test_nearly_all_falling_silent_at_once_are_kept_for_another_lease(tmp_path: Path) -> None:
    """Self-preservation, seen in the find, the event stream, the metrics and the log, each with its reason; then they go."""
    settings = {**SETTINGS, "last_known_seconds": 0}
    async with running_engine(tmp_path / "data", **settings) as engine, client_of(engine.url) as client:
        fleet = Fleet(client)
        async with event_stream(client) as events:
            for service in ("a", "b", "c", "d"):
                await fleet.add(service, 2)
            await fleet.beat()
            begun = [await events.until(lambda event: event.name == "protection.BEGIN") for _ in fleet.members]
            assert len(await client.find("a")) == 2
            assert await _metric(client, "waggle_leases_protected") == 8
            assert await _metric(client, 'waggle_protections_total{reason="self-preservation"}') == 8
            gone = [await events.until(lambda event: event.name == "instance.DELETE") for _ in fleet.members]
        assert {event.data["reason"] for event in begun} == {"self-preservation"}
        assert {event.data["instanceId"] for event in begun} == {event.data["instance"]["instanceId"] for event in gone}
        assert await client.find("a") == []
        assert await _metric(client, "waggle_leases_protected") == 0
        assert await _metric(client, "waggle_leases_expired_total") == 8
    assert _logged(engine, "protection.begin", "self-preservation") == 8


def _logged(engine: EngineProcess, event: str, reason: str) -> int:
    lines = engine.log.read_text().splitlines()
    return sum(1 for line in lines if f'"event": "{event}"' in line and f'"reason": "{reason}"' in line)


async def test_a_service_that_is_cut_off_as_a_whole_is_answered_for_a_while(tmp_path: Path) -> None:
    """Last known instances: its clients are never handed an empty list meanwhile, others lapse as ever, and the bound holds."""
    settings = {**SETTINGS, "last_known_seconds": 2}
    async with running_engine(tmp_path / "data", **settings) as engine, client_of(engine.url) as client:
        others, weather = Fleet(client), Fleet(client)
        await others.add("other", 8)
        await weather.add("weather", 2)
        async with event_stream(client, service="weather") as events:
            begun = await others.beat_until(events.until(lambda event: event.name == "protection.BEGIN"))
            assert begun.data["reason"] == "last-known"
            assert len(await client.find("weather")) == 2
            assert await _metric(client, 'waggle_protections_total{reason="last-known"}') == 2
            await others.beat_until(events.until(lambda event: event.name == "instance.DELETE"))
        assert len(await client.find("other")) == 8
    assert _logged(engine, "protection.begin", "last-known") == 2


async def test_a_heartbeat_ends_the_protection(tmp_path: Path) -> None:
    """The event stream says so, and the instance is as any other again."""
    settings = {**SETTINGS, "last_known_seconds": 60}
    async with running_engine(tmp_path / "data", **settings) as engine, client_of(engine.url) as client:
        weather = Fleet(client)
        await weather.add("weather", 2)
        async with event_stream(client) as events:
            for _ in weather.members:
                await events.until(lambda event: event.name == "protection.BEGIN")
            await weather.beat()
            ended = [await events.until(lambda event: event.name == "protection.END") for _ in weather.members]
        assert {event.data["reason"] for event in ended} == {"heartbeat"}
        assert await _metric(client, "waggle_leases_protected") == 0
    assert _logged(engine, "protection.end", "heartbeat") == 2

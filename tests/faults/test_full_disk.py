"""No room for the journal: the engine refuses changes, shows what it has, says what is wrong, and recovers by itself."""

from __future__ import annotations

import asyncio

from tests.engine import Client, client_of, eventually
from tests.faults.full_disk import Disk
from tests.faults.watching import watching


class World:
    """A provider with instances, and a consumer that knows it."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def build(self) -> None:
        """Register everything while there is room."""
        self.provider, self.consumer = await self.client.service("provider"), await self.client.service("consumer")
        self.newcomer = await self.client.service("newcomer")
        for number in range(3):
            await self.client.instance(self.provider, instanceId=f"i{number}")
        assert len(await self.client.find("provider", self.consumer)) == 3
        self.path = f"/microservices/{self.provider}"

    def changes(self) -> list[tuple[str, str, object]]:
        """One request of every kind that changes something."""
        return [
            ("POST", "/microservices", {"service": {"serviceName": "new"}}),
            ("POST", f"{self.path}/instances", {"instance": {"instanceId": "new", "hostName": "h"}}),
            ("DELETE", f"{self.path}/instances/i1", None),
            ("PUT", f"{self.path}/instances/i2/status?value=DOWN", None),
            ("PUT", f"{self.path}/instances/i2/properties", {"properties": {"a": "b"}}),
            ("PUT", f"{self.path}/properties", {"properties": {"a": "b"}}),
            ("POST", f"{self.path}/tags", {"tags": {"a": "b"}}),
            ("PUT", f"{self.path}/schemas/s", {"schema": "x" * 5000}),
            ("DELETE", f"/microservices/{self.newcomer}?force=1", None),
        ]

    async def everything(self) -> object:
        """All that the engine shows."""
        view = await self.client.call("GET", "/v4/default/govern/microservices?options=all", None, 200)
        found = await self.client.find("provider", self.consumer)
        return _in_one_order([view[1], found])


def _in_one_order(shown: object) -> object:
    """Lists have no order on this wire, and what is taken back may come last."""
    if isinstance(shown, dict):
        return {name: _in_one_order(value) for name, value in shown.items()}
    return sorted(map(_in_one_order, shown), key=repr) if isinstance(shown, list) else shown


async def _until_refused(client: Client, service: str) -> None:
    """Register instances until one cannot be stored: what was free in the journal's files is used up."""
    for number in range(20_000):
        body = {"instance": {"instanceId": f"fill{number}", "hostName": "h", "properties": {"x": "x" * 1000}}}
        status, answer, _ = await client.call("POST", f"/microservices/{service}/instances", body)
        if status != 200:
            assert (status, answer["errorCode"]) == (500, "500011")  # type: ignore[index]
            return
    raise AssertionError("the disk was never full")


async def _is_ready(client: Client) -> bool:
    return (await client.call("GET", "/health/ready"))[0] == 200


async def _alarms(client: Client) -> dict[str, str]:
    _, body, _ = await client.call("GET", "/v4/default/admin/alarms", None, 200)
    return {alarm["id"]: alarm["status"] for alarm in body.get("alarms", [])}  # type: ignore[attr-defined]


async def _says_that_it_is_full(client: Client) -> None:
    status, body, _ = await client.call("GET", "/health/ready")
    assert (status, body["status"]) == (503, "not ready")  # type: ignore[index]
    assert "cannot be written" in body["reason"]  # type: ignore[index]
    status, body, _ = await client.call("GET", "/health")
    assert (status, body["errorCode"]) == (400, "400002")  # type: ignore[index]
    assert (await _alarms(client))["BackendConnectionRefuse"] == "ACTIVATED"


async def test_a_full_disk_refuses_changes_and_nothing_else(disk: Disk) -> None:
    """Every kind of change answers 500011 and leaves no trace; finds, also those of newcomers, heartbeats and watches go on."""
    async with disk.engine() as engine, client_of(engine.url) as client:
        world = World(client)
        await world.build()
        async with watching(client, world.consumer, "provider") as watch:
            disk.fill(engine)
            await _until_refused(client, world.newcomer)
            before = await world.everything()
            for _ in range(2):
                for method, path, body in world.changes():
                    status, answer, _ = await client.call(method, path, body)
                    assert (status, answer["errorCode"]) == (500, "500011"), path  # type: ignore[index]
            assert await world.everything() == before
            for _ in range(3):
                assert len(await client.find("provider", world.newcomer)) == 3
                await client.call("PUT", f"{world.path}/instances/i0/heartbeat", None, 200)
                beats = {
                    "instances": [{"serviceId": world.provider, "instanceId": f"i{number}"} for number in range(3)]
                }
                _, answer, _ = await client.call("PUT", "/heartbeats", beats, 200)
                assert "errMessage" not in str(answer)
                again = {"instance": {"instanceId": "i0", "hostName": "h"}}
                await client.call("POST", f"{world.path}/instances", again, 200)
            await _says_that_it_is_full(client)
            disk.empty(engine)
            await eventually(lambda: _is_ready(client))
            assert (await _alarms(client))["BackendConnectionRefuse"] == "CLEARED"
            await client.instance(world.provider, instanceId="roomy")
            event = await watch.event()
            assert (event["action"], event["instance"]["instanceId"]) == ("CREATE", "roomy"), "the first it is told of"


async def test_a_newcomer_is_recorded_once_there_is_room(disk: Disk) -> None:
    """A consumer whose first find came while the disk was full is told of changes after its next one, also on the hot path."""
    async with disk.engine() as engine, client_of(engine.url) as client:
        world = World(client)
        await world.build()
        disk.fill(engine)
        await _until_refused(client, world.newcomer)
        for _ in range(3):
            assert len(await client.find("provider", world.newcomer)) == 3
        disk.empty(engine)
        await eventually(lambda: _is_ready(client))
        async with watching(client, world.newcomer, "provider") as watch:
            await client.instance(world.provider, instanceId="told")
            await watch.until({"i0", "i1", "i2", "told"})


async def test_what_a_full_disk_refused_is_not_there_after_a_kill(disk: Disk) -> None:
    """And all that was acknowledged before is; the engine that starts on a disk still full shows it."""
    async with disk.engine() as engine, client_of(engine.url) as client:
        world = World(client)
        await world.build()
        disk.fill(engine)
        await _until_refused(client, world.newcomer)
        before = await world.everything()
        changes = (client.call(*change) for change in world.changes())
        assert {status for status, _, _ in await asyncio.gather(*changes)} == {500}
        await engine.kill()
        await engine.start()
        assert await world.everything() == before
        disk.empty(engine)
        await eventually(lambda: _is_ready(client))
        for method, path, body in world.changes():
            await client.call(method, path, body, 200)
        assert await engine.stop() == 0


async def test_an_engine_stops_in_order_on_a_full_disk(disk: Disk) -> None:
    """Exit status 0, though it cannot store that it has left."""
    async with disk.engine() as engine, client_of(engine.url) as client:
        world = World(client)
        await world.build()
        disk.fill(engine)
        await _until_refused(client, world.newcomer)
        assert await engine.stop() == 0

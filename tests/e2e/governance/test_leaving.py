"""A provider is ended by SIGTERM while it is called without a pause: its callers notice nothing, whether they are told or ask."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from governance.sdk import Microservice
from tests.e2e.governance.world import Member, World, a_world
from tests.e2e.sdk import Consumer, Place, consumer
from tests.engine import eventually

_CALLERS = 8
_TOLD = {"pull_interval": 3600, "watch": True}
_ASKING = {"pull_interval": 0.3, "watch": False}


class Load:
    """Callers that ask for the weather again and again. `failures` has what was no good answer."""

    def __init__(self, service: Microservice) -> None:
        self.answered: Counter[str] = Counter()
        self.failures: list[str] = []
        self._service = service

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The callers call for as long as the block lasts."""
        tasks = [asyncio.create_task(self._call_on()) for _ in range(_CALLERS)]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _call_on(self) -> None:
        while True:
            try:
                async with self._service.http.get("cse://weather/weather/show?city=Berlin") as answer:
                    if answer.status == 200:
                        self.answered[(await answer.json())["servedBy"]["instance"]] += 1
                    else:
                        self.failures.append(f"{answer.status} {await answer.text()}")
            except Exception as error:  # noqa: BLE001  every failure counts
                self.failures.append(repr(error))


async def _instance(world: World, member: Member) -> str:
    found = await world.instances("weather")
    return str(found[member.url]["instanceId"])


@pytest.mark.parametrize("way", [_TOLD, _ASKING], ids=["watching", "polling"])
async def test_a_provider_that_is_ended_under_load_fails_nobody(tmp_path: Path, way: dict[str, object]) -> None:
    with a_world(tmp_path) as world:
        await world.up(*world.of("engine"))
        # Slow enough for requests to be under way at each moment of its end.
        leaving, staying = world.start("weather", LATENCY="20"), world.start("weather", LATENCY="20")
        await world.up(leaving, staying)
        ids = await _instance(world, leaving), await _instance(world, staying)
        place = Place(world.engine)
        async with consumer(place, app="weathermap", **way) as caller:
            await _ended_under(Load(caller.service), caller, (leaving, staying), ids)
        assert set(await world.instances("weather")) == {staying.url}


async def _ended_under(load: Load, caller: Consumer, members: tuple[Member, Member], ids: tuple[str, str]) -> None:
    async with load.running():
        await eventually(lambda: _more(load, ids[0], 50))
        members[0].process.send_signal(signal.SIGTERM)
        # A process manager that loses patience and asks again, while callers are being told.
        await eventually(lambda: _is_down(caller, ids[0]))
        members[0].process.send_signal(signal.SIGTERM)
        await eventually(lambda: _ended(members[0]))
        (left,) = await caller.service.instances("weather")
        since = load.answered[ids[1]]
        await eventually(lambda: _more(load, ids[1], since + 50))
    assert load.failures == []
    assert members[0].process.returncode == 0, members[0].said()
    assert left.instance_id == ids[1]


async def _more(load: Load, instance: str, than: int) -> bool:
    return bool(load.failures) or load.answered[instance] > than


async def _is_down(caller: Consumer, instance: str) -> bool:
    return any(
        one.instance_id == instance and one.status == "DOWN" for one in await caller.service.instances("weather")
    )


async def _ended(member: Member) -> bool:
    return not member.running

"""A release is rolled back only when that is stored, as often as it takes, and its object outlives the engine; the counts do not."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

from governance.rules.latencies import bucket_of
from governance.rules.objects.forms import GRAY
from governance.rules.objects.gray import GrayRelease
from registry.catalog import Limits
from registry.catalog.records import Service
from registry.config.objects import Expected
from registry.engine import Engine
from registry.engine.judge import Judge
from registry.monitor import Outcome
from tests.engine import eventually
from tests.unit.storage.journals import SlowJournal

TENANT = "default/default"
RELEASE = GrayRelease(
    service="weather", app="mall", version="2.0.0", baseline=("1.0.0",), share=50, max_error_rate=5.0, min_calls=10
)
ALARM = "GrayRelease/default/default//mall/weather"


class World:
    """An engine in which weather 1.0.0 and 2.0.0 are up, and the shop that calls them."""

    def __init__(self, engine: Engine, journal: SlowJournal) -> None:
        self.engine = engine
        self.journal = journal
        self.judge = Judge(engine)

    async def service(self, name: str, version: str) -> Service:
        """A service with an instance."""
        catalog, document = self.engine.catalog, {"appId": "mall", "serviceName": name, "version": version}
        found = await self.engine.execute(lambda: catalog.services.register(TENANT, document, 0))
        instance = {"instanceId": f"{name}-{version}", "hostName": "h", "status": "UP"}
        await self.engine.execute(lambda: catalog.instances.register(TENANT, found, instance, 0))
        return catalog.state.tenant(TENANT).services[found]

    async def write(self, release: GrayRelease) -> None:
        """Write the release as a person does."""
        objects = self.engine.config.objects
        await self.engine.execute(lambda: objects.put(TENANT, GRAY, release, Expected(), self.engine.now()), "somebody")

    async def tell(self, failures: int, calls: int = 10) -> Sequence[str]:
        """The shop tells of its calls to the new version."""
        told = Outcome("weather", "2.0.0", calls, failures, calls, {bucket_of(1): calls})
        return await self.judge.report(self._shop(), [told])

    def _shop(self) -> Service:
        services = self.engine.catalog.state.tenant(TENANT).services.values()
        return next(one for one in services if one.key.name == "shop")

    @property
    def state(self) -> tuple[str, str]:
        """State and reason of the release."""
        stored = self.engine.config.objects.find(TENANT, GRAY, RELEASE.place)
        assert stored is not None
        assert isinstance(stored.one, GrayRelease)
        return stored.one.state, stored.one.reason


@contextlib.asynccontextmanager
async def world_on(journal: SlowJournal) -> AsyncIterator[World]:
    """A world on a store."""
    engine = Engine(journal, Limits())
    async with engine.running():
        made = World(engine, journal)
        for name, version in (("weather", "1.0.0"), ("weather", "2.0.0"), ("shop", "1.0.0")):
            await made.service(name, version)
        yield made
        journal.full = False


async def test_while_the_store_fails_it_stays_and_the_next_report_rolls_it_back() -> None:
    async with world_on(SlowJournal()) as world:
        await world.write(RELEASE)
        world.journal.full = True
        assert await world.tell(10) == []
        assert world.state == ("running", "")
        assert "and it cannot be rolled back: " in str(world.engine.alarms.active(ALARM, TENANT))
        world.journal.full = False

        async def back() -> bool:
            return await world.tell(10) == ["weather"]

        await eventually(back)
        state, reason = world.state
        assert state == "rolled-back"
        assert world.engine.alarms.active(ALARM, TENANT) == reason
        assert world.engine.rollbacks == 1


async def test_after_a_restart_the_release_is_there_and_counting_begins_anew() -> None:
    journal = SlowJournal()
    async with world_on(journal) as world:
        await world.write(RELEASE)
        assert await world.tell(9, 9) == [], "fewer calls than are needed"
    async with world_on(journal) as world:
        assert world.state == ("running", "")
        assert await world.tell(9, 9) == []
        assert await world.tell(1, 1) == ["weather"]
    async with world_on(journal) as world:
        assert world.state[0] == "rolled-back"
        assert world.state[1].startswith("error rate 100 % of 10 calls in ")
        assert await world.tell(100, 100) == []


async def test_a_release_that_is_changed_while_it_is_judged_is_left_to_who_changed_it() -> None:
    async with world_on(SlowJournal()) as world:
        await world.write(RELEASE)
        assert await world.tell(0) == []
        case = world.judge._case(world._shop(), "weather")
        assert case is not None
        await world.write(replace(RELEASE, share=10))
        assert world.judge._roll_back(case, "too late") is False
        assert world.state == ("running", "")

"""The engine between memory and the store: what is acknowledged is stored, what is not stored is taken back and seen by nobody."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

import pytest

from registry.catalog import Limits
from registry.catalog.discovery import Answer, Query
from registry.catalog.records import ProviderKey
from registry.engine import Engine, Options, committer
from registry.engine.alarms import BACKEND
from registry.errors import RegistryError
from registry.ledger import Change
from tests.engine import eventually
from tests.unit.storage.journals import SlowJournal

TENANT = "default/default"


class World:
    """An engine on a slow journal, with what it has told watchers."""

    def __init__(self, engine: Engine, journal: SlowJournal) -> None:
        self.engine = engine
        self.journal = journal
        self.published: list[Change] = []
        engine.stream.on_changes(self.published.extend)

    async def service(self, name: str = "s") -> str:
        """Register a service, or find it."""
        document = {"appId": "a", "serviceName": name, "version": "1.0.0"}
        return await self.engine.execute(lambda: self.engine.catalog.services.register(TENANT, document, 0))

    async def instance(self, service: str, name: str) -> str:
        """Register an instance, or renew it."""
        document = {"instanceId": name, "hostName": "h"}
        return await self.engine.execute(lambda: self.engine.catalog.instances.register(TENANT, service, document, 0))

    async def unregister(self, service: str, name: str) -> None:
        """Take an instance out."""
        await self.engine.execute(lambda: self.engine.catalog.instances.unregister(TENANT, service, name, 0))

    def find(self, name: str = "s") -> Answer:
        """What memory shows at this moment."""
        return self.engine.catalog.discovery.find(TENANT, Query(ProviderKey("", "a", name)))

    async def stored(self) -> list[str]:
        """The keys of the records that a restart would bring back."""
        records = {event.key: event.body async for batch in self.journal.read() for event in batch}
        return sorted(key.rsplit("/", 1)[1] for key, body in records.items() if body is not None)


@contextlib.asynccontextmanager
async def _world(options: Options | None = None) -> AsyncIterator[World]:
    journal = SlowJournal()
    engine = Engine(journal, Limits(), options)
    async with engine.running():
        yield World(engine, journal)
        journal.gate.set()


async def _under_way(world: World, *commands: object) -> list[asyncio.Task[object]]:
    """Start commands whose commits wait for the gate."""
    world.journal.gate.clear()
    tasks = [asyncio.ensure_future(command) for command in commands]  # type: ignore[call-overload]
    for _ in range(5):  # each task runs up to its wait for the journal
        await asyncio.wait(tasks, timeout=0)
    assert not any(task.done() for task in tasks)
    return tasks


async def _outcomes(tasks: Sequence[asyncio.Task[object]]) -> list[object]:
    found = await asyncio.gather(*tasks, return_exceptions=True)
    return [outcome.error.code if isinstance(outcome, RegistryError) else outcome for outcome in found]


async def test_changes_that_come_together_are_stored_together() -> None:
    """One transaction is under way; those that arrive meanwhile share the next one, up to the bound."""
    async with _world(Options(journal_batch=8)) as world:
        service = await world.service()
        world.journal.appends.clear()
        first = await _under_way(world, world.instance(service, "first"))
        rest = await _under_way(world, *(world.instance(service, f"i{number}") for number in range(20)))
        assert world.published[1:] == [], "watchers hear of what is stored, not before"
        world.journal.gate.set()
        assert await _outcomes([*first, *rest]) == ["first", *(f"i{number}" for number in range(20))]
        assert world.journal.appends == [1, 8, 8, 4]
        assert [change.revision for change in world.published] == sorted(change.revision for change in world.published)
        assert len(world.published) == 22


async def test_a_failed_commit_takes_everything_back() -> None:
    """What was under way and what queued behind it: memory, answers, leases and watchers are as they were before."""
    async with _world() as world:
        service = await world.service()
        await world.instance(service, "kept")
        await world.instance(service, "leaving")
        before, told = world.find(), len(world.published)
        held = await _under_way(world, world.unregister(service, "leaving"))
        queued = await _under_way(world, world.instance(service, "new"), world.service("other"))
        dirty = world.find()
        assert dirty.revision != before.revision
        world.journal.full = True
        world.journal.gate.set()
        assert await _outcomes([*held, *queued]) == [500011, 500011, 500011]
        after = world.find()
        assert dirty.forms.stale, "who kept the answer that showed them must not repeat it"
        assert after.revision == before.revision
        assert sorted(after.encoded) == sorted(before.encoded)
        assert len(world.published) == told
        assert {lease.instance_id for lease in world.engine.catalog.state.leases.alive} == {"kept", "leaving"}
        assert await world.stored() == sorted(["kept", "leaving", service])


async def test_a_revision_seen_before_a_failure_never_names_another_set() -> None:
    """A client that saw a deletion which was taken back must not be told later that nothing has changed since."""
    async with _world() as world:
        service = await world.service()
        for name in ("a", "b", "c"):
            await world.instance(service, name)
        held = await _under_way(world, world.unregister(service, "a"))
        seen = world.find().revision
        world.journal.full = True
        world.journal.gate.set()
        assert await _outcomes(held) == [500011]
        world.journal.full = False
        await _recovered(world)
        await world.unregister(service, "b")
        assert world.find().revision != seen, "two instances, the newest the same, but not the same two"
        await world.instance(service, "a2")
        revisions = [change.revision for change in world.published]
        assert revisions == sorted(set(revisions))


async def _has_alarm(engine: Engine) -> bool:
    return engine.alarms.active(BACKEND) == "no room"


async def _has_registered_itself(engine: Engine) -> bool:
    return bool(engine.catalog.state.existing(TENANT).instances_of(engine.catalog.services.own_id))


async def _recovered(world: World) -> None:
    async def works() -> bool:
        return not world.engine.committer.failing

    await eventually(works)


@pytest.fixture
def quick_probes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask the failed store every few milliseconds."""
    monkeypatch.setattr(committer, "_PROBE_SECONDS", 0.005)


@pytest.mark.usefixtures("quick_probes")
async def test_while_the_store_fails_changes_are_refused_and_reads_go_on() -> None:
    """And nobody has to try: the engine asks the store itself, and takes changes again when it answers."""
    async with _world() as world:
        service = await world.service()
        await world.instance(service, "kept")
        world.journal.full = True
        with pytest.raises(RegistryError, match="500011"):
            await world.instance(service, "first")
        revision, appends = world.engine.ledger.revision, len(world.journal.appends)
        for number in range(50):
            with pytest.raises(RegistryError, match="500011"):
                await world.instance(service, f"i{number}")
        assert world.engine.ledger.revision == revision, "a refused change uses no revision up"
        assert len(world.journal.appends) == appends
        assert world.engine.alarms.active(BACKEND) == "no room"
        assert b'"kept"' in world.find().body
        assert await world.instance(service, "kept") == "kept", "a registration that changes nothing renews its lease"
        world.engine.alarms.forget()
        await eventually(lambda: _has_alarm(world.engine))
        world.journal.full = False
        await _recovered(world)
        assert world.engine.alarms.active(BACKEND) is None
        assert await world.instance(service, "first") == "first"
        assert await world.stored() == sorted(["kept", "first", service])


@pytest.mark.parametrize("full", [False, True])
async def test_who_changes_nothing_waits_for_what_it_relies_on(full: bool) -> None:
    """The second of two alike registrations is acknowledged when the first one is stored, and refused where it cannot be."""
    async with _world() as world:
        service = await world.service()
        pending = await _under_way(world, world.service("t"), world.instance(service, "i"))
        same = await _under_way(world, world.service("t"), world.instance(service, "i"))
        world.journal.full = full
        world.journal.gate.set()
        first, second = await _outcomes(pending), await _outcomes(same)
        assert first == second
        assert (first == [500011, 500011]) == full
        assert ("i" in await world.stored()) != full


async def test_who_gives_up_waiting_harms_nobody_else() -> None:
    async with _world() as world:
        service = await world.service()
        held = await _under_way(world, world.instance(service, "a"), world.instance(service, "b"))
        same = await _under_way(world, world.instance(service, "b"), world.instance(service, "b"))
        held[0].cancel()
        same[0].cancel()
        world.journal.gate.set()
        assert await _outcomes([held[1], same[1]]) == ["b", "b"]
        assert await world.stored() == sorted(["a", "b", service])


async def test_more_changes_than_may_wait_are_refused() -> None:
    """With 500011, without a trace, and those that wait already are stored."""
    async with _world(Options(journal_queue=3)) as world:
        service = await world.service()
        held = await _under_way(world, *(world.instance(service, f"i{number}") for number in range(3)))
        with pytest.raises(RegistryError, match="too many changes are waiting"):
            await world.instance(service, "i3")
        assert world.find().body.count(b"instanceId") == 3
        world.journal.gate.set()
        assert await _outcomes(held) == ["i0", "i1", "i2"]
        assert await world.instance(service, "i3") == "i3"


async def test_stopping_stores_what_was_queued_and_takes_no_more() -> None:
    async with _world() as world:
        service = await world.service()
        held = await _under_way(world, *(world.instance(service, f"i{number}") for number in range(5)))
        world.engine.committer.stop()
        with pytest.raises(RegistryError, match="the engine is stopping"):
            await world.instance(service, "late")
        world.journal.gate.set()
        assert await _outcomes(held) == [f"i{number}" for number in range(5)]
    assert await world.stored() == sorted([service, *(f"i{number}" for number in range(5))])


async def test_a_lease_that_cannot_be_ended_goes_on() -> None:
    """The instance stays until its end can be stored: what is shown is what a restart would show."""
    async with _world() as world:
        service = await world.service()
        await world.instance(service, "silent")
        world.journal.full = True
        with pytest.raises(RegistryError):
            await world.service("t")
        refused = 0
        for _ in range(1000):  # more than two leases of 120 seconds, in steps of half a second at most
            try:
                world.engine.begin(lambda: world.engine.catalog.expire(0.5, 0))
            except RegistryError:
                refused += 1
                assert b'"silent"' in world.find().body
        assert refused > 1


async def test_an_engine_starts_on_a_store_that_has_no_room() -> None:
    """It shows what it has, lists the alarm, and registers itself when there is room."""
    journal = SlowJournal()
    async with Engine(journal, Limits()).running():
        pass
    world = World(Engine(journal, Limits()), journal)
    async with world.engine.running():
        await world.service()
    journal.full = True
    engine = Engine(journal, Limits(instance_properties={"forced": "1"}))
    async with engine.running():
        await engine.register_itself(["rest://127.0.0.1:1"], "host", "1.0.0")
        assert engine.alarms.active(BACKEND) == "no room"
        assert World(engine, journal).find().body == b"{}"
        journal.full = False
        await eventually(lambda: _has_registered_itself(engine))

"""What is kept ready for Config Center, close up: never stale, never of what is not stored, made once a change, and bounded."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Mapping

import pytest

from governance.rules.flatten import flatten
from registry.api.config_center import views
from registry.api.config_center.asked import Asked
from registry.api.config_center.views import View, Views
from registry.catalog import Limits
from registry.config.dimensions import Dimension
from registry.config.records import ENABLED, Draft
from registry.config.targets import Target
from registry.engine import Engine, committer
from registry.engine.askers import Place
from registry.errors import RegistryError
from tests.engine import eventually
from tests.unit.storage.test_committer import SlowJournal

TENANT = "default/default"


class World:
    """An engine on a journal that can be slow or full, and the views of its store."""

    def __init__(self, engine: Engine, journal: SlowJournal) -> None:
        self.engine = engine
        self.journal = journal
        self.views = Views(engine)

    async def set(self, key: str, value: str, labels: Mapping[str, str], value_type: str = "text") -> None:
        """Write an item, and return when it is stored."""
        draft = Draft(key, value, labels, value_type, ENABLED)
        await self.engine.execute(lambda: self.engine.config.keys.set(TENANT, draft, 0))

    async def recovered(self) -> None:
        """Wait until changes are stored again."""

        async def recovered() -> bool:
            return not self.engine.committer.failing

        await eventually(recovered)

    async def view(self, dimension: str) -> View:
        """What a client of the dimension sees."""
        return await self.views.view(Asked(TENANT, Dimension.parse(dimension), "", Place(TENANT, "", "", {})))

    async def seen(self, dimension: str = "cart@mall") -> Mapping[str, str]:
        """The same, merged."""
        return (await self.view(dimension)).merged()


@contextlib.asynccontextmanager
async def _world() -> AsyncIterator[World]:
    journal = SlowJournal()
    engine = Engine(journal, Limits())
    async with engine.running():
        try:
            yield World(engine, journal)
        finally:
            journal.full = False
            journal.gate.set()


LABELS = {"app": "mall", "service": "cart", "environment": ""}


async def _start(task: asyncio.Task[object]) -> None:
    for _ in range(5):
        await asyncio.wait([task], timeout=0)
    assert not task.done()


async def test_a_change_is_shown_when_it_is_stored_and_not_before() -> None:
    async with _world() as world:
        await world.set("a", "old", LABELS)
        world.journal.gate.clear()
        writing = asyncio.ensure_future(world.set("a", "new", LABELS))
        await _start(writing)
        looking = asyncio.ensure_future(world.seen())
        await _start(looking)
        world.journal.gate.set()
        assert await looking == {"a": "new"}
        assert writing.done(), "who sees it may rely on it"


async def test_a_change_that_could_not_be_stored_is_never_shown() -> None:
    async with _world() as world:
        await world.set("a", "old", LABELS)
        before = (await world.view("cart@mall")).revision
        world.journal.gate.clear()
        world.journal.full = True
        writing = asyncio.ensure_future(world.set("a", "new", LABELS))
        await _start(writing)
        looking = asyncio.ensure_future(world.view("cart@mall"))
        await _start(looking)
        world.journal.gate.set()
        view = await looking
        assert (view.merged(), view.revision) == ({"a": "old"}, before)
        with pytest.raises(RegistryError):
            await writing
        assert await world.seen() == {"a": "old"}


def _count_parses(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The keys of the items that are parsed from now on."""
    parsed: list[str] = []

    def counting(key: str, value: str, value_type: str) -> Mapping[str, str]:
        if value_type == "yaml":
            parsed.append(key)
        return flatten(key, value, value_type)

    monkeypatch.setattr(views, "flatten", counting)
    return parsed


async def test_an_unchanged_text_is_parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many ask at once, and whatever else changes beside it; a level of many clients is there once."""
    parsed = _count_parses(monkeypatch)
    async with _world() as world:
        await world.set("one", "a: 1", {"environment": ""}, "yaml")
        await world.set("two", "b: 1", {"environment": ""}, "yaml")
        await asyncio.gather(*(world.seen(f"s{number}@app{number}") for number in range(50)))
        assert sorted(parsed) == ["one", "two"]
        await world.set("two", "b: 2", {"environment": ""}, "yaml")
        await world.set("plain", "x", {"environment": ""})
        for number in range(50):
            assert await world.seen(f"s{number}@app{number}") == {"a": "1", "b": "2", "plain": "x"}
        assert sorted(parsed) == ["one", "two", "two"]
        levels = [(await world.view(f"s{number}@app{number}")).levels["application"] for number in range(50)]
        assert all(level is levels[0] for level in levels)


async def test_a_text_that_is_being_released_is_parsed_once_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    """While some instances have a new value, clients ask for the old and the new one by turns."""
    parsed = _count_parses(monkeypatch)
    async with _world() as world:
        await world.set("item", "a: old", LABELS, "yaml")
        engine = world.engine
        service = {"appId": "mall", "serviceName": "cart", "version": "1"}
        owner = await engine.execute(lambda: engine.catalog.services.register(TENANT, service, 0))
        for name in ("chosen", "other"):
            instance = {"instanceId": name, "hostName": "h"}
            await engine.execute(
                lambda instance=instance: engine.catalog.instances.register(TENANT, owner, instance, 0)
            )  # type: ignore[misc]
        item = engine.config.keys.named(TENANT, Draft("item", labels=LABELS))
        assert item is not None
        target = Target(instances=frozenset({"chosen"}))
        await engine.execute(lambda: engine.config.releases.start(item, "a: new", target, 0))
        revisions = set()
        for _ in range(3):
            for name, value in (("chosen", "new"), ("other", "old")):
                place = Place(TENANT, "", name, LABELS)
                view = await world.views.view(Asked(TENANT, Dimension.parse("cart@mall"), "", place))
                assert view.merged() == {"a": value}
                revisions.add(view.revision)
        assert (parsed, len(revisions)) == (["item", "item"], 2)


async def test_asking_in_vain_leaves_nothing_behind() -> None:
    async with _world() as world:
        await world.set("a", "1", LABELS)
        await world.seen()
        ready = len(world.engine.config.state._ready), len(world.views._groups), len(world.views._levels)
        for number in range(200):
            await world.seen(f"nobody{number}@nowhere{number}#1.0.0")
        assert (len(world.engine.config.state._ready), len(world.views._groups), len(world.views._levels)) == ready


async def test_what_is_ready_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "_MOST_READY", 10)
    async with _world() as world:
        for number in range(30):
            await world.set("a", str(number), {"app": f"app{number}", "service": "cart", "environment": ""})
        for _ in range(2):
            for number in range(30):
                assert await world.seen(f"cart@app{number}") == {"a": str(number)}
        assert len(world.views._groups) <= 10
        assert len(world.views._levels) <= 10


@pytest.mark.parametrize("seed", range(3))
async def test_a_view_is_always_what_a_fresh_one_would_be(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Random writes and deletions on all levels, with and without types, some of which the store does not take."""
    monkeypatch.setattr(committer, "_PROBE_SECONDS", 0.001)
    chance = random.Random(seed)
    places = ({"environment": ""}, {"app": "mall", "environment": ""}, LABELS, {**LABELS, "version": "1"})
    values = (("1", "text"), ("2", "text"), ("b: 1", "yaml"), ("a = 3", "properties"), ("a: [", "yaml"))
    async with _world() as world:
        for _ in range(120):
            key, labels = chance.choice("ab"), chance.choice(places)
            value, value_type = chance.choice(values)
            world.journal.full = chance.random() < 0.1
            with contextlib.suppress(RegistryError):
                if chance.random() < 0.3:
                    known = world.engine.config.keys.named(TENANT, Draft(key, labels=labels))
                    ids = [known.key_id] if known else []
                    await world.engine.execute(lambda ids=ids: world.engine.config.keys.delete_many(TENANT, ids, 0))  # type: ignore[misc]
                else:
                    await world.set(key, value, labels, value_type)
            world.journal.full = False
            await world.recovered()
            for dimension in ("cart@mall", "cart@mall#1", "pay@mall", "application"):
                asked = Asked(TENANT, Dimension.parse(dimension), "", Place(TENANT, "", "", {}))
                kept, fresh = await world.views.view(asked), await Views(world.engine).view(asked)
                assert kept.body(with_revision=True) == fresh.body(with_revision=True), f"seed {seed}, {dimension}"
                assert (kept.merged(), kept.revision) == (fresh.merged(), fresh.revision)

"""The history of configuration: what compaction leaves of it, on every adapter, and who is named in it."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from registry.storage.port import HISTORY_KEPT, Event, Journal
from tests.unit.storage.journals import ADAPTERS, all_of, opened

KEY = "config/default/default/k"


@pytest.fixture(params=sorted(ADAPTERS))
def journal(request: pytest.FixtureRequest, tmp_path: Path) -> Journal:
    """A journal of each adapter, not yet opened."""
    return ADAPTERS[request.param](tmp_path / "data")


def _updates(number: int) -> list[Event]:
    return [Event(revision, revision - 1, KEY, b"%d" % revision, 0) for revision in range(1, number + 1)]


async def test_history_is_read_newest_first_with_its_authors(journal: Journal) -> None:
    events = [
        Event(1, 0, KEY, b"1", 5, "ann@10.0.0.1"),
        Event(2, 0, "config/x", b"2", 6),
        Event(3, 1, KEY, None, 7, "bob"),
    ]
    async with opened(journal):
        await journal.append(events)
        assert list(await journal.history(KEY, 10)) == [events[2], events[0]]
        assert list(await journal.history(KEY, 1)) == [events[2]]
        assert list(await journal.recent(3, 10)) == [events[1], events[0]]
        assert await all_of(journal) == events


async def test_compaction_keeps_the_newest_versions_of_configuration(journal: Journal) -> None:
    async with opened(journal):
        await journal.append(_updates(HISTORY_KEPT + 7))
        assert await journal.compact(HISTORY_KEPT + 7) == 7
        kept = await journal.history(KEY, 10 * HISTORY_KEPT)
    assert [event.revision for event in kept] == list(range(HISTORY_KEPT + 7, 7, -1))


async def test_the_history_of_what_is_deleted_goes_with_its_tombstone(journal: Journal) -> None:
    gone = [*_updates(3), Event(4, 3, KEY, None, 0), Event(5, 0, "service/default/default/a", b"x", 0)]
    async with opened(journal):
        await journal.append(gone)
        assert await journal.compact(3) == 0
        assert len(await journal.history(KEY, 10)) == 4, "until then it can be taken back"
        assert await journal.compact(5) == 4
        assert [event.revision for event in await all_of(journal)] == [5]


async def test_what_is_made_again_keeps_its_former_history(journal: Journal) -> None:
    async with opened(journal):
        await journal.append([*_updates(2), Event(3, 2, KEY, None, 0), Event(4, 0, KEY, b"4", 0)])
        await journal.compact(4)
        assert [event.revision for event in await journal.history(KEY, 10)] == [4, 3, 2, 1]


@pytest.mark.parametrize("seed", range(5))
async def test_the_adapters_agree_on_what_is_left(seed: int, tmp_path: Path) -> None:
    """Whatever the steps in which compaction came, it leaves the same once it is through."""
    left = []
    for adapter in ADAPTERS.values():
        chance, journal, revision = random.Random(seed), adapter(tmp_path / adapter.__name__), 0
        newest: dict[str, Event] = {}
        async with opened(journal):
            for _ in range(3):
                batch = []
                for _ in range(chance.choice((200, 600))):
                    revision += chance.choice((1, 1, 3))
                    key = f"{chance.choice(('config', 'instance'))}/d/p/{chance.randrange(4)}"
                    before = newest.get(key)
                    replaces = before.revision if before is not None and before.body is not None else 0
                    body = None if replaces and chance.random() < 0.02 else b"x"
                    newest[key] = Event(revision, replaces, key, body, revision)
                    batch.append(newest[key])
                await journal.append(batch)
                await journal.compact(chance.randrange(revision))
            await journal.compact(revision)
            left.append(await all_of(journal))
    assert left[0] == left[1]
    assert left[0]

"""The contract of the journal port, which every adapter keeps."""

from __future__ import annotations

import asyncio
import itertools
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.storage.port import Event, Journal, JournalError
from tests.unit.storage.journals import ADAPTERS, all_of, history, living, opened


@pytest.fixture(params=sorted(ADAPTERS))
def journal(request: pytest.FixtureRequest, tmp_path: Path) -> Journal:
    """A journal of each adapter, not yet opened."""
    return ADAPTERS[request.param](tmp_path / "data")


async def test_a_new_journal_is_empty(journal: Journal) -> None:
    async with opened(journal):
        assert await all_of(journal) == []


async def test_events_are_read_as_they_were_appended(journal: Journal) -> None:
    events = [
        Event(3, 0, "service/default/default/a", b'{"x":"\xc3\xbc\x00"}', 1_700_000_000_000),
        Event(4, 0, "instance/ä%2Fb/default/a/i-1", b"", 0),
        Event(9, 3, "service/default/default/a", None, 2**62),
    ]
    async with opened(journal):
        await journal.append(events[:1])
        await journal.append(events[1:])
        assert await all_of(journal) == events
        assert await all_of(journal, after=3) == events[1:]
        assert await all_of(journal, after=8) == events[2:]
        assert await all_of(journal, after=9) == []


async def test_hostile_text_is_stored_as_text(journal: Journal) -> None:
    """Whatever a client puts into a name or a body is never part of a statement."""
    hostile = [
        "'); DROP TABLE event; --",
        '"; DELETE FROM event; --',
        "%s ? :through {0} \\",
        "\x00\n\r\t",
        "\N{GRINNING FACE}" * 3,
    ]
    events = [Event(number, 0, text, text.encode(), 0, text) for number, text in enumerate(hostile, 1)]
    async with opened(journal):
        await journal.append(events)
        await journal.compact(1)
        assert await all_of(journal) == events


async def test_long_appends_are_read_in_bounded_batches_and_in_order(journal: Journal) -> None:
    events = [Event(number, 0, f"k{number}", b"x", 0) for number in range(1, 12_001)]
    async with opened(journal):
        await journal.append(events)
        batches = [batch async for batch in journal.read()]
    assert max(map(len, batches)) <= 5000
    assert list(itertools.chain.from_iterable(batches)) == events


@pytest.mark.parametrize("size", [2, 4500])
async def test_an_append_is_stored_whole_or_not_at_all(journal: Journal, size: int) -> None:
    """Its last event has a revision that is taken; not even the first one stays, and the journal goes on."""
    async with opened(journal):
        await journal.append([Event(5, 0, "a", b"1", 0)])
        torn = [Event(6 + number, 0, f"t{number}", b"2", 0) for number in range(size)]
        with pytest.raises(JournalError):
            await journal.append([*torn, Event(5, 0, "a", b"3", 0)])
        assert await all_of(journal) == [Event(5, 0, "a", b"1", 0)]
        await journal.append(torn)
        assert len(await all_of(journal)) == 1 + size


async def test_what_was_appended_is_there_after_reopening(journal: Journal) -> None:
    events = history(1, 200)
    async with opened(journal):
        await journal.append(events[:100])
    async with opened(journal):
        await journal.append(events[100:])
    async with opened(journal):
        assert await all_of(journal) == events


async def test_compaction_drops_history_and_keeps_every_living_record(journal: Journal) -> None:
    events = [
        Event(1, 0, "a", b"a1", 0),
        Event(2, 0, "b", b"b1", 0),
        Event(3, 1, "a", b"a2", 0),
        Event(4, 2, "b", None, 0),
        Event(5, 3, "a", b"a3", 0),
    ]
    async with opened(journal):
        await journal.append(events)
        assert await journal.compact(4) == 3
        assert [event.revision for event in await all_of(journal)] == [3, 5]
        assert await journal.compact(4) == 0
        assert await journal.compact(5) == 1
        assert [event.revision for event in await all_of(journal)] == [5]


async def test_a_probe_leaves_nothing_behind(journal: Journal) -> None:
    async with opened(journal):
        await journal.append([Event(1, 0, "a", b"1", 0)])
        await journal.probe()
        await journal.probe()
        await journal.append([Event(2, 1, "a", b"2", 0)])
        assert [event.revision for event in await all_of(journal)] == [1, 2]


async def test_the_size_grows_with_what_is_stored(journal: Journal) -> None:
    async with opened(journal):
        before = await journal.size()
        await journal.append([Event(number, 0, f"k{number}", b"x" * 1000, 0) for number in range(1, 500)])
        assert await journal.size() > before + 400_000


@pytest.mark.parametrize("name", sorted(ADAPTERS))
@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    length=st.integers(1, 120),
    cuts=st.lists(st.floats(0, 1), max_size=4),
    reopen=st.booleans(),
)
def test_a_compacted_journal_replays_to_the_same_state(
    name: str, seed: int, length: int, cuts: list[float], reopen: bool
) -> None:
    """Wherever and however often it is compacted, between appends and across restarts; what is newer than a read's start is there too."""
    events = history(seed, length)

    async def check() -> None:
        with tempfile.TemporaryDirectory() as folder:
            journal = ADAPTERS[name](Path(folder) / "data")
            pieces = [0, *sorted(int(cut * length) for cut in cuts), length]
            through = 0
            await journal.open()
            for start, end in itertools.pairwise(pieces):
                if start < end:
                    await journal.append(events[start:end])
                    through = events[(start + end) // 2].revision
                    await journal.compact(through)
                if reopen:
                    await journal.close()
                    await journal.open()
            kept = await all_of(journal)
            newer = await all_of(journal, after=through)
            await journal.close()
        assert living(kept) == living(events)
        assert [event for event in kept if event.revision > through] == newer
        replaced = {event.replaces for event in events if event.revision <= through}
        assert not replaced & {event.revision for event in kept}, "history up to the compaction is gone"

    asyncio.run(check())

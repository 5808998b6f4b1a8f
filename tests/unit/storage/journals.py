"""What the storage tests share: events, and both adapters opened and closed."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

from registry.storage.memory import MemoryJournal
from registry.storage.port import Event, Journal, JournalError
from registry.storage.sqlite import SqliteJournal


class SlowJournal(MemoryJournal):
    """A store whose commits wait while `gate` is closed, and fail while `full` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.gate.set()
        self.full = False
        self.appends: list[int] = []

    async def append(self, events: Sequence[Event]) -> None:
        """Store, when it is let."""
        await self.gate.wait()
        if self.full:
            raise JournalError("no room")
        self.appends.append(len(events))
        await super().append(events)

    async def probe(self) -> None:
        """Like an append."""
        if self.full:
            raise JournalError("no room")


Adapter = Callable[[Path], Journal]

ADAPTERS: dict[str, Adapter] = {"sqlite": SqliteJournal, "memory": lambda _folder: MemoryJournal()}


@contextlib.asynccontextmanager
async def opened(journal: Journal) -> AsyncIterator[Journal]:
    """The journal, open for the block."""
    await journal.open()
    try:
        yield journal
    finally:
        await journal.close()


async def all_of(journal: Journal, after: int = 0) -> list[Event]:
    """Every event newer than a revision."""
    return [event async for batch in journal.read(after) for event in batch]


def living(events: Sequence[Event]) -> dict[str, tuple[int, bytes]]:
    """What remains when the events are applied in their order: revision and body by key."""
    records: dict[str, tuple[int, bytes]] = {}
    for event in events:
        if event.body is None:
            records.pop(event.key, None)
        else:
            records[event.key] = (event.revision, event.body)
    return records


def history(seed: int, length: int, *, keys: int = 12) -> list[Event]:
    """A plausible history: records are made, changed and deleted, and every event names the one that it follows."""
    chance = random.Random(seed)
    events: list[Event] = []
    newest: dict[str, Event] = {}
    revision = 0
    for _ in range(length):
        revision += chance.choice((1, 1, 1, 2, 50))
        key = f"instance/default/default/s{chance.randrange(keys)}"
        before = newest.get(key)
        alive = before is not None and before.body is not None
        body = None if alive and chance.random() < 0.35 else chance.randbytes(chance.randrange(60))
        event = Event(revision, before.revision if before is not None and alive else 0, key, body, 1000 + revision)
        newest[key] = event
        events.append(event)
    return events

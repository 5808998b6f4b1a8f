"""The journal in memory: what is appended is gone with the process."""

from collections.abc import AsyncIterator, Sequence
from itertools import pairwise

from registry.storage.port import HISTORIC, HISTORY_KEPT, Event, JournalError

_EVENTS_A_READ = 5000


class MemoryJournal:
    """A list. It keeps the contract of the port, which the shared tests check on every adapter."""

    def __init__(self) -> None:
        self._events: list[Event] = []

    async def open(self) -> None:
        """Nothing to make ready."""

    async def read(self, after: int = 0) -> AsyncIterator[Sequence[Event]]:
        """Yield the events newer than a revision, some thousands at a time."""
        newer = [event for event in self._events if event.revision > after]
        for start in range(0, len(newer), _EVENTS_A_READ):
            yield newer[start : start + _EVENTS_A_READ]

    async def history(self, key: str, most: int) -> Sequence[Event]:
        """The newest events of one key."""
        return [event for event in reversed(self._events) if event.key == key][:most]

    async def recent(self, before: int, most: int) -> Sequence[Event]:
        """The newest events below a revision."""
        return [event for event in reversed(self._events) if event.revision < before][:most]

    async def append(self, events: Sequence[Event]) -> None:
        """Keep the events."""
        newest = self._events[-1].revision if self._events else 0
        if any(later <= earlier for earlier, later in pairwise([newest, *(event.revision for event in events)])):
            raise JournalError("an event of the same or a later revision is stored already")
        self._events.extend(events)

    async def probe(self) -> None:
        """There is always room."""

    async def compact(self, through: int) -> int:
        """Drop superseded events and spent tombstones up to a revision, and history beyond what is kept."""
        old = [event for event in self._events if event.revision <= through]
        spent = {event.replaces for event in old if not event.key.startswith(HISTORIC)}
        spent |= {event.revision for event in old if event.body is None and not event.key.startswith(HISTORIC)}
        for key in {event.key for event in old if event.key.startswith(HISTORIC)}:
            spent |= self._spent_history(key, through)
        before = len(self._events)
        self._events = [event for event in self._events if event.revision not in spent]
        return before - len(self._events)

    def _spent_history(self, key: str, through: int) -> set[int]:
        events = [event for event in reversed(self._events) if event.key == key]
        kept = 0 if events[0].body is None and events[0].revision <= through else HISTORY_KEPT
        return {event.revision for event in events[kept:] if event.revision <= through}

    async def size(self) -> int:
        """Bytes of all keys and bodies."""
        return sum(len(event.key) + len(event.body or b"") for event in self._events)

    async def close(self) -> None:
        """Nothing to release."""

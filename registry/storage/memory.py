"""The journal in memory: what is appended is gone with the process."""

from collections.abc import AsyncIterator, Sequence

from registry.storage.port import Event


class MemoryJournal:
    """A list. It keeps the contract of the port, which the shared tests check on every adapter."""

    def __init__(self) -> None:
        self._events: list[Event] = []

    async def open(self) -> None:
        """Nothing to make ready."""

    async def read(self, after: int = 0) -> AsyncIterator[Sequence[Event]]:
        """Yield the events newer than a revision."""
        newer = [event for event in self._events if event.revision > after]
        if newer:
            yield newer

    async def append(self, events: Sequence[Event]) -> None:
        """Keep the events."""
        self._events.extend(events)

    async def compact(self, through: int) -> int:
        """Drop superseded events and spent tombstones up to a revision."""
        spent = {event.replaces for event in self._events if event.revision <= through}
        spent |= {event.revision for event in self._events if event.revision <= through and event.body is None}
        before = len(self._events)
        self._events = [event for event in self._events if event.revision not in spent]
        return before - len(self._events)

    async def size(self) -> int:
        """Bytes of all keys and bodies."""
        return sum(len(event.key) + len(event.body or b"") for event in self._events)

    async def close(self) -> None:
        """Nothing to release."""

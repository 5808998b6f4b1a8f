"""The journal port: how the engine makes what it accepted outlive the process.

The journal is one growing list of `Event`s. Each holds the whole new body of one record, or none where the record is deleted,
so the state is what remains when every event is applied in revision order. `replaces` is the revision of the event that the
record had before (0: there was none). An event that another one replaces is history: kept for a while for whoever reads it,
then compacted away. People read the history of configuration, so of keys under `HISTORIC` the newest `HISTORY_KEPT` events stay.

Three properties let etcd be a third adapter beside SQLite and memory:

- **Watchable revisions.** Revisions only grow, over all records, also across restarts. `read(after)` yields what is newer, which is
  what an etcd watch with a start revision yields.
- **Compare and swap.** `replaces` is the precondition of an event: in etcd it becomes `mod_revision(key) == replaces` of the
  transaction. An adapter that shares its store with other writers raises `JournalConflictError` where it fails; the embedded ones
  have a single writer and need not look.
- **Compaction.** `compact(through)` drops superseded events and spent tombstones up to a revision, never the last event of a
  living record. Reading after a compacted revision yields living records and kept history only, which is a consistent start. The
  history of a deleted record goes with its tombstone. (In etcd, whose compaction knows no exceptions, history becomes keys of its own.)

Heartbeats are no events: leases live in memory.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol

HISTORIC = ("config/", "release/", "alarm-rule/")
"""How the keys begin whose history is kept."""
HISTORY_KEPT = 100
"""The most events of one such key that compaction keeps."""


@dataclass(frozen=True, slots=True)
class Event:
    """One accepted change of one record.

    `revision` grows by at least one with every event; `replaces` is the revision of the record's former event, 0 where the record is
    new; `key` names the record (`instance/default/default/<service>/<instance>`); `body` is its JSON, `None` where it is deleted;
    `at` is the wall clock in milliseconds since 1970; `author` says who asked for the change, as far as that is known.
    """

    revision: int
    replaces: int
    key: str
    body: bytes | None
    at: int
    author: str = ""


class JournalError(Exception):
    """The store cannot be used; the text says what is wrong and what to do."""


class JournalConflictError(JournalError):
    """Another writer changed the record first: the event's `replaces` is no longer its revision."""


class Journal(Protocol):
    """What the engine asks of a store. One task appends; every method raises `JournalError` where the store fails."""

    async def open(self) -> None:
        """Make the store ready, migrating an older one. Raises `JournalError` for a newer, corrupt or already opened store."""

    def read(self, after: int = 0) -> AsyncIterator[Sequence[Event]]:
        """Yield the events newer than revision `after` in revision order, in batches of at most a few thousand."""

    async def history(self, key: str, most: int) -> Sequence[Event]:
        """The newest events of one key under `HISTORIC`, the newest first."""

    async def recent(self, before: int, most: int) -> Sequence[Event]:
        """The newest events below a revision, the newest first."""

    async def append(self, events: Sequence[Event]) -> None:
        """Make all events durable in one transaction, or none of them. Returns after the commit. A revision is stored once."""

    async def probe(self) -> None:
        """Return where an append would be stored: it is asked after one has failed, until it does. Leaves nothing behind."""

    async def compact(self, through: int) -> int:
        """Drop what is superseded up to revision `through`, tombstones included; return how many events went."""

    async def size(self) -> int:
        """Bytes that the store occupies."""

    async def close(self) -> None:
        """Release the store. Everything appended stays."""

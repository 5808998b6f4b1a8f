"""The ledger: the one growing revision, and the changes that are not stored yet.

Every core (catalog, config) keeps its own records and indexes, but all of them draw their revisions from the same ledger and note their
changes in it, so that one journal, one stream and one undo serve them all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import orjson

FIRST_REVISION = 1
"""The revision of an engine in which nothing has happened yet; the first change gets the next one."""


class Record(Protocol):
    """One thing that a core keeps: `path` is its key in the journal, `body` what is stored of it."""

    @property
    def revision(self) -> int: ...

    @property
    def path(self) -> str: ...

    @property
    def body(self) -> bytes: ...


def kept_json(document: Mapping[str, object]) -> bytes:
    """The JSON of a record that is kept: orjson's own results hold on to the 4 KB that they were made in, for as long as they live."""
    return bytes(memoryview(orjson.dumps(document)))


@dataclass(frozen=True, slots=True)
class Change:
    """One step of a core: `before` gives way to `after`. Both have the same path; one of them may be missing.

    `at` is the wall clock in milliseconds; `author` says who asked for it, as far as that is known; `revert` takes the step back.
    """

    revision: int
    before: Record | None
    after: Record | None
    at: int
    author: str
    revert: Callable[[], None]

    @property
    def record(self) -> Record:
        """The record that the change is about: the new one, or the last one of what is gone."""
        record = self.after or self.before
        assert record is not None  # noqa: S101  a change of nothing is never made
        return record

    @property
    def action(self) -> str:
        """CREATE, UPDATE or DELETE, as watchers are told. Protocol: Service Center section 9.2."""
        if self.before is None:
            return "CREATE"
        return "UPDATE" if self.after is not None else "DELETE"


class Ledger:
    """Gives out revisions and gathers changes. `author` is that of the command which is running."""

    def __init__(self) -> None:
        self.revision = FIRST_REVISION
        self.author = ""
        self._uncommitted: list[Change] = []

    def next_revision(self) -> int:
        """The revision for the change that is about to be noted."""
        self.revision += 1
        return self.revision

    def note(self, change: Change) -> None:
        """Gather a change, which its core has made already or is about to make."""
        self._uncommitted.append(change)

    def take_changes(self) -> list[Change]:
        """The changes since the last call, for the journal."""
        changes, self._uncommitted = self._uncommitted, []
        return changes

    @staticmethod
    def undo(changes: Sequence[Change]) -> None:
        """Take changes back, the newest first. Revisions that were given out stay used."""
        for change in reversed(changes):
            change.revert()

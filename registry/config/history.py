"""What an item was: its versions, what differs between two of them, and the draft that takes one back."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from registry.config.records import Draft, KeyValue

_AROUND = 3


@dataclass(frozen=True, slots=True)
class Version:
    """One change of an item: `item` is what it became, nothing where it was deleted; `at` is in milliseconds."""

    revision: int
    at: int
    author: str
    item: KeyValue | None
    created: bool

    @property
    def action(self) -> str:
        """CREATE, UPDATE or DELETE."""
        if self.item is None:
            return "DELETE"
        return "CREATE" if self.created else "UPDATE"

    @property
    def draft(self) -> Draft | None:
        """What a client gave, or would have to give to have it again."""
        return self.item.draft if self.item is not None else None


def version_at(versions: Sequence[Version], revision: int) -> Version | None:
    """The version that was the newest one at a revision, of versions that begin with the newest."""
    return next((version for version in versions if version.revision <= revision), None)


def difference(before: Version | None, after: Version) -> Sequence[str]:
    """The lines of a unified diff between two versions; none where they are the same."""
    drafts = before.draft if before is not None else None, after.draft
    return compared(*drafts, before.revision if before is not None else 0, f"revision {after.revision}")


def compared(before: Draft | None, after: Draft | None, revision: int, becomes: str) -> Sequence[str]:
    """The same of what an item was at a revision, 0 where it was not there, and of what it is to be, under the name of that."""
    since = f"revision {revision}" if revision else "nothing"
    return list(difflib.unified_diff(list(_lines(before)), list(_lines(after)), since, becomes, lineterm="", n=_AROUND))


def _lines(draft: Draft | None) -> Iterator[str]:
    """An item as text: what it is, then its value."""
    if draft is None:
        return
    yield f"type: {draft.value_type}"
    yield f"status: {draft.status}"
    if draft.priority:
        yield f"priority: {draft.priority}"
    if draft.check:
        yield f"check: {draft.check}"
    yield "value:"
    yield from draft.value.split("\n")

"""All key-values and the indexes over them.

`State.put` is the only way anything changes: every command ends in it, a restart replays through `apply`, and a change that could not be
stored is taken back through it.

The answer to a list is made once per change, not once per request. What a list asks for is a `Topic`; which topics a change makes stale can
be told from its labels alone: the exact topic of that label set, and the open topics of its subsets, of which there are at most 64.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from itertools import chain, combinations
from typing import NamedTuple, TypeAlias

from registry.config.records import KeyValue, Labels
from registry.config.targets import Release
from registry.ledger import FIRST_REVISION, Change, Ledger

_MOST_READY = 10_000

Kept: TypeAlias = KeyValue | Release


class Topic(NamedTuple):
    """What a client lists or waits for: key-values with exactly these labels, or with at least these."""

    tenant: str
    labels: Labels
    exact: bool


@dataclass(frozen=True, slots=True)
class Listing:
    """The key-values of a topic in the order of the protocol, and the JSON body that lists them.

    `forms` is for whoever answers it: what they have made of the body, by revision and compression. It goes when the topic changes.
    """

    items: Sequence[KeyValue]
    body: bytes
    forms: dict[tuple[int, bool], tuple[bytes, bytes]] = field(default_factory=dict)


@dataclass(slots=True)
class Table:
    """What belongs to one domain and project; `groups` by exact label set, `by_label` the sets that a label is in.

    `releases` are gradual ones, by the id of their item.
    """

    by_id: dict[str, KeyValue] = field(default_factory=dict)
    groups: dict[Labels, dict[str, KeyValue]] = field(default_factory=dict)
    by_label: dict[tuple[str, str], set[Labels]] = field(default_factory=dict)
    releases: dict[str, Release] = field(default_factory=dict)


class State:
    """The key-values of every tenant, and the newest revision of every domain."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self._tables: dict[str, Table] = {}
        self._ready: dict[Topic, Listing] = {}
        self._revisions: dict[str, int] = {}
        self._floor = FIRST_REVISION

    def table(self, tenant: str) -> Table:
        """The table for a read: an empty one where there is none, so that asking leaves no trace."""
        return self._tables.get(tenant) or Table()

    def tables(self) -> Iterable[tuple[str, Table]]:
        """Every tenant's table."""
        return self._tables.items()

    def revision(self, tenant: str) -> int:
        """The revision of a tenant's domain: that of the newest change of any of its projects."""
        return max(self._revisions.get(_domain(tenant), 0), self._floor)

    def begin_at(self, revision: int) -> None:
        """Let no domain's revision be less than this: of what was deleted nothing may be left to tell it by."""
        self._floor = revision

    def put(self, before: Kept | None, after: Kept | None, now: int) -> None:
        """Let `before` give way to `after` and note the change; `now` is the wall clock in milliseconds."""
        ledger = self.ledger
        revision = after.revision if after is not None else ledger.next_revision()
        revert = partial(self.apply, after, before)
        ledger.note(Change(revision, before, after, now, ledger.author, revert))
        self.apply(before, after)

    def apply(self, before: Kept | None, after: Kept | None) -> None:
        """Exchange two records of one path in all indexes."""
        record = after or before
        assert record is not None  # noqa: S101  a change of nothing is never made
        table = self._tables.setdefault(record.tenant, Table())
        match record:
            case Release() if after is not None:
                table.releases[record.key_id] = record
            case Release():
                del table.releases[record.key_id]
            case KeyValue() if after is not None:
                _index(table, record)
            case KeyValue():
                _unindex(table, record)
        self._touch(record)

    def listing(self, topic: Topic) -> Listing:
        """The key-values of a topic: the highest priority first, among equals the newest."""
        ready = self._ready.get(topic)
        if ready is None:
            if len(self._ready) >= _MOST_READY:
                self._ready.clear()
            items = sorted(self._selected(topic), key=lambda item: (-item.draft.priority, -item.revision))
            ready = self._ready[topic] = Listing(items, list_body(len(items), items))
        return ready

    def _selected(self, topic: Topic) -> Iterator[KeyValue]:
        table = self.table(topic.tenant)
        if topic.exact:
            yield from table.groups.get(topic.labels, {}).values()
            return
        for labels in _candidates(table, topic.labels):
            if topic.labels <= labels:
                yield from table.groups[labels].values()

    def _touch(self, record: Kept) -> None:
        self._revisions[_domain(record.tenant)] = self.ledger.revision
        for topic in _topics_with(record.tenant, record.label_set):
            self._ready.pop(topic, None)


def list_body(total: int, items: Iterable[KeyValue]) -> bytes:
    """The JSON of a list; `total` counts what was found before paging."""
    return b'{"total":%d,"data":[%b]}' % (total, b",".join(item.encoded for item in items))


def _domain(tenant: str) -> str:
    return tenant.partition("/")[0]


def _candidates(table: Table, labels: Labels) -> Iterable[Labels]:
    """The label sets that may contain these: those of the rarest label."""
    return min((table.by_label.get(label, set()) for label in labels), key=len, default=table.groups)


@lru_cache(maxsize=1024)
def _topics_with(tenant: str, labels: Labels) -> Sequence[Topic]:
    """The topics that list what has these labels. Few sets of labels are in use, and each again and again."""
    sizes = range(len(labels) + 1)
    subsets = chain.from_iterable(combinations(labels, size) for size in sizes)
    return [Topic(tenant, labels, True), *(Topic(tenant, frozenset(subset), False) for subset in subsets)]


def _index(table: Table, record: KeyValue) -> None:
    table.by_id[record.key_id] = record
    group = table.groups.get(record.label_set)
    if group is None:
        group = table.groups[record.label_set] = {}
        for label in record.label_set:
            table.by_label.setdefault(label, set()).add(record.label_set)
    group[record.key_id] = record


def _unindex(table: Table, record: KeyValue) -> None:
    del table.by_id[record.key_id]
    group = table.groups[record.label_set]
    del group[record.key_id]
    if group:
        return
    del table.groups[record.label_set]
    for label in record.label_set:
        table.by_label[label].discard(record.label_set)
        if not table.by_label[label]:
            del table.by_label[label]

"""All records of alarms. `State.put` is the only way anything changes; a restart replays through `apply`, and an undo goes through it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeAlias, TypeVar

from registry.alarms.builtin import BUILT_IN, of_engine
from registry.alarms.records import KeptRule, Silence, Webhook, name_of_silence
from registry.alarms.rules import Rule
from registry.ledger import Change, Ledger

Kept: TypeAlias = KeptRule | Silence | Webhook
T = TypeVar("T", KeptRule, Silence, Webhook)
_KINDS: Mapping[str, type[KeptRule] | type[Silence] | type[Webhook]] = {
    "alarm-rule": KeptRule,
    "alarm-silence": Silence,
    "alarm-webhook": Webhook,
}


@dataclass(slots=True)
class Table:
    """What belongs to one domain and project, by name; `rules` those that somebody wrote, `patterns` the silences of several alarms."""

    rules: dict[str, KeptRule] = field(default_factory=dict)
    silences: dict[str, Silence] = field(default_factory=dict)
    patterns: dict[str, Silence] = field(default_factory=dict)
    webhooks: dict[str, Webhook] = field(default_factory=dict)

    def acknowledgement(self, alarm_id: str) -> Silence | None:
        """What somebody said who knows of an alarm; it may be over."""
        return self.silences.get(name_of_silence(alarm_id, acknowledged=True))

    def silences_of(self, alarm_id: str, now: int) -> Iterator[Silence]:
        """Those that an alarm is silenced by. Most are of one alarm, and found by its id: there may be a thousand of both."""
        own = self.acknowledgement(alarm_id), self.silences.get(name_of_silence(alarm_id, acknowledged=False))
        for one in (*own, *self.patterns.values()):
            if one is not None and one.covers(alarm_id, now):
                yield one


class State:
    """The records of every tenant. The engine belongs to the default one: its rules are found there alone."""

    def __init__(self, ledger: Ledger, default_tenant: str) -> None:
        self.ledger = ledger
        self.default_tenant = default_tenant
        self._tables: dict[str, Table] = {}
        self._ready: dict[str, Mapping[str, Rule]] = {}

    def table(self, tenant: str) -> Table:
        """The table for a read: an empty one where there is none, so that asking leaves no trace."""
        return self._tables.get(tenant) or Table()

    def tables(self) -> Iterator[tuple[str, Table]]:
        """Every tenant's table."""
        return iter(self._tables.items())

    def rules(self, tenant: str) -> Mapping[str, Rule]:
        """The rules of a tenant by name: the built-in ones, and over them those that somebody wrote."""
        ready = self._ready.get(tenant)
        if ready is None:
            own = self.table(tenant).rules
            built_in = {
                name: rule
                for name, rule in BUILT_IN.items()
                if tenant == self.default_tenant or not of_engine(name, rule.metric)
            }
            ready = {**built_in, **{name: kept.rule for name, kept in own.items()}}
            if own or tenant == self.default_tenant:
                self._ready[tenant] = ready
        return ready

    def put(self, before: Kept | None, after: Kept | None, now: int) -> None:
        """Let `before` give way to `after` and note the change; `now` is the wall clock in milliseconds."""
        ledger = self.ledger
        revision = after.revision if after is not None else ledger.next_revision()
        ledger.note(Change(revision, before, after, now, ledger.author, partial(self.apply, after, before)))
        self.apply(before, after)

    def apply(self, before: Kept | None, after: Kept | None) -> None:
        """Exchange two records of one path."""
        record = after or before
        assert record is not None  # noqa: S101  a change of nothing is never made
        table = self._tables.setdefault(record.tenant, Table())
        match record:
            case KeptRule():
                _exchange(table.rules, record, gone=after is None)
            case Silence():
                _exchange(table.silences, record, gone=after is None)
                if record.is_pattern:
                    _exchange(table.patterns, record, gone=after is None)
            case Webhook():
                _exchange(table.webhooks, record, gone=after is None)
        self._ready.pop(record.tenant, None)

    def restore(self, revision: int, path: str, body: bytes | None) -> None:
        """Replay one event of the journal. Raises `ValueError`, `KeyError` or `TypeError` for a body that is no record."""
        kind, domain, project, _ = path.split("/", 3)
        tenant = f"{domain}/{project}"
        if body is not None:
            self.apply(None, _KINDS[kind].decoded(tenant, body, revision))
            return
        table = self.table(tenant)
        kept: Sequence[Kept] = [*table.rules.values(), *table.silences.values(), *table.webhooks.values()]
        for gone in [one for one in kept if one.path == path]:
            self.apply(gone, None)


def _exchange(table: dict[str, T], record: T, *, gone: bool) -> None:
    if gone:
        del table[record.name]
    else:
        table[record.name] = record

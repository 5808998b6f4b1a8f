"""All records of access control.

`State.put` is the only way anything changes: every command ends in it, a restart replays through `apply`, and an undo goes through it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeAlias, TypeVar

from registry.access.records import Account, Role, SigningKey, Switch
from registry.ledger import Change, Ledger

T = TypeVar("T")
Kept: TypeAlias = Account | Role | SigningKey | Switch


class State:
    """Accounts and roles by name, keys by id, and the switch. `version` grows with every change: what was decided before may be stale."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.accounts: dict[str, Account] = {}
        self.roles: dict[str, Role] = {}
        self.keys: dict[str, SigningKey] = {}
        self.switch = Switch()
        self.version = 0
        self.on_change: list[Callable[[], None]] = []

    def put(self, before: Kept | None, after: Kept | None, now: int) -> None:
        """Let `before` give way to `after` and note the change; `now` is the wall clock in milliseconds."""
        ledger = self.ledger
        revision = after.revision if after is not None else ledger.next_revision()
        ledger.note(Change(revision, before, after, now, ledger.author, partial(self.apply, after, before)))
        self.apply(before, after)

    def apply(self, before: Kept | None, after: Kept | None) -> None:
        """Exchange two records of one path."""
        self.version += 1
        record = after or before
        match record:
            case Account():
                _exchange(self.accounts, record.name, record if after else None)
            case Role():
                _exchange(self.roles, record.name, record if after else None)
            case SigningKey():
                _exchange(self.keys, record.key_id, record if after else None)
            case Switch():
                self.switch = record if after else Switch()
        for tell in self.on_change:
            tell()

    def restore(self, revision: int, path: str, body: bytes | None) -> None:
        """Replay one event of the journal. Raises `ValueError`, `KeyError` or `TypeError` for a body that is no record."""
        kind, _, _, name = path.split("/", 3)
        if body is not None:
            self.apply(None, _KINDS[kind].decoded(body, revision))
        elif (gone := self._named(kind, name)) is not None:
            self.apply(gone, None)

    def _named(self, kind: str, name: str) -> Kept | None:
        match kind:
            case "account":
                return self.accounts.get(name)
            case "role":
                return self.roles.get(name)
            case "signing-key":
                return self.keys.get(name)
        return self.switch


_KINDS: dict[str, type[Account] | type[Role] | type[SigningKey] | type[Switch]] = {
    "account": Account,
    "role": Role,
    "signing-key": SigningKey,
    "access": Switch,
}


def _exchange(table: dict[str, T], name: str, record: T | None) -> None:
    if record is None:
        del table[name]
    else:
        table[name] = record

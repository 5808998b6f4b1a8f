"""The config centre: key-values with labels, as one state machine.

It does no I/O, has no clock and makes no ids that are not derived: the wall clock (milliseconds) is an argument of every command. The same
commands in the same order give the same state. A command either returns with its changes noted in the ledger or raises `ConfigError`,
in which case its caller takes back what it had noted. See docs/config.md.
"""

from __future__ import annotations

from registry.config.keyvalues import KeyValues
from registry.config.records import KeyValue
from registry.config.state import State
from registry.ledger import Ledger

__all__ = ["Config"]

PREFIX = "config/"
"""How the journal's keys of key-values begin."""


class Config:
    """The whole config centre; each part holds the commands of one chapter of the protocol."""

    def __init__(self, ledger: Ledger, quota: int) -> None:
        self.state = State(ledger)
        self.keys = KeyValues(self.state, quota)

    def restore(self, path: str, body: bytes | None) -> None:
        """Replay one event of the journal. Raises `ValueError`, `KeyError` or `TypeError` for what is no record."""
        _, domain, project, key_id = path.split("/", 3)
        tenant = f"{domain}/{project}"
        before = self.state.table(tenant).by_id.get(key_id)
        after = KeyValue.decoded(tenant, body) if body is not None else None
        if before is not None or after is not None:
            self.state.apply(before, after)

"""The config centre: key-values with labels, as one state machine.

It does no I/O, has no clock and makes no ids that are not derived: the wall clock (milliseconds) is an argument of every command. The same
commands in the same order give the same state. A command either returns with its changes noted in the ledger or raises `ConfigError`,
in which case its caller takes back what it had noted. See docs/config.md.
"""

from __future__ import annotations

from registry.config.keyvalues import KeyValues
from registry.config.objects import Objects
from registry.config.records import KeyValue
from registry.config.releases import Releases
from registry.config.state import Kept, State
from registry.config.targets import Release
from registry.ledger import Ledger

__all__ = ["Config"]

PREFIXES = ("config/", "release/")
"""How the journal's keys of key-values and of gradual releases begin."""


class Config:
    """The whole config centre; each part holds the commands of one chapter of the protocol.

    `check_values` says whether what clients of KIE write must parse as its type; the commands themselves store anything.
    """

    def __init__(self, ledger: Ledger, quota: int, *, check_values: bool = False, quota_lane_groups: int = 300) -> None:
        self.state = State(ledger)
        self.keys = KeyValues(self.state, quota)
        self.check_values = check_values
        self.releases = Releases(self.state, self.keys)
        self.objects = Objects(self.state, self.keys, quota_lane_groups)
        self._replayed: dict[str, tuple[int, bytes | None]] = {}

    def restore(self, revision: int, path: str, body: bytes | None) -> None:
        """Replay one event of the journal, which `restored` makes good: most events are history, and only the last of a path counts."""
        self._replayed[path] = revision, body

    def restored(self, revision: int) -> None:
        """The replay is over and ended at this revision. Raises `ValueError` for a body that is no record."""
        replayed, self._replayed = self._replayed, {}
        for path, (written, body) in replayed.items():
            if body is not None:
                self.state.apply(None, _decoded(path, body, written))
        self.state.begin_at(revision)


def _decoded(path: str, body: bytes, revision: int) -> Kept:
    kind, domain, project, _ = path.split("/", 3)
    tenant = f"{domain}/{project}"
    try:
        return KeyValue.decoded(tenant, body) if kind == "config" else Release.decoded(tenant, body, revision)
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is no record of the config centre: {error!r}") from error

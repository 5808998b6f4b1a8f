"""Who called while access was observed or enforced, with which credentials, and what became of it: what readiness is made of.

Kept in memory alone and bounded: of callers the most recent, of each what it did in the last hour. Times are milliseconds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from registry.access.permissions import Labels, Need
from registry.access.tokens import Identity
from registry.errors import RegistryError

HOUR = 3_600_000
MOST_CALLERS = 20_000
_MOST_ACTS = 64
_MOST_LABELS = 20
VALID = "valid"
NONE = "none"
PERMISSION = "permission"
_CREDENTIALS = {401204: NONE, 401201: "invalid", 401205: "expired", 401206: "deleted"}
REASONS = (*_CREDENTIALS.values(), PERMISSION)
"""What requests are refused for: how their credentials are, or what their roles do not allow."""


class Origin(NamedTuple):
    """Where a request came from, as far as it says so: all but the address may be empty."""

    tenant: str
    address: str
    service_id: str = ""
    instance_id: str = ""
    app: str = ""
    service: str = ""


class Seen(NamedTuple):
    """What became of a request: who asked for what, and what it was, or would have been, refused with."""

    need: Need
    identity: Identity | None
    refusal: RegistryError | None
    enforced: bool

    @property
    def credentials(self) -> str:
        """How its credentials are."""
        if self.identity is not None or self.refusal is None:
            return VALID
        return _CREDENTIALS.get(self.refusal.error.code, "invalid")

    @property
    def reason(self) -> str:
        """Why it is refused; empty where it is not."""
        if self.refusal is None:
            return ""
        return self.credentials if self.identity is None else PERMISSION


class Told(NamedTuple):
    """What is kept of a request: `name` tells what was asked for apart, `about` is what the scope of enforcement looks at."""

    seen: Seen
    name: str
    about: tuple[Labels, ...]

    @classmethod
    def of(cls, seen: Seen, about: Sequence[Labels]) -> Told:
        """Without most of the labels, where they are many."""
        seen = seen._replace(need=seen.need._replace(labels=seen.need.labels[:_MOST_LABELS]))
        return cls(seen, f"{seen.need} of {len(seen.need.labels)}", tuple(about[:_MOST_LABELS]))


class Act(NamedTuple):
    """What a caller did, the last time that it did it; `about` is what the scope of enforcement looks at."""

    need: Need
    about: tuple[Labels, ...]
    identity: Identity | None
    credentials: str
    at: int


class Caller:
    """One origin, and what it did, by resource, verb and labels."""

    __slots__ = ("acts", "last", "origin", "refused")

    def __init__(self, origin: Origin) -> None:
        self.origin = origin
        self.last = 0
        self.acts: dict[str, Act] = {}
        self.refused: Counter[str] = Counter()

    def note(self, told: Told, now: int) -> None:
        """Count a request."""
        self.last = now
        seen, name = told.seen, told.name
        if self.acts.pop(name, None) is None and len(self.acts) >= _MOST_ACTS:
            del self.acts[next(iter(self.acts))]
        self.acts[name] = Act(seen.need, told.about, seen.identity, seen.credentials, now)
        if seen.refusal is not None:
            self.refused[seen.reason] += 1

    def recent(self, now: int) -> Sequence[Act]:
        """What it did within the last hour."""
        return [act for act in self.acts.values() if now - act.at <= HOUR]


class Callers:
    """All origins, and how many requests were refused, or would have been."""

    def __init__(self) -> None:
        self._callers: dict[Origin, Caller] = {}
        self.began = 0
        self.observed: Counter[str] = Counter()
        self.enforced: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._callers)

    def begin(self, now: int) -> None:
        """Forget what was seen: access has left off, or the engine has started."""
        self._callers.clear()
        self.began = now

    def note(self, origin: Origin, told: Told, now: int) -> None:
        """Count a request; where there are too many origins, the one that was silent longest gives way."""
        caller = self._callers.pop(origin, None) or Caller(origin)
        if len(self._callers) >= MOST_CALLERS:
            del self._callers[next(iter(self._callers))]
        self._callers[origin] = caller
        caller.note(told, now)
        seen = told.seen
        if seen.refusal is not None:
            (self.enforced if seen.enforced else self.observed)[seen.reason] += 1

    def heard(self, now: int) -> list[Caller]:
        """Those that called within the last hour."""
        return [caller for caller in self._callers.values() if now - caller.last <= HOUR]

    @property
    def counts(self) -> Mapping[str, Counter[str]]:
        """Refusals by what became of them and why."""
        return {"observed": self.observed, "enforced": self.enforced}

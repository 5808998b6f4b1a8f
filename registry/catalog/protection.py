"""Decides whether instances whose leases are over leave, or are protected because the fault is more likely the path's than theirs.

Two rules, both about *silence*: an instance is silent once a heartbeat is missing.

- **Self-preservation**, of the whole engine (protocol: section 9.4): more than `protection_min_instances` instances are registered
  and at least `protection_ratio` of them are silent. Each overdue instance is kept for its own time to live, at most
  `protection_max_seconds`.
- **Last known instances**, of one service: at least `last_known_ratio` of its instances are silent, and so is at least one more
  instance of the tenant, be it of the same service or not. So a service that dies alone, with its only instance, leaves as ever; one that
  is cut off together with others is answered for another `last_known_seconds`, and its clients are not handed an empty list.

A heartbeat ends the protection of an instance; so does unregistering it, or its bound. What is protected once is not protected again
before it has been heard of.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from registry.catalog.leases import Lease
from registry.catalog.limits import Limits
from registry.catalog.state import State

SELF_PRESERVATION = "self-preservation"
LAST_KNOWN = "last-known"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of overdue leases: these instances expire, those are kept, with the reason."""

    expired: Sequence[Lease]
    kept: Sequence[tuple[Lease, str]]


class Protection:
    """The judge of overdue leases."""

    def __init__(self, state: State, limits: Limits) -> None:
        self._state = state
        self._limits = limits

    def judge(self, overdue: Sequence[Lease]) -> Verdict:
        """Protect what the rules keep, and say which leases end."""
        fresh = [lease for lease in overdue if lease not in self._state.leases.protected]
        expired = [lease for lease in overdue if lease in self._state.leases.protected]
        if not fresh:
            return Verdict(expired, ())
        whole_engine = self._engine_is_silent()
        kept: list[tuple[Lease, str]] = []
        for lease in fresh:
            reason = SELF_PRESERVATION if whole_engine else self._service_reason(lease)
            if reason:
                self._state.leases.protect(lease, self._bound(lease, reason), reason)
                kept.append((lease, reason))
            else:
                expired.append(lease)
        return Verdict(expired, kept)

    def _engine_is_silent(self) -> bool:
        alive = self._state.leases.alive
        if len(alive) <= self._limits.protection_min_instances:
            return False
        silent = sum(1 for lease in alive if lease.silent())
        return silent >= self._limits.protection_ratio * len(alive)

    def _service_reason(self, lease: Lease) -> str:
        tenant = self._state.existing(lease.tenant)
        siblings = [instance.lease for instance in tenant.instances_of(lease.service_id).values()]
        silent = sum(1 for sibling in siblings if sibling.silent())
        if not self._limits.last_known_seconds or silent < self._limits.last_known_ratio * len(siblings):
            return ""
        if silent == 1 and not self._others_are_silent(lease):
            return ""
        return LAST_KNOWN

    def _others_are_silent(self, lease: Lease) -> bool:
        return any(
            other.silent() for other in self._state.leases.alive if other is not lease and other.tenant == lease.tenant
        )

    def _bound(self, lease: Lease, reason: str) -> float:
        if reason == SELF_PRESERVATION:
            return min(lease.ttl, self._limits.protection_max_seconds)
        return self._limits.last_known_seconds

"""Decides whether instances whose leases are over leave, or are protected because the fault is more likely the path's than theirs.

Two rules, both about *silence*: an instance is silent once a heartbeat is missing.

- **Self-preservation**, of the whole engine (protocol: section 9.4): more than `protection_min_instances` instances are registered
  and at least `protection_ratio` of them are silent. Each overdue instance is kept for its own time to live, at most
  `protection_max_seconds`.
- **Last known instances**, of one service: at least `last_known_ratio` of its instances are silent, and so is at least one more
  instance of the tenant, be it of the same service or not. So a service that dies alone, with its only instance, leaves as ever; one that
  is cut off together with others is answered for another `last_known_seconds`, and its clients are not handed an empty list.

Where both hold, the longer of the two bounds does: a cut of everybody must not protect a service for less time than a cut of it alone.

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
        silent_services: dict[tuple[str, str], bool] = {}
        kept: list[tuple[Lease, str]] = []
        for lease in fresh:
            service = lease.tenant, lease.service_id
            if service not in silent_services:
                silent_services[service] = self._service_is_silent(lease)
            reason, seconds = self._verdict(lease, whole_engine=whole_engine, service=silent_services[service])
            if reason:
                self._state.leases.protect(lease, seconds, reason)
                kept.append((lease, reason))
            else:
                expired.append(lease)
        return Verdict(expired, kept)

    def _verdict(self, lease: Lease, *, whole_engine: bool, service: bool) -> tuple[str, float]:
        """Why a lease is kept and for how many seconds; no reason where it is not. Where both rules hold, the longer bound does."""
        last_known = self._limits.last_known_seconds if service else 0.0
        if whole_engine:
            return SELF_PRESERVATION, max(min(lease.ttl, self._limits.protection_max_seconds), last_known)
        return (LAST_KNOWN, last_known) if service else ("", 0.0)

    def _engine_is_silent(self) -> bool:
        alive = self._state.leases.alive
        if len(alive) <= self._limits.protection_min_instances:
            return False
        silent = sum(1 for lease in alive if lease.silent())
        return silent >= self._limits.protection_ratio * len(alive)

    def _service_is_silent(self, lease: Lease) -> bool:
        """Whether the service of an overdue lease has fallen silent together with others."""
        tenant = self._state.existing(lease.tenant)
        siblings = [instance.lease for instance in tenant.instances_of(lease.service_id).values()]
        silent = sum(1 for sibling in siblings if sibling.silent())
        if not self._limits.last_known_seconds or silent < self._limits.last_known_ratio * len(siblings):
            return False
        return silent > 1 or self._others_are_silent(lease)

    def _others_are_silent(self, lease: Lease) -> bool:
        return any(
            other.silent() for other in self._state.leases.alive if other is not lease and other.tenant == lease.tenant
        )

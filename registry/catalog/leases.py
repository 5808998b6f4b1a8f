"""Leases: how long an instance stays registered without a heartbeat. They live in memory alone.

Theory of operation. The lease clock is a number of seconds that only `advance` moves, once a tick. A heartbeat sets the lease's deadline
to the clock plus its time to live: one addition, no data structure touched. Every lease waits in the slot of the tick in which it would
end as far as was known when it was put there. When that tick comes, the lease is either overdue, or (it was renewed) moves on to the
slot of its new deadline; so each lease is touched once per time to live, not once per heartbeat.

The clock is the engine's, not the world's: a process that was stopped for a minute advances by a tick when it wakes, so it never
takes its own absence for that of its services. The clock lags real time by less than a tick; ending a lease only after a further tick
keeps the promise that none ends early.

A lease that would end may be *protected* instead (see `registry.catalog.protection`): it stays, until a bound or a heartbeat.
"""

from __future__ import annotations

from collections.abc import Iterator

TICK = 0.25
"""Seconds between two ticks at most: the resolution of the lease clock."""


class Lease:
    """The right of one instance to be answered. `ttl` and `interval` are seconds."""

    __slots__ = (
        "_leases",
        "alive",
        "deadline",
        "instance_id",
        "interval",
        "protected_until",
        "service_id",
        "slot",
        "tenant",
        "ttl",
    )

    def __init__(
        self, leases: Leases, tenant: str, service_id: str, instance_id: str, *, ttl: float, interval: float
    ) -> None:
        self._leases = leases
        self.tenant = tenant
        self.service_id = service_id
        self.instance_id = instance_id
        self.ttl = ttl
        self.interval = interval
        self.alive = False
        self.deadline = 0.0
        self.protected_until = 0.0
        self.slot = 0

    def beat(self) -> None:
        """Renew the lease: it ends a full time to live from now."""
        self.deadline = self._leases.now + self.ttl

    def silent(self) -> bool:
        """Whether at least one heartbeat is missing: the last is further back than one and a half intervals, or the lease is over."""
        return self._leases.now - (self.deadline - self.ttl) > min(1.5 * self.interval, self.ttl)


class Leases:
    """All living leases and the clock that they are measured by."""

    def __init__(self) -> None:
        self.now = 0.0
        self.alive: set[Lease] = set()
        self.protected: dict[Lease, str] = {}
        self._slots: dict[int, dict[Lease, None]] = {}
        self._slot = 0

    def start(self, lease: Lease) -> None:
        """Let a lease begin with its full time to live."""
        lease.beat()
        if lease.alive:
            return
        lease.alive = True
        self.alive.add(lease)
        self._enlist(lease, lease.deadline)

    def end(self, lease: Lease) -> None:
        """Take a lease out. Its place in a slot is cleared when that slot comes."""
        lease.alive = False
        self.alive.discard(lease)
        self.protected.pop(lease, None)

    def protect(self, lease: Lease, seconds: float, reason: str) -> None:
        """Keep an overdue lease for at most so many seconds, saying why."""
        lease.protected_until = self.now + seconds
        self.protected[lease] = reason
        self._enlist(lease, lease.protected_until)

    def recovered(self) -> list[Lease]:
        """The protected leases that a heartbeat has renewed; they are protected no more."""
        renewed = [lease for lease in self.protected if lease.deadline > self.now]
        for lease in renewed:
            del self.protected[lease]
            lease.protected_until = 0.0
            self._enlist(lease, lease.deadline)
        return renewed

    def advance(self, seconds: float) -> list[Lease]:
        """Move the clock, at most by two ticks, and return the leases that are overdue. Each is returned once: end or protect it."""
        self.now += min(max(seconds, 0.0), 2 * TICK)
        return [lease for lease in self._due() if not self._renewed(lease)]

    def _due(self) -> Iterator[Lease]:
        last = int(self.now / TICK)
        while self._slot <= last:
            for lease in self._slots.pop(self._slot, ()):
                if lease.alive and lease.slot == self._slot:
                    yield lease
            self._slot += 1

    def _renewed(self, lease: Lease) -> bool:
        until = max(lease.deadline, lease.protected_until)
        if until + TICK <= self.now:
            return False
        self._enlist(lease, until)
        return True

    def _enlist(self, lease: Lease, until: float) -> None:
        lease.slot = max(int(until / TICK) + 2, self._slot + 1)
        # A lease that ends and starts within a tick is in its slot already, and must not fall due twice.
        self._slots.setdefault(lease.slot, {})[lease] = None

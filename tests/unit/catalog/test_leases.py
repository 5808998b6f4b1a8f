"""Leases: none ends early, none ends late, and the engine's own absence does not count."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from registry.catalog.leases import TICK, Lease, Leases

TENANT = "default/default"


def _lease(leases: Leases, ttl: float = 20.0, interval: float = 5.0) -> Lease:
    lease = Lease(leases, TENANT, "service", "instance", ttl=ttl, interval=interval)
    leases.start(lease)
    return lease


def _run(leases: Leases, seconds: float) -> list[Lease]:
    ended = []
    for _ in range(round(seconds / TICK)):
        for lease in leases.advance(TICK):
            leases.end(lease)
            ended.append(lease)
    return ended


@given(st.floats(1, 600), st.lists(st.floats(0, 1), max_size=8))
def test_a_lease_ends_within_a_second_of_its_time_and_never_before(ttl: float, beats: list[float]) -> None:
    """However heartbeats fall, the lease ends a time to live after the last, at most a second late."""
    leases = Leases()
    lease = _lease(leases, ttl)
    for share in beats:
        assert not _run(leases, share * ttl * 0.9)
        lease.beat()
    last = leases.now
    while not leases.advance(TICK):
        assert leases.now - last <= ttl + 1 + TICK
    assert leases.now - last >= ttl


def test_a_stopped_process_does_not_take_its_absence_for_that_of_others() -> None:
    """A tick that comes an hour late moves the clock by two ticks, not by an hour."""
    leases = Leases()
    _lease(leases)
    assert leases.advance(3600.0) == []
    assert leases.now == 2 * TICK


def test_a_lease_that_ended_can_start_again() -> None:
    """A failed commit takes the end of a lease back: it lives a full time again and ends once."""
    leases = Leases()
    lease = _lease(leases)
    assert _run(leases, 21) == [lease]
    leases.start(lease)
    assert _run(leases, 19.5) == []
    assert _run(leases, 3) == [lease]


def test_a_protected_lease_recovers_by_a_heartbeat() -> None:
    """Protection lasts until its bound; a heartbeat before that ends it and the lease is as any other."""
    leases = Leases()
    lease = _lease(leases)
    overdue = [lease for _ in range(100) for lease in leases.advance(TICK)]
    assert overdue == [lease]
    leases.protect(lease, 30, "why")
    assert [found for _ in range(80) for found in leases.advance(TICK)] == []
    lease.beat()
    assert leases.recovered() == [lease]
    assert leases.protected == {}
    assert [found for _ in range(70) for found in leases.advance(TICK)] == []
    assert [found for _ in range(20) for found in leases.advance(TICK)] == [lease]

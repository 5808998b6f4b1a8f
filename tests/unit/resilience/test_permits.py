"""Permits by cycles: the sequences of the protocol, and that no cycle ever lets more through than its number."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from governance.resilience.permits import Permit, Permits

# Times are multiples of a sixteenth: exact as floats, so that the border of a cycle is where it is.
TICK = 1 / 16


def test_a_cycle_has_as_many_permits_as_the_rate() -> None:
    permits = Permits(2, 1.0, 100.0)
    assert [permits.take(100.0, 0), permits.take(100.5, 0), permits.take(100.9, 0)] == [(0, 0.0), (0, 0.0), None]
    assert permits.take(101.0, 0) == (1, 0.0)


def test_what_a_cycle_does_not_use_is_lost() -> None:
    permits = Permits(2, 1.0, 0.0)
    assert [permits.take(50.0, 0) is not None for _ in range(4)] == [True, True, False, False]


def test_later_cycles_are_reserved_as_far_as_the_timeout_goes() -> None:
    permits = Permits(1, 1.0, 0.0)
    waits = [permits.take(0.25, 2.0) for _ in range(4)]
    assert waits == [(0, 0.0), (1, 0.75), (2, 1.75), None]
    assert permits.available(0.25) == -1 * 2
    assert permits.available(1.0) == -1
    assert permits.take(2.0, 0) is None, "the cycle that has come was reserved"
    assert permits.take(3.0, 0) == (3, 0.0)


def test_a_permit_that_is_given_back_is_the_next_callers() -> None:
    permits = Permits(1, 1.0, 0.0)
    _, first, second = (permits.take(0.0, 5.0) for _ in range(3))
    assert first is not None
    assert second is not None
    permits.give_back(first, 0.5)
    assert permits.take(0.5, 5.0) == (1, 0.5)
    assert permits.take(0.5, 5.0) == (3, 2.5), "the second one is still taken"
    permits.give_back(second, 9.0)
    assert permits.available(9.0) == 1, "a permit of a cycle that is over adds nothing to this one"


def test_many_cycles_that_nobody_used_cost_nothing() -> None:
    permits = Permits(1, 0.001, 0.0)
    for _ in range(3):
        assert permits.take(0.0, 1.0) is not None
    assert permits.take(1e9, 0) is not None
    assert permits.available(1e9) == 0


@given(
    rate=st.integers(1, 4),
    period=st.integers(1, 20),
    steps=st.lists(
        st.tuples(st.integers(0, 30), st.integers(0, 60), st.integers(0, 3), st.booleans()), min_size=1, max_size=80
    ),
)
def test_no_cycle_lets_more_through_than_the_rate(
    rate: int, period: int, steps: list[tuple[int, int, int, bool]]
) -> None:
    """Against a plain model: a list of the permits that are out, by their cycles."""
    permits, now = Permits(rate, period * TICK, 7.0), 7.0
    out: list[Permit] = []
    for passed, timeout, calls, given_back in steps:
        now += passed * TICK
        cycle = int((now - 7.0) / TICK) // period
        for _ in range(calls):
            used = Counter(permit.cycle for permit in out)
            free = next(one for one in range(cycle, cycle + len(out) + 1) if used[one] < rate)
            wait = 0.0 if free == cycle else 7.0 + free * period * TICK - now
            permit = permits.take(now, timeout * TICK)
            assert permit == ((free, wait) if wait <= timeout * TICK else None)
            if permit is not None:
                out.append(permit)
        if given_back and out:
            # Whether its cycle is over or not: the model forgets only what can still be used.
            permit = out[-1]
            permits.give_back(permit, now)
            if permit.cycle >= cycle:
                out.pop()
        assert permits.available(now) == rate - sum(permit.cycle >= cycle for permit in out)
    assert max(Counter(permit.cycle for permit in out).values(), default=0) <= rate

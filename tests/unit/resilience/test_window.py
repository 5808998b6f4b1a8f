"""Windows of calls and of seconds count what the plain list of all calls would."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from governance.resilience.window import CountWindow, Tally, TimeWindow

CALLS = st.lists(st.tuples(st.floats(0, 3), st.booleans(), st.booleans()), max_size=120)


def _tally(calls: Sequence[tuple[float, bool, bool]]) -> Tally:
    return Tally(
        len(calls),
        sum(failed for _, failed, _ in calls),
        sum(slow for _, _, slow in calls),
        sum(failed and slow for _, failed, slow in calls),
    )


@given(size=st.integers(1, 12), calls=CALLS)
def test_a_window_of_calls_is_the_end_of_the_list(size: int, calls: list[tuple[float, bool, bool]]) -> None:
    window = CountWindow(size)
    assert window.tally(0) == Tally()
    for count, (_, failed, slow) in enumerate(calls, 1):
        window.record(0, failed=failed, slow=slow)
        assert window.tally(0) == _tally(calls[max(0, count - size) : count])


@given(size=st.integers(1, 6), calls=CALLS, after=st.floats(0, 10))
def test_a_window_of_seconds_is_the_seconds_of_the_list(
    size: int, calls: list[tuple[float, bool, bool]], after: float
) -> None:
    window, now = TimeWindow(size), 1000.0
    timed: list[tuple[float, bool, bool]] = []
    for passed, failed, slow in calls:
        now += passed
        window.record(now, failed=failed, slow=slow)
        timed.append((now, failed, slow))
        assert window.tally(now) == _tally([one for one in timed if int(one[0]) > int(now) - size])
    later = now + after
    assert window.tally(later) == _tally([one for one in timed if int(one[0]) > int(later) - size])


def test_a_window_that_a_rule_made_endless_takes_room_only_for_what_comes() -> None:
    for window in (CountWindow(10**9), TimeWindow(10**9)):
        for second in range(1000):
            window.record(second * 1000, failed=True, slow=False)
        assert window.tally(10**6) == Tally(1000, 1000)

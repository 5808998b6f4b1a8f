"""The breaker of the older keys: it opens by the last ten seconds alone, and lets one trial through at a time."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from governance.resilience.rolling_breaker import Admission, BreakerRule, Outcome, RollingBreaker

SMALL = BreakerRule(sleep_window=5000, request_volume=4, error_threshold=50)


def ends(breaker: RollingBreaker, now: float, *outcomes: Outcome) -> None:
    """Calls that begin and end now."""
    for outcome in outcomes:
        admission = breaker.enter(now)
        assert admission is not Admission.REFUSED
        breaker.leave(admission, outcome, now)


def opened(rule: BreakerRule = SMALL, now: float = 0) -> RollingBreaker:
    """A breaker that has opened."""
    breaker = RollingBreaker(rule)
    ends(breaker, now, *[Outcome.ERROR] * rule.request_volume)
    return breaker


def test_it_opens_at_its_share_of_errors_but_not_before_there_are_enough_calls() -> None:
    breaker = RollingBreaker(SMALL)
    ends(breaker, 0, Outcome.ERROR, Outcome.ERROR, Outcome.SUCCESS)
    assert not breaker.is_open
    assert breaker.error_rate(0) == -1
    ends(breaker, 0, Outcome.SUCCESS)
    assert breaker.is_open, "two of four"
    assert breaker.enter(4.9) is Admission.REFUSED


def test_what_is_older_than_ten_seconds_counts_no_more() -> None:
    breaker = RollingBreaker(SMALL)
    ends(breaker, 0, Outcome.ERROR, Outcome.ERROR, Outcome.ERROR)
    ends(breaker, 9.9, Outcome.SUCCESS)
    assert breaker.is_open, "ten seconds are not over"
    breaker = RollingBreaker(SMALL)
    ends(breaker, 0, Outcome.ERROR, Outcome.ERROR, Outcome.ERROR)
    ends(breaker, 10, *[Outcome.SUCCESS] * 4)
    assert not breaker.is_open
    assert breaker.error_rate(10) == 0


def test_after_the_sleep_window_one_trial_decides() -> None:
    breaker = opened()
    trial = breaker.enter(5)
    assert trial is Admission.TRIAL
    assert breaker.enter(5) is Admission.REFUSED, "one at a time"
    breaker.leave(trial, Outcome.ERROR, 6)
    assert breaker.enter(10.9) is Admission.REFUSED, "it sleeps for a whole window again"
    trial = breaker.enter(11)
    breaker.leave(trial, Outcome.SUCCESS, 11)
    assert not breaker.is_open
    ends(breaker, 11, Outcome.ERROR, Outcome.ERROR, Outcome.ERROR)
    assert not breaker.is_open, "it has begun to count anew"


def test_a_trial_that_is_given_up_leaves_the_trial_to_the_next_call() -> None:
    breaker = opened()
    breaker.leave(breaker.enter(5), Outcome.GIVEN_UP, 5.5)
    assert breaker.is_open
    assert breaker.enter(5.5) is Admission.TRIAL


def test_a_call_from_before_it_opened_closes_nothing() -> None:
    breaker = RollingBreaker(SMALL)
    old = breaker.enter(0)
    ends(breaker, 0, *[Outcome.ERROR] * 4)
    breaker.leave(old, Outcome.SUCCESS, 1)
    assert breaker.enter(1) is Admission.REFUSED


def test_forced_open_counts_before_forced_closed_and_neither_where_it_is_switched_off() -> None:
    both = RollingBreaker(BreakerRule(force_open=True, force_closed=True))
    assert both.is_open
    assert both.enter(0) is Admission.REFUSED
    for rule in (
        BreakerRule(force_closed=True, request_volume=1),
        BreakerRule(enabled=False, force_open=True, request_volume=1),
    ):
        breaker = RollingBreaker(rule)
        ends(breaker, 0, *[Outcome.ERROR] * 9)
        assert breaker.enter(0) is Admission.CLOSED


def test_who_finds_no_place_is_an_error() -> None:
    breaker = RollingBreaker(SMALL)
    for _ in range(4):
        breaker.turned_away(0)
    assert breaker.is_open


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0, 4), st.booleans()), max_size=80), st.integers(0, 8), st.integers(0, 100))
def test_it_agrees_with_a_list_of_all_calls(calls: list[tuple[float, bool]], volume: int, threshold: int) -> None:
    rule = BreakerRule(sleep_window=2500, request_volume=volume, error_threshold=threshold)
    breaker, now = RollingBreaker(rule), 100.0
    ended, open_since = list[tuple[int, bool]](), None
    for step, error in calls:
        now += step
        expected = open_since is None or now - open_since >= 2.5
        admission = breaker.enter(now)
        assert (admission is not Admission.REFUSED) is expected
        if admission is Admission.REFUSED:
            continue
        breaker.leave(admission, Outcome.ERROR if error else Outcome.SUCCESS, now)
        if open_since is not None:
            open_since, ended = (now if error else None), []
            continue
        ended.append((int(now), error))
        recent = [bad for second, bad in ended if second > int(now) - 10]
        if len(recent) >= volume and sum(recent) * 100 >= threshold * len(recent):
            open_since = now
    assert breaker.is_open is (open_since is not None)

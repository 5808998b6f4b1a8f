"""Sums are those of the calls that were made, in whatever order reports come, and however often."""

from __future__ import annotations

import math
import random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from governance.rules.latencies import BOUNDS, LAST, bucket_of, quantile
from registry.monitor import Monitor, Outcome, VersionKey
from registry.monitor.monitor import KEPT_SECONDS, MOST_CALLEES, MOST_REPORTERS
from registry.monitor.outcomes import Sums

UNHURRIED = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""The machine may be busy."""
_VERSIONS = ("1.0.0", "2.0.0")
_LATENCIES = st.lists(st.floats(0, 70_000), min_size=1, max_size=20)


def callee(version: str) -> VersionKey:
    return VersionKey("default/default", "mall", "", "weather", version)


def outcome(version: str, latencies: list[float], failures: int = 0) -> Outcome:
    """The report of calls that took so many milliseconds."""
    buckets = [bucket_of(one) for one in latencies]
    counts = {bucket: buckets.count(bucket) for bucket in set(buckets)}
    return Outcome("weather", version, len(latencies), failures, round(sum(latencies)), counts)


_REPORTS = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from(_VERSIONS), _LATENCIES, st.integers(0, 20)), max_size=30
)


@UNHURRIED
@given(_REPORTS, st.randoms(use_true_random=False), st.integers(1, 3))
def test_each_report_counts_once_in_whatever_order(
    made: list[tuple[str, str, list[float], int]], dice: random.Random, times: int
) -> None:
    numbers = dict.fromkeys("abc", 0)
    sent = []
    for reporter, version, latencies, failures in made:
        numbers[reporter] += 1
        sent.append((reporter, numbers[reporter], outcome(version, latencies, min(failures, len(latencies)))))
    arriving = sent * times
    dice.shuffle(arriving)
    monitor = Monitor()
    for at, (reporter, number, one) in enumerate(arriving):
        if monitor.is_new(reporter, number):
            monitor.count(callee(one.version), one, 100 + at // 4)
    for version in _VERSIONS:
        wanted = Sums()
        for _, _, one in sent:
            if one.version == version:
                wanted.add(one)
        assert monitor.recent(callee(version), 130) == wanted
    assert (monitor.reports, monitor.repeats) == (len(sent), len(sent) * (times - 1))
    assert monitor.calls == sum(one.calls for _, _, one in sent)


@UNHURRIED
@given(st.lists(st.integers(0, 200), min_size=1, max_size=60), st.integers(0, 260))
def test_what_is_older_than_a_minute_counts_no_more(seconds: list[int], now: int) -> None:
    monitor = Monitor()
    for second in sorted(seconds):
        monitor.count(callee("2.0.0"), outcome("2.0.0", [1.0]), second)
    now = max(now, *seconds)
    young = sum(now - KEPT_SECONDS < second <= now for second in seconds)
    assert monitor.recent(callee("2.0.0"), now).calls == young


def test_a_clock_that_was_set_back_leaves_nothing_behind() -> None:
    monitor = Monitor()
    monitor.count(callee("2.0.0"), outcome("2.0.0", [1.0]), 5000)
    monitor.count(callee("2.0.0"), outcome("2.0.0", [1.0]), 100)
    assert monitor.recent(callee("2.0.0"), 100).calls == 1
    assert monitor.recent(callee("2.0.0"), 5000).calls == 0


@UNHURRIED
@given(_LATENCIES, st.sampled_from((0.5, 0.9, 0.99, 1.0)))
def test_a_percentile_is_told_to_within_a_tenth(latencies: list[float], share: float) -> None:
    exact = min(max(sorted(latencies)[math.ceil(share * len(latencies)) - 1], 0.0), BOUNDS[-1])
    told = quantile(outcome("", latencies).latencies, share)
    assert told <= max(1.0, exact * 1.1)
    assert told >= (exact * 0.9 if exact > 1 else 0)


def test_the_buckets_reach_from_a_millisecond_to_a_minute() -> None:
    assert (bucket_of(0), bucket_of(1), bucket_of(1.01)) == (0, 0, 1)
    assert bucket_of(60_000) < bucket_of(1e9) == LAST
    assert quantile({}, 0.99) == 0.0


def test_what_is_kept_is_bounded() -> None:
    monitor = Monitor()
    for number in range(MOST_CALLEES + 5):
        monitor.count(callee(str(number)), outcome(str(number), [1.0]), 1)
    assert monitor.callees == MOST_CALLEES
    assert monitor.recent(callee("4"), 1).calls == 0, "the one that was not told of for longest"
    assert monitor.recent(callee("5"), 1).calls == 1
    for number in range(MOST_REPORTERS + 1):
        assert monitor.is_new(str(number), 1)
    assert monitor.is_new("0", 1), "forgotten, and so it is new again"
    assert not monitor.is_new("2", 1)


def test_a_report_that_is_far_behind_counts_as_one_that_came() -> None:
    monitor = Monitor()
    assert monitor.is_new("a", 1000)
    assert monitor.is_new("a", 1000 - 63)
    assert not monitor.is_new("a", 1000 - 63)
    assert not monitor.is_new("a", 1000 - 64), "nobody knows any more"
    assert monitor.is_new("a", 2**31 - 1)

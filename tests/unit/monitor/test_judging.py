"""When a release counts as broken, and what is said of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from governance.rules.conditions import Condition, Operator
from governance.rules.latencies import bucket_of
from governance.rules.objects.gray import PROMOTED, ROLLED_BACK, GrayRelease
from registry.monitor.judging import broken, is_judged
from registry.monitor.outcomes import Outcome, Sums

RELEASE = GrayRelease(
    service="weather", app="mall", version="2.0.0", baseline=("1.0.0",), share=20, max_error_rate=5.0, min_calls=50
)
TIMED = replace(RELEASE, max_error_rate=None, max_latency=200)


def sums(calls: int, failures: int = 0, milliseconds: float = 10, *, slow: int = 0) -> Sums:
    """So many calls, of which `slow` took a second and all others the milliseconds."""
    quick = {bucket_of(milliseconds): calls - slow} if calls > slow else {}
    found = Sums()
    taken = round(milliseconds * (calls - slow) + 1000 * slow)
    found.add(
        Outcome("weather", "2.0.0", calls, failures, taken, {**quick, **({bucket_of(1000): slow} if slow else {})})
    )
    return found


def test_the_error_rate_is_judged_from_enough_calls_on() -> None:
    assert broken(RELEASE, sums(80, 30), 10) == "error rate 37.5 % of 80 calls in 10 s is above 5 %"
    assert broken(RELEASE, sums(100, 5), 10) == "", "that is the bound itself"
    assert broken(RELEASE, sums(100, 6), 10)
    assert broken(RELEASE, sums(49, 49), 10) == "", "too few to judge"
    assert broken(RELEASE, sums(50, 50), 10)
    assert broken(RELEASE, sums(0), 10) == ""


def test_no_error_at_all_may_be_asked_for() -> None:
    strict = replace(RELEASE, max_error_rate=0.0)
    assert broken(strict, sums(1000, 1), 3) == "error rate 0.1 % of 1000 calls in 3 s is above 0 %"
    assert broken(strict, sums(1000), 3) == ""


def test_the_99th_percentile_and_the_mean_are_different_bounds() -> None:
    few_slow = sums(1000, slow=20)
    said = broken(TIMED, few_slow, 30)
    assert said.startswith("99th percentile of the latency ")
    assert said.endswith(" ms of 1000 calls in 30 s is above 200 ms")
    assert broken(replace(TIMED, latency="mean"), few_slow, 30) == ""
    assert broken(TIMED, sums(1000, slow=5), 30) == "", "one in two hundred"
    slow = broken(replace(TIMED, latency="mean"), sums(100, milliseconds=300), 30)
    assert slow == "mean latency 300 ms of 100 calls in 30 s is above 200 ms"
    assert broken(TIMED, sums(100, 100), 30) == "", "nothing is asked about errors"


@pytest.mark.parametrize(
    ("release", "judged"),
    [
        (RELEASE, True),
        (TIMED, True),
        (replace(RELEASE, share=0, headers={"type": Condition({Operator.EXACT: "gray"})}), True),
        (replace(RELEASE, max_error_rate=0.0), True),
        (replace(RELEASE, max_error_rate=None), False),
        (replace(RELEASE, share=0), False),
        (replace(RELEASE, state=ROLLED_BACK), False),
        (replace(RELEASE, state=PROMOTED), False),
    ],
)
def test_what_is_judged(release: GrayRelease, judged: bool) -> None:
    assert is_judged(release) is judged

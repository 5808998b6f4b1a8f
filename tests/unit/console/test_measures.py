"""Measures as people read them, and their sums."""

from __future__ import annotations

import pytest

from registry.console import measures


@pytest.mark.parametrize(
    ("shown", "read"),
    [
        (measures.rate(0), "0/s"),
        (measures.rate(0.125), "0.12/s"),
        (measures.rate(9.996), "10/s"),
        (measures.rate(12.34), "12.3/s"),
        (measures.rate(1234.5), "1,234/s"),
        (measures.duration(7.254), "7.25 ms"),
        (measures.duration(1530), "1.53 s"),
        (measures.share(0.005), "0.5 %"),
        (measures.percent(None), measures.UNKNOWN),
        (measures.percent(1.5), "1.5 %"),
        (measures.memory(0), measures.UNKNOWN),
        (measures.memory(75 * 2**20), "75 MiB"),
        (measures.memory(3 * 2**29), "1.5 GiB"),
    ],
)
def test_three_figures_with_a_unit(shown: str, read: str) -> None:
    assert shown == read


def test_means_are_weighed_by_rate_and_the_worst_percentile_stands() -> None:
    rows: list[measures.Row] = [
        {"rate": 3, "latency": 10, "p99": 40, "failureRate": 0.1, "threads": 2, "breakerOpen": True},
        {"rate": 1, "latency": 50, "p99": 60, "failureRate": 0.5, "threads": 3, "cpu": None},
    ]
    sums = measures.together(rows)
    assert (sums["rate"], sums["latency"], sums["p99"], sums["threads"], sums["breakersOpen"]) == (4, 20, 60, 5, 1)
    assert sums["failureRate"] == pytest.approx(0.2)
    assert measures.together(())["latency"] == 0


@pytest.mark.parametrize(("failing", "tone"), [(0, ""), (0.0099, ""), (0.01, "warn"), (0.05, "bad")])
def test_failures_have_a_tone(failing: float, tone: str) -> None:
    assert measures.tone(failing) == tone

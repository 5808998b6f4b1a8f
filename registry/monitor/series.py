"""The last minutes as points at equal distances, so that what several instances told at different times can be summed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from registry.monitor.history import InstanceHistory, InterfaceHistory
from registry.monitor.totals import Totals

STEP = 5
"""Seconds between points: the shortest interval of uploads."""


@dataclass(frozen=True, slots=True)
class Curve:
    """The packed points of one instance, or of one interface of it; each holds until the next, but for `patience` seconds at most."""

    points: bytes
    patience: int
    of_interface: bool = False


@dataclass(slots=True)
class Point:
    """What the curves come to in one moment; percentiles are the worst."""

    second: int
    totals: Totals
    p50: float = 0.0
    p90: float = 0.0


def steps(now: int, kept: int) -> range:
    """The moments of the points up to now."""
    last = now - now % STEP
    return range(last - kept + STEP, last + 1, STEP)


def summed(curves: Sequence[Curve], moments: range) -> list[Point]:
    """A point for each moment that anything is known of."""
    points = {moment: Point(moment, Totals()) for moment in moments}
    for curve in curves:
        add = _add_interface if curve.of_interface else _add_instance
        history = InterfaceHistory if curve.of_interface else InstanceHistory
        for moment, values in _held(list(history.unpacked(curve.points)), moments, curve.patience):
            add(points[moment], values)
    return [point for point in points.values() if point.totals.instances]


def _held(
    points: Sequence[tuple[float, ...]], moments: range, patience: int
) -> Iterator[tuple[int, tuple[float, ...]]]:
    """What counts at each moment: the newest point up to the end of its step."""
    index = -1
    for moment in moments:
        end = moment + STEP
        while index + 1 < len(points) and points[index + 1][0] < end:
            index += 1
        if index >= 0 and end - points[index][0] <= patience + STEP:
            yield moment, points[index]


def _add_interface(point: Point, values: tuple[float, ...]) -> None:
    _, rate, failure_rate, latency, p50, p90, p99, is_open = values
    totals = point.totals
    totals.instances += 1
    totals.count(rate, latency, failure_rate, p99)
    totals.breakers_open += int(is_open)
    point.p50, point.p90 = max(point.p50, p50), max(point.p90, p90)


def _add_instance(point: Point, values: tuple[float, ...]) -> None:
    _, rate, failure_rate, latency, p99, breakers, threads, cpu, memory = values
    totals = point.totals
    totals.instances += 1
    totals.count(rate, latency, failure_rate, p99)
    totals.breakers_open += int(breakers)
    totals.threads += int(threads)
    totals.cpu += cpu
    totals.memory += int(memory)

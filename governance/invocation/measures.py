"""What stages measure of themselves, as metrics of Prometheus. Nothing is counted for them at a call that is not counted anyway."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Protocol

from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds of a histogram's buckets."""
_SHOWN_BOUNDS = (*map(str, BOUNDS), "+Inf")


def no_times() -> list[float]:
    """Times of nothing yet: a count for each bound, one for what is slower, and at the end the sum of the seconds."""
    return [0.0] * (len(BOUNDS) + 2)


def add_times(family: HistogramMetricFamily, labels: Sequence[str], times: Sequence[float]) -> None:
    """A row of a histogram."""
    family.add_metric(labels, [*zip(_SHOWN_BOUNDS, accumulate(times[:-1]), strict=True)], times[-1])


@dataclass(frozen=True, slots=True)
class Measure:
    """A number with the end of its name, such as `available.permissions`."""

    name: str
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)


class Measured(Protocol):
    """A state that can be measured."""

    def measures(self) -> Iterable[Measure]:
        """What it is at now."""


class RuleCollector(Collector):
    """The states of rules as metrics: `servicecomb.<kind>.<measure>` with underscores for the dots, and the state's key as `name`."""

    def __init__(self, processors: Callable[[], Iterator[tuple[str, Measured]]]) -> None:
        self._processors = processors

    def collect(self) -> Iterable[Metric]:
        """At each scrape."""
        families: dict[str, GaugeMetricFamily] = {}
        for key, processor in self._processors():
            kind = key.split(".")[1]
            for measure in processor.measures():
                name = f"servicecomb.{kind}.{measure.name}".replace(".", "_")
                labels = {"name": key, **measure.labels}
                family = families.get(name)
                if family is None:
                    family = families[name] = GaugeMetricFamily(name, f"{measure.name} of {kind}", labels=[*labels])
                family.add_metric([*labels.values()], measure.value)
        return families.values()

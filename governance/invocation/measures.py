"""What stages measure of themselves, as metrics of Prometheus. Nothing is counted for them at a call that is not counted anyway."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector


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

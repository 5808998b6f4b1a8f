"""Data for dashboards as metrics of the engine's own /metrics: what Prometheus keeps where services are not scraped themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from registry.engine.reporting import Reporting, VersionRow
from registry.monitor import VersionKey
from registry.monitor.reporter import Reporter
from registry.monitor.totals import Totals
from registry.monitor.uploads import Reading

LEVELS = ("off", "service", "instance", "interface")
"""How much is told; each level has all of those before it."""
_VERSION = ("domain", "project", "app", "environment", "service", "version")
_INSTANCE = (*_VERSION, "instance_id")
T = TypeVar("T")
_Measures: TypeAlias = Mapping[str, tuple[str, Callable[[T], float]]]
_SUMS: _Measures[Totals] = {
    "calls_per_second": ("Calls that are served, or made where none are served", lambda sums: sums.rate),
    "latency_seconds": ("Mean seconds of a call", lambda sums: sums.latency / 1000),
    "p99_seconds": ("Seconds of 99 of 100 calls; of several the worst", lambda sums: sums.p99 / 1000),
    "failure_ratio": ("Share of calls that fail", lambda sums: sums.failure_rate),
    "breakers_open": ("Interfaces whose breaker is open", lambda sums: sums.breakers_open),
    "threads": ("Threads", lambda sums: sums.threads),
    "cpu_ratio": ("Share of the processors of a machine; of several the sum", lambda sums: sums.cpu / 100),
    "memory_bytes": ("Bytes of memory", lambda sums: sums.memory),
}
_READING: _Measures[Reading] = {
    "calls_per_second": ("Calls", lambda one: one.rate),
    "latency_seconds": ("Mean seconds of a call", lambda one: one.latency / 1000),
    "p99_seconds": ("Seconds of 99 of 100 calls", lambda one: one.quantiles[1] / 1000),
    "failure_ratio": ("Share of calls that fail", lambda one: one.failure_rate),
    "breaker_open": ("Whether its breaker is open", lambda one: float(one.breaker_open)),
}
_COUNTS: _Measures[VersionRow] = {
    "instances": ("Instances that are registered", lambda row: row.registered),
    "instances_reporting": ("Instances that told anything lately", lambda row: row.totals.instances),
}


class _Table(Generic[T]):
    """Families of one prefix, which have a row for each thing."""

    def __init__(self, prefix: str, labels: Sequence[str], measures: _Measures[T]) -> None:
        self._columns = [
            (GaugeMetricFamily(f"waggle_{prefix}_{name}", about, labels=labels), read)
            for name, (about, read) in measures.items()
        ]

    @property
    def families(self) -> Sequence[Metric]:
        """What was added, by measure."""
        return [family for family, _ in self._columns]

    def add(self, labels: Sequence[str], thing: T, budget: _Budget) -> None:
        """Add a row, if there is room for it."""
        if budget.allows(len(self._columns)):
            for family, read in self._columns:
                family.add_metric(labels, read(thing))


@dataclass(slots=True)
class _Budget:
    room: int
    left_out: int = 0

    def allows(self, series: int) -> bool:
        if series > self.room:
            self.left_out += series
            return False
        self.room -= series
        return True


class DashboardMetrics(Collector):
    """The sums of services, and instances and interfaces as far as the level has them. There are so many series at `most`."""

    def __init__(self, reporting: Reporting, level: str, most: int) -> None:
        self._reporting = reporting
        self._tables = (self._services, self._instances, self._interfaces)[: LEVELS.index(level)]
        self._most = most

    def collect(self) -> Iterator[Metric]:
        """At each scrape. What there is no room for is counted: interfaces first, services last."""
        budget = _Budget(self._most)
        for families in self._tables:
            yield from families(budget)
        about = "Series of services, instances and interfaces above monitor_metrics_series"
        yield GaugeMetricFamily("waggle_monitor_series_left_out", about, budget.left_out)

    def _services(self, budget: _Budget) -> Iterator[Metric]:
        sums, counts = _Table("service", _VERSION, _SUMS), _Table("service", _VERSION, _COUNTS)
        for tenant in self._reporting.tenants():
            for key, row in self._reporting.versions(tenant).items():
                counts.add(_labels(key), row, budget)
                if row.totals.instances:
                    sums.add(_labels(key), row.totals, budget)
        yield from (*counts.families, *sums.families)

    def _instances(self, budget: _Budget) -> Iterator[Metric]:
        table = _Table("instance", _INSTANCE, _SUMS)
        for one in self._reporters():
            table.add((*_labels(one.key), one.instance_id), one.totals, budget)
        yield from table.families

    def _interfaces(self, budget: _Budget) -> Iterator[Metric]:
        table, second = _Table("interface", (*_INSTANCE, "interface"), _READING), self._reporting.second
        for one in self._reporters():
            if budget.room < len(
                _READING
            ):  # there may be hundreds of thousands: those that find no room are only counted
                budget.left_out += one.count_fresh(second) * len(_READING)
                continue
            for reading in one.fresh(second):
                table.add((*_labels(one.key), one.instance_id, reading.name), reading, budget)
        yield from table.families

    def _reporters(self) -> Iterator[Reporter]:
        for tenant in self._reporting.tenants():
            yield from self._reporting.reporters(tenant)


def _labels(key: VersionKey) -> Sequence[str]:
    return (*key.tenant.split("/", 1), *key[1:])

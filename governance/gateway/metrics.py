"""What a gateway counts. Counting a request is two additions; the form of Prometheus is made when it is asked for."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from governance.invocation.measures import BOUNDS, add_times, no_times

if TYPE_CHECKING:
    from governance.gateway.core import Core
    from governance.gateway.servers import Server
    from governance.gateway.table import Entry
    from governance.routing.lanes import Mark

_MOST_SERIES = 10_000
_LABELS = ("route", "service", "version", "status")
_OTHERS = ("other", "", "", 0)
_OTHER_LANES = ("other", "", "")


class Tally:
    """Requests by route, target and status, and how long they took by route. Both are bounded: what comes later is counted as `other`."""

    def __init__(self) -> None:
        self.requests: dict[tuple[str, str, str, int], int] = {}
        self.seconds: dict[str, list[float]] = {}
        self.lanes: dict[tuple[str, str, str], int] = {}

    def count_lane(self, mark: Mark, entry: Entry | None) -> None:
        """A request has ended that had got a lane."""
        key = mark.group, mark.label, entry.route.service if entry is not None else ""
        if key not in self.lanes and len(self.lanes) >= _MOST_SERIES:
            key = _OTHER_LANES
        self.lanes[key] = self.lanes.get(key, 0) + 1

    def count(self, entry: Entry | None, server: Server | None, status: int, seconds: float) -> None:
        """A request has ended with a status; 499 where the client left before."""
        route = entry.name if entry is not None else ""
        key = (route, "", "", status) if server is None else (route, server.service, server.version, status)
        requests = self.requests
        if key not in requests and len(requests) >= _MOST_SERIES:
            key = _OTHERS
        requests[key] = requests.get(key, 0) + 1
        times = self.seconds.get(route)
        if times is None:
            if len(self.seconds) >= _MOST_SERIES:
                return
            times = self.seconds[route] = no_times()
        times[bisect_left(BOUNDS, seconds)] += 1
        times[-1] += seconds


class GatewayCollector(Collector):
    """The counts of a gateway as metrics."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def collect(self) -> Iterable[Metric]:
        """At each scrape."""
        yield self._requests()
        yield self._lanes()
        yield self._seconds()
        core = self._core
        yield _gauge("gateway_in_flight", "Requests that are being answered", core.in_flight)
        yield _gauge("gateway_clients", "Connections of clients", len(core.clients))
        yield _counter("gateway_unreadable", "Requests that are no HTTP", core.unreadable)
        yield _counter("gateway_refused", "Connections beyond the most", core.refused)
        yield _counter("gateway_log_lines_lost", "Lines of the access log that nobody took", core.access_log.lost)
        yield self._pool()

    def _requests(self) -> Metric:
        family = CounterMetricFamily("gateway_requests", "Requests by route, target and status", labels=_LABELS)
        for (*target, status), count in self._core.tally.requests.items():
            family.add_metric([*map(str, target), str(status)], count)
        return family

    def _lanes(self) -> Metric:
        labels = ("group", "lane", "target")
        family = CounterMetricFamily("gateway_lane_requests", "Requests by the lane that they got", labels=labels)
        for key, count in self._core.tally.lanes.items():
            family.add_metric(key, count)
        return family

    def _seconds(self) -> Metric:
        family = HistogramMetricFamily(
            "gateway_seconds", "Seconds from a request's head to its answer's end", labels=("route",)
        )
        for route, times in self._core.tally.seconds.items():
            add_times(family, (route,), times)
        return family

    def _pool(self) -> Metric:
        labels = ("server", "state")
        family = GaugeMetricFamily("gateway_upstream_connections", "Connections to servers", labels=labels)
        for server, (opened, idle) in self._core.pool.sizes().items():
            family.add_metric((server, "busy"), opened - idle)
            family.add_metric((server, "idle"), idle)
        return family


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(name, text, value=value)

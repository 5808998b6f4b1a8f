"""How many calls a service answers and makes, and how long they take, for Prometheus: in the names that Micrometer has for Spring Boot.

So one dashboard shows a service of either runtime. Counting a call is two additions; the form of Prometheus is made at a scrape.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, TypeAlias

from prometheus_client.core import HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from governance.clock import Clock
from governance.invocation.chain import Proceed
from governance.invocation.invocation import Invocation, Reply
from governance.invocation.measures import BOUNDS, add_times, no_times

MOST_ROWS = 1000
"""Of one histogram; what comes later is counted as `other`."""
OTHER = "other"
UNKNOWN = "UNKNOWN"
IO_ERROR = "IO_ERROR"
_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
_OUTCOMES = {"1": "INFORMATIONAL", "2": "SUCCESS", "3": "REDIRECTION", "4": "CLIENT_ERROR", "5": "SERVER_ERROR"}
Row: TypeAlias = tuple[str, ...]
RowOf: TypeAlias = Callable[[Invocation, int], Row]
"""What a call is counted as, by its status; 0 where there was no answer."""


class CallTimes(Collector):
    """Seconds of calls by what they were and how they ended. The last two of the `labels` are `status` and `outcome`."""

    def __init__(self, name: str, about: str, labels: Sequence[str]) -> None:
        self._name, self._about, self._labels = name, about, (*labels, "status", "outcome")
        self._rows: dict[Row, list[float]] = {}

    def count(self, row: Row, seconds: float) -> None:
        """A call has ended; the row has the status last."""
        times = self._rows.get(row)
        if times is None:
            row = row if len(self._rows) < MOST_ROWS else (OTHER,) * len(row)
            times = self._rows.setdefault(row, no_times())
        times[bisect_left(BOUNDS, seconds)] += 1
        times[-1] += seconds

    def collect(self) -> Iterable[Metric]:
        """At each scrape."""
        family = HistogramMetricFamily(self._name, self._about, labels=self._labels)
        for row, times in self._rows.items():
            add_times(family, (*row, _OUTCOMES.get(row[-1][0], UNKNOWN)), times)
        yield family


class Counted(Protocol):
    """Who counts calls."""

    def count(self, row: Row, seconds: float) -> None:
        """A call has ended."""


class CountingStage:
    """Counts each call that passes; one that a caller gives up is not counted."""

    def __init__(self, times: Counted, row_of: RowOf, clock: Clock = time.monotonic, *, name: str = "metrics") -> None:
        self.name = name
        self._times = times
        self._row_of = row_of
        self._clock = clock

    async def __call__(self, invocation: Invocation, proceed: Proceed) -> Reply:
        """The reply of the call. Raises what it raises."""
        began, status = self._clock(), 0
        try:
            reply = await proceed(invocation)
            status = reply.status
        except Exception:
            self._count(invocation, status, began)
            raise
        self._count(invocation, status, began)
        return reply

    def _count(self, invocation: Invocation, status: int, began: float) -> None:
        self._times.count(self._row_of(invocation, status), self._clock() - began)


def incoming(clock: Clock) -> tuple[CallTimes, CountingStage]:
    """Requests of others: the histogram, and the outermost stage of the way in. What fails is answered by 500."""

    def row(invocation: Invocation, status: int) -> Row:
        return method_of(invocation), invocation.pattern or UNKNOWN, str(status or 500)

    times = CallTimes("http_server_requests_seconds", "Seconds of requests that were answered", ("method", "uri"))
    return times, CountingStage(times, row, clock)


def outgoing(clock: Clock) -> tuple[CallTimes, CountingStage]:
    """Calls to services, each try: the histogram, and a stage that watches."""

    def row(invocation: Invocation, status: int) -> Row:
        version = invocation.target.version if invocation.target is not None else ""
        return method_of(invocation), invocation.service, version, str(status or IO_ERROR)

    labels = ("method", "client_name", "client_version")
    times = CallTimes("http_client_requests_seconds", "Seconds of calls to services, each try", labels)
    return times, CountingStage(times, row, clock)


def method_of(invocation: Invocation) -> str:
    """The method of a call, `other` where it is none of HTTP's."""
    return invocation.request.method if invocation.request.method in _METHODS else OTHER

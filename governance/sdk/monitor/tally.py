"""Calls since the last document, by interface and by the version that was called. Counting a call is a few additions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from governance.clock import Clock
from governance.invocation.invocation import Invocation
from governance.rules.latencies import bucket_of, quantile
from governance.sdk.call_metrics import OTHER, CountingStage, Row, method_of
from governance.sdk.calls import Json

MOST_INTERFACES = 100
"""As many as an engine keeps of an instance by default. Calls of others are counted for the service as a whole."""
_MOST_VERSIONS = 100
_IDLE_DOCUMENTS = 30
"""Documents in which an interface or a version stands without a call before it is left out."""
_Key = TypeVar("_Key")
_QUANTILES = {"l995": 0.995, "l99": 0.99, "l90": 0.9, "l75": 0.75, "l50": 0.5, "l25": 0.25, "l5": 0.05}


@dataclass(slots=True)
class _Calls:
    total: int = 0
    failures: int = 0
    rejected: int = 0
    milliseconds: float = 0.0
    latencies: Counter[int] = field(default_factory=Counter)
    idle: int = 0

    def add(self, status: str, milliseconds: float) -> None:
        self.total += 1
        self.failures += not status.isdigit() or status >= "500"
        self.rejected += status == "429"
        self.milliseconds += milliseconds
        self.latencies[bucket_of(milliseconds)] += 1

    def shown(self, seconds: float) -> Json:
        """As numbers of a document."""
        total = self.total
        return {
            "qps": round(total / seconds, 3),
            "latency": round(self.milliseconds / total, 2) if total else 0,
            "failureRate": round(self.failures / total, 5) if total else 0,
        }

    def quantiles(self, *names: str) -> Json:
        """Percentiles by their names in a document."""
        return {name: round(quantile(self.latencies, _QUANTILES[name]), 2) for name in names}

    def counts(self) -> Json:
        """What a document has of an interface beside these."""
        rate = 1 - self.failures / self.total if self.total else 1
        counts = {"total": self.total, "failure": self.failures, "semaphoreRejected": self.rejected}
        return {**self.quantiles(*_QUANTILES), "rate": round(rate, 5), **counts}


class Tally:
    """Counts for one service."""

    def __init__(self, own: str, app: str, clock: Clock) -> None:
        self._own = own
        self._app = app
        self._clock = clock
        self._since = clock()
        self._interfaces: dict[str, _Calls] = {}
        self._versions: dict[tuple[str, str], _Calls] = {}

    def provided(self) -> CountingStage:
        """The outermost stage of the way in."""
        return CountingStage(self, self._incoming, self._clock, name="monitor")

    def called(self) -> CountingStage:
        """A stage that sees each try of the calls that go out."""
        return CountingStage(self, self._outgoing, self._clock, name="monitor")

    def count(self, row: Row, seconds: float) -> None:
        """A call of an interface has ended; the row has its name, the service and the version that were called, and the status."""
        name, service, version, status = row
        milliseconds = seconds * 1000
        calls = self._interfaces.get(name)
        if calls is None:
            if len(self._interfaces) >= MOST_INTERFACES:
                name = f"Consumer.{OTHER}" if service else f"Provider.{self._own}"
            calls = self._interfaces.setdefault(name, _Calls())
        calls.add(status, milliseconds)
        if version:
            self._count_version((service, version), status, milliseconds)

    def _count_version(self, called: tuple[str, str], status: str, milliseconds: float) -> None:
        if called in self._versions or len(self._versions) < _MOST_VERSIONS:
            self._versions.setdefault(called, _Calls()).add(status, milliseconds)

    def take(self) -> tuple[list[Json], list[Json]]:
        """The interfaces and the called versions, with what was counted since this was asked last."""
        now = self._clock()
        seconds = max(now - self._since, 0.001)
        self._since = now
        interfaces: list[Json] = [
            {"name": name, **one.shown(seconds), **one.counts()} for name, one in _taken(self._interfaces)
        ]
        versions: list[Json] = [
            {"service": service, "version": version, **one.shown(seconds), **one.quantiles("l99")}
            for (service, version), one in _taken(self._versions)
        ]
        return interfaces, versions

    def _incoming(self, invocation: Invocation, status: int) -> Row:
        own, shown = self._own, str(status or 500)
        if invocation.schema:
            return f"Provider.{own}.{invocation.schema}.{invocation.operation}", "", "", shown
        what = f"{method_of(invocation)} {invocation.pattern}" if invocation.pattern else own
        return f"Provider.{what}", "", "", shown

    def _outgoing(self, invocation: Invocation, status: int) -> Row:
        service, app = invocation.service, invocation.app
        service = f"{app}:{service}" if app not in ("", self._app) else service
        operation = f".{invocation.schema}.{invocation.operation}" if invocation.schema else ""
        version = invocation.target.version if invocation.target is not None else ""
        return f"Consumer.{service}{operation}", service, version, str(status) if status else "IO_ERROR"


def _taken(counted: dict[_Key, _Calls]) -> Iterator[tuple[_Key, _Calls]]:
    """What was counted, which begins anew; what has been idle for long goes."""
    for key, calls in list(counted.items()):
        idle = calls.idle + 1 if not calls.total else 0
        if idle > _IDLE_DOCUMENTS:
            del counted[key]
        else:
            counted[key] = _Calls(idle=idle)
            yield key, calls

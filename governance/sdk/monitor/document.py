"""The document: who tells, what the process takes, the interfaces, and which breakers are open."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from governance.clock import Clock
from governance.invocation.measures import Measured
from governance.sdk.calls import Json
from governance.sdk.monitor.tally import MOST_INTERFACES, Tally
from governance.sdk.settings import ServiceSettings

_BREAKERS: Mapping[str, str] = {"circuitBreaker": "Provider.", "instanceIsolation": "Consumer.", "bizkeeper": ""}
"""Kinds of rules that are breakers, and what their names have before them in a document; those of the older keys have it already."""
_OPEN = ("open", "forced_open")
_PAGES = Path("/proc/self/statm")
Processors = Callable[[], Iterator[tuple[str, Measured]]]


class Document:
    """Makes the documents of one instance. `processors` are the states of the rules that it is under."""

    def __init__(
        self, settings: ServiceSettings, instance_id: str, tally: Tally, processors: Processors, clock: Clock
    ) -> None:
        self.processors = processors
        self._tally = tally
        self._clock = clock
        self._began = self._looked = clock()
        self._used = time.process_time()
        self._identity: Json = {
            "appId": settings.app,
            "name": settings.name,
            "version": settings.version,
            "environment": settings.environment,
            "instance": settings.host_name,
            "instanceId": instance_id,
        }

    def make(self, service_id: str) -> Json:
        """The document of now."""
        interfaces, calls = self._tally.take()
        return {
            **self._identity,
            "serviceId": service_id,
            **self._resources(),
            "interfaces": _with_breakers(interfaces, dict(self._breakers())),
            "calls": calls,
        }

    def _resources(self) -> Json:
        now, used = self._clock(), time.process_time()
        share = (used - self._used) / max(now - self._looked, 0.001) / (os.cpu_count() or 1)
        self._looked, self._used = now, used
        return {
            "cpu": round(min(100 * share, 100.0), 2),
            "loadAverage": round(os.getloadavg()[0], 2),
            "threadCount": threading.active_count(),
            "uptime": round((now - self._began) * 1000),
            "memory": {"heapUsed": _resident_bytes()},
        }

    def _breakers(self) -> Iterator[tuple[str, bool]]:
        """Which breakers there are by name, and whether each is open; instances of one policy count together."""
        found: dict[str, bool] = {}
        for key, state in self.processors():
            _, kind, *rest = key.split(".")
            if kind in _BREAKERS:
                name = _BREAKERS[kind] + (".".join(rest) if kind == "bizkeeper" else rest[0])
                found[name] = found.get(name, False) or _is_open(state)
        yield from found.items()


def _with_breakers(interfaces: list[Json], breakers: dict[str, bool]) -> list[Json]:
    """The interfaces with their breakers, and breakers that are of no single interface as rows of their own."""
    rows: list[Json] = [{**one, "circuitBreakerOpen": breakers.pop(str(one["name"]), False)} for one in interfaces]
    rows += [{"name": name, "circuitBreakerOpen": is_open} for name, is_open in breakers.items()]
    return rows[:MOST_INTERFACES]


def _is_open(state: Measured) -> bool:
    return any(bool(measure.value) for measure in state.measures() if measure.labels.get("state") in _OPEN)


def _resident_bytes() -> int:
    """The memory of the process, as far as the system tells it."""
    try:
        return int(_PAGES.read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0

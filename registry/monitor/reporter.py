"""What is kept of one instance: its interfaces as they were told last, their history, and what they come to."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from struct import Struct

from registry.monitor.history import LARGEST_HALF, InstanceHistory, InterfaceHistory
from registry.monitor.names import called_by, is_provided
from registry.monitor.outcomes import VersionKey
from registry.monitor.totals import Totals
from registry.monitor.uploads import LARGEST, Reading, Resources, Told, Upload

_MISSED = 3
"""Intervals without a document after which what an instance told is stale."""
_USUAL_INTERVAL = 10
_LONGEST_INTERVAL = 100
_SHORTEST_INTERVAL = 5
_LATEST = Struct("<fff7fIIIIB")


class Interface:
    """One interface: what was told of it last, packed, and its history."""

    __slots__ = ("_latest", "history", "seen")

    def __init__(self) -> None:
        self.history = InterfaceHistory()
        self.seen = 0
        self._latest = b""

    def add(self, reading: Reading, second: int, kept: int) -> None:
        """Take what was told now."""
        one, quantiles = reading, reading.quantiles
        counts = (one.total, one.failures, one.rejected, one.timeouts)
        self._latest = _LATEST.pack(one.rate, one.latency, one.failure_rate, *quantiles, *counts, one.breaker_open)
        _, p99, p90, _, p50, _, _ = quantiles
        latency, p50, p90, p99 = (min(number, LARGEST_HALF) for number in (one.latency, p50, p90, p99))
        self.history.add(second, kept, one.rate, one.failure_rate, latency, p50, p90, p99, one.breaker_open)
        self.seen = second

    def calls(self) -> tuple[float, float, float, float, bool]:
        """What was told last, as sums need it: rate, latency, failure rate, the latency of 99 of 100 calls, and whether it is open."""
        rate, latency, failure_rate, _, p99, *_, is_open = _LATEST.unpack(self._latest)
        return rate, latency, failure_rate, p99, bool(is_open)

    def latest(self, name: str) -> Reading:
        """What was told last."""
        rate, latency, failure_rate, *rest = _LATEST.unpack(self._latest)
        quantiles, (total, failures, rejected, timeouts, is_open) = rest[:7], rest[7:]
        return Reading(name, rate, latency, quantiles, failure_rate, total, failures, rejected, timeouts, bool(is_open))


class Reporter:
    """One instance. Documents merge: the union of their interfaces by name, of which the newest counts."""

    __slots__ = (
        "_told",
        "calls",
        "history",
        "host",
        "instance_id",
        "interfaces",
        "interval",
        "key",
        "resources",
        "seen",
        "service_id",
        "totals",
    )  # fmt: skip

    def __init__(self, key: VersionKey, service_id: str, instance_id: str) -> None:
        self.key = key
        self.service_id = service_id
        self.instance_id = instance_id
        self.host = ""
        self.seen = 0
        """The second of the newest document."""
        self.interval = _USUAL_INTERVAL
        """Seconds between documents, as far as they show it."""
        self.interfaces: dict[str, Interface] = {}
        self.resources = Resources()
        self.history = InstanceHistory()
        self.totals = Totals()
        """What the interfaces that are not stale come to: those that it serves, or calls where it serves none."""
        self.calls: Sequence[Told] = ()
        """Whom it calls, by service and version; the version is empty where it is not known."""
        self._told: Sequence[Told] | None = None

    @property
    def patience(self) -> int:
        """Seconds after which what it told is stale."""
        return _MISSED * self.interval

    def is_stale(self, second: int) -> bool:
        """Whether it has told nothing for three intervals."""
        return second - self.seen > self.patience

    def add(self, upload: Upload, second: int, kept: int, room: int, known: Callable[[str], bool]) -> int:
        """Take a document; how many interfaces of it found no room. `known` says whether a service of this name is registered."""
        gap = second - self.seen
        if self.seen and gap >= _SHORTEST_INTERVAL - 1:
            self.interval = min(max(gap, _SHORTEST_INTERVAL), _LONGEST_INTERVAL)
        self.seen, self.host, self.resources = second, upload.host, upload.resources
        self._told = upload.calls if upload.calls is not None else self._told
        lost = 0
        for reading in upload.interfaces:
            interface = self.interfaces.get(reading.name)
            if interface is None:
                if room <= 0:
                    lost += 1
                    continue
                room -= 1
                interface = self.interfaces[sys.intern(reading.name)] = Interface()
            interface.add(reading, second, kept)
        self._sum(second, known)
        self._note(second, kept)
        return lost

    def drop_silent(self, second: int, kept: int) -> int:
        """Forget interfaces that were not told of for so many seconds; how many."""
        silent = [name for name, one in self.interfaces.items() if not second - kept < one.seen <= second]
        for name in silent:
            del self.interfaces[name]
        return len(silent)

    def fresh(self, second: int) -> Iterator[Reading]:
        """The interfaces that are not stale."""
        since = second - self.patience
        return (one.latest(name) for name, one in self.interfaces.items() if one.seen >= since)

    def count_fresh(self, second: int) -> int:
        """How many interfaces are not stale."""
        since = second - self.patience
        return sum(one.seen >= since for one in self.interfaces.values())

    def _sum(self, second: int, known: Callable[[str], bool]) -> None:
        served, called, totals = Totals(), dict[str, Totals](), Totals(instances=1)
        serves, since = False, second - self.patience
        for name, interface in self.interfaces.items():
            if interface.seen < since:
                continue
            *measured, is_open = interface.calls()
            totals.breakers_open += is_open
            if is_provided(name, self.key.service):
                serves = True
                served.count(*measured)
            elif service := called_by(name, known):
                called.setdefault(service, Totals()).count(*measured)
        for sums in (served,) if serves else called.values():
            totals.add(sums)
        totals.use(self.resources)
        self.totals = totals
        by_version = self._told or ()
        versioned = {one.service for one in by_version}
        guessed = [
            Told(name, "", sums.rate, sums.latency, sums.failure_rate, sums.p99)
            for name, sums in called.items()
            if name not in versioned
        ]
        self.calls = (*by_version, *guessed)

    def _note(self, second: int, kept: int) -> None:
        one, of = self.totals, self.resources
        self.history.add(
            second,
            kept,
            min(one.rate, LARGEST),
            one.failure_rate,
            min(one.latency, LARGEST_HALF),
            min(one.p99, LARGEST_HALF),
            min(one.breakers_open, 2**16 - 1),
            of.threads,
            of.cpu or 0.0,
            of.memory,
        )

"""What a fleet has seen: how long each call took, what was wrong, and how often a client had to try again."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

_STEP = math.log(1.02)
_LEAST_MS = 0.01
_MOST_ERRORS = 50


@dataclass(slots=True)
class Timing:
    """Milliseconds of very many calls, each to within two in a hundred."""

    buckets: Counter[int] = field(default_factory=Counter)
    count: int = 0
    most: float = 0.0

    def add(self, milliseconds: float) -> None:
        """Count one."""
        self.count += 1
        self.most = max(self.most, milliseconds)
        self.buckets[int(math.log(max(milliseconds, _LEAST_MS) / _LEAST_MS) / _STEP)] += 1

    def share(self, of: float) -> float:
        """The time that so large a share of the calls did not exceed."""
        left = of * self.count
        for bucket in sorted(self.buckets):
            left -= self.buckets[bucket]
            if left <= 0:
                return min(_LEAST_MS * math.exp((bucket + 1) * _STEP), self.most)
        return self.most


@dataclass(frozen=True, slots=True)
class Moment:
    """The engine and the fleet after so many seconds: processor time as a share of one core since the moment before, MiB of memory."""

    at: float
    calls: int
    engine_cpu: float
    engine_mib: float
    fleet_cpu: float


@dataclass(slots=True)
class Restart:
    """An end of the engine and its next start, in seconds: when it began, how long nobody listened, and when the last client failed."""

    how: str
    at: float
    away: float = 0.0
    last_retry: float = 0.0
    retries: int = 0


@dataclass(slots=True)
class Figures:
    """Everything that is shown of a run. `retries` are by call and reason; they may come until `settled` seconds after a start."""

    settled: float
    started: float = field(default_factory=time.perf_counter)
    timings: dict[str, Timing] = field(default_factory=dict)
    retries: Counter[tuple[str, str]] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)
    error_count: int = 0
    moments: list[Moment] = field(default_factory=list)
    restarts: list[Restart] = field(default_factory=list)
    events: int = 0
    registered_again: int = 0
    delays: Timing = field(default_factory=Timing)
    running_since: float = -math.inf

    @property
    def now(self) -> float:
        """Seconds since the run began."""
        return time.perf_counter() - self.started

    @property
    def calls(self) -> int:
        """How many calls were answered."""
        return sum(timing.count for timing in self.timings.values())

    def answered(self, call: str, milliseconds: float) -> None:
        """Count a good answer."""
        timing = self.timings.get(call)
        if timing is None:
            timing = self.timings[call] = Timing()
        timing.add(milliseconds)

    def retried(self, call: str, reason: str) -> None:
        """Count a call without an answer, which its client makes again; it is an error where the engine has been running for a while."""
        self.retries[call, reason] += 1
        if self.now - self.running_since > self.settled:
            self.wrong(f"{call}: {reason}, and the engine was running")
        elif self.restarts:
            self.restarts[-1].retries += 1
            self.restarts[-1].last_retry = self.now - self.restarts[-1].at

    def wrong(self, text: str) -> None:
        """Note what no client should have seen."""
        self.error_count += 1
        if len(self.errors) < _MOST_ERRORS:
            self.errors.append(f"after {self.now:.1f} s: {text}")

    def rows(self) -> Sequence[tuple[str, Timing]]:
        """The calls by name."""
        return sorted(self.timings.items())

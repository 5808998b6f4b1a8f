"""What became of calls, as sums that can be added up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from governance.rules.latencies import quantile


class VersionKey(NamedTuple):
    """One version of a service: whom calls went to, or who reports."""

    tenant: str
    app: str
    environment: str
    service: str
    version: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one consumer tells of its calls to one version: how many, how many failed, and how long they took.

    `milliseconds` is the sum, `latencies` the number of calls by `governance.rules.latencies.bucket_of`.
    """

    service: str
    version: str
    calls: int
    failures: int
    milliseconds: int
    latencies: Mapping[int, int]


@dataclass(slots=True)
class Sums:
    """What became of calls of several consumers."""

    calls: int = 0
    failures: int = 0
    milliseconds: int = 0
    latencies: Counter[int] = field(default_factory=Counter)

    def add(self, other: Outcome | Sums) -> None:
        """Count these calls, too."""
        self.calls += other.calls
        self.failures += other.failures
        self.milliseconds += other.milliseconds
        self.latencies.update(other.latencies)

    def take_away(self, other: Sums) -> None:
        """Count these calls, which were counted before, no more."""
        self.calls -= other.calls
        self.failures -= other.failures
        self.milliseconds -= other.milliseconds
        self.latencies -= other.latencies

    @property
    def error_rate(self) -> float:
        """The failures in percent."""
        return 100 * self.failures / self.calls if self.calls else 0.0

    @property
    def mean(self) -> float:
        """Milliseconds of a call."""
        return self.milliseconds / self.calls if self.calls else 0.0

    @property
    def p99(self) -> float:
        """The milliseconds within which 99 of 100 calls were answered."""
        return quantile(self.latencies, 0.99)

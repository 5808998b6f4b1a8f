"""What one instance uploads for dashboards: documents as clients write them, with the mistakes that they are known for put right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

LARGEST = 1e9
"""Of rates and latencies; what is more is told as that."""
LARGEST_COUNT = 2**32 - 1
MOST_CPU = 100.0
"""Percent of all cores. The first sample of a Java process says anything at all."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One interface in a document: calls a second, milliseconds, the share of calls that failed, and what was counted in its window.

    Numbers are from 0 to `LARGEST`, counts to `LARGEST_COUNT`. `quantiles` are the milliseconds of 99.5, 99, 90, 75, 50, 25 and 5 of 100
    calls, 0 where the client does not know them.
    """

    name: str
    rate: float
    latency: float
    quantiles: Sequence[float]
    failure_rate: float
    total: int
    failures: int
    rejected: int
    timeouts: int
    breaker_open: bool


@dataclass(frozen=True, slots=True)
class Told:
    """Calls to one version of a service, by version where a client tells it: a second, mean milliseconds, the share that failed."""

    service: str
    version: str
    rate: float
    latency: float
    failure_rate: float
    p99: float = 0.0


@dataclass(frozen=True, slots=True)
class Resources:
    """What a process takes: threads, percent of all cores (none where that is not told), bytes, and milliseconds since its start."""

    threads: int = 0
    cpu: float | None = None
    memory: int = 0
    memory_limit: int = 0
    load: float | None = None
    uptime: int = 0


@dataclass(frozen=True, slots=True)
class Upload:
    """One document. `calls` is none where the client does not tell calls by version."""

    service_id: str
    instance_id: str
    host: str
    resources: Resources
    interfaces: Sequence[Reading]
    calls: Sequence[Told] | None = None


def share_of_failures(rate: float, failures: float, total: float) -> float:
    """The share of calls that failed, of a `failureRate` that clients mean differently.

    It is a share; or, where no failures are counted beside it, as Hystrix' bridge does it, their number.
    """
    if rate and not failures and rate == int(rate) and total:
        failures = rate
    elif 0 <= rate <= 1:
        return rate
    return max(min(failures, total), 0.0) / total if total > 0 else 0.0


def plausible(cpu: float) -> float | None:
    """The percent of all cores, if it can be."""
    return cpu if 0 <= cpu <= MOST_CPU else None

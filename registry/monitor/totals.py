"""Sums over interfaces and instances."""

from __future__ import annotations

from dataclasses import dataclass

from registry.monitor.uploads import Resources


@dataclass(slots=True)
class Totals:
    """What several interfaces or instances come to. A mean weighs each by its rate; a percentile cannot be summed, so the worst stands."""

    rate: float = 0.0
    took: float = 0.0
    """Milliseconds of all calls of a second."""
    failing: float = 0.0
    """Calls of a second that fail."""
    p99: float = 0.0
    breakers_open: int = 0
    threads: int = 0
    cpu: float = 0.0
    memory: int = 0
    instances: int = 0

    def count(self, rate: float, latency: float, failure_rate: float, p99: float = 0.0) -> None:
        """Add calls."""
        self.rate += rate
        self.took += rate * latency
        self.failing += rate * failure_rate
        self.p99 = max(self.p99, p99) if rate else self.p99

    def use(self, resources: Resources) -> None:
        """Add what one process takes."""
        self.threads += resources.threads
        self.cpu += resources.cpu or 0.0
        self.memory += resources.memory

    def add(self, other: Totals) -> None:
        """Add these sums."""
        self.rate += other.rate
        self.took += other.took
        self.failing += other.failing
        self.p99 = max(self.p99, other.p99)
        self.breakers_open += other.breakers_open
        self.threads += other.threads
        self.cpu += other.cpu
        self.memory += other.memory
        self.instances += other.instances

    @property
    def latency(self) -> float:
        """Mean milliseconds of a call."""
        return self.took / self.rate if self.rate else 0.0

    @property
    def failure_rate(self) -> float:
        """The share of calls that fail."""
        return self.failing / self.rate if self.rate else 0.0

"""What a real Service Center and a real KIE reach on a machine like ours, and what the engine is to reach.

Service Center 2.2 and KIE (commit fcacc0d) with etcd 3.4 on 2 cores, wrk with one thread and 10 connections, 32 for KIE's creates,
median of three. One write to 1,000 long polls of KIE reached half of them after 0.99 s and the last after 1.81 s.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.results import LoadFigure


@dataclass(frozen=True, slots=True)
class Goal:
    """`rate` and `p99_ms` are the reference's; the engine is to be `times` as fast, with a p99 under `bound_ms`."""

    bound_ms: float
    rate: float | None = None
    p99_ms: float | None = None
    times: int = 0

    def multiple(self, figure: LoadFigure) -> float | None:
        """How many times the reference's rate a figure is."""
        return figure.rate / self.rate if figure.rate is not None and self.rate is not None else None

    def reached(self, figure: LoadFigure) -> bool:
        """Whether a figure is what it is to be."""
        multiple = self.multiple(figure)
        fast = self.rate is None or (multiple is not None and multiple >= self.times)
        return fast and figure.p99_ms is not None and figure.p99_ms < self.bound_ms

    def __str__(self) -> str:
        bound = f"p99 < {self.bound_ms:g} ms"
        return f"{self.times}x, {bound}" if self.times else bound


GOALS: Mapping[str, Goal] = {
    "heartbeat": Goal(2, 21_200, 11, 3),
    "heartbeats": Goal(2),
    "heartbeat-token": Goal(2),
    "find-1": Goal(2, 26_000, 7.9, 3),
    "find-100": Goal(2, 11_200, 8.2, 5),
    "find-1000": Goal(2, 2_200, 31, 5),
    "find-unchanged": Goal(2),
    "register-again": Goal(10, 3_600, 8.9, 3),
    "register-new": Goal(10, 1_040, 25, 5),
    "watch-push": Goal(20),
    "config-list": Goal(5, 2_900, 13, 5),
    "config-unchanged": Goal(5),
    "config-create": Goal(50, 830, None, 5),
    "config-poll-1000": Goal(100),
    "config-poll-5000": Goal(500),
}

"""Who calls whom, as consumers told in their reports of outcomes: for those that upload no document."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import NamedTuple

from registry.monitor.monitor import KEPT_SECONDS, Window
from registry.monitor.outcomes import Outcome, Sums

MOST_PAIRS = 20_000
"""Pairs of an instance and a version that it calls. The one that was not told of for longest goes first."""


class Pair(NamedTuple):
    """An instance, and the version of a service that it calls."""

    tenant: str
    service_id: str
    instance_id: str
    service: str
    version: str


class ToldCalls:
    """Calls of the last minute by consumer."""

    def __init__(self) -> None:
        self._windows: OrderedDict[Pair, Window] = OrderedDict()
        self.reports = 0
        """Reports that counted; it says whether there is anything new."""

    def count(self, pair: Pair, outcome: Outcome, second: int) -> None:
        """Add what a consumer told of a version."""
        window = self._windows.setdefault(pair, Window())
        self._windows.move_to_end(pair)
        if len(self._windows) > MOST_PAIRS:
            self._windows.popitem(last=False)
        window.recent(second)
        window.add(outcome, second)
        self.reports += 1

    def recent(self, tenant: str, second: int) -> Iterator[tuple[Pair, Sums]]:
        """The calls of a tenant's consumers in the last minute, by pair."""
        for pair, window in list(self._windows.items()):
            sums = window.recent(second)
            if not sums.calls:
                del self._windows[pair]
            elif pair.tenant == tenant:
                yield pair, sums


def rate_of(sums: Sums) -> float:
    """Calls of a second, on average of the minute that is kept."""
    return sums.calls / KEPT_SECONDS

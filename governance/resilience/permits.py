"""How many calls a limit lets through: cycles of one length, counted from when it began, each with the same number of permits.

A call takes a permit of this cycle, or, where none is left, reserves the first one of a later cycle, if it would not wait for that too
long. What a cycle does not use is lost. A permit that is given back before the end of its cycle can be taken again: no cycle ever lets
more calls through than its number.
"""

from __future__ import annotations

from typing import NamedTuple


class Permit(NamedTuple):
    """Leave for one call. `wait` is in seconds: how long it is until the cycle begins."""

    cycle: int
    wait: float


class Permits:
    """The permits of one limit. `period` is the length of a cycle in seconds; `now`, everywhere, seconds of one clock."""

    def __init__(self, rate: int, period: float, now: float) -> None:
        self._rate = rate
        self._period = period
        self._begin = now
        self._cycle = 0
        self._taken: dict[int, int] = {}
        self._earliest = 0
        """No cycle from this one back to the current one has a permit, except perhaps this one itself."""

    def take(self, now: float, timeout: float) -> Permit | None:
        """A permit that is valid within `timeout` seconds; None where there is none."""
        self._go_on(now)
        while self._taken.get(self._earliest, 0) >= self._rate:
            self._earliest += 1
        cycle = self._earliest
        wait = 0.0 if cycle == self._cycle else self._begin + cycle * self._period - now
        if wait > timeout:
            return None
        self._taken[cycle] = self._taken.get(cycle, 0) + 1
        return Permit(cycle, max(wait, 0.0))

    def give_back(self, permit: Permit, now: float) -> None:
        """The call is not made after all. A permit of a cycle that is over is of no use to anyone."""
        self._go_on(now)
        if permit.cycle >= self._cycle:
            self._taken[permit.cycle] -= 1
            self._earliest = min(self._earliest, permit.cycle)

    def available(self, now: float) -> int:
        """Permits of this cycle that are left; below zero, how many of later ones are taken."""
        self._go_on(now)
        return self._rate - sum(self._taken.values())

    def _go_on(self, now: float) -> None:
        cycle = int((now - self._begin) // self._period)
        if cycle <= self._cycle:
            return
        gone = range(self._cycle, cycle)
        for over in gone if len(gone) < len(self._taken) else [one for one in self._taken if one < cycle]:
            self._taken.pop(over, None)
        self._cycle = cycle
        self._earliest = max(self._earliest, cycle)

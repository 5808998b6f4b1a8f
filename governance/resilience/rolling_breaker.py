"""The breaker of the older keys, without I/O: seconds are an argument and never go back (governance.md 3.1).

    closed ──[calls of the last 10 s ≥ volume, and errors among them ≥ threshold %]──► open
    open   ──[sleep window over, at the next call]──► open, with that call as its trial; all others are refused
    trial succeeds ──► closed, with nothing counted yet
    trial fails ──► open, for a whole sleep window again
    trial is given up ──► open, and the next call is the trial

Calls that were let through before it opened count no more once they end.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum, auto

BUCKETS = 10
"""Seconds of the window, each with counts of its own."""


class Admission(Enum):
    """How a call is let through, if it is."""

    CLOSED = auto()
    TRIAL = auto()
    REFUSED = auto()


class Outcome(Enum):
    """How a call ended. One that was given up says nothing of the callee."""

    SUCCESS = auto()
    ERROR = auto()
    GIVEN_UP = auto()


@dataclass(frozen=True, slots=True)
class BreakerRule:
    """Percent, calls in the window, and milliseconds. Forced open counts before forced closed, and neither where it is not enabled."""

    enabled: bool = True
    force_open: bool = False
    force_closed: bool = False
    sleep_window: int = 15_000
    request_volume: int = 20
    error_threshold: int = 50


class RollingCounts:
    """Calls and errors of the last ten seconds, by the second."""

    def __init__(self) -> None:
        self._seconds: deque[list[int]] = deque()
        self.calls = 0
        self.errors = 0

    def record(self, now: float, *, error: bool) -> None:
        """Count a call that ends now."""
        self.forget(now)
        second = int(now)
        if not self._seconds or self._seconds[-1][0] != second:
            self._seconds.append([second, 0, 0])
        newest = self._seconds[-1]
        newest[1] += 1
        newest[2] += error
        self.calls += 1
        self.errors += error

    def forget(self, now: float) -> None:
        """What is older than the window counts no more."""
        while self._seconds and self._seconds[0][0] <= int(now) - BUCKETS:
            _, calls, errors = self._seconds.popleft()
            self.calls -= calls
            self.errors -= errors

    def clear(self) -> None:
        """Begin anew."""
        self._seconds.clear()
        self.calls = self.errors = 0


class RollingBreaker:
    """Every admission that is not REFUSED must be left with an outcome, else a trial keeps all others out."""

    def __init__(self, rule: BreakerRule) -> None:
        self._rule = rule
        self._counts = RollingCounts()
        self._opened: float | None = None
        self._trying = False

    @property
    def is_open(self) -> bool:
        """Whether calls are refused, but for a trial."""
        return self._opened is not None or self._is_forced_open

    def enter(self, now: float) -> Admission:
        """Ask to call."""
        if self._is_forced_open:
            return Admission.REFUSED
        if self._opened is None:
            return Admission.CLOSED
        if self._trying or now - self._opened < self._rule.sleep_window / 1000:
            return Admission.REFUSED
        self._trying = True
        return Admission.TRIAL

    def leave(self, admission: Admission, outcome: Outcome, now: float) -> None:
        """A call that was let through has ended."""
        if admission is Admission.TRIAL:
            self._judge(outcome, now)
        elif outcome is not Outcome.GIVEN_UP and self._opened is None:
            self._counts.record(now, error=outcome is Outcome.ERROR)
            if self._is_bad():
                self._opened = now

    def turned_away(self, now: float) -> None:
        """A call found no place: that is an error, too."""
        self.leave(Admission.CLOSED, Outcome.ERROR, now)

    def error_rate(self, now: float) -> float:
        """Percent of the calls in the window; -1 while they are too few to tell."""
        self._counts.forget(now)
        calls = self._counts.calls
        return self._counts.errors * 100 / calls if calls and calls >= self._rule.request_volume else -1.0

    def _judge(self, outcome: Outcome, now: float) -> None:
        self._trying = False
        if outcome is Outcome.SUCCESS:
            self._opened = None
            self._counts.clear()
        elif outcome is Outcome.ERROR:
            self._opened = now

    def _is_bad(self) -> bool:
        counts, rule = self._counts, self._rule
        bad = counts.errors * 100 >= rule.error_threshold * counts.calls
        return rule.enabled and not rule.force_closed and bad and counts.calls >= rule.request_volume

    @property
    def _is_forced_open(self) -> bool:
        return self._rule.enabled and self._rule.force_open

"""Whether the older isolation puts an instance aside, without I/O: seconds are an argument and never go back (governance.md 3.5).

    in use ──[failures in a row, or their share in the window, reach a threshold]──► aside
    aside  ──[single_test seconds without a call]──► a trial is due; it fails: aside as before
    aside  ──[a call succeeds, and both are below their thresholds again]──► in use, once min_isolation seconds are over

While it is aside failures are not counted: they are what it is aside for.
"""

from __future__ import annotations

from dataclasses import dataclass

WINDOW = 60.0
"""Seconds after which the share of failures is counted anew."""
EXPIRED = 300.0
"""Seconds without a call after which an instance is taken for gone, if no trial was due in them."""


@dataclass(frozen=True, slots=True)
class HealthRule:
    """Percent of at least so many calls, failures in a row (either is off at zero), and seconds."""

    error_threshold: int = 0
    request_threshold: int = 5
    in_a_row: int = 5
    single_test: float = 60.0
    longest_trial: float = 60.0
    min_isolation: float = 3.0
    recovers_at_once: bool = True


class InstanceHealth:
    """What became of the calls of one instance."""

    def __init__(self, rule: HealthRule) -> None:
        self._rule = rule
        self._window = 0.0
        self._last = 0.0
        self._aside: float | None = None
        self.calls = 0
        self.failures = 0
        self._in_a_row = 0

    def record(self, now: float, *, failed: bool) -> None:
        """A call has ended."""
        self._last = now
        if failed and self._aside is not None:
            return
        if now - self._window > WINDOW:
            self._window, self.calls, self.failures = now, 0, 0
        self.calls += 1
        self.failures += failed
        self._in_a_row = self._in_a_row + 1 if failed else 0
        if self._aside is None:
            self._aside = now if self._is_bad() else None
        elif self._rule.recovers_at_once:
            self.calls, self.failures = 1, 0

    def is_aside(self, now: float) -> bool:
        """Whether it is put aside."""
        if self._aside is None:
            return False
        if not self._is_bad() and now - self._aside > self._rule.min_isolation:
            self._aside = None
        return self._aside is not None

    def trial_is_due(self, now: float) -> bool:
        """Whether one that is aside may be called, to see how it is."""
        return self._is_bad() and now - self._last > self._rule.single_test

    def is_gone(self, now: float) -> bool:
        """Whether nobody calls it any more."""
        return now - self._last > max(EXPIRED, 2 * self._rule.single_test)

    def _is_bad(self) -> bool:
        rule = self._rule
        in_a_row = 0 < rule.in_a_row <= self._in_a_row
        enough = rule.error_threshold > 0 and self.calls >= rule.request_threshold
        return in_a_row or (enough and self.failures * 100 >= rule.error_threshold * self.calls)

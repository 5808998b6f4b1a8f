"""The outcomes of the last minute, summed over all consumers."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from registry.monitor.outcomes import Outcome, Sums, VersionKey

KEPT_SECONDS = 60
MOST_CALLEES = 1000
"""Versions whose outcomes are kept. The one that was not told of for longest goes first."""
MOST_REPORTERS = 20_000
"""Consumers whose reports are told apart."""
_REMEMBERED = 64
"""Reports of one consumer, up to its newest, of which a second arrival is noticed; one that is older counts as such."""


@dataclass(slots=True)
class _Seen:
    """The newest report of a consumer, and which of those before it came: a bit each, the newest one's the lowest."""

    newest: int = 0
    bits: int = 0

    def add(self, number: int) -> bool:
        """Note a report; whether it is the first time that it comes."""
        ahead = number - self.newest
        if ahead > 0:
            self.bits = (self.bits << min(ahead, _REMEMBERED) | 1) & (1 << _REMEMBERED) - 1
            self.newest = number
            return True
        if -ahead >= _REMEMBERED or self.bits >> -ahead & 1:
            return False
        self.bits |= 1 << -ahead
        return True


class Window:
    """The calls to one version by the second that they were told in, and their sum, which is kept ready: it is asked at each report."""

    def __init__(self) -> None:
        self._slots: dict[int, Sums] = {}
        self._total = Sums()

    def add(self, outcome: Outcome, second: int) -> None:
        """Count calls that were told now."""
        slot = self._slots.get(second)
        if slot is None:
            slot = self._slots[second] = Sums()
        slot.add(outcome)
        self._total.add(outcome)

    def recent(self, second: int) -> Sums:
        """The sum of the last minute. Where the clock was set back, what was told in its future is forgotten, too."""
        for old in [one for one in self._slots if not second - KEPT_SECONDS < one <= second]:
            self._total.take_away(self._slots.pop(old))
        return self._total


class Monitor:
    """What consumers reported. Seconds are those of the engine's clock when a report came in."""

    def __init__(self) -> None:
        self._seen: OrderedDict[str, _Seen] = OrderedDict()
        self._kept: OrderedDict[VersionKey, Window] = OrderedDict()
        self.reports = 0
        """Reports that counted."""
        self.repeats = 0
        """Reports that had come before."""
        self.calls = 0
        """Calls that were told of."""

    def is_new(self, reporter: str, number: int) -> bool:
        """Note that a report came in; whether it did for the first time. Numbers begin at 1 and grow."""
        seen = self._seen.setdefault(reporter, _Seen())
        self._seen.move_to_end(reporter)
        if len(self._seen) > MOST_REPORTERS:
            self._seen.popitem(last=False)
        new = seen.add(number)
        self.reports += new
        self.repeats += not new
        return new

    def count(self, callee: VersionKey, outcome: Outcome, second: int) -> None:
        """Add what a report tells of a version."""
        window = self._kept.setdefault(callee, Window())
        self._kept.move_to_end(callee)
        if len(self._kept) > MOST_CALLEES:
            self._kept.popitem(last=False)
        window.recent(second)
        window.add(outcome, second)
        self.calls += outcome.calls

    def recent(self, callee: VersionKey, second: int) -> Sums:
        """What was told of a version in the last minute, to be read now: it goes on to change."""
        window = self._kept.get(callee)
        return window.recent(second) if window is not None else Sums()

    def forget(self, callee: VersionKey) -> None:
        """What was told of a version so far does not count any more."""
        self._kept.pop(callee, None)

    @property
    def callees(self) -> int:
        """Versions that something is kept of."""
        return len(self._kept)

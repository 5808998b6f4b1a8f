"""The latest calls and how they went: of so many calls, or of so many seconds. A record costs the same however long the window is."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Protocol


@dataclass(slots=True)
class Tally:
    """Calls, and how many of them failed, were slow, and were both."""

    calls: int = 0
    failed: int = 0
    slow: int = 0
    slow_failed: int = 0

    def count(self, *, failed: bool, slow: bool, times: int = 1) -> None:
        """A call went so; with -1 times, one that did is forgotten."""
        self.calls += times
        self.failed += times * failed
        self.slow += times * slow
        self.slow_failed += times * (failed and slow)

    def forget(self, other: Tally) -> None:
        """All of these calls are forgotten."""
        self.calls -= other.calls
        self.failed -= other.failed
        self.slow -= other.slow
        self.slow_failed -= other.slow_failed


class Window(Protocol):
    """The latest calls. `now` is seconds of one clock."""

    def record(self, now: float, *, failed: bool, slow: bool) -> None:
        """A call has ended."""

    def tally(self, now: float) -> Tally:
        """The calls that are in the window now; to look at, not to keep."""


class CountWindow:
    """The last `size` calls: a ring, a byte a call, that grows only as far as calls come."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._ring = bytearray()
        self._oldest = 0
        self._tally = Tally()

    def record(self, now: float, *, failed: bool, slow: bool) -> None:
        """A call has ended."""
        went = failed | slow << 1
        if len(self._ring) < self._size:
            self._ring.append(went)
        else:
            before = self._ring[self._oldest]
            self._tally.count(failed=bool(before & 1), slow=bool(before & 2), times=-1)
            self._ring[self._oldest] = went
            self._oldest = (self._oldest + 1) % self._size
        self._tally.count(failed=failed, slow=slow)

    def tally(self, now: float) -> Tally:
        """The calls that are in the window now; to look at, not to keep."""
        return self._tally


class TimeWindow:
    """The last `size` seconds, this one included that has only begun: a bucket for each second that had a call."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._buckets: deque[tuple[int, Tally]] = deque()
        self._tally = Tally()

    def record(self, now: float, *, failed: bool, slow: bool) -> None:
        """A call has ended."""
        second = int(now)
        self._go_on(second)
        if not self._buckets or self._buckets[-1][0] != second:
            self._buckets.append((second, Tally()))
        self._buckets[-1][1].count(failed=failed, slow=slow)
        self._tally.count(failed=failed, slow=slow)

    def tally(self, now: float) -> Tally:
        """The calls that are in the window now; to look at, not to keep."""
        self._go_on(int(now))
        return self._tally

    def _go_on(self, second: int) -> None:
        while self._buckets and self._buckets[0][0] <= second - self._size:
            self._tally.forget(self._buckets.popleft()[1])

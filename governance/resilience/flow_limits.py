"""The limits of the older flow control, without I/O: seconds are an argument and never go back (governance.md 3.3)."""

from __future__ import annotations

from typing import Protocol

WINDOW = 1.0
"""Seconds of a fixed window."""


class FlowLimit(Protocol):
    """So many calls a second."""

    def admits(self, now: float) -> bool:
        """Whether a call may go on; it is counted then."""

    def available(self, now: float) -> int:
        """How many calls may go on at once."""


class FixedWindow:
    """A window begins with the first call after the one before it is over, and lets `limit` calls through. Zero lets none."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._begun: float | None = None
        self._count = 0

    def admits(self, now: float) -> bool:
        """Whether a call may go on; it is counted then."""
        if self._over(now):
            self._begun, self._count = now, 0
        if self._count >= self._limit:
            return False
        self._count += 1
        return True

    def available(self, now: float) -> int:
        """How many calls may go on at once."""
        return self._limit if self._over(now) else self._limit - self._count

    def _over(self, now: float) -> bool:
        return self._begun is None or now - self._begun > WINDOW


class Bucket:
    """Calls fill a bucket that leaks `limit` calls a second; one that would make it run over is refused.

    Seen from the other side that is a bucket of tokens, which begins full: both strategies decide alike.
    """

    def __init__(self, limit: int, size: int) -> None:
        self._limit = limit
        self._size = size
        self._level = 0.0
        self._at = 0.0

    def admits(self, now: float) -> bool:
        """Whether a call may go on; it is counted then."""
        self._level, self._at = self._leaked(now), now
        if self._level + 1 > self._size:
            return False
        self._level += 1
        return True

    def available(self, now: float) -> int:
        """How many calls may go on at once."""
        return int(self._size - self._leaked(now))

    def _leaked(self, now: float) -> float:
        return max(0.0, self._level - (now - self._at) * self._limit)

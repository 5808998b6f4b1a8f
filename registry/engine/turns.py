"""Who may go next, where only one may: a crowd at one place keeps nobody waiting who comes from another."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator


class _Line:
    """Those who wait at one place."""

    __slots__ = ("first", "waiting")

    def __init__(self) -> None:
        self.first = asyncio.Lock()
        self.waiting = 0


class Turns:
    """One at a time. Places take turns, and at each the first who came goes first: one waits for the places, not for all who wait there."""

    def __init__(self) -> None:
        self._one = asyncio.Semaphore(1)
        self._lines: dict[str, _Line] = {}

    @contextlib.asynccontextmanager
    async def turn(self, place: str) -> AsyncIterator[None]:
        """Wait for one's turn, and have it within the block."""
        line = self._lines.setdefault(place, _Line())
        line.waiting += 1
        try:
            async with line.first, self._one:
                yield
        finally:
            line.waiting -= 1
            if not line.waiting:
                del self._lines[place]

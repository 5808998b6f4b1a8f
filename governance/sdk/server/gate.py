"""The gate of a service: it counts who is inside, and closes when the service leaves."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator

from governance.invocation.invocation import LocalReply

SHUTTING_DOWN = LocalReply(503, "application is shutting down", by="shutdown")
"""What is said to who comes when the gate is closed."""


class Gate:
    """Open until `close` is called. `closed` says that nobody new comes in, and that connections end with the answer they wait for."""

    def __init__(self) -> None:
        self.closed = False
        self._inside = 0
        self._empty = asyncio.Event()
        self._empty.set()

    @property
    def inside(self) -> int:
        """How many requests are being handled."""
        return self._inside

    @contextlib.contextmanager
    def passed(self) -> Iterator[None]:
        """Within the block, a request is inside."""
        self._inside += 1
        self._empty.clear()
        try:
            yield
        finally:
            self._inside -= 1
            if not self._inside:
                self._empty.set()

    async def close(self, seconds: float) -> bool:
        """Let nobody in any more, and wait so long for those inside to leave; whether all have."""
        self.closed = True
        try:
            async with asyncio.timeout(seconds):
                await self._empty.wait()
        except TimeoutError:
            return False
        return True

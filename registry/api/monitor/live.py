"""Live data as server-sent events: one frame whenever new data came, once a second at most, made once for all who listen."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import orjson
from aiohttp import web

from registry.api.call import Call
from registry.api.events import served
from registry.api.monitor.views import frame
from registry.engine.reporting import Reporting
from registry.errors import RegistryError

_QUIET = 10
"""Seconds after which a frame is made although nothing came: what was told before becomes stale."""


class LiveStreams:
    """Open streams of live data, at most `limit` of them. A client that is slow misses frames, never the newest."""

    def __init__(self, reporting: Reporting, limit: int) -> None:
        self._reporting = reporting
        self._limit = limit
        self._open: dict[str, set[_Listener]] = {}
        self._state: object = None
        self._made = 0
        self._stopping = False
        self.on_news: list[Callable[[], None]] = []
        """Called when there is anything new, once a second at most."""
        self.frames = 0
        """Frames that were made."""

    @property
    def count(self) -> int:
        """How many streams are open."""
        return sum(map(len, self._open.values()))

    async def listen(self, call: Call) -> web.StreamResponse:
        """Send a client the newest frame now, and each that follows. Raises 400100 where there are too many."""
        if self.count >= self._limit:
            raise RegistryError(400100, f"no quota to stream live data, max num is {self._limit}")
        tenant, listener = call.tenant, _Listener()
        listeners = self._open.setdefault(tenant, set())
        listeners.add(listener)
        listener.take(self._frame(tenant))
        try:
            return await served(call, listener, lambda: not self._stopping)
        finally:
            listeners.discard(listener)
            if not listeners and self._open.get(tenant) is listeners:
                del self._open[tenant]

    def tick(self) -> None:
        """If there is anything new, say so, and make a frame for each tenant that somebody listens to."""
        second = self._reporting.second
        state = (*self._reporting.state, second // _QUIET)
        if second == self._made or state == self._state:
            return
        self._made, self._state = second, state
        for tell in self.on_news:
            tell()
        for tenant, listeners in self._open.items():
            made = self._frame(tenant)
            for listener in listeners:
                listener.take(made)

    def _frame(self, tenant: str) -> bytes:
        self.frames += 1
        reporting = self._reporting
        rows = sorted(reporting.versions(tenant).values(), key=lambda row: row.key)
        told: Mapping[str, object] = frame((row for row in rows if row.totals.instances), reporting.edges(tenant))
        return b"event: monitor\ndata: " + orjson.dumps({"at": reporting.second * 1000, **told}) + b"\n\n"

    def close(self) -> None:
        """End all streams."""
        self._stopping = True
        for listeners in self._open.values():
            for listener in listeners:
                listener.filled.set()


class _Listener:
    """One client, and the newest frame that it has not been sent."""

    def __init__(self) -> None:
        self.filled = asyncio.Event()
        self._frame = b""

    def take(self, made: bytes) -> None:
        """Keep a frame in the place of the one before."""
        self._frame = made
        self.filled.set()

    def empty(self) -> bytes:
        """What is to be sent now."""
        made, self._frame = self._frame, b""
        self.filled.clear()
        return made

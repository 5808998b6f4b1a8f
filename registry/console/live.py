"""What changed, told to open pages as topics: they ask for what they show of it anew, as who they are. No contents pass here."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Sequence

from aiohttp import web

from registry.api.call import EVENTS_TYPE, Reply
from registry.api.connection import HotProtocol
from registry.api.gate import common_headers
from registry.console.view import View
from registry.engine import Engine
from registry.engine.stream import Notice
from registry.errors import RegistryError
from registry.ledger import Change

_KEEP_ALIVE = 15.0
_PACE = 0.4
"""Seconds between two frames to one page: many changes at once are one."""
_TOPICS = {
    "service": "services",
    "instance": "services",
    "schema": "services",
    "kv": "config",
    "config": "config",
    "release": "config",
    "account": "access",
    "role": "access",
    "signing-key": "access",
    "access": "access",
    "alarm": "alarms",
    "alarm-rule": "alarms",
    "alarm-silence": "alarms",
    "alarm-webhook": "alarms",
    "gray": "config",
}
"""What a change is about, by the beginning of its path in the journal or of a notice's name."""


class LivePages:
    """The open streams of pages, at most `limit`."""

    def __init__(self, engine: Engine, limit: int) -> None:
        self._limit = limit
        self._open: set[_Open] = set()
        self._stopping = False
        engine.stream.on_changes(self._changed)
        engine.stream.listen(self._noted)

    def tell(self, topic: str) -> None:
        """Something of this topic is new."""
        for one in self._open:
            one.add(topic)

    async def stream(self, view: View) -> Reply | web.StreamResponse:
        """GET: server-sent events `changed` with the topics, for as long as the page is open."""
        if not view.may("service"):
            return Reply(401)
        if len(self._open) >= self._limit:
            raise RegistryError(400100, f"no quota to stream to pages, max num is {self._limit}")
        request, one = view.call.request, _Open()
        protocol = request.protocol
        assert isinstance(protocol, HotProtocol)  # noqa: S101  every connection is one
        protocol.when_lost = one.filled.set
        self._open.add(one)
        try:
            return await self._serve(request, one)
        finally:
            protocol.when_lost = None
            self._open.discard(one)

    async def _serve(self, request: web.BaseRequest, one: _Open) -> web.StreamResponse:
        headers = {"Content-Type": EVENTS_TYPE, **common_headers(request), "Cache-Control": "no-store"}
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)
        await response.write(b"retry: 2000\n\n")
        while not self._stopping:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(one.filled.wait(), _KEEP_ALIVE)
            await response.write(one.frame())
            await asyncio.sleep(_PACE)
        return response

    def close(self) -> None:
        """End all streams."""
        self._stopping = True
        for one in self._open:
            one.filled.set()

    def _changed(self, changes: Sequence[Change]) -> None:
        if self._open:
            self._tell_all(change.record.path.partition("/")[0] for change in changes)

    def _noted(self, notice: Notice) -> None:
        if self._open:
            self._tell_all((notice.name.partition(".")[0],))

    def _tell_all(self, kinds: Iterable[str]) -> None:
        for topic in {_TOPICS.get(kind, "services") for kind in kinds}:
            self.tell(topic)
        self.tell("events")


class _Open:
    """What one page has not been told yet."""

    def __init__(self) -> None:
        self._topics: set[str] = set()
        self.filled = asyncio.Event()

    def add(self, topic: str) -> None:
        self._topics.add(topic)
        self.filled.set()

    def frame(self) -> bytes:
        topics, self._topics = sorted(self._topics), set()
        self.filled.clear()
        return f"event: changed\ndata: {' '.join(topics)}\n\n".encode() if topics else b": keep-alive\n\n"

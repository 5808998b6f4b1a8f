"""The event stream: what happens in the engine, as server-sent events for consoles and the command."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Callable
from typing import Protocol

import orjson
from aiohttp import web

from registry.api.call import EVENTS_TYPE, Call
from registry.api.connection import HotProtocol
from registry.api.gate import common_headers
from registry.api.happenings import Wanted
from registry.engine import Engine
from registry.engine.stream import Notice, Position
from registry.errors import RegistryError, invalid

_KEEP_ALIVE = 15.0
_QUEUE = 20000
_POSITION = re.compile(r"(\d{1,18})(?:\.(\d{1,18}))?", re.ASCII)


class Feed(Protocol):
    """What is sent to one client: `filled` is set when there is something, `empty` takes it."""

    filled: asyncio.Event

    def empty(self) -> bytes: ...


async def served(call: Call, feed: Feed, going: Callable[[], bool]) -> web.StreamResponse:
    """Send a client its events as they come, and a comment where none came for a while, until it leaves or this ends."""
    protocol = call.request.protocol
    assert isinstance(protocol, HotProtocol)  # noqa: S101  every connection is one
    protocol.when_lost = feed.filled.set
    headers = {"Content-Type": EVENTS_TYPE, **common_headers(call.request), "Cache-Control": "no-store"}
    response = web.StreamResponse(headers=headers)
    try:
        await response.prepare(call.request)
        await response.write(b": waggle\n\n")
        while going():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(feed.filled.wait(), _KEEP_ALIVE)
            await response.write(feed.empty() or b": keep-alive\n\n")
        return response
    finally:
        protocol.when_lost = None


class EventStreams:
    """Open event streams, at most `limit` of them. A client that cannot keep up is cut off and resumes by its Last-Event-ID."""

    def __init__(self, engine: Engine, limit: int) -> None:
        self._engine = engine
        self._limit = limit
        self._open: set[_Waiting] = set()
        self._stopping = False

    @property
    def count(self) -> int:
        """How many event streams are open."""
        return len(self._open)

    async def events(self, call: Call) -> web.StreamResponse:
        """GET /waggle/v1/events: from now on, or from after the position that `Last-Event-ID` or `after` names."""
        if self.count >= self._limit:
            raise RegistryError(400100, f"no quota to stream events, max num is {self._limit}")
        after, tenant = _position(call), call.tenant
        waiting = _Waiting(tenant, Wanted.of(call, often=False), call.request.transport)
        if after is not None:
            gap = self._engine.stream.gap(after, tenant)
            if gap is not None:
                waiting.frames.append(_frame(gap))
            waiting.frames += map(waiting.framed, filter(waiting.wants, self._engine.stream.since(after)))
            if waiting.frames:
                waiting.filled.set()
        leave = self._engine.stream.listen(waiting.take)
        self._open.add(waiting)
        try:
            return await served(call, waiting, lambda: not self._stopping)
        finally:
            self._open.discard(waiting)
            leave()

    def close(self) -> None:
        """End all streams."""
        self._stopping = True
        for waiting in self._open:
            waiting.filled.set()


class _Waiting:
    """What one client wants and has not been sent yet, encoded."""

    def __init__(self, tenant: str, wanted: Wanted, transport: asyncio.Transport | None) -> None:
        self._tenant = tenant
        self._wanted = wanted
        self._transport = transport
        self.frames: list[bytes] = []
        self.filled = asyncio.Event()

    def wants(self, notice: Notice) -> bool:
        """Whether it is of the client's tenant, and what it asked for and may read."""
        return notice.tenant == self._tenant and self._wanted.fits(notice)

    def framed(self, notice: Notice) -> bytes:
        """A notice as it is sent: with who did it, for those who may know."""
        return _frame(notice, notice.author if self._wanted.reader.sees_authors else "")

    def take(self, notice: Notice) -> None:
        """Keep a notice for the client if it wants it; cut the client off if too many wait beside what it had missed."""
        if not self.wants(notice):
            return
        if len(self.frames) < _QUEUE:
            self.frames.append(self.framed(notice))
            self.filled.set()
        elif self._transport is not None:
            self._transport.abort()

    def empty(self) -> bytes:
        """What is to be sent now."""
        frames = b"".join(self.frames)
        self.frames.clear()
        self.filled.clear()
        return frames


def _position(call: Call) -> Position | None:
    return position_of(call.header("Last-Event-ID") or call.query.get("after", ""), "after")


def position_of(text: str, name: str) -> Position | None:
    """A revision or, as the ids of notices have it, a revision, a dot and a number; None where there is nothing. Raises 400001."""
    if not text:
        return None
    found = _POSITION.fullmatch(text)
    if found is None:
        raise invalid(f"{name}: the id of an event is a number or two with a dot, not '{text[:64]}'")
    return int(found[1]), int(found[2] or 0)


def place_of(position: Position) -> str:
    """The id of the event at a position."""
    revision, number = position
    return f"{revision}.{number}" if number else str(revision)


def _frame(notice: Notice, author: str = "") -> bytes:
    data = notice.data[:-1] + b',"author":' + orjson.dumps(author) + b"}" if author else notice.data
    return f"id: {place_of(notice.position)}\nevent: {notice.name}\ndata: ".encode() + data + b"\n\n"

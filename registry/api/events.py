"""The event stream: what happens in the engine, as server-sent events for consoles and the command."""

from __future__ import annotations

import asyncio

from aiohttp import web

from registry.api.call import Call
from registry.engine import Engine
from registry.engine.stream import Notice
from registry.errors import RegistryError, invalid
from registry.tenancy import tenant_name

_KEEP_ALIVE = 15.0
_QUEUE = 10000


class EventStreams:
    """Open event streams, at most `limit` of them. A client that cannot keep up is cut off and resumes by its Last-Event-ID."""

    def __init__(self, engine: Engine, limit: int) -> None:
        self._engine = engine
        self._limit = limit
        self._stopping = asyncio.Event()
        self.count = 0

    async def events(self, call: Call) -> web.StreamResponse:
        """GET /waggle/v1/events: from now on, or from after the revision of `Last-Event-ID` or `after`."""
        if self.count >= self._limit:
            raise RegistryError(400100, f"no quota to stream events, max num is {self._limit}")
        after = _revision(call)
        queue: asyncio.Queue[Notice] = asyncio.Queue(_QUEUE)
        full = asyncio.Event()

        def take(notice: Notice) -> None:
            if not _wanted(call, notice):
                return
            if queue.full():
                full.set()
                return
            queue.put_nowait(notice)

        if after is not None:
            for notice in self._engine.stream.since(after):
                take(notice)
        leave = self._engine.stream.listen(take)
        self.count += 1
        try:
            return await self._serve(call, queue, full)
        finally:
            self.count -= 1
            leave()

    async def _serve(self, call: Call, queue: asyncio.Queue[Notice], full: asyncio.Event) -> web.StreamResponse:
        headers = {"Content-Type": "text/event-stream; charset=UTF-8", "Cache-Control": "no-store"}
        response = web.StreamResponse(headers=headers)
        await response.prepare(call.request)
        await response.write(b": waggle\n\n")
        while not self._stopping.is_set() and not full.is_set():
            try:
                async with asyncio.timeout(_KEEP_ALIVE):
                    notice = await self._next(queue)
            except TimeoutError:
                await response.write(b": keep-alive\n\n")
                continue
            if notice is not None:
                await response.write(_frame(notice))
        return response

    async def _next(self, queue: asyncio.Queue[Notice]) -> Notice | None:
        if not queue.empty():
            return queue.get_nowait()
        get = asyncio.ensure_future(queue.get())
        stop = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait((get, stop), return_when=asyncio.FIRST_COMPLETED)
            return get.result() if get.done() else None
        finally:
            get.cancel()
            stop.cancel()

    def close(self) -> None:
        """End all streams."""
        self._stopping.set()


def _revision(call: Call) -> int | None:
    text = call.header("Last-Event-ID") or call.query.get("after", "")
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise invalid(f"after: a revision is a number, not '{text[:64]}'")
    return int(text)


def _wanted(call: Call, notice: Notice) -> bool:
    query = call.query
    if query.get("service") and query["service"] != notice.service:
        return False
    tenant = tenant_name(query.get("domain") or "default", query.get("project") or "default")
    return notice.tenant == tenant


def _frame(notice: Notice) -> bytes:
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (notice.revision, notice.name.encode(), notice.data)

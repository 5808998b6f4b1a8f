"""Connections: aiohttp's, with the hot path before it, and with bounds on clients that dawdle."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Callable

import structlog
from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from registry.api.call import SERVER
from registry.api.hot import LATER, HotPath

_MOST_KEPT = 65536
_SENT = re.compile(r":| b?['\"]")
_CLOSE = b"Connection: close\r\n"

log = structlog.get_logger(__name__)


class HotProtocol(RequestHandler):
    """One connection.

    A request goes down the hot path only when the connection is idle: nothing is half read, none is being answered. While the answer to a
    hot request waits for the journal, or for a change, what arrives is kept for later, so that answers keep the order of their requests.
    """

    __slots__ = (
        "_answered",
        "_coming_round",
        "_dawdling",
        "_hot",
        "_kept",
        "_loop_time",
        "_partial_since",
        "_pending",
        "_reading_paused",
        "_taken_at",
        "_untaken",
        "when_lost",
    )

    def __init__(self, manager: HotServer, hot: HotPath, *, loop: asyncio.AbstractEventLoop, **options: object) -> None:
        super().__init__(manager, loop=loop, **options)  # type: ignore[arg-type]
        self._hot = hot
        self._dawdling = manager.dawdling
        self.when_lost: Callable[[], None] | None = None
        self._partial_since = 0.0
        self._reading_paused = False
        self._pending = False
        self._coming_round = False
        self._answered: asyncio.Event | None = None
        self._kept = b""
        self._untaken = 0
        self._taken_at = 0.0
        self._loop_time: Callable[[], float] = loop.time

    def data_received(self, data: bytes) -> None:
        """Answer what the hot path knows; hand everything else to aiohttp."""
        if self._pending or self._coming_round:
            self._keep(data)
        elif self._waiter is None and not self._messages and not self._request_in_progress:
            # aiohttp's task has answered and is about to wait again: had it done so already, the hot path could be taken.
            self._coming_round = True
            self._keep(data)
            self._loop.call_soon(self._come_round)
        else:
            self._receive(data)

    def _come_round(self) -> None:
        self._coming_round = False
        if self.transport is not None:
            self._receive(self._take_kept())

    def _receive(self, data: bytes) -> None:
        waiter = self._waiter
        idle = waiter is not None and not self._messages and not self._partial_since and not waiter.done()
        if idle and not self._upgraded and self._hot.enabled and self.transport is not None:
            answer = self._hot.answer(data, self)
            if answer is LATER:
                self._pending = True
                return
            if answer is not None:
                self._write(answer)
                return
        super().data_received(data)
        if waiter is not None and self._waiter is waiter and not waiter.done():
            self._partial_since = self._partial_since or self._loop_time()
            self._dawdling.add(self)
        else:
            self._partial_since = 0.0

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Write the answer, which says so where it is the connection's last."""
        if self._ends:
            resp.force_close()
        return await super().finish_response(request, resp, start_time)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Tell whoever waits on behalf of the client that it has left."""
        if self.when_lost is not None:
            self.when_lost()
        if self._answered is not None:
            self._answered.set()
        super().connection_lost(exc)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what is no HTTP by 400 and close. A client that left gets nothing, and neither is worth a traceback in the log."""
        if isinstance(exc, ConnectionError):
            raise exc
        if status >= 500:
            answer = super().handle_error(request, status, exc, message)
        else:
            if isinstance(self._manager, HotServer):
                self._manager.unreadable += 1
            # What follows is what was sent: credentials may be in it.
            reason = _SENT.split(message or "", maxsplit=1)[0]
            log.debug("request.unreadable", reason=reason)
            answer = web.Response(status=status, text=reason)
            answer.force_close()
        answer.headers["Server"] = SERVER
        return answer

    def _write(self, answer: tuple[bytes, ...]) -> None:
        assert self.transport is not None  # noqa: S101  checked by the caller
        self._next_keepalive_close_time = self._loop_time() + self._keepalive_timeout
        self.transport.writelines(answer)

    def _keep(self, data: bytes) -> None:
        """Reading goes on, since it is how one learns that a client has left; but only so much is taken in advance."""
        self._kept += data
        if len(self._kept) > _MOST_KEPT and self.transport is not None:
            self.transport.pause_reading()

    def _take_kept(self) -> bytes:
        kept, self._kept = self._kept, b""
        if len(kept) > _MOST_KEPT and not self._reading_paused and self.transport is not None:
            self.transport.resume_reading()
        return kept

    def _process_keepalive(self) -> None:
        """A connection whose answer is awaited is not idle."""
        if self._pending:
            self._next_keepalive_close_time = self._loop_time() + self._keepalive_timeout
        super()._process_keepalive()

    @property
    def remote(self) -> str:
        """The address of the other end."""
        peer = self.transport.get_extra_info("peername") if self.transport is not None else None
        return str(peer[0]) if peer else ""

    def answer_later(self, answer: tuple[bytes, ...]) -> None:
        """Write the answer that was promised by `LATER`, and go on with what has arrived since."""
        self._pending = False
        self.when_lost = None
        if self._answered is not None:
            self._answered.set()
        if self.transport is None or self.transport.is_closing():
            return
        if self._ends:
            before, date, after = answer
            self._write((before, date, _CLOSE, after))
            return
        self._write(answer)
        kept = self._take_kept()
        if kept:
            self.data_received(kept)

    def pause_writing(self) -> None:
        """The client does not read its answers: take no more requests from it until it does."""
        super().pause_writing()
        if self.transport is not None and not self._reading_paused:
            self._reading_paused = True
            self._untaken, self._taken_at = self.transport.get_write_buffer_size(), self._loop_time()
            self._dawdling.add(self)
            self.transport.pause_reading()

    def resume_writing(self) -> None:
        """The client reads again."""
        super().resume_writing()
        if self.transport is not None and self._reading_paused:
            self._reading_paused = False
            if len(self._kept) <= _MOST_KEPT:
                self.transport.resume_reading()

    @property
    def busy(self) -> bool:
        """Whether a request is being read or answered."""
        return self._pending or self._coming_round or self._request_in_progress or bool(self._messages)

    @property
    def _ends(self) -> bool:
        """Whether the server lets go of its clients: whoever asked again on this connection would be cut off."""
        return isinstance(self._manager, HotServer) and self._manager.ending

    @property
    def dawdles(self) -> bool:
        """Whether a request's head is incomplete, or an answer is not taken. Websockets have bounds of their own."""
        return self.transport is not None and bool(self._partial_since or (self._reading_paused and not self._upgraded))

    def overdue(self, now: float, timeout: float) -> bool:
        """Whether a head has been incomplete, or nothing of an answer was taken, for longer than so many seconds."""
        if self._partial_since or self.transport is None:
            return now - self._partial_since > timeout
        untaken = self.transport.get_write_buffer_size()
        if untaken < self._untaken:
            self._untaken, self._taken_at = untaken, now
        return now - self._taken_at > timeout

    async def shutdown(self, timeout: float | None = 15.0) -> None:  # noqa: ASYNC109  the signature is aiohttp's
        """Close, after answering what is under way."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                if self._pending:
                    self._answered = asyncio.Event()
                    await self._answered.wait()
                elif self._request_in_progress:
                    self._handler_waiter = asyncio.get_running_loop().create_future()
                    await self._handler_waiter
        self._handler_waiter = None
        self.close()
        await super().shutdown(timeout)

    def cut(self) -> None:
        """Drop the connection at once."""
        if self.transport is not None:
            self.transport.abort()


class HotServer(web.Server):
    """Makes the connections, bounds their number, and lets go of those that dawdle."""

    def __init__(self, handler, hot: HotPath, *, most: int, timeout: float, **options: object) -> None:  # type: ignore[no-untyped-def]
        super().__init__(handler, **options)  # type: ignore[arg-type]
        self._hot = hot
        self._most = most
        self._timeout = timeout
        self.dawdling: set[HotProtocol] = set()
        self.refused = 0
        self.unreadable = 0
        self.ending = False

    def __call__(self) -> RequestHandler:
        """A protocol for a new connection."""
        return HotProtocol(self, self._hot, loop=self._loop, **self._kwargs)

    def connection_made(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        """Count the connection; one too many is dropped."""
        super().connection_made(handler, transport)
        if len(self._connections) > self._most:
            self.refused += 1
            transport.abort()

    def pre_shutdown(self) -> None:
        """Let go of those who ask nothing, and of the others with their next answer, which tells them.

        They are not told to read no more: the body of their request may be under way.
        """
        self.ending = True
        self._hot.enabled = False  # what it knows by heart does not say that it is the last
        for connection in self.connections:
            if not (isinstance(connection, HotProtocol) and connection.busy):
                connection.close()

    def sweep(self) -> None:
        """Drop connections whose request has been on its way for too long, or that do not take their answers."""
        now = self._loop.time()
        for connection in tuple(self.dawdling):
            if not connection.dawdles:
                self.dawdling.discard(connection)
            elif connection.overdue(now, self._timeout):
                connection.cut()

"""One connection to a server: a request goes out, its answer comes in, part by part."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol, cast

from governance.gateway.bodies import NO_BODY, Body, Endless, body_of
from governance.gateway.heads import LARGEST_HEAD, AnswerHead, BadHeadError
from governance.gateway.servers import Server

if TYPE_CHECKING:
    from governance.gateway.pool import Pool


class Receiver(Protocol):
    """Who has sent a request."""

    def answered(self, head: AnswerHead, data: bytes, *, done: bool) -> None:
        """The head of the answer and what of its body came with it."""

    def more(self, data: bytes, *, done: bool) -> None:
        """A part of the body, or of what a websocket carries."""

    def broken(self, error: OSError, *, untouched: bool) -> None:
        """The connection has failed; `untouched` where not one byte of an answer has come."""

    def hold(self) -> None:
        """The server takes no more for now."""

    def go_on(self) -> None:
        """It takes more again."""


class UpstreamConnection(asyncio.Protocol):
    """A connection that was made. It serves one request at a time."""

    __slots__ = (
        "_bodiless",
        "_body",
        "_buffer",
        "_pool",
        "_receiver",
        "_tunnel",
        "_unframed",
        "idle_until",
        "server",
        "transport",
        "used",
    )

    def __init__(self, pool: Pool, server: Server) -> None:
        self._pool = pool
        self.server = server
        self.transport: asyncio.Transport | None = None
        self.idle_until = 0.0
        self.used = False
        """Whether it has served a request: then the server may close it at any time."""
        self._receiver: Receiver | None = None
        self._bodiless = False
        self._unframed = False
        self._tunnel = False
        self._buffer = b""
        self._body: Body | None = None

    @property
    def usable(self) -> bool:
        """Whether a request can be sent over it."""
        return self.transport is not None and not self.transport.is_closing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is there."""
        self.transport = cast(asyncio.Transport, transport)

    def send(self, receiver: Receiver, data: bytes, *, bodiless: bool, unframed: bool) -> None:
        """Send a request, or its beginning. `unframed`: a chunked answer is handed on without its chunks."""
        self._receiver = receiver
        self._bodiless, self._unframed = bodiless, unframed
        self._body = None
        self._buffer = b""
        self.write(data)

    def write(self, data: bytes) -> None:
        """Send more of it."""
        if self.transport is not None:
            self.transport.write(data)

    def pause(self) -> None:
        """Read no more for now."""
        if self.usable and self.transport is not None:
            self.transport.pause_reading()

    def resume(self) -> None:
        """Read again."""
        if self.usable and self.transport is not None:
            self.transport.resume_reading()

    def release(self, now: float, *, reusable: bool) -> None:
        """The request is done with: keep the connection for another, or close it."""
        self._receiver = None
        if reusable and self.usable and not self._buffer:
            self.used = True
            self._pool.give(self, now)
        else:
            self.close()

    def close(self) -> None:
        """End it once what was written is sent."""
        self._receiver = None
        if self.transport is not None:
            self.transport.close()

    def abort(self) -> None:
        """End it at once."""
        self._receiver = None
        if self.transport is not None:
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        """A part of an answer."""
        receiver = self._receiver
        if receiver is None:
            # Nobody has asked: what would come next would be taken for the answer to another request.
            self.abort()
            return
        if self._tunnel:
            receiver.more(data, done=False)
            return
        try:
            if self._body is None:
                self._head(receiver, self._buffer + data if self._buffer else data)
            else:
                self._part(receiver, self._body, data)
        except BadHeadError as error:
            self._fail(ConnectionError(f"the answer is no HTTP: {error}"), untouched=False)

    def _head(self, receiver: Receiver, data: bytes) -> None:
        end = _end_of_head(data)
        while end:
            head = self._pool.heads.head(data[:end], bodiless=self._bodiless)
            data = data[end:]
            if head.status >= 200 or head.status == 101:
                self._buffer = b""
                self._answered(receiver, head, data)
                return
            end = _end_of_head(data)
        self._buffer = data

    def _answered(self, receiver: Receiver, head: AnswerHead, rest: bytes) -> None:
        if rest and len(rest) == head.length and not self._unframed:
            # All at once, as most answers come.
            self._body = NO_BODY
            receiver.answered(head, rest, done=True)
            return
        self._tunnel = head.status == 101
        self._body = body = body_of(head.length)
        if self._tunnel:
            receiver.answered(head, rest, done=False)
        elif body.done:
            self._buffer = rest
            receiver.answered(head, b"", done=True)
        elif rest:
            receiver.answered(head, self._taken(body, rest), done=body.done)
        else:
            receiver.answered(head, b"", done=False)

    def _part(self, receiver: Receiver, body: Body, data: bytes) -> None:
        receiver.more(self._taken(body, data), done=body.done)

    def _taken(self, body: Body, data: bytes) -> bytes:
        """What of the data is of the body, as it is handed on. What comes after it is nobody's."""
        payload: list[bytes] | None = [] if self._unframed else None
        taken = body.feed(data, payload)
        if taken < len(data):
            self._buffer = data[taken:]
            data = data[:taken]
        return data if payload is None else b"".join(payload)

    def _fail(self, error: OSError, *, untouched: bool) -> None:
        receiver = self._receiver
        self.abort()
        if receiver is not None:
            receiver.broken(error, untouched=untouched)

    def eof_received(self) -> bool:
        """The server has ended its half."""
        receiver = self._receiver
        if receiver is not None and isinstance(self._body, Endless) and not self._tunnel:
            self._body.done = True
            receiver.more(b"", done=True)
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """It has ended."""
        receiver, self._receiver = self._receiver, None
        self.transport = None
        self._pool.lost(self.server, self)
        if receiver is None:
            return
        if self._tunnel and exc is None:
            receiver.more(b"", done=True)
            return
        untouched = self._body is None and not self._buffer
        receiver.broken(ConnectionResetError(str(exc or "the server closed the connection")), untouched=untouched)

    def pause_writing(self) -> None:
        """The server takes no more for now."""
        if self._receiver is not None:
            self._receiver.hold()

    def resume_writing(self) -> None:
        """It takes more again."""
        if self._receiver is not None:
            self._receiver.go_on()


def _end_of_head(data: bytes) -> int:
    """Where a head ends; 0 where it is not whole yet. Raises `BadHeadError`."""
    end = data.find(b"\r\n\r\n") + 4
    if 4 <= end <= LARGEST_HEAD:
        return end
    if len(data) > LARGEST_HEAD:
        raise BadHeadError("the head is too long")
    return 0

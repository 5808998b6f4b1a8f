"""One connection of a client: requests are read one after another, and answers written."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, cast

from governance.gateway.bodies import Body, body_of
from governance.gateway.exchange import Exchange
from governance.gateway.forwarding import Peer, local_reply
from governance.gateway.heads import LARGEST_HEAD, BadHeadError
from governance.gateway.incoming import Incoming

if TYPE_CHECKING:
    from governance.gateway.core import Core

_MOST_KEPT = 65_536
_LINGER_SECONDS = 2.0
_EMPTY_LINES = re.compile(rb"(?:\r\n)++")


class ClientConnection(asyncio.Protocol):
    """A client's connection.

    What arrives is of the request that is being read (`_body`), of a websocket, or is kept until the request before it is answered.
    """

    __slots__ = (
        "_body",
        "_buffer",
        "_core",
        "_exchange",
        "_lingering",
        "_reading",
        "_reading_paused",
        "_since",
        "_tunnel",
        "_writing_paused",
        "peer",
        "transport",
    )

    def __init__(self, core: Core) -> None:
        self._core = core
        self.transport: asyncio.Transport | None = None
        self.peer = Peer("", secure=False, trusted=False)
        self._buffer = b""
        self._body: Body | None = None
        self._exchange: Exchange | None = None
        self._tunnel = False
        self._reading = False
        self._reading_paused = False
        self._writing_paused = False
        self._lingering = False
        self._since = core.now()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has come."""
        self.transport = cast(asyncio.Transport, transport)
        self.recognise()
        if not self._core.admit(self):
            self.transport.abort()

    def recognise(self) -> None:
        """Look who is at the other end, and whether the configuration trusts it."""
        if self.transport is None:
            return
        name = self.transport.get_extra_info("peername")
        address = str(name[0]) if name else ""
        secure = self.transport.get_extra_info("sslcontext") is not None
        self.peer = Peer(address, secure, self._core.trusts(address))

    def connection_lost(self, exc: Exception | None) -> None:
        """It has left; what it asked is of no use any more."""
        self.transport = None
        self._core.forget(self)
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.abandon()

    def data_received(self, data: bytes) -> None:
        """A part of a request."""
        if self._lingering:
            return
        if self._tunnel and self._exchange is not None:
            self._exchange.upload(data, done=False)
        elif self._body is not None:
            self._take_body(data)
        elif self._exchange is not None or self._writing_paused:
            self._keep(data)
        else:
            self._gather(data)
            self._read()

    def _gather(self, data: bytes) -> None:
        """More of a head. Its time begins with the first byte: the one that went before may have been answered long ago."""
        if self._buffer:
            self._buffer += data
        else:
            self._buffer = data
            self._since = self._core.now()

    def _keep(self, data: bytes) -> None:
        """The next request waits until this one is answered."""
        self._buffer += data
        if len(self._buffer) > _MOST_KEPT:
            self.pause()

    def _read(self) -> None:
        """Read requests for as long as none is under way."""
        if self._reading:
            return
        self._reading = True
        try:
            while self._read_one() and self._ready:
                pass
        except BadHeadError as error:
            self.refuse(error.status, str(error))
        finally:
            self._reading = False

    @property
    def _ready(self) -> bool:
        """Whether a request may begin: one that does not take its answers asks for no more."""
        waits = self._exchange is not None or self._writing_paused or self._lingering or self.transport is None
        return bool(self._buffer) and not waits

    def _read_one(self) -> bool:
        """Read one request; whether one was whole enough to begin. Raises `BadHeadError`."""
        data = self._buffer
        end = data.find(b"\r\n\r\n") + 4
        if end < 4 or end > LARGEST_HEAD:
            if len(data) > LARGEST_HEAD:
                raise BadHeadError("the head is too long", 431)
            self._check_begin(data)
            return False
        empty = _EMPTY_LINES.match(data)
        if empty is not None:
            # Some clients send one after a body. Taken one by one, many would cost the square of their number.
            self._buffer = data[empty.end() :]
            return True
        incoming = self._core.reader(trusted=self.peer.trusted).read(data[:end])
        self._begin(incoming, data[end:])
        return True

    def _check_begin(self, data: bytes) -> None:
        """What can become no head is refused at once."""
        if b"\0" in data or b"\n\n" in data or (len(data) > 32 and b" " not in data[:33]):
            raise BadHeadError("this is no HTTP")

    def _begin(self, incoming: Incoming, rest: bytes) -> None:
        block = incoming.block
        self._exchange = exchange = Exchange(self, self._core, incoming)
        if not block.length:
            self._buffer = rest
            exchange.begin(b"", done=True)
            return
        body = body_of(block.length)
        taken = body.feed(rest)
        self._buffer = rest[taken:]
        if not body.done:
            self._body = body
            if block.expects and not incoming.line.old:
                self.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        exchange.begin(rest[:taken], done=body.done)

    def _take_body(self, data: bytes) -> None:
        body, exchange = self._body, self._exchange
        if body is None or exchange is None:
            return
        try:
            taken = body.feed(data)
        except BadHeadError:
            # The server has a part of it, so that nothing can be said any more.
            self.cut()
            return
        if body.done:
            self._body = None
            if taken < len(data):
                self._keep(data[taken:])
                data = data[:taken]
        exchange.upload(data, done=body.done)

    def write(self, data: bytes) -> None:
        """Write a part of an answer."""
        if self.transport is not None:
            self.transport.write(data)

    def tunnel(self) -> None:
        """What comes from now on is of a websocket."""
        self._tunnel = True
        if self._buffer and self._exchange is not None:
            data, self._buffer = self._buffer, b""
            self._exchange.upload(data, done=False)

    def finished(self, *, keep: bool) -> None:
        """The answer is written: go on with the next request, or end."""
        self._exchange = None
        self._since = self._core.now()
        if self.transport is None:
            return
        if not keep or self._core.draining:
            self._end()
            return
        self._go_on()

    def _go_on(self) -> None:
        if self._reading_paused:
            self.resume()
        if self._buffer and not self._reading and self._ready:
            self._read()

    def refuse(self, status: int, text: str) -> None:
        """Answer what cannot be read, and end the connection."""
        self._core.unreadable += 1
        self.write(local_reply(status, text, close=True))
        self._exchange = None
        self._end()

    def _end(self) -> None:
        """Close. While more of a request may be coming, read on for a moment: a connection that is closed before that loses the answer."""
        if self.transport is None:
            return
        if self._body is None and not self._buffer:
            self.transport.close()
            return
        self._lingering = True
        self._since = self._core.now()
        self._buffer = b""
        self.resume()
        if self.transport.can_write_eof():
            self.transport.write_eof()

    def cut(self) -> None:
        """End at once."""
        if self.transport is not None:
            self.transport.abort()

    def pause(self) -> None:
        """Read no more for now."""
        if not self._reading_paused and self.transport is not None:
            self._reading_paused = True
            self.transport.pause_reading()

    def resume(self) -> None:
        """Read again."""
        if self._reading_paused and self.transport is not None:
            self._reading_paused = False
            self.transport.resume_reading()

    def pause_writing(self) -> None:
        """The client does not take its answer."""
        self._writing_paused = True
        if self._exchange is not None:
            self._exchange.client_holds()

    def resume_writing(self) -> None:
        """It takes it again."""
        self._writing_paused = False
        if self._exchange is not None:
            self._exchange.client_goes_on()
        else:
            self._go_on()

    @property
    def idle(self) -> bool:
        """Whether nothing of a request is there."""
        return self._exchange is None and not self._buffer and not self._lingering

    def close(self) -> None:
        """End once what was written is sent."""
        if self.transport is not None:
            self.transport.close()

    def sweep(self, now: float) -> None:
        """Let go of a client that takes too long."""
        limits = self._core.limits
        if self._exchange is not None:
            if not self._tunnel:
                self._exchange.sweep(now)
        elif self._lingering:
            if now - self._since > _LINGER_SECONDS:
                self.cut()
        elif self._buffer:
            if now - self._since > limits.head_timeout / 1000:
                self.refuse(408, "the head did not come in time")
        elif now - self._since > limits.idle_timeout / 1000:
            self.close()

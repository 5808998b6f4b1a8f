"""Open websockets, whatever is told over them: their bound, their pings, and the end of clients that are silent or do not read.

Frames are written to the transports as they are, so that one that is the same for many is encoded once. A client that does not read is cut
off when more than `buffer` bytes wait for it, and finds what it missed by its next pull.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from aiohttp import WSMsgType, web

from registry.api.call import SERVER, Call, Reply
from registry.engine import Engine
from registry.errors import RegistryError

_SILENCE = 120.0
_LARGEST_MESSAGE = 64
_PING = b"\x89\x00"

log = structlog.get_logger(__name__)


@dataclass(eq=False, slots=True)
class Socket:
    """One open websocket. `heard` is the loop's time of the last ping or pong, `pinged` whether the engine pings it."""

    transport: asyncio.Transport
    heard: float
    pinged: bool = True


class Sockets:
    """All open websockets, at most `limit`. `ping` is seconds between pings."""

    def __init__(self, engine: Engine, *, limit: int, buffer: int, ping: float) -> None:
        self._limit = limit
        self._buffer = buffer
        self._ping = ping
        self._open: set[Socket] = set()
        self._next_ping = 0.0
        self._stopping = False
        self.published = 0
        self.overflowed = 0
        engine.on_tick.append(self.tick)

    @property
    def count(self) -> int:
        """How many websockets are open."""
        return len(self._open)

    async def accept(self, call: Call) -> Reply | web.WebSocketResponse:
        """Shake hands, or answer why not. Raises 400100 above the limit."""
        # aiohttp refuses a message of the largest size itself.
        largest = _LARGEST_MESSAGE + 1
        response = web.WebSocketResponse(autoping=False, compress=False, max_msg_size=largest, timeout=5.0)
        response.headers["Server"] = SERVER
        if not response.can_prepare(call.request):
            return Reply(400, b"Bad Request\n", headers={"Sec-Websocket-Version": "13"})
        if len(self._open) >= self._limit:
            raise RegistryError(400100, f"no quota to watch, max num is {self._limit}")
        await response.prepare(call.request)
        return response

    @staticmethod
    def socket_of(request: web.BaseRequest, *, pinged: bool = True) -> Socket:
        """The socket of a request that was accepted."""
        transport = request.transport
        if transport is None:
            raise ConnectionResetError("the client left during the handshake")
        return Socket(transport, asyncio.get_running_loop().time(), pinged)

    async def attend(
        self, response: web.WebSocketResponse, socket: Socket, heard: Callable[[], bool] = lambda: True
    ) -> bool:
        """Answer pings until the client leaves; whether it left by itself: it is let go where `heard`, called on every pong, says no."""
        self._open.add(socket)
        if self._stopping:
            # Its handshake was on the way when the others were let go.
            socket.transport.close()
        loop = asyncio.get_running_loop()
        try:
            async for message in response:
                if message.type is WSMsgType.PING:
                    socket.heard, socket.pinged = loop.time(), False
                    await response.pong(message.data)
                elif message.type is WSMsgType.PONG:
                    socket.heard = loop.time()
                    if not heard():
                        return False
        finally:
            self._open.discard(socket)
        return True

    def publish(self, socket: Socket, frame: bytes) -> None:
        """Send a frame that tells of a change."""
        self.published += 1
        self._write(socket, frame)

    def _write(self, socket: Socket, frame: bytes) -> None:
        """Send a frame, or cut off a client that has not read too many."""
        if socket.transport.is_closing():
            return
        if socket.transport.get_write_buffer_size() > self._buffer:
            self.overflowed += 1
            log.warning("watcher.cut_off", waiting=socket.transport.get_write_buffer_size())
            socket.transport.abort()
            return
        socket.transport.write(frame)

    def tick(self) -> None:
        """Ping those who wait for it, and let go of those not heard of."""
        now = asyncio.get_running_loop().time()
        if now < self._next_ping:
            return
        self._next_ping = now + self._ping
        for socket in tuple(self._open):
            if now - socket.heard > max(_SILENCE, 2 * self._ping):
                socket.transport.abort()
            elif socket.pinged:
                self._write(socket, _PING)

    def close(self) -> None:
        """Let all clients go, and those who still come: they reconnect elsewhere or later."""
        self._stopping = True
        for socket in tuple(self._open):
            socket.transport.close()


def text_frame(payload: bytes) -> bytes:
    """A websocket text frame from the server, unmasked."""
    size = len(payload)
    if size < 126:
        return struct.pack("!BB", 0x81, size) + payload
    if size < 65536:
        return struct.pack("!BBH", 0x81, 126, size) + payload
    return struct.pack("!BBQ", 0x81, 127, size) + payload

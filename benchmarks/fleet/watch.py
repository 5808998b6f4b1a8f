"""The websocket of a watch: frames in, pongs out."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from typing import cast

from benchmarks.fleet.wire import Address, UnreachableError, opened

_CLOSE, _PING = 8, 9
_EMPTY_PONG = b"\x8a\x80\x00\x00\x00\x00"
_HANDSHAKE = (
    b"GET %b HTTP/1.1\r\nHost: engine\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: d2FnZ2xlLWJlbmNobWFyaw==\r\nSec-WebSocket-Version: 13\r\nx-domain-name: default\r\n\r\n"
)


async def follow(address: Address, path: str, told: Callable[[bytes], None]) -> None:
    """Open a websocket and have each of its texts told until it ends. Raises `UnreachableError`, with the status where it is no 101."""
    watch = await opened(address, lambda: _Watch(told))
    try:
        await watch.run(_HANDSHAKE % path.encode())
    finally:
        watch.close()


class _Watch(asyncio.Protocol):
    """One open websocket."""

    def __init__(self, told: Callable[[bytes], None]) -> None:
        self._told = told
        self._transport: asyncio.Transport | None = None
        self._data = b""
        self._open = False
        self._ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    async def run(self, handshake: bytes) -> None:
        """Until the server ends it. Raises `UnreachableError` where the handshake fails."""
        if self._transport is not None:
            self._transport.write(handshake)
        problem = await self._ended
        if problem:
            raise UnreachableError(problem)

    def data_received(self, data: bytes) -> None:
        self._data += data
        if not self._open:
            head, end, rest = self._data.partition(b"\r\n\r\n")
            if not end:
                return
            if not head.startswith(b"HTTP/1.1 101"):
                self._end(f"status {head[9:12].decode()}")
                return
            self._open, self._data = True, rest
        while (frame := _frame(self._data)) is not None:
            code, payload, self._data = frame
            self._heed(code, payload)

    def _heed(self, code: int, payload: bytes) -> None:
        if code == _PING and self._transport is not None:
            self._transport.write(_EMPTY_PONG)
        elif code == _CLOSE:
            self._end("")
        else:
            self._told(payload)

    def connection_lost(self, _error: Exception | None) -> None:
        self._end("" if self._open else "cut")

    def _end(self, problem: str) -> None:
        if not self._ended.done():
            self._ended.set_result(problem)

    def close(self) -> None:
        """Leave."""
        if self._transport is not None:
            self._transport.abort()


def _frame(data: bytes) -> tuple[int, bytes, bytes] | None:
    """The code and the payload of the first frame, and what follows it; nothing where it is not whole. A server does not mask."""
    if len(data) < 2:
        return None
    size, start = data[1], 2
    if size >= 126:
        start = 4 if size == 126 else 10
        if len(data) < start:
            return None
        (size,) = struct.unpack_from("!H" if start == 4 else "!Q", data, 2)
    end = start + size
    return (data[0] & 0x0F, data[start:end], data[end:]) if len(data) >= end else None

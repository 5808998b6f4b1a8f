"""HTTP/1.1 of a client in as few steps as can be, since thousands of clients share this process."""

from __future__ import annotations

import asyncio
import re
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar, cast

_LENGTH = re.compile(rb"\r\n[Cc]ontent-[Ll]ength: *(\d+)\r\n")
_GZIP = b"\r\nContent-Encoding: gzip\r\n"
_AUTOMATIC = 32 + zlib.MAX_WBITS
_Made = TypeVar("_Made", bound=asyncio.Protocol)


class UnreachableError(Exception):
    """There is no answer; the text says in a word why."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens, and the address that a client comes from."""

    host: str
    port: int
    source: str


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer; `milliseconds` from the request until the answer was there."""

    status: int
    head: bytes
    body: bytes
    milliseconds: float

    def header(self, name: bytes) -> str:
        """A header by its name, case included, as the strictest clients look for it; empty where it is not there."""
        _, found, rest = self.head.partition(b"\r\n" + name + b": ")
        return rest.partition(b"\r\n")[0].decode() if found else ""


class Line:
    """A connection that is kept, and opened again where the server has closed it. Calls take it one after another."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._turn = asyncio.Lock()
        self._exchange: _Exchange | None = None

    async def ask(self, request: bytes, within: float) -> Answer:
        """Send a request; its answer, which must come within so many seconds. Raises `UnreachableError`, `TimeoutError`."""
        async with self._turn:
            try:
                async with asyncio.timeout(within):
                    return await (await self._opened()).ask(request)
            except BaseException:
                self.close()
                raise

    async def _opened(self) -> _Exchange:
        if self._exchange is None or self._exchange.closed:
            self._exchange = await opened(self._address, _Exchange)
        return self._exchange

    def close(self) -> None:
        """Leave."""
        if self._exchange is not None:
            self._exchange.close()
        self._exchange = None


async def opened(address: Address, protocol: Callable[[], _Made]) -> _Made:
    """A new connection. Raises `UnreachableError`."""
    connect = asyncio.get_running_loop().create_connection
    try:
        # An address of its own: a machine has too few ports for all of them, and one of those may be the server's while it is away.
        _, made = await connect(protocol, address.host, address.port, local_addr=(address.source, 0))
    except OSError as error:
        raise UnreachableError("refused") from error
    return made


class _Exchange(asyncio.Protocol):
    """An open connection, on which one request is under way at most."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._data = b""
        self._sent = 0.0
        self._answer: asyncio.Future[Answer] | None = None
        self.closed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    async def ask(self, request: bytes) -> Answer:
        """Send a request and wait for its answer. Raises `UnreachableError` where the connection ends before."""
        if self._transport is None or self.closed:
            raise UnreachableError("closed")
        self._data, self._answer = b"", asyncio.get_running_loop().create_future()
        self._sent = time.perf_counter()
        self._transport.write(request)
        return await self._answer

    def data_received(self, data: bytes) -> None:
        self._data = self._data + data if self._data else data
        head, end, body = self._data.partition(b"\r\n\r\n")
        if not end or self._answer is None or self._answer.done():
            return
        head += b"\r\n"
        status, length = int(head[9:12]), _LENGTH.search(head)
        if status != 304 and (length is None or len(body) < int(length[1])):
            return
        if _GZIP in head:
            body = zlib.decompress(body, _AUTOMATIC)
        self._answer.set_result(Answer(status, head, body, (time.perf_counter() - self._sent) * 1000))

    def connection_lost(self, _error: Exception | None) -> None:
        self.closed = True
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(UnreachableError("cut"))

    def close(self) -> None:
        """Leave."""
        self.closed = True
        if self._transport is not None:
            self._transport.abort()

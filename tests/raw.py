"""HTTP by hand over a socket, for tests of what goes over the wire byte for byte."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """An answer as it came: header names keep their case."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    raw: bytes

    def header(self, name: str) -> str | None:
        """A header by its name, case included."""
        return dict(self.headers).get(name)


class RawConnection:
    """One connection. `exchange` sends bytes and reads one answer."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def exchange(self, request: bytes, *, no_body: bool = False) -> RawAnswer:
        """Send a request and read its answer."""
        self.writer.write(request)
        await self.writer.drain()
        return await self.read(no_body=no_body)

    async def read(self, *, no_body: bool = False) -> RawAnswer:
        """Read one answer, interim ones aside."""
        async with asyncio.timeout(15):
            head = await self.reader.readuntil(b"\r\n\r\n")
            lines = head.decode("latin-1").split("\r\n")
            status = int(lines[0].split()[1])
            headers = [(name, value) for name, _, value in (line.partition(": ") for line in lines[1:] if line)]
            if status == 100:
                return await self.read(no_body=no_body)
            named = {name.lower(): value for name, value in headers}
            length = 0 if no_body or status == 304 else int(named.get("content-length", "0"))
            body = await self.reader.readexactly(length)
        return RawAnswer(status, headers, body, head + body)

    async def closed(self, seconds: float = 15.0) -> bool:
        """Wait until the other side has closed."""
        async with asyncio.timeout(seconds):
            with contextlib.suppress(ConnectionError):
                while await self.reader.read(65536):
                    pass
        return True


@contextlib.asynccontextmanager
async def connect(port: int) -> AsyncIterator[RawConnection]:
    """A connection to a loopback port."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=16 * 2**20)
    try:
        yield RawConnection(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


def request(method: str, target: str, body: bytes = b"", **headers: str) -> bytes:
    """A request as a plain client writes it."""
    named = {"Host": "engine", **{name.replace("_", "-"): value for name, value in headers.items()}}
    if body or method in ("POST", "PUT"):
        named["Content-Length"] = str(len(body))
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in named.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body

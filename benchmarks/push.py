"""The watch under load: how long after a change each of very many watchers is told of it.

The time runs from just before the change is sent until the frame is read here, by a protocol that does next to nothing; reading a
thousand sockets takes this process some milliseconds, which are counted as the server's.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import cast
from urllib.parse import urlsplit

from benchmarks.plan import Plan
from benchmarks.sample import LoadFailedError, Sample, percentile
from benchmarks.scene import Scene, scene_on
from benchmarks.server import REGISTRY, Server

_SOCKETS_A_CONSUMER = 10
_OPEN_SECONDS = 20.0
_TEXT, _PING = 0x1, 0x9
_PONG = b"\x8a\x80\x00\x00\x00\x00"


class _Arrivals:
    """When each watcher was told of the change that is on its way; `complete` is set when all were."""

    def __init__(self, expected: int) -> None:
        self.expected = expected
        self.times: list[float] = []
        self.complete = asyncio.Event()

    def note(self) -> None:
        self.times.append(time.perf_counter())
        if len(self.times) == self.expected:
            self.complete.set()

    def begin(self) -> None:
        self.times = []
        self.complete.clear()


class _Watcher(asyncio.Protocol):
    """One websocket; `opened` is done when the server has agreed to it."""

    def __init__(self, handshake: bytes, arrivals: _Arrivals) -> None:
        self._handshake = handshake
        self._arrivals = arrivals
        self._data = b""
        self._transport: asyncio.Transport | None = None
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the websocket."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(self._handshake)

    def data_received(self, data: bytes) -> None:
        """Read the answer to the handshake, then frames."""
        self._data += data
        if not self.opened.done() and not self._agreed():
            return
        while len(self._data) > 1:
            size, start = _extent(self._data)
            if len(self._data) < start + size:
                return
            opcode = self._data[0] & 0xF
            self._data = self._data[start + size :]
            if opcode == _TEXT:
                self._arrivals.note()
            elif opcode == _PING and self._transport is not None:
                self._transport.write(_PONG)

    def _agreed(self) -> bool:
        head, end, rest = self._data.partition(b"\r\n\r\n")
        if not end:
            return False
        self._data = rest
        if b" 101 " not in head.partition(b"\r\n")[0]:
            self.opened.set_exception(LoadFailedError(f"the watch was answered {head[:100]!r}"))
            return False
        self.opened.set_result(None)
        return True

    def connection_lost(self, _error: Exception | None) -> None:
        """What is not open yet never will be."""
        if not self.opened.done():
            self.opened.set_exception(LoadFailedError("the server closed the connection of a watch"))

    def close(self) -> None:
        """Leave."""
        if self._transport is not None:
            self._transport.abort()


@dataclass(frozen=True, slots=True)
class PushLoad:
    """Status changes of one instance, one after another, each told to all watchers before the next."""

    name: str
    about: str
    api: str = REGISTRY

    async def run(self, server: Server, plan: Plan, _before: Sample | None) -> Sample:
        """One run on a scene of its own. Raises `LoadFailedError`."""
        async with scene_on(server.url) as scene:
            owner = await scene.service("provider")
            (name,) = await scene.instances(owner, 1)
            consumers = [await scene.service(f"consumer-{n}") for n in range(-(-plan.watchers // _SOCKETS_A_CONSUMER))]
            for consumer in consumers:
                await scene.shown(consumer, "provider", 1)
            arrivals = _Arrivals(plan.watchers)
            async with _watching(scene, consumers, plan.watchers, arrivals):
                path = f"/microservices/{owner}/instances/{name}/status"
                spent = server.cpu_seconds()
                return server.with_cpu(await _sample(scene, path, plan, arrivals), spent)


@contextlib.asynccontextmanager
async def _watching(scene: Scene, consumers: Sequence[str], count: int, arrivals: _Arrivals) -> AsyncIterator[None]:
    watchers: list[_Watcher] = []
    try:
        while len(watchers) < count:
            watchers.append(await _watch(scene, consumers[len(watchers) % len(consumers)], arrivals))
        yield
    finally:
        for watcher in watchers:
            watcher.close()


async def _watch(scene: Scene, consumer: str, arrivals: _Arrivals) -> _Watcher:
    handshake = scene.request(
        "GET",
        f"/microservices/{consumer}/watcher",
        Upgrade="websocket",
        Connection="Upgrade",
        Sec_WebSocket_Key="AAAAAAAAAAAAAAAAAAAAAA==",
        Sec_WebSocket_Version="13",
    )
    address = urlsplit(scene.url)
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(_OPEN_SECONDS):
            _, watcher = await loop.create_connection(
                lambda: _Watcher(handshake, arrivals), address.hostname or "", address.port or 80
            )
            await watcher.opened
    except (OSError, TimeoutError) as error:
        raise LoadFailedError(f"a watch could not be opened: {error!r}") from error
    return watcher


async def _sample(scene: Scene, path: str, plan: Plan, arrivals: _Arrivals) -> Sample:
    delays: list[float] = []
    started = time.perf_counter()
    for number in range(plan.changes):
        arrivals.begin()
        sent = time.perf_counter()
        await scene.call("PUT", f"{path}?value={'UP' if number % 2 else 'DOWN'}")
        try:
            async with asyncio.timeout(plan.patience):
                await arrivals.complete.wait()
        except TimeoutError as error:
            missing = arrivals.expected - len(arrivals.times)
            raise LoadFailedError(f"{missing} watchers were not told of change {number}", missing) from error
        delays += [(arrival - sent) * 1000 for arrival in arrivals.times]
    seconds = time.perf_counter() - started
    delays.sort()
    return Sample(len(delays), seconds, percentile(delays, 0.5), percentile(delays, 0.99))


def _extent(frame: bytes) -> tuple[int, int]:
    """The size of a frame's payload and where it starts; a head that is not whole makes it larger than what is there."""
    size = frame[1] & 0x7F
    if size < 126:
        return size, 2
    width = 2 if size == 126 else 8
    return int.from_bytes(frame[2 : 2 + width].ljust(width, b"\xff"), "big"), 2 + width

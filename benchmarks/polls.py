"""Long polls under load: how long after a change each of very many pollers has it.

The time runs from just before the change is sent until the head of the answer is read here, by a protocol that does next to nothing;
reading a thousand sockets takes this process some milliseconds, which are counted as the server's.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import cast
from urllib.parse import urlsplit

from benchmarks.config import config_scene_on
from benchmarks.plan import Plan
from benchmarks.sample import LoadFailedError, Sample
from benchmarks.server import KIE, Server

_OPEN_SECONDS = 20.0


class _Poller(asyncio.Protocol):
    """One client that waits for a change. It does next to nothing, since reading its answers counts as the server's time."""

    def __init__(self, told: Callable[[], None]) -> None:
        self._told = told
        self._transport: asyncio.Transport | None = None
        self._data = b""
        self.trouble = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Be ready."""
        self._transport = cast("asyncio.Transport", transport)

    def ask(self, line: bytes) -> None:
        """Send a poll."""
        self._data = b""
        if self._transport is not None:
            self._transport.write(line)

    def data_received(self, data: bytes) -> None:
        """The head of an answer is enough; the rest of it is dropped with the next poll."""
        whole = b"\r\n\r\n" in self._data
        self._data += data
        if whole or b"\r\n\r\n" not in self._data:
            return
        if not self._data.startswith(b"HTTP/1.1 200"):
            self.trouble = f"a poll was answered {self._data[:60]!r}"
        self._told()

    def connection_lost(self, _error: Exception | None) -> None:
        """It will not be told."""
        self.trouble = self.trouble or "the server closed the connection of a poll"

    def close(self) -> None:
        """Leave."""
        if self._transport is not None:
            self._transport.abort()


class _Crowd:
    """All pollers of a load, on connections of their own, and when each was told of the change that is on its way."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._pollers: list[_Poller] = []
        self._times: list[float] = []
        self._complete = asyncio.Event()

    @contextlib.asynccontextmanager
    async def connected(self, url: str) -> AsyncIterator[None]:
        """Open the connections. Raises `LoadFailedError`."""
        address, loop = urlsplit(url), asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_OPEN_SECONDS):
                for _ in range(self._count):
                    _, poller = await loop.create_connection(
                        lambda: _Poller(self._note), address.hostname or "", address.port or 80
                    )
                    self._pollers.append(poller)
            yield
        except (OSError, TimeoutError) as error:
            raise LoadFailedError(f"a poll could not be opened: {error!r}") from error
        finally:
            for poller in self._pollers:
                poller.close()

    def _note(self) -> None:
        self._times.append(time.perf_counter())
        if len(self._times) == self._count:
            self._complete.set()

    def ask(self, line: bytes) -> None:
        """Let all of them poll."""
        self._times.clear()
        self._complete.clear()
        for poller in self._pollers:
            poller.ask(line)

    async def told(self, sent: float, patience: float) -> Sequence[float]:
        """Milliseconds from then until each was told, in order. Raises `LoadFailedError` where one was not."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience):
                await self._complete.wait()
        trouble = next((poller.trouble for poller in self._pollers if poller.trouble), "")
        missing = self._count - len(self._times)
        if trouble or missing:
            raise LoadFailedError(trouble or f"{missing} pollers were not told of a change", max(missing, 1))
        return sorted((at - sent) * 1000 for at in self._times)


@dataclass(frozen=True, slots=True)
class PollLoad:
    """Updates of one key-value, one after another, each told to all pollers before the next.

    Of each change, the time until half of them have it and until the last has it are taken; the sample has the median of both, the latter
    as its p99.
    """

    name: str
    about: str
    times: int
    api: str = KIE

    async def run(self, server: Server, plan: Plan, _before: Sample | None) -> Sample:
        """One run on a scene of its own. Raises `LoadFailedError`."""
        crowd = _Crowd(plan.pollers * self.times)
        async with config_scene_on(server.url) as scene, crowd.connected(server.url):
            name = await scene.create()
            # The first pull has an answer at once, whatever it is ready to wait.
            crowd.ask(scene.poll(-1))
            await crowd.told(time.perf_counter(), plan.patience)
            halves, lasts = [], []
            started = time.perf_counter()
            for number in range(plan.polled_changes):
                crowd.ask(scene.poll(await scene.revision()))
                await asyncio.sleep(plan.settle)
                sent = time.perf_counter()
                await scene.update(name, f"value {number}")
                delays = await crowd.told(sent, plan.patience)
                halves.append(delays[len(delays) // 2])
                lasts.append(delays[-1])
            count = plan.pollers * self.times * plan.polled_changes
            return Sample(count, time.perf_counter() - started, median(halves), median(lasts))


POLL_LOADS: Sequence[PollLoad] = (
    PollLoad("config-poll-1000", "change told to 1,000 long polls", 1),
    PollLoad("config-poll-5000", "change told to 5,000 long polls", 5),
)

"""Calls the edge at a steady rate whatever comes back, as many users do, and keeps every answer.

A machine that is too busy for the rate is asked less: so many requests are under way at most. Lost requests are looked for, not overload.
"""

from __future__ import annotations

import asyncio
import contextlib
import statistics
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field

import aiohttp

from tests.engine import eventually

_MOST_AT_ONCE = 24
Headers = Callable[[int], Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Shown:
    """What one request brought. `begun` and `seconds` are of the loop's clock; `trouble` is empty where both parts were there."""

    begun: float
    seconds: float
    headers: Mapping[str, str]
    version: str
    has_uv: bool
    has_forecast: bool
    trouble: str


@dataclass
class Load:
    """A load that is under way. Answers are in the order in which they came."""

    answers: list[Shown] = field(default_factory=list)

    @property
    def troubles(self) -> Counter[str]:
        """What was wrong with answers, and how often."""
        return Counter(each.trouble for each in self.answers if each.trouble)

    async def since(self, begun: float, number: int) -> Sequence[Shown]:
        """Wait for so many answers to requests that began at this time or later; these."""

        async def enough() -> bool:
            return len(self._from(begun)) >= number

        await eventually(enough, 120)
        return self._from(begun)[:number]

    async def from_now(self, number: int) -> Sequence[Shown]:
        """Wait for so many answers to requests that are yet to begin; these."""
        return await self.since(asyncio.get_running_loop().time(), number)

    def _from(self, begun: float) -> Sequence[Shown]:
        return sorted((each for each in self.answers if each.begun >= begun), key=lambda each: each.begun)


def share_of(version: str, answers: Sequence[Shown]) -> float:
    """The share of answers that are of a version of weather."""
    return Counter(each.version for each in answers)[version] / len(answers)


def median_and_p99(answers: Sequence[Shown]) -> tuple[float, float]:
    """Seconds."""
    times = sorted(each.seconds for each in answers)
    return statistics.median(times), times[int(len(times) * 0.99) - 1]


def nothing_is_lost(load: Load) -> None:
    """Each request was answered with 200 and the weather, by the version that it says, which alone tells UV."""
    troubles = load.troubles
    assert not troubles, troubles
    assert all(each.has_uv is (each.version == "0.0.3") for each in load.answers)
    assert all(each.has_forecast for each in load.answers)


@contextlib.asynccontextmanager
async def load_on(edge: str, rate: float, headers: Headers = lambda _number: {}) -> AsyncIterator[Load]:
    """So many requests a second for as long as the block lasts; afterwards all have been answered."""
    load = Load()
    timeout = aiohttp.ClientTimeout(total=20)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session, asyncio.TaskGroup() as group:
        driving = group.create_task(_drive(group, session, f"{edge}/fusionweather/show", load, rate, headers))
        try:
            yield load
        finally:
            driving.cancel()


async def _drive(
    group: asyncio.TaskGroup, session: aiohttp.ClientSession, url: str, load: Load, rate: float, headers: Headers
) -> None:
    loop, places = asyncio.get_running_loop(), asyncio.Semaphore(_MOST_AT_ONCE)
    begun, number = loop.time(), 0
    while True:
        await places.acquire()
        asked = group.create_task(_ask(session, url, load, headers(number)))
        asked.add_done_callback(lambda _task: places.release())
        number += 1
        await _until(begun + number / rate)


async def _until(moment: float) -> None:
    due = asyncio.Event()
    asyncio.get_running_loop().call_at(moment, due.set)
    await due.wait()


async def _ask(session: aiohttp.ClientSession, url: str, load: Load, headers: Mapping[str, str]) -> None:
    loop = asyncio.get_running_loop()
    begun = loop.time()
    now: Mapping[str, object] = {}
    ahead: Mapping[str, object] = {}
    trouble = ""
    try:
        async with session.get(url, params={"city": "Berlin"}, headers=headers) as answer:
            body = await answer.read()
            if answer.status == 200:
                shown = await answer.json()
                now, ahead = shown["currentWeather"], shown["forecastWeather"]
                trouble = "" if now else "no weather"
            else:
                trouble = f"status {answer.status}: {body[:200]!r}"
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        trouble = f"{type(error).__name__}: {error}"
    version = str(now["servedBy"]["version"]) if now else ""  # type: ignore[index]
    load.answers.append(Shown(begun, loop.time() - begun, headers, version, "uviValue" in now, bool(ahead), trouble))

"""A clock that stands still until a test lets time pass, and an engine that answers as a test says."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
from collections.abc import AsyncIterator, Mapping
from typing import Any

from governance.sdk.calls import Answer, EngineError, EngineUnavailableError

GONE = EngineError(400, "400012", "Micro-service does not exist", "…")
FORGOTTEN = EngineError(400, "400017", "Instance does not exist", "…")
AWAY = EngineUnavailableError("no answer from the engine")


class Time:
    """The time of a test. `pause` and `clock` are given to what is tested; `pass_` lets seconds go by."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.pauses: list[float] = []
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._number = itertools.count()
        self._paused = asyncio.Event()

    def clock(self) -> float:
        return self.now

    async def pause(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        self.pauses.append(seconds)
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.now + seconds, next(self._number), future))
        self._paused.set()
        await future

    async def until_someone_pauses(self) -> None:
        """Wait, in real time, for what is tested to pause."""
        async with asyncio.timeout(10):
            await self._paused.wait()

    async def pass_(self, seconds: float) -> None:
        """Let time pass; everything that is due runs at its time."""
        until = self.now + seconds
        await settle()
        while self._sleepers and self._sleepers[0][0] <= until:
            self.now, _, future = heapq.heappop(self._sleepers)
            if not self._sleepers:
                self._paused.clear()
            if not future.done():
                future.set_result(None)
            await settle()
        self.now = until


async def settle() -> None:
    """Let every task go on until it waits for something that is not there yet."""
    for _ in range(30):
        await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def running(*work: Any) -> AsyncIterator[None]:
    """These coroutines run beside the block; an error in one fails the test."""
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        await settle()
        yield
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert not [error for error in ended if isinstance(error, Exception)], ended


class Engine:
    """Stands for `CenterClient`. What it is told to say it says until it is told otherwise; an exception is raised."""

    scope = "one"

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.says: dict[str, Any] = {}

    def calls_of(self, name: str) -> list[tuple[Any, ...]]:
        return [call[1:] for call in self.calls if call[0] == name]

    async def _answer(self, name: str, default: Any, *arguments: Any) -> Any:
        self.calls.append((name, *arguments))
        await asyncio.sleep(0)
        said = self.says.get(name, default)
        if isinstance(said, Exception):
            raise said
        return said

    async def heartbeat(self, service_id: str, instance_id: str) -> None:
        await self._answer("heartbeat", None, service_id, instance_id)

    async def heartbeats(self, pairs: list[tuple[str, str]]) -> frozenset[tuple[str, str]]:
        return await self._answer("heartbeats", frozenset(), sorted(pairs))

    async def service_id(self) -> str | None:
        return await self._answer("service_id", "s1")

    async def register_service(self, document: Mapping[str, Any]) -> str:
        return await self._answer("register_service", "s1", document)

    async def set_service_properties(self, service_id: str, properties: Mapping[str, str]) -> None:
        await self._answer("set_service_properties", None, service_id, properties)

    async def schema_summaries(self, service_id: str) -> Mapping[str, str]:
        return await self._answer("schema_summaries", {}, service_id)

    async def upload_schema(self, service_id: str, schema_id: str, content: str, summary: str) -> None:
        await self._answer("upload_schema", None, service_id, schema_id, content, summary)

    async def register_instance(self, service_id: str, document: Mapping[str, Any]) -> str:
        return await self._answer("register_instance", "i1", service_id, document)

    async def unregister_instance(self, service_id: str, instance_id: str) -> None:
        await self._answer("unregister_instance", None, service_id, instance_id)

    async def instance(self, service_id: str, instance_id: str) -> Mapping[str, Any]:
        return await self._answer("instance", {}, service_id, instance_id)

    async def set_status(self, service_id: str, instance_id: str, status: str) -> None:
        await self._answer("set_status", None, service_id, instance_id, status)

    async def knows_service(self, service_id: str) -> bool:
        return await self._answer("knows_service", True, service_id)

    async def find(self, consumer_id: str, app: str, service: str, revision: str) -> Answer:
        return await self._answer("find", found(), consumer_id, app, service, revision)


def found(*names: str, revision: str = "r1") -> Answer:
    """The answer to a find: instances of these ids."""
    rows = [
        {"instanceId": name, "serviceId": "p", "endpoints": [f"rest://10.0.0.1:{number}"]}
        for number, name in enumerate(names, 1)
    ]
    return Answer(200, {"instances": rows}, revision)

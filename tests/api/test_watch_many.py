"""A thousand watchers: each is told of every change once, in order, and soon; and a deletion may be held back for them."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from tests.engine import Client, EngineProcess, client_of, running_engine

WATCHERS = 1000
CHANGES = 10


class Watcher:
    """A websocket that is read all the time; it keeps what it is told."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.told: list[tuple[str, str]] = []
        self.changed = asyncio.Event()
        self._socket = socket
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for message in self._socket:
            frame = json.loads(message.data)
            self.told.append((frame["action"], frame["instance"]["instanceId"]))
            self.changed.set()

    async def until(self, number: int) -> list[tuple[str, str]]:
        """What it was told, once that is so much."""
        async with asyncio.timeout(60):
            while len(self.told) < number:
                self.changed.clear()
                await self.changed.wait()
        return self.told

    async def stop(self) -> None:
        """Close, and read until the engine has closed too."""
        await self._socket.close()
        await asyncio.wait([self._reading])


@contextlib.asynccontextmanager
async def watched(client: Client, consumer: str, number: int) -> AsyncIterator[list[Watcher]]:
    """So many watchers of one service, each on a connection of its own."""
    url = f"{client.registry}/microservices/{consumer}/watcher"
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        some = [session.ws_connect(url, headers=client._headers, max_msg_size=0) for _ in range(number)]
        sockets: list[Any] = []
        for start in range(0, number, 50):
            sockets += await asyncio.gather(*(connecting for connecting in some[start : start + 50]))
        watchers = [Watcher(socket) for socket in sockets]
        try:
            yield watchers
        finally:
            await asyncio.gather(*(watcher.stop() for watcher in watchers))


async def _pair(client: Client) -> tuple[str, str]:
    consumer, provider = await client.service("consumer"), await client.service("provider")
    await client.find("provider", consumer)
    return consumer, provider


async def test_a_thousand_watchers_are_told_of_every_change_once(engine: EngineProcess, client: Client) -> None:
    """Registrations, a change of status and deletions, as fast as one client makes them."""
    consumer, provider = await _pair(client)
    path = f"/microservices/{provider}/instances"
    wanted: list[tuple[str, str]] = []
    async with watched(client, consumer, WATCHERS) as watchers:
        for number in range(CHANGES):
            name = await client.instance(provider, instanceId=f"i{number}")
            await client.call("PUT", f"{path}/{name}/status?value=DOWN", None, 200)
            wanted += [("CREATE", name), ("UPDATE", name)]
        for number in range(CHANGES):
            await client.call("DELETE", f"{path}/i{number}", None, 200)
            wanted.append(("DELETE", f"i{number}"))
        last = await client.instance(provider)
        wanted.append(("CREATE", last))
        for watcher in watchers:
            assert await watcher.until(len(wanted)) == wanted
    async with client.session.get(f"{client.url}/metrics") as response:
        assert f"service_center_notify_publish_total {float(WATCHERS * len(wanted))}" in await response.text()


@pytest.mark.parametrize("again", [True, False])
async def test_a_deletion_that_is_taken_back_in_time_is_an_update(again: bool, tmp_path: Any) -> None:
    """`flap_damping`: watchers hear of a restart as one change, and of a deletion that stays a little later."""
    async with running_engine(tmp_path / "data", flap_damping=0.5) as engine, client_of(engine.url) as client:
        consumer, provider = await _pair(client)
        path = f"/microservices/{provider}/instances"
        async with watched(client, consumer, 1) as (watcher,):
            await client.instance(provider, instanceId="a")
            await client.call("DELETE", f"{path}/a", None, 200)
            assert await client.find("provider", consumer) == []
            if again:
                await client.instance(provider, instanceId="a")
                await client.instance(provider, instanceId="b")
                assert await watcher.until(3) == [("CREATE", "a"), ("UPDATE", "a"), ("CREATE", "b")]
            else:
                await client.instance(provider, instanceId="b")
                assert await watcher.until(3) == [("CREATE", "a"), ("CREATE", "b"), ("DELETE", "a")]

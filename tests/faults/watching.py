"""A consumer as the clients are: it finds, watches, and keeps its list by what it is told."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import orjson

from tests.engine import Client


class Watch:
    """An open websocket of a watching service, and the list of instance ids that follows from what it tells."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, instances: set[str]) -> None:
        self.socket = socket
        self.instances = instances

    async def event(self, seconds: float = 20.0) -> dict[str, Any]:
        """The next event, applied to the list."""
        async with asyncio.timeout(seconds):
            event: dict[str, Any] = orjson.loads(await self.socket.receive_str())
        name = event["instance"]["instanceId"]
        if event["action"] == "DELETE":
            self.instances.discard(name)
        else:
            self.instances.add(name)
        return event

    async def until(self, wanted: set[str]) -> None:
        """Follow events until the list is the wanted one."""
        while self.instances != wanted:
            await self.event()


@contextlib.asynccontextmanager
async def watching(client: Client, consumer: str, provider: str) -> AsyncIterator[Watch]:
    """Watch as a consumer, from a find of the provider on. The socket is open before the find, so nothing falls between."""
    url = f"{client.registry}/microservices/{consumer}/watcher"
    async with client.session.ws_connect(url) as socket:
        found = await client.find(provider, consumer)
        yield Watch(socket, {str(instance["instanceId"]) for instance in found})

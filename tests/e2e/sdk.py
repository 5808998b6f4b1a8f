"""Services for tests of the SDK: each answers with its name on a port of its own."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass

from aiohttp import web

from governance.sdk import Heartbeats, Instance, Microservice, ServiceSettings
from tests.engine import eventually


@dataclass(frozen=True)
class Place:
    """Where services register: addresses (comma list), a domain and a project."""

    url: str
    domain: str = "default"
    project: str = "default"


def settings(name: str, place: Place, **given: object) -> ServiceSettings:
    """Settings of a service of application shop, quick enough for tests; pulling is out of the way, nothing is kept on disk."""
    quick = {
        "heartbeat_interval": 0.5,
        "pull_interval": 3600,
        "register_timeout": 20,
        "host_name": "test",
        "config_cache": "",
    }
    where = {"app": "shop", "addresses": place.url, "domain": place.domain, "project": place.project}
    return ServiceSettings(name=name, **{**where, **quick, **given})  # type: ignore[arg-type]


async def soon(seconds: float) -> None:
    """A pause for tests: retries come at once, what is put off for hours does not come."""
    await asyncio.sleep(seconds if seconds > 60 else min(seconds, 0.1))


@contextlib.asynccontextmanager
async def answering(text: str) -> AsyncIterator[str]:
    """A plain server that answers everything with this text; its host and port. In the end it does not wait for anyone."""

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(text=text)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
    await runner.setup()
    listener = socket.create_server(("127.0.0.1", 0))
    try:
        await web.SockSite(runner, listener).start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
    finally:
        await runner.cleanup()
        listener.close()


@contextlib.asynccontextmanager
async def provider(name: str, place: Place, **given: object) -> AsyncIterator[Microservice]:
    """A registered service that answers with its instance's id."""
    identity = str(given.setdefault("instance_id", f"{name}-1"))
    async with (
        answering(identity) as endpoint,
        Microservice(settings(name, place, endpoints=endpoint, **given), pause=soon) as service,
    ):
        yield service


@contextlib.asynccontextmanager
async def consumer(place: Place, heartbeats: Heartbeats | None = None, **given: object) -> AsyncIterator[Consumer]:
    """A registered service that calls others, and is told of changes."""
    async with Microservice(settings("consumer", place, **given), heartbeats=heartbeats, pause=soon) as service:
        yield Consumer(service)


class Consumer:
    """A consumer; `lists` has every list of instances that it was told of, as ids."""

    def __init__(self, service: Microservice) -> None:
        self.service = service
        self.lists: list[list[str]] = []
        self._told = asyncio.Event()

    def listen(self, name: str) -> None:
        """Keep what the consumer is told of a provider."""

        def keep(instances: tuple[Instance, ...]) -> None:
            self.lists.append([instance.instance_id for instance in instances])
            self._told.set()

        self.service.on_change(name, keep)

    async def told(self) -> list[str]:
        """The next list that the consumer is told of."""
        async with asyncio.timeout(20):
            await self._told.wait()
        self._told.clear()
        return self.lists[-1]

    async def call(self, url: str) -> str:
        """The text that a GET is answered with."""
        async with self.service.http.get(url) as answer:
            assert answer.status == 200
            return await answer.text()

    async def watching(self) -> None:
        """Wait until changes are pushed."""

        async def connected() -> bool:
            return self.service.watching

        await eventually(connected)

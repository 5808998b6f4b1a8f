"""The sample's applications on free loopback ports, with providers that a test makes up."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web

from governance.sdk import Configuration, ServiceSettings, Session
from tests.unit.sdk.known import Known, session_of


@dataclass
class Service:
    """Stands for `Microservice`."""

    settings: ServiceSettings = field(default_factory=lambda: ServiceSettings(name="sample", version="0.0.9"))
    instance_id: str = "i-1"
    http: Session | None = None
    config: Configuration = field(default_factory=lambda: Configuration(ServiceSettings(name="sample")))


@contextlib.asynccontextmanager
async def knowing(known: Known) -> AsyncIterator[Service]:
    """A service that can call what is known."""
    async with session_of(known) as http:
        yield Service(http=http)


@contextlib.asynccontextmanager
async def running_app(app: web.Application) -> AsyncIterator[str]:
    """The application's address."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
    await runner.setup()
    listener = socket.create_server(("127.0.0.1", 0))
    try:
        await web.SockSite(runner, listener).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        await runner.cleanup()
        listener.close()


async def get(url: str, **query: str) -> tuple[int, object]:
    """Status and decoded JSON."""
    async with aiohttp.ClientSession() as session, session.get(url, params=query) as answer:
        return answer.status, await answer.json()

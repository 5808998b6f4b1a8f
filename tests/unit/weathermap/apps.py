"""The sample's applications on free loopback ports, with providers that a test makes up."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web

from governance.invocation.live import LiveRules
from governance.rules.selection import OwnService
from governance.sdk import Configuration, ServiceSettings, Session
from governance.sdk.server import Inbound
from tests.unit.sdk.known import Known, session_of


async def nobody_known(_context: Mapping[str, str]) -> None:
    """Nobody proves who calls."""


@dataclass
class Service:
    """Stands for `Microservice`."""

    settings: ServiceSettings = field(default_factory=lambda: ServiceSettings(name="sample", version="0.0.9"))
    instance_id: str = "i-1"
    http: Session | None = None
    inbound: Inbound = field(default_factory=lambda: Inbound(LiveRules(OwnService("sample")), (), {}, nobody_known))
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

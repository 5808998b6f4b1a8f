"""Discovery that knows what a test gives it, and sessions that ask it."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import AsyncIterator, Mapping, Sequence

import aiohttp

from governance.invocation.live import LiveRules
from governance.routing.own import OwnInstance
from governance.rules.selection import OwnService
from governance.sdk import EngineUnavailableError, Instance, Session
from governance.sdk.providers import Providers
from governance.sdk.stages import outbound

_numbers = itertools.count()


class Known:
    """Stands for `Discovery`: it knows what a test gives it."""

    def __init__(self, **services: list[Instance]) -> None:
        self.services = services
        self.asked: list[tuple[str, str | None]] = []
        self.away = False

    async def instances(self, service: str, app: str | None = None) -> tuple[Instance, ...]:
        self.asked.append((service, app))
        if self.away:
            raise EngineUnavailableError("no answer from the engine")
        return tuple(self.services.get(service, ()))


class Schemas:
    """Stands for the engine's client: the schemas that a provider has uploaded."""

    def __init__(self, schemas: Mapping[str, str] = {}) -> None:
        self.uploaded = schemas

    async def schemas(self, _service_id: str) -> Mapping[str, str]:
        return self.uploaded


def instance(address: str, status: str = "UP", version: str = "1.0") -> Instance:
    endpoint = address.replace("http", "rest")
    number = f"i{next(_numbers)}"
    return Instance(number, "s", "shop", "cart", version, ("highway://10.0.0.1:1", endpoint), status)


@contextlib.asynccontextmanager
async def session_of(
    known: Known,
    items: Mapping[str, str] = {},
    schemas: Mapping[str, str] = {},
    connections: int = 0,
    traces: Sequence[aiohttp.TraceConfig] = (),
) -> AsyncIterator[Session]:
    """The session of a service shop under rules, with so many connections at once; 0 is any number. `traces` watch aiohttp."""
    rules = LiveRules(OwnService("shop", "1.0"))
    rules.update(items)
    providers = Providers(known, Schemas(schemas))  # type: ignore[arg-type]
    stages = outbound(rules, OwnInstance("shop", "1.0"), providers)
    connector = aiohttp.TCPConnector(limit=connections)
    async with aiohttp.ClientSession(
        cookie_jar=aiohttp.DummyCookieJar(), connector=connector, trace_configs=list(traces)
    ) as session:
        http = Session(providers, rules, stages, lambda: {"x-microservice-name": "shop"})
        http.open_with(session)
        yield http

"""Writes rules for the weathermap, and knows when they are obeyed; asks the edge and single processes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import aiohttp

from tests.api.own_config import OwnConfig
from tests.e2e.governance.world import Member, World

CITY = {"city": "Berlin"}


class Rules:
    """The items of governance of the application. What `obeyed_by` writes is at the level of that service."""

    def __init__(self, world: World, session: aiohttp.ClientSession) -> None:
        self._world = world
        self._session = session
        self._own = OwnConfig(session, world.engine, "default")
        self._written: dict[tuple[str, str], tuple[str, ...]] = {}

    async def obeyed_by(self, service: str, items: Mapping[str, str]) -> None:
        """Write rules by the engine's API, and wait until every process of the service has them. Keys are without `servicecomb.`."""
        await self._change(service, {f"servicecomb.{name}": (text, "text") for name, text in items.items()})

    async def yaml_obeyed_by(self, service: str, key: str, text: str, brings: Sequence[str]) -> None:
        """Write an item of YAML that brings keys which are no names of items, as lists do."""
        self._written[service, key] = tuple(brings)
        await self._change(service, {key: (text, "yaml")})

    async def policy(self, service: str, kind: str, text: str, group: str = 'apiPath: { prefix: "/" }') -> None:
        """A policy with its match group, named e2e."""
        await self.obeyed_by(service, {"matchGroup.e2e": f"matches: [{{ {group} }}]", f"{kind}.e2e": text})

    async def delete(self) -> None:
        """Delete what was written, and wait until nobody has it any more."""
        for service in dict.fromkeys(service for service, _ in self._written):
            await self._change(service, {key: None for owner, key in self._written if owner == service})
        self._written.clear()

    async def _change(self, service: str, items: Mapping[str, tuple[str, str] | None]) -> None:
        awaited = [key for name in items for key in self._written.get((service, name), (name,))]
        async with self._world.change_of(service, awaited):
            for key, given in items.items():
                await self._write(service, key, given)

    async def _write(self, service: str, key: str, given: tuple[str, str] | None) -> None:
        labels = {"app": "weathermap", "environment": "", **({"service": service} if service else {})}
        if given is None:
            query = [("key", key), *(("label", f"{name}:{value}") for name, value in labels.items())]
            await self._own.ok("DELETE", "items", *query)
        else:
            await self._own.put(key, given[0], labels, value_type=given[1])
            self._written.setdefault((service, key), (key,))

    async def show(self, **headers: str) -> dict[str, Any]:
        """What the page shows: the edge's answer, which must be 200."""
        status, shown = await self.ask(f"{self.edge}/fusionweather/show", **headers)
        assert status == 200, shown
        return dict(shown)

    async def versions(self, number: int, **headers: str) -> Counter[str]:
        """Which versions of weather the page's next answers are of."""
        shown = [await self.show(**headers) for _ in range(number)]
        return Counter(each["currentWeather"]["servedBy"]["version"] for each in shown)

    async def weather(self, member: Member, **headers: str) -> int:
        """The status of a direct call to a process of weather or forecast."""
        return (await self.ask(f"{member.url}/{member.service}/show", **headers))[0]

    @property
    def edge(self) -> str:
        """The edge's address."""
        return self._world.edge

    async def ask(self, url: str, query: Mapping[str, str] | None = None, **headers: str) -> tuple[int, Any]:
        """Status and body of a GET for the city of these tests."""
        async with self._session.get(url, params={**CITY, **(query or {})}, headers=headers) as answer:
            body = await answer.read()
            return answer.status, await answer.json() if body else None

"""Concurrent clients that change a registry at random and remember what they were told.

Each `Worker` owns some services, so it knows what must be there: everything that was acknowledged. A request whose answer never came is in
doubt: all of it may have happened, or none of it.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import aiohttp

from tests.engine import Client

Key = tuple[str, ...]
"""What a fact is about: ("service", name), ("instance", service, id) or ("schema", service, id)."""
Facts = dict[Key, str]
"""What is registered, each with the text that tells one state of it from another."""
Effects = Mapping[Key, str | None]
"""What a request changes: the new texts, `None` for what it removes."""


@dataclass(slots=True)
class Tally:
    """Acknowledged changes of all workers; `reached` is set when there are `enough`."""

    enough: int
    count: int = 0
    reached: asyncio.Event = field(default_factory=asyncio.Event)

    def add(self) -> None:
        """One more."""
        self.count += 1
        if self.count >= self.enough:
            self.reached.set()


class Worker:
    """One client with its own services. Its choices follow from the seed."""

    def __init__(self, name: str, seed: str) -> None:
        self.name = name
        self.facts: Facts = {}
        self.doubt: Effects = {}
        self.ids = {f"{name}-{number}": "" for number in range(3)}
        self._chance = random.Random(f"{seed}/{name}")
        self._step = 0

    async def run(self, client: Client, tally: Tally) -> None:
        """Change things until the engine is gone; what that left in doubt is in `doubt`."""
        while True:
            self._step += 1
            effects, request = self._choose(client)
            self.doubt = effects
            try:
                await request()
            except (aiohttp.ClientError, ConnectionError):
                return
            self.doubt = {}
            apply(self.facts, effects)
            tally.add()

    def _choose(self, client: Client) -> tuple[Effects, Callable[[], Awaitable[object]]]:
        service = self._chance.choice(list(self.ids))
        if ("service", service) not in self.facts:
            return {("service", service): ""}, lambda: self._register(client, service)
        path = f"/microservices/{self.ids[service]}"
        acts = (
            self._instance,
            self._instance,
            self._instance_change,
            self._leave,
            self._properties,
            self._schema,
            self._end,
        )
        return self._chance.choice(acts)(client, service, path)

    async def _register(self, client: Client, service: str) -> None:
        self.ids[service] = await client.service(service)

    def _instance(self, client: Client, service: str, path: str) -> tuple[Effects, Callable[[], Awaitable[object]]]:
        name = f"i{self._step}"
        body = {"instance": {"instanceId": name, "hostName": "h", "properties": {"v": "0"}}}
        return {("instance", service, name): "0"}, lambda: client.call("POST", f"{path}/instances", body, 200)

    def _some(self, kind: str, service: str) -> Key | None:
        owned = [key for key in self.facts if key[:2] == (kind, service)]
        return self._chance.choice(owned) if owned else None

    def _instance_change(
        self, client: Client, service: str, path: str
    ) -> tuple[Effects, Callable[[], Awaitable[object]]]:
        key = self._some("instance", service)
        if key is None:
            return self._instance(client, service, path)
        value = str(self._step)
        body = {"properties": {"v": value}}
        return {key: value}, lambda: client.call("PUT", f"{path}/instances/{key[2]}/properties", body, 200)

    def _leave(self, client: Client, service: str, path: str) -> tuple[Effects, Callable[[], Awaitable[object]]]:
        key = self._some("instance", service)
        if key is None:
            return self._instance(client, service, path)
        return {key: None}, lambda: client.call("DELETE", f"{path}/instances/{key[2]}", None, 200)

    def _properties(self, client: Client, service: str, path: str) -> tuple[Effects, Callable[[], Awaitable[object]]]:
        value = str(self._step)
        body = {"properties": {"v": value}}
        return {("service", service): value}, lambda: client.call("PUT", f"{path}/properties", body, 200)

    def _schema(self, client: Client, service: str, path: str) -> tuple[Effects, Callable[[], Awaitable[object]]]:
        key = self._some("schema", service)
        if key is not None and self._chance.random() < 0.4:
            return {key: None}, lambda: client.call("DELETE", f"{path}/schemas/{key[2]}", None, 200)
        name, content = f"s{self._chance.randrange(5)}", f"content {self._step}"
        upload = {"schema": content, "summary": ""}
        return {("schema", service, name): content}, lambda: client.call("PUT", f"{path}/schemas/{name}", upload, 200)

    def _end(self, client: Client, service: str, path: str) -> tuple[Effects, Callable[[], Awaitable[object]]]:
        if self._chance.random() < 0.8:
            return self._properties(client, service, path)
        effects = {key: None for key in self.facts if key[1] == service}
        return effects, lambda: client.call("DELETE", f"{path}?force=true", None, 200)

    async def check(self, client: Client, told: str) -> None:
        """Compare what is registered with what must be; `told` says when, for whoever reads the failure. Doubt ends here."""
        found = await self._found(client)
        after = dict(self.facts)
        apply(after, self.doubt)
        if found != after:
            assert found == self.facts, f"{told}, {self.name}, in doubt: {dict(self.doubt)}"
        self.facts, self.doubt = found, {}

    async def _found(self, client: Client) -> Facts:
        _, listed, _ = await client.call("GET", "/microservices", None, 200)
        facts: Facts = {}
        for service in listed.get("services", []):  # type: ignore[attr-defined]
            name = service["serviceName"]
            if name in self.ids:
                self.ids[name] = service["serviceId"]
                facts["service", name] = service.get("properties", {}).get("v", "")
                facts |= await self._belongings(client, name, f"/microservices/{service['serviceId']}")
        return facts

    @staticmethod
    async def _belongings(client: Client, service: str, path: str) -> Facts:
        _, instances, _ = await client.call("GET", f"{path}/instances", None, 200)
        _, schemas, _ = await client.call("GET", f"{path}/schemas?withSchema=1", None, 200)
        facts: Facts = {}
        for instance in instances.get("instances", []):  # type: ignore[attr-defined]
            facts["instance", service, instance["instanceId"]] = instance["properties"]["v"]
        for schema in schemas.get("schemas", []):  # type: ignore[attr-defined]
            if "schema" in schema:
                facts["schema", service, schema["schemaId"]] = schema["schema"]
        return facts


def apply(facts: Facts, effects: Effects) -> None:
    """Let the effects of a request happen."""
    for key, text in effects.items():
        if text is None:
            facts.pop(key, None)
        else:
            facts[key] = text

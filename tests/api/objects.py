"""A client of the API of gray releases and degradations, for tests."""

from __future__ import annotations

import uuid
from typing import Any

import aiohttp

from tests.api.own_config import OwnConfig


class ObjectClient:
    """Calls on the objects of one kind in one project, beside the items that they become."""

    def __init__(self, session: aiohttp.ClientSession, url: str, path: str, names: dict[str, str]) -> None:
        self.project = f"p{uuid.uuid4().hex[:8]}"
        self.items = OwnConfig(session, url, self.project)
        self.names = names
        self.registry = f"{url}/v4/{self.project}/registry/microservices"
        self._own = OwnConfig(session, url, self.project)
        self._own.url = f"{url}/waggle/v1/{path}"
        self._session = session

    @property
    def _query(self) -> list[tuple[str, str]]:
        return list(self.names.items())

    async def put(self, *query: tuple[str, str], **members: object) -> Any:
        """Put the object; what the answer says of it."""
        return await self._own.ok("PUT", "/one", *query, body={**self.names, **members})

    async def put_refused(self, code: int, *query: tuple[str, str], **members: object) -> str:
        """The detail of the refusal of a put."""
        return await self._own.refused(code, "PUT", "/one", *query, body={**self.names, **members})

    async def ok(self, method: str, path: str, *query: tuple[str, str]) -> Any:
        """The body of an answer about the object that must be 200."""
        return await self._own.ok(method, path, *self._query, *query)

    async def refused(self, code: int, method: str, path: str, *query: tuple[str, str]) -> str:
        """The detail of a refusal that must have this code."""
        return await self._own.refused(code, method, path, *self._query, *query)

    async def body_refused(self, body: object) -> str:
        """The detail of the refusal of a body as invalid."""
        return await self._own.refused(400001, "PUT", "/one", body=body)

    async def all(self) -> list[Any]:
        """All objects of the kind."""
        return list((await self._own.ok("GET", ""))["objects"])

    async def values(self) -> dict[str, str]:
        """The values of all items by key."""
        return await self.items.values()

    async def instance(self, service: str, version: str, status: str = "UP", app: str = "mall") -> str:
        """Register an instance of a version; its path."""
        named = {"serviceName": service, "appId": app, "version": version}
        async with self._session.post(self.registry, json={"service": named}) as answer:
            owner = (await answer.json())["serviceId"]
        given = {"hostName": "h", "endpoints": [f"rest://127.0.0.1:{version.partition('.')[0]}"], "status": status}
        async with self._session.post(f"{self.registry}/{owner}/instances", json={"instance": given}) as answer:
            return f"{self.registry}/{owner}/instances/{(await answer.json())['instanceId']}"

    async def set_status(self, instance: str, status: str) -> None:
        """Set the status of an instance."""
        async with self._session.put(f"{instance}/status", params={"value": status}) as answer:
            assert answer.status == 200

    async def gone(self, instance: str) -> None:
        """Unregister an instance."""
        async with self._session.delete(instance) as answer:
            assert answer.status == 200

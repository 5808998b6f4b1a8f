"""A client of Config Center for tests."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import orjson

from tests.engine import Client

ITEMS = "/v3/default/configuration/items"


class Center:
    """A client in an application of its own, with a service and its version."""

    def __init__(self, api: Client, path: str = ITEMS, environment: str = "") -> None:
        self.api = api
        self.path = path
        self.environment = environment
        self.app = f"a{uuid.uuid4().hex[:8]}"
        self.dimension = f"cart@{self.app}#1.0.0"

    @property
    def quoted(self) -> str:
        """The dimension as Java sends it."""
        return self.dimension.replace("@", "%40").replace("#", "%23")

    @property
    def headers(self) -> dict[str, str]:
        """The headers that all requests have."""
        return {**self.api._headers, "x-environment": self.environment}

    def in_environment(self, environment: str, path: str = "") -> Center:
        """A client of the same service in another environment."""
        other = Center(self.api, path or self.path, environment)
        other.app, other.dimension = self.app, self.dimension
        return other

    async def get(self, revision: str = "null", dimension: str = "", **more: str) -> tuple[int, dict[str, Any]]:
        """Status and body of a pull."""
        query = f"?dimensionsInfo={dimension or self.quoted}&revision={revision}"
        query += "".join(f"&{name}={value}" for name, value in more.items())
        status, body = await self.call("GET", self.path + query)
        return status, body or {}

    async def seen(self) -> dict[str, dict[str, str]]:
        """What the client sees, without the revision."""
        _, body = await self.get()
        body.pop("revision")
        return body

    async def revision(self) -> str:
        """The current revision."""
        _, body = await self.get()
        return str(body["revision"]["version"])

    async def write(self, dimension: str, **items: object) -> None:
        """Write items."""
        await self.change("POST", {"dimensionsInfo": dimension, "items": items})

    async def delete(self, dimension: str, *keys: str) -> None:
        """Delete items."""
        await self.change("DELETE", {"dimensionsInfo": dimension, "keys": keys})

    async def change(self, method: str, body: object, expect: int = 200, path: str = "") -> Any:
        """Write or delete."""
        status, answer = await self.call(method, path or self.path, body)
        assert status == expect, f"{method}: {status} {answer}"
        return answer

    async def call(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Status and decoded body of any request."""
        async with self.api.session.request(method, self.api.url + path, json=body, headers=self.headers) as response:
            text = await response.read()
            return response.status, orjson.loads(text) if text else None

    @contextlib.asynccontextmanager
    async def listening(self, **headers: str) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        """A websocket on which the client is told of changes, with only these headers."""
        url = self.api.url + self.path.replace("/items", "/refresh/items") + f"?dimensionsInfo={self.quoted}"
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.api.session.ws_connect(url, headers=named, autoping=False) as socket:
            yield socket

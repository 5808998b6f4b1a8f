"""A client of the engine's own API of the config centre, for tests."""

from __future__ import annotations

import json
from typing import Any

import aiohttp

JSON_TYPE = "application/json"


class OwnConfig:
    """Calls one project of an engine, by default as an author."""

    def __init__(self, session: aiohttp.ClientSession, url: str, project: str, domain: str = "default") -> None:
        self.session = session
        self.url = f"{url}/waggle/v1/config/"
        self.project = project
        self._tenant = [("domain", domain), ("project", project)]

    async def call(self, method: str, path: str, *query: tuple[str, str], body: object = None) -> tuple[int, Any]:
        """Status and decoded body, text where it is no JSON; a body that is no bytes is sent as JSON."""
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        params = [*self._tenant, *query]
        async with self.session.request(method, self.url + path, params=params, data=data) as response:
            payload = await response.read()
            is_json = response.content_type == JSON_TYPE
            return response.status, json.loads(payload) if is_json else payload.decode()

    async def ok(self, method: str, path: str, *query: tuple[str, str], body: object = None) -> Any:
        """The body of an answer that must be 200."""
        status, answer = await self.call(method, path, *query, body=body)
        assert status == 200, f"{method} {path}: {status} {answer}"
        return answer

    async def refused(self, code: int, method: str, path: str, *query: tuple[str, str], body: object = None) -> str:
        """The detail of a refusal that must have this code."""
        status, answer = await self.call(method, path, *query, body=body)
        assert (status, answer["errorCode"]) == (code // 1000, str(code)), f"{method} {path}: {status} {answer}"
        return str(answer.get("detail", ""))

    async def put(self, key: str, value: str, labels: dict[str, str] | None = None, **members: object) -> Any:
        """Put one item; what the answer says of it."""
        return await self.ok("PUT", "items", body={"key": key, "value": value, "labels": labels or {}, **members})

    async def values(self, *query: tuple[str, str]) -> dict[str, str]:
        """The values of listed items by key."""
        return {item["key"]: item["value"] for item in (await self.ok("GET", "items", *query))["data"]}

    async def imported(self, text: str, *query: tuple[str, str]) -> Any:
        """What an import answers."""
        return await self.ok("POST", "import", *query, body=text.encode())

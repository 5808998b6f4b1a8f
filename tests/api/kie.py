"""A client of KIE's API for tests, and the requests of unmodified clients as they write them."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import aiohttp

JSON_TYPE = "application/json"
Answer = tuple[int, Any, Mapping[str, str]]


class Kie:
    """Calls one project of an engine. Every method answers status, decoded body (`None` where empty) and headers."""

    def __init__(self, session: aiohttp.ClientSession, url: str, project: str) -> None:
        self.session = session
        self.project = project
        self.path = f"/v1/{project}/kie"
        self.url = url + self.path

    async def call(self, method: str, path: str, body: object = None, **headers: str) -> Answer:
        """Send a body as JSON, or as it is where it is bytes."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        if data is not None:
            named.setdefault("Content-Type", JSON_TYPE)
        # A file, since aiohttp warns of large bodies that are none.
        file = io.BytesIO(data) if data is not None else None
        async with self.session.request(method, self.url + path, data=file, headers=named) as response:
            payload = await response.read()
            is_json = response.content_type == JSON_TYPE and payload
            return response.status, json.loads(payload) if is_json else payload.decode() or None, response.headers

    async def ok(self, method: str, path: str, body: object = None, status: int = 200, **headers: str) -> Any:
        """The body of an answer that must have this status."""
        found, answer, _ = await self.call(method, path, body, **headers)
        assert found == status, f"{method} {path}: {found} {answer}"
        return answer

    async def refused(self, code: int, method: str, path: str, body: object = None, **headers: str) -> str:
        """The detail of a refusal that must have this code, in the envelope that clients read."""
        status, answer, found = await self.call(method, path, body, **headers)
        assert (status, answer["errorCode"]) == (code // 1000, str(code)), f"{method} {path}: {status} {answer}"
        assert set(answer) <= {"errorCode", "errorMessage", "detail"}
        assert found["Content-Type"].partition(";")[0] == JSON_TYPE
        return str(answer.get("detail", ""))

    async def create(self, key: str, value: str = "v", labels: Mapping[str, str] | None = None, **more: object) -> Any:
        """Create an enabled key-value."""
        body = {"key": key, "value": value, "status": "enabled", "labels": labels or {}, **more}
        return await self.ok("POST", "/kv", body)

    async def update(self, key_id: str, value: str) -> Any:
        """Change a value."""
        return await self.ok("PUT", f"/kv/{key_id}", {"value": value})

    async def listed(self, query: str = "") -> tuple[list[Any], int]:
        """The key-values of a list, and its revision."""
        status, body, headers = await self.call("GET", f"/kv?{query}")
        assert status == 200, f"{query}: {status} {body}"
        assert body["total"] >= len(body["data"])
        return body["data"], int(headers["X-Kie-Revision"])

    async def keys(self, query: str = "") -> list[str]:
        """The keys of a list, in its order."""
        return [item["key"] for item in (await self.listed(query))[0]]


def java_line(
    project: str, labels: Mapping[str, str], revision: int | str, wait: str = "10s", exact: bool = True
) -> str:
    """The target of a Java client's poll: escaped labels, an empty segment, `wait` at the end. Protocol: KIE section C.1."""
    queried = "&".join(urlencode({"label": f"{name}:{value}"}) for name, value in labels.items())
    match = "&match=exact" if exact else ""
    return f"/v1/{project}/kie/kv?{queried}&&revision={revision}{match}&wait={wait}"


JAVA_HEADERS = {
    "User_Agent": "microservice-client/1.0.0",
    "Content_Type": JSON_TYPE,
    "Accept_Encoding": "gzip,deflate",
    "Connection": "Keep-Alive",
}

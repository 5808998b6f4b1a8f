"""What a load needs on a server: services and instances of its own, registered before it and taken away after it."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence

import aiohttp
import orjson

from benchmarks.sample import LoadFailedError
from benchmarks.wrk import NUMBER
from tests.engine import Client, client_of

_WRITERS = 10
_SHOWN_SECONDS = 30.0
_ROOT = "/v4/default/registry"
# Longer than any run, since nothing here sends heartbeats that it does not measure.
_HEALTH_CHECK = {"mode": "push", "interval": 3600, "times": 3}


class Scene:
    """One application on one server, under a name that no other run has. Its methods raise `LoadFailedError`."""

    def __init__(self, client: Client) -> None:
        self.url = client.url
        self.app = f"benchmark-{uuid.uuid4().hex[:12]}"
        self._client = client
        self._services: list[str] = []

    async def service(self, name: str) -> str:
        """Register a service; its id."""
        body = {"service": {"serviceName": name, "appId": self.app, "version": "1.0.0"}}
        answer, _ = await self.call("POST", "/microservices", body)
        self._services.append(str(answer["serviceId"]))
        return self._services[-1]

    async def register(self, service_id: str, described: Mapping[str, object]) -> str:
        """Register an instance; its id."""
        answer, _ = await self.call("POST", f"/microservices/{service_id}/instances", {"instance": described})
        return str(answer["instanceId"])

    async def instances(self, service_id: str, count: int) -> Sequence[str]:
        """Register instances of a service; their ids."""
        numbers = iter(range(count))

        async def write() -> Sequence[str]:
            return [await self.register(service_id, instance(f"{number:08d}")) for number in numbers]

        written = await asyncio.gather(*(write() for _ in range(min(_WRITERS, count))))
        return [name for names in written for name in names]

    async def find(self, name: str, consumer: str = "") -> tuple[int, str]:
        """How many instances of a service a find shows, and the revision of that answer."""
        path = f"/instances?appId={self.app}&serviceName={name}"
        answer, headers = await self.call("GET", path, None, **({"X_ConsumerId": consumer} if consumer else {}))
        found = answer.get("instances")
        return len(found) if isinstance(found, list) else 0, headers.get("X-Resource-Revision", "")

    async def shown(self, consumer: str, name: str, count: int) -> str:
        """Wait until the consumer's find of a service shows so many instances; the revision of that answer."""
        found = -1
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_SHOWN_SECONDS):
                while True:
                    found, revision = await self.find(name, consumer)
                    if found == count:
                        return revision
                    await asyncio.sleep(0.1)
        raise LoadFailedError(f"a find shows {found} instances, where {count} are registered")

    async def call(
        self, method: str, path: str, body: object = None, **headers: str
    ) -> tuple[Mapping[str, object], Mapping[str, str]]:
        """The body and headers of a good answer."""
        try:
            status, answer, named = await self._client.call(method, path, body, None, **headers)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise LoadFailedError(f"{method} {path}: {error!r}") from error
        if status != 200:
            raise LoadFailedError(f"{method} {path} was answered {status}: {str(answer)[:200]}")
        return answer if isinstance(answer, dict) else {}, named  # type: ignore[return-value]

    def request(self, method: str, path: str, body: object = None, **headers: str) -> bytes:
        """A request to the registry, as wrk is to send it."""
        payload = orjson.dumps(body) if body is not None else b""
        named = {"Host": self.url.partition("://")[2], "X-Domain-Name": "default"}
        named |= {name.replace("_", "-"): value for name, value in headers.items()}
        if payload:
            named["Content-Type"] = "application/json"
        if method != "GET":
            named["Content-Length"] = str(len(payload))
        lines = [f"{method} {_ROOT}{path} HTTP/1.1", *(f"{name}: {value}" for name, value in named.items())]
        return "\r\n".join((*lines, "", "")).encode() + payload

    async def remove(self) -> None:
        """Take everything away again."""
        for service_id in self._services:
            await self.call("DELETE", f"/microservices/{service_id}?force=1")


def instance(number: str, **members: str) -> Mapping[str, object]:
    """An instance as a service describes itself, told from others by a number: some 350 bytes in an answer."""
    return {
        "hostName": f"host-{number}",
        "endpoints": [f"rest://{number}.example:8080"],
        "properties": {"zone": "a"},
        "healthCheck": _HEALTH_CHECK,
        **members,
    }


def numbered_instance() -> Mapping[str, object]:
    """An instance that is another one each time that wrk sends it."""
    return instance(NUMBER.decode())


@contextlib.asynccontextmanager
async def scene_on(url: str) -> AsyncIterator[Scene]:
    """A scene on a server, taken away at the end. Raises `LoadFailedError`."""
    async with client_of(url) as client:
        scene = Scene(client)
        try:
            yield scene
        except LoadFailedError:
            with contextlib.suppress(LoadFailedError):
                await scene.remove()
            raise
        await scene.remove()

"""The loads of the config centre that wrk sends, and the scene of all of them. They need a KIE, or what takes its place."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import aiohttp
import orjson

from benchmarks import wrk
from benchmarks.plan import Plan
from benchmarks.sample import LoadFailedError, Sample
from benchmarks.server import KIE, Server

ITEMS_A_LIST = 10
_ITEMS_A_UPLOAD = 1000
_PROJECTS = 20
_JSON = "application/json"
Labels = Mapping[str, str]


class ConfigScene:
    """Projects on one server, under names that no other run has. Its methods raise `LoadFailedError`."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self.url = url
        self.project = self.new_project()
        self._session = session
        self._projects = {self.project}
        self._filled = 0

    @staticmethod
    def new_project() -> str:
        """A name that nobody has."""
        return f"benchmark-{uuid.uuid4().hex[:12]}"

    def projects(self, count: int) -> Sequence[str]:
        """New projects, which are emptied at the end."""
        made = [self.new_project() for _ in range(count)]
        self._projects.update(made)
        return made

    async def fill(self, count: int) -> None:
        """Let there be so many key-values, as many to a list as are listed."""
        while self._filled < count:
            last = min(self._filled + _ITEMS_A_UPLOAD, count)
            items = [_item(f"key.{number:08d}", number // ITEMS_A_LIST) for number in range(self._filled, last)]
            answer, _ = await self.call("POST", f"/v1/{self.project}/kie/file?override=force", {"data": items})
            stored = answer["success"]
            if not isinstance(stored, list) or len(stored) != len(items):
                raise LoadFailedError(f"an import of {len(items)} was answered {str(answer)[:200]}")
            self._filled = last

    async def create(self) -> str:
        """Create a key-value of the first list; its id."""
        answer, _ = await self.call("POST", f"/v1/{self.project}/kie/kv", _item("changed", 0))
        return str(answer["id"])

    async def update(self, key_id: str, value: str) -> None:
        """Change it."""
        await self.call("PUT", f"/v1/{self.project}/kie/kv/{key_id}", {"value": value})

    def poll(self, revision: int) -> bytes:
        """A long poll of the first list, as Java's client sends it but for its patience."""
        query = _query(0).replace("&match", f"&&revision={revision}&match")
        return self.request("GET", f"/v1/{self.project}/kie/kv?{query}&wait=30s")

    async def revision(self) -> int:
        """The revision that lists have now."""
        _, headers = await self.call("GET", f"/v1/{self.project}/kie/kv?{_query(0)}")
        return int(headers.get("X-Kie-Revision", ""))

    async def call(self, method: str, path: str, body: object = None) -> tuple[Mapping[str, object], Mapping[str, str]]:
        """The body and headers of a good answer."""
        data = None if body is None else orjson.dumps(body)
        headers = {} if body is None else {"Content-Type": _JSON}
        try:
            async with self._session.request(method, self.url + path, data=data, headers=headers) as response:
                payload = await response.read()
                if response.status not in (200, 204):
                    raise LoadFailedError(f"{method} {path} was answered {response.status}: {payload[:200]!r}")
                answer = orjson.loads(payload) if payload else {}
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise LoadFailedError(f"{method} {path}: {error!r}") from error
        return answer, response.headers

    def request(self, method: str, path: str, body: object = None) -> bytes:
        """A request as wrk or a poller is to send it."""
        payload = b"" if body is None else orjson.dumps(body)
        named = {"Host": self.url.partition("://")[2], "Content-Type": _JSON, "Connection": "keep-alive"}
        if payload:
            named["Content-Length"] = str(len(payload))
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in named.items())]
        return "\r\n".join((*lines, "", "")).encode() + payload

    async def remove(self) -> None:
        """Delete everything again."""
        for project in self._projects:
            answer, _ = await self.call("GET", f"/v1/{project}/kie/kv")
            items = cast("Sequence[Mapping[str, object]]", answer["data"])
            for start in range(0, len(items), _ITEMS_A_UPLOAD):
                ids = [item["id"] for item in items[start : start + _ITEMS_A_UPLOAD]]
                await self.call("DELETE", f"/v1/{project}/kie/kv", {"ids": ids})


def _item(key: str, number: int) -> Mapping[str, object]:
    """A key-value as rules are, of the list of that number: some 400 bytes in an answer."""
    return {
        "key": f"servicecomb.benchmark.{key}",
        "value": "rate: 100\nburst: 200\n" + "# " + "x" * 60 + "\n",
        "value_type": "text",
        "status": "enabled",
        "labels": {"app": f"app{number}", "environment": ""},
    }


def _query(number: int) -> str:
    """The query of a list, as Java's client writes it."""
    return f"label=app%3Aapp{number}&label=environment%3A&match=exact"


@contextlib.asynccontextmanager
async def config_scene_on(url: str) -> AsyncIterator[ConfigScene]:
    """A scene on a server, emptied at the end. Raises `LoadFailedError`."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session:
        scene = ConfigScene(session, url)
        try:
            yield scene
        except LoadFailedError:
            with contextlib.suppress(LoadFailedError):
                await scene.remove()
            raise
        await scene.remove()


# --- Requests


async def lists(scene: ConfigScene, plan: Plan) -> Sequence[bytes]:
    """Lists of 10 of all the key-values there are, of many applications in turn."""
    await scene.fill(plan.keys)
    numbers = range(0, plan.keys // ITEMS_A_LIST, max(plan.keys // ITEMS_A_LIST // 50, 1))
    return [scene.request("GET", f"/v1/{scene.project}/kie/kv?{_query(number)}") for number in numbers]


async def lists_unchanged(scene: ConfigScene, plan: Plan) -> Sequence[bytes]:
    """The same with the revision that is current."""
    await scene.fill(plan.keys)
    revision = await scene.revision()
    return [scene.request("GET", f"/v1/{scene.project}/kie/kv?{_query(0)}&revision={revision}")]


async def creates(scene: ConfigScene, _plan: Plan) -> Sequence[bytes]:
    """Creates of new key-values, in so many projects that none reaches a quota."""
    body = _item(wrk.NUMBER.decode(), 0)
    return [scene.request("POST", f"/v1/{project}/kie/kv", body) for project in scene.projects(_PROJECTS)]


@dataclass(frozen=True, slots=True)
class ConfigLoad:
    """One kind of request to the config centre, sent by wrk. `prepare` sets the scene and makes the requests."""

    name: str
    about: str
    prepare: Callable[[ConfigScene, Plan], Awaitable[Sequence[bytes]]]
    connections: int = wrk.CONNECTIONS
    api: str = KIE

    async def run(self, server: Server, plan: Plan, before: Sample | None) -> Sample:
        """One run on a scene of its own; `before` is the run before it. Raises `LoadFailedError`."""
        async with config_scene_on(server.url) as scene:
            if before is None:
                requests = await self.prepare(scene, plan)
                before = await wrk.check(server.url, requests, plan.check_seconds, self.connections)
            if not plan.seconds:
                return before
            requests = await self.prepare(scene, plan)  # what was created by the check cannot be created again
            spent = server.cpu_seconds()
            sample = await wrk.measure(server.url, requests, plan.seconds, before, self.connections)
            return server.with_cpu(sample, spent)


CONFIG_LOADS: Sequence[ConfigLoad] = (
    ConfigLoad("config-list", "list of 10 of 10,000 key-values", lists),
    ConfigLoad("config-unchanged", "list with the current revision (304)", lists_unchanged),
    ConfigLoad("config-create", "new key-value, over 32 connections", creates, connections=32),
)

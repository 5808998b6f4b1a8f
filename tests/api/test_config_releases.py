"""Gradual releases seen by unmodified clients: each instance is told apart by its address, the SDK's by name."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from tests.api.own_config import OwnConfig
from tests.engine import EngineProcess, running_engine

pytestmark = pytest.mark.asyncio(loop_scope="module")
LABELS = {"app": "mall", "service": "cart", "environment": ""}
NAMED = (("key", "timeout"), *(("label", f"{name}:{value}") for name, value in LABELS.items()))
QUERY = "label=app:mall&label=service:cart&label=environment:&match=exact"


class World:
    """Three instances of one service at two addresses, and one item that they read."""

    def __init__(self, own: OwnConfig, engine: EngineProcess) -> None:
        self.own = own
        self.engine = engine

    async def build(self) -> World:
        root = f"{self.engine.url}/v4/{self.own.project}/registry/microservices"
        named = {"serviceName": "cart", "appId": "mall", "version": "1.0.0"}
        async with self.own.session.post(root, json={"service": named}) as answer:
            service = (await answer.json())["serviceId"]
        self.instances = f"{root}/{service}/instances"
        for name, address, lane in (
            ("i1", "127.0.0.1", "base"),
            ("i2", "127.0.0.2", "gray"),
            ("i3", "127.0.0.2", "base"),
        ):
            await self.register(name, address, {"lane": lane})
        await self.own.put("timeout", "2s", LABELS)
        return self

    async def register(self, name: str, address: str, properties: dict[str, str]) -> None:
        """Register one more instance."""
        instance = {
            "instanceId": name,
            "hostName": "h",
            "endpoints": [f"rest://{address}:80"],
            "properties": properties,
        }
        async with self.own.session.post(f"{self.instances}", json={"instance": instance}) as answer:
            assert answer.status == 200

    async def set_properties(self, name: str, properties: dict[str, str]) -> None:
        """Replace the properties of an instance."""
        async with self.own.session.put(
            f"{self.instances}/{name}/properties", json={"properties": properties}
        ) as answer:
            assert answer.status == 200

    async def start(self, **body: Any) -> Any:
        return await self.own.ok("PUT", "releases/one", *NAMED, body={"value": "5s", **body})

    async def seen_from(self, address: str, **headers: str) -> str:
        """The value as KIE answers a client at that address."""
        async with _client(address) as session:
            url = f"{self.engine.url}/v1/{self.own.project}/kie/kv?{QUERY}"
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            async with session.get(url, headers=named) as answer:
                return str((await answer.json())["data"][0]["value"])

    async def seen_in_config_center(self, address: str) -> str:
        """The value as Config Center answers a client at that address."""
        async with _client(address) as session:
            url = f"{self.engine.url}/v3/{self.own.project}/configuration/items?dimensionsInfo=cart%40mall"
            async with session.get(url) as answer:
                return str((await answer.json())["cart@mall"]["timeout"])


async def _next(session: aiohttp.ClientSession, url: str, revision: str) -> tuple[str, str]:
    async with session.get(f"{url}&revision={revision}&wait=20s") as answer:
        assert answer.status == 200
        return (await answer.json())["data"][0]["value"], answer.headers["X-Kie-Revision"]


@contextlib.asynccontextmanager
async def _client(address: str) -> AsyncIterator[aiohttp.ClientSession]:
    connector = aiohttp.TCPConnector(local_addr=(address, 0))
    async with aiohttp.ClientSession(connector=connector) as session:
        yield session


@pytest_asyncio.fixture(loop_scope="module")
async def world(shared_engine: EngineProcess) -> AsyncIterator[World]:
    """A world of its own in the module's engine."""
    async with aiohttp.ClientSession() as session:
        yield await World(OwnConfig(session, shared_engine.url, f"p{uuid.uuid4().hex[:8]}"), shared_engine).build()


async def test_a_chosen_instance_gets_the_new_value_and_others_do_not(world: World) -> None:
    done = await world.start(instances=["i1"])
    assert [(row["instanceId"], row["chosen"]) for row in done["instances"]] == [
        ("i1", True),
        ("i2", False),
        ("i3", False),
    ]
    assert await world.seen_from("127.0.0.1") == "5s"
    assert await world.seen_from("127.0.0.2") == "2s"
    assert await world.seen_from("127.0.0.3") == "2s", "who is no instance is not chosen"
    assert await world.seen_in_config_center("127.0.0.1") == "5s"
    assert await world.seen_in_config_center("127.0.0.2") == "2s"


async def test_instances_at_one_address_are_told_apart_only_by_name(world: World) -> None:
    done = await world.start(properties={"lane": "gray"})
    assert {row["instanceId"]: row["told_apart"] for row in done["instances"] if row["chosen"]} == {"i2": False}
    assert await world.seen_from("127.0.0.2") == "2s", "it may be i3, which is not chosen"
    assert await world.seen_from("127.0.0.2", X_Waggle_Instance="i2") == "5s"
    assert await world.seen_from("127.0.0.2", X_Waggle_Instance="i3") == "2s"
    await world.start(instances=["i2", "i3"])
    assert await world.seen_from("127.0.0.2") == "5s", "whichever it is, it is chosen"


async def test_a_waiting_client_is_woken_by_start_promotion_and_drop(world: World) -> None:
    url = f"{world.engine.url}/v1/{world.own.project}/kie/kv?{QUERY}"
    async with _client("127.0.0.1") as session:
        value, revision = await _next(session, url, "0")
        assert value == "2s"
        for step, wanted in ((world.start(share=100), "5s"), (world.own.ok("DELETE", "releases/one", *NAMED), "2s")):
            waiting = _next(session, url, revision)
            await step
            value, revision = await waiting
            assert value == wanted
        await world.start(share=100)
        value, revision = await _next(session, url, revision)
        await world.own.ok("POST", "releases/promote", *NAMED)
        assert (await _next(session, url, revision))[0] == "5s"
    assert await world.seen_from("127.0.0.3") == "5s"
    assert (await world.own.ok("GET", "releases"))["releases"] == []


async def test_what_cannot_be_released_is_refused(world: World) -> None:
    await world.own.refused(404001, "PUT", "releases/one", ("key", "none"), body={"value": "1", "share": 5})
    await world.own.refused(400001, "PUT", "releases/one", *NAMED, body={"share": 5})
    await world.own.refused(400001, "PUT", "releases/one", *NAMED, body={"value": "1"})
    await world.own.refused(400001, "PUT", "releases/one", *NAMED, body={"value": "1", "share": 101})
    await world.own.refused(404001, "POST", "releases/promote", *NAMED)
    await world.own.put("typed", "{}", LABELS, value_type="json")
    typed = (("key", "typed"), *NAMED[1:])
    detail = await world.own.refused(400006, "PUT", "releases/one", *typed, body={"value": "{", "share": 5})
    assert "line 1" in detail
    assert (await world.own.ok("GET", "releases"))["releases"] == []


async def test_a_release_survives_a_killed_engine(tmp_path_factory: pytest.TempPathFactory) -> None:
    async with (
        running_engine(tmp_path_factory.mktemp("kill") / "data") as engine,
        aiohttp.ClientSession() as session,
    ):
        world = await World(OwnConfig(session, engine.url, "p"), engine).build()
        await world.start(instances=["i1"])
        await engine.kill()
        await engine.start()
        assert await world.seen_from("127.0.0.1") == "5s"
        assert await world.seen_from("127.0.0.2") == "2s"


async def test_an_instance_that_joins_later_is_woken_and_gets_the_new_value(world: World) -> None:
    """A client pulls before it registers, and again with the revision that it got then."""
    await world.start(properties={"lane": "gray", "late": "yes"})
    url = f"{world.engine.url}/v1/{world.own.project}/kie/kv?{QUERY}"
    async with _client("127.0.0.9") as session:
        async with session.get(url) as answer:
            assert (await answer.json())["data"][0]["value"] == "2s"
            revision = answer.headers["X-Kie-Revision"]
        waiting = asyncio.ensure_future(_next(session, url, revision))
        await world.register("late", "127.0.0.9", {"lane": "gray", "late": "yes"})
        value, revision = await waiting
        assert value == "5s"
        waiting = asyncio.ensure_future(_next(session, url, revision))
        await world.set_properties("late", {"lane": "base"})
        assert (await waiting)[0] == "2s", "and loses it again when it is none of them any more"


async def test_config_center_clients_are_told_when_a_release_comes_to_be_for_them(world: World) -> None:
    await world.start(properties={"late": "yes"})
    url = f"{world.engine.url}/v3/{world.own.project}/configuration/refresh/items?dimensionsInfo=cart%40mall"
    async with _client("127.0.0.8") as session, session.ws_connect(url, headers={"x-environment": ""}) as socket:
        await world.register("told", "127.0.0.8", {"late": "yes"})
        assert await socket.receive_json(timeout=10) == {"action": "CREATE"}
    assert await world.seen_in_config_center("127.0.0.8") == "5s"


@pytest.mark.parametrize(("client", "value"), [("java", "2s"), ("config-center", "2s"), ("python", "5s")])
async def test_a_preview_shows_what_the_address_lets_the_client_have(world: World, client: str, value: str) -> None:
    await world.start(instances=["i2"])
    query = (("app", "mall"), ("service", "cart"), ("client", client), ("instance", "i2"))
    properties = (await world.own.ok("GET", "preview", *query))["properties"]
    assert {found["key"]: found["value"] for found in properties} == {"timeout": value}

"""Gradual releases seen by unmodified clients: each instance is told apart by its address, the SDK's by name."""

from __future__ import annotations

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
        for name, address, lane in (
            ("i1", "127.0.0.1", "base"),
            ("i2", "127.0.0.2", "gray"),
            ("i3", "127.0.0.2", "base"),
        ):
            instance = {
                "instanceId": name,
                "hostName": "h",
                "endpoints": [f"rest://{address}:80"],
                "properties": {"lane": lane},
            }
            async with self.own.session.post(f"{root}/{service}/instances", json={"instance": instance}) as answer:
                assert answer.status == 200
        await self.own.put("timeout", "2s", LABELS)
        return self

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

        async def next_after(revision: str) -> tuple[str, str]:
            async with session.get(f"{url}&revision={revision}&wait=20s") as answer:
                assert answer.status == 200
                return (await answer.json())["data"][0]["value"], answer.headers["X-Kie-Revision"]

        value, revision = await next_after("0")
        assert value == "2s"
        for step, wanted in ((world.start(share=100), "5s"), (world.own.ok("DELETE", "releases/one", *NAMED), "2s")):
            waiting = next_after(revision)
            await step
            value, revision = await waiting
            assert value == wanted
        await world.start(share=100)
        value, revision = await next_after(revision)
        await world.own.ok("POST", "releases/promote", *NAMED)
        assert (await next_after(revision))[0] == "5s"
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

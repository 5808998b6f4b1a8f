"""The edge in front of registered services: found by discovery, steered by the engine's items."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import orjson
import pytest
import pytest_asyncio
from aiohttp import web

from governance.sdk import Microservice
from tests.e2e.gateways import GatewayProcess, running_gateway, saying, server_of, telling
from tests.e2e.sdk import Place, provider, settings, soon
from tests.e2e.test_sdk_config import Items
from tests.engine import EngineProcess, client_of, eventually

HALF = """
- precedence: 1
  route:
    - {weight: 50, tags: {version: 1.0.0}}
    - {weight: 50, tags: {version: 2.0.0}}
"""
GRAY = """
- precedence: 1
  match: {headers: {type: {exact: gray}}}
  route: [{weight: 100, tags: {version: 2.0.0}}]
"""


def edge(url: str, routes: str) -> str:
    """The configuration of a registered gateway of application shop."""
    return f"service: {{name: edge, app: shop, engine: '{url}'}}\nroutes: {routes}\n"


@pytest.fixture
def place(engine: EngineProcess) -> Place:
    """A fresh engine."""
    return Place(engine.url)


@pytest_asyncio.fixture
async def gateway(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[GatewayProcess]:
    """A gateway to service cart, of which there are two versions."""
    monkeypatch.setenv("WAGGLE_CONFIG_CACHE", str(tmp_path / "cache"))
    async with AsyncExitStack() as stack:
        for version in ("1.0.0", "2.0.0"):
            await stack.enter_async_context(provider("cart", place, version=version, instance_id=f"cart-{version}"))
        yield await stack.enter_async_context(
            running_gateway(tmp_path, edge(place.url, "[{path: /cart, service: cart}]"))
        )


@pytest_asyncio.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """A client."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as made:
        yield made


@pytest_asyncio.fixture
async def items(place: Place) -> AsyncIterator[Items]:
    """The engine's items."""
    async with client_of(place.url) as client:
        yield Items(client)


async def asked(session: aiohttp.ClientSession, url: str, times: int = 1, **headers: str) -> list[tuple[int, str]]:
    """Status and text of each answer."""
    seen = []
    for _ in range(times):
        async with session.get(url, headers=headers) as answer:
            seen.append((answer.status, await answer.text()))
    return seen


async def test_route_rules_of_the_engine_steer_requests_while_they_flow(
    gateway: GatewayProcess, session: aiohttp.ClientSession, items: Items
) -> None:
    url = f"{gateway.url}/cart/1"
    assert Counter(await asked(session, url, 10)) == {(200, "cart-1.0.0"): 5, (200, "cart-2.0.0"): 5}
    item = await items.make("servicecomb.routeRule.cart", GRAY)

    async def is_gray() -> bool:
        return set(await asked(session, url, 4, type="gray")) == {(200, "cart-2.0.0")}

    await eventually(is_gray)
    await items.change(item, value=HALF)

    async def is_half() -> bool:
        seen = [text for _, text in await asked(session, url, 6, type="gray")]
        return seen in (["cart-1.0.0", "cart-2.0.0"] * 3, ["cart-2.0.0", "cart-1.0.0"] * 3)

    await eventually(is_half)
    async with session.get(f"{gateway.admin}/metrics") as answer:
        metrics = await answer.text()
    for version in ("1.0.0", "2.0.0"):
        assert f'gateway_requests_total{{route="/cart",service="cart",status="200",version="{version}"}}' in metrics


async def test_an_item_of_the_engine_takes_the_place_of_the_files_routes_until_it_is_deleted(
    gateway: GatewayProcess, session: aiohttp.ClientSession, items: Items
) -> None:
    async with server_of(saying("a file elsewhere")) as url:
        routes = f"upstreams: {{files: {{addresses: ['{url}']}}}}\nroutes: [{{path: /files, upstream: files}}]\n"
        item = await items.make("waggle.gateway.edge", routes)

        async def follows() -> bool:
            return await asked(session, f"{gateway.url}/files/1") == [(200, "a file elsewhere")]

        await eventually(follows)
        assert (await asked(session, f"{gateway.url}/cart"))[0][0] == 404
        await items.change(item, value="routes: [{path: nowhere}]")

        async def is_told() -> bool:
            return "configuration item: line 1, column 11: error: " in gateway.logged()

        await eventually(is_told)
        assert await asked(session, f"{gateway.url}/files/1") == [(200, "a file elsewhere")]
        await items.remove(item)

        async def is_back() -> bool:
            return (await asked(session, f"{gateway.url}/cart"))[0][0] == 200

        await eventually(is_back)


async def test_limits_of_the_engine_hold_at_the_edge(
    gateway: GatewayProcess, session: aiohttp.ClientSession, items: Items
) -> None:
    await items.make("servicecomb.matchGroup.cart", "matches: [{apiPath: {prefix: /cart}}]")
    await items.make("servicecomb.rateLimiting.cart", "{rate: 1, limitRefreshPeriod: 1H}")

    async def is_limited() -> bool:
        return (await asked(session, f"{gateway.url}/cart"))[0][0] == 429

    await eventually(is_limited)


async def test_the_context_of_a_call_begins_at_the_edge(
    place: Place, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    async with server_of(telling) as url:
        told = settings("teller", place, endpoints=url.removeprefix("http://"))
        async with (
            Microservice(told, pause=soon),
            running_gateway(tmp_path, edge(place.url, "[{service: teller}]")) as gateway,
        ):
            lie = {"x-cse-context": '{"x-cse-src-microservice":"boss"}', "x_cse_canary": "gray"}
            [(status, text)] = await asked(session, f"{gateway.url}/", **lie)
            assert status == 200
            headers = [(name.lower(), value) for name, value in orjson.loads(text)["headers"]]
            assert [orjson.loads(value) for name, value in headers if name == "x-cse-context"] == [
                {"x-cse-src-microservice": "edge", "x-microservice-name": "edge"}
            ]
            assert not [name for name, _ in headers if "canary" in name]


async def test_a_lane_goes_along_in_the_header_that_its_group_names_and_is_counted_and_logged(
    place: Place, session: aiohttp.ClientSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client's own is dropped in both spellings."""
    monkeypatch.setenv("servicecomb_boot_turnDown_waitInSeconds", "0")
    gray = {"name": "gray", "label": "gray", "rules": [{"header": "type", "value": "gray"}]}
    lanes = [{"name": "base", "label": "base"}, gray]
    facts = {"gateway": "edge", "target": "teller", "header": "x_lane", "on": True, "lanes": lanes}
    async with session.put(
        f"{place.url}/waggle/v1/lane-groups/one", json={"name": "lg", "app": "shop", **facts}
    ) as put:
        assert put.status == 200, await put.text()
    async with server_of(telling) as url:
        told = settings("teller", place, endpoints=url.removeprefix("http://"))
        async with (
            Microservice(told, pause=soon),
            running_gateway(tmp_path, edge(place.url, "[{service: teller}]")) as gateway,
        ):

            async def said(**headers: str) -> dict[str, str]:
                [(status, text)] = await asked(session, f"{gateway.url}/", **headers)
                assert status == 200, text
                return {name.lower(): value for name, value in orjson.loads(text)["headers"]}

            async def is_marked() -> bool:
                return "x_lane" in await said()

            await eventually(is_marked)
            marked, lying = await said(type="gray"), await said(**{"x_lane": "gray", "X-Lane": "gray"})
            assert (marked["x_lane"], marked["x-lane"]) == ("gray", "gray")
            assert orjson.loads(marked["x-cse-context"])["x_lane"] == "gray"
            assert (lying["x_lane"], lying["x-lane"]) == ("base", "base")
            async with session.get(f"{gateway.admin}/metrics") as answer:
                metrics = await answer.text()
            gateway.tell(signal.SIGTERM)
            _, printed = await gateway.ended()
    assert 'gateway_lane_requests_total{group="lg",lane="gray",target="teller"} 1.0' in metrics
    logged = [orjson.loads(line)["lane"] for line in printed.splitlines() if '"event":"request"' in line]
    assert logged[-2:] == ["gray", "base"]


async def test_it_leaves_the_registry_before_it_stops_and_finishes_what_is_under_way(
    place: Place, engine: EngineProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("servicecomb_boot_turnDown_waitInSeconds", "0.3")
    arrived, go_on = asyncio.Event(), asyncio.Event()

    async def slow(_request: web.Request) -> web.Response:
        arrived.set()
        await go_on.wait()
        return web.Response(text="done")

    async with server_of(slow) as url, client_of(engine.url) as client:
        provided = settings("slow", place, endpoints=url.removeprefix("http://"))
        async with (
            Microservice(provided, pause=soon),
            running_gateway(tmp_path, edge(place.url, "[{service: slow}]")) as gateway,
        ):

            async def is_registered() -> bool:
                return "service.registered" in gateway.logged()

            await eventually(is_registered)
            [found] = await client.find("edge", app="shop")
            assert found["endpoints"] == [f"rest://{gateway.url.removeprefix('http://')}"]
            async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
                answer = group.create_task(asked(session, gateway.url))
                await arrived.wait()
                gateway.tell(signal.SIGTERM)

                async def is_gone() -> bool:
                    return not await client.find("edge", app="shop")

                await eventually(is_gone)
                assert not answer.done()
                go_on.set()
            assert answer.result() == [(200, "done")]
            assert (await gateway.ended())[0] == 0

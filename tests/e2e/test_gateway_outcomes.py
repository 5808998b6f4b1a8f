"""A gray release behind the edge, under a bound: the edge tells what became of its requests, and the engine takes the release back."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from governance.sdk import Microservice
from tests.api.own_config import OwnConfig
from tests.e2e.gateways import Handler, running_gateway, saying, server_of
from tests.e2e.sdk import Place, settings, soon
from tests.engine import EngineProcess, eventually


async def failing(_request: web.Request) -> web.Response:
    """Answers with an error."""
    return web.Response(status=500, text="new")


@asynccontextmanager
async def registered(place: Place, version: str, handler: Handler) -> AsyncIterator[None]:
    """A registered instance of a version of cart."""
    async with server_of(handler) as url:
        endpoint = url.replace("http", "rest", 1)
        given = settings("cart", place, version=version, endpoints=endpoint)
        async with Microservice(given, pause=soon):
            yield


async def upstreams(stack: AsyncExitStack, _place: Place) -> str:
    """An upstream cart whose two groups do not register."""
    old, new = [await stack.enter_async_context(server_of(one)) for one in (saying("old"), failing)]
    groups = [f"'{version}': {{addresses: ['{url}']}}" for version, url in (("1.0.0", old), ("2.0.0", new))]
    return f"upstreams: {{cart: {{groups: {{{', '.join(groups)}}}}}}}\nroutes: [{{path: /, upstream: cart}}]"


async def services(stack: AsyncExitStack, place: Place) -> str:
    """A service cart of two versions."""
    await stack.enter_async_context(registered(place, "1.0.0", saying("old")))
    await stack.enter_async_context(registered(place, "2.0.0", failing))
    return "routes: [{path: /, service: cart}]"


@pytest.mark.parametrize("targets", [services, upstreams])
async def test_the_edge_reports_and_all_goes_back_to_the_old_version(
    engine: EngineProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, targets: object
) -> None:
    monkeypatch.setenv("WAGGLE_CONFIG_CACHE", str(tmp_path / "cache"))
    place = Place(engine.url)
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        routes = await targets(stack, place)  # type: ignore[operator]
        config = f"service: {{name: edge, app: shop, engine: '{engine.url}'}}\n{routes}\n"
        gateway = await stack.enter_async_context(running_gateway(tmp_path, config))
        releases = OwnConfig(session, engine.url, "default")
        releases.url = f"{engine.url}/waggle/v1/gray-releases"
        named = {"service": "cart", "app": "shop", "environment": ""}
        bound = {"version": "2.0.0", "baseline": ["1.0.0"], "share": 50, "maxErrorRate": 10}
        await releases.ok("PUT", "/one", ("force", "1"), body={**named, **bound})

        async def asked(times: int) -> Counter[str]:
            seen = []
            for _ in range(times):
                async with session.get(f"{gateway.url}/") as answer:
                    seen.append(await answer.text())
            return Counter(seen)

        async def halved() -> bool:
            return await asked(10) == {"old": 5, "new": 5}

        async def back() -> bool:
            return await asked(20) == {"old": 20}

        await eventually(halved)
        await eventually(back)
        found = (await releases.ok("GET", "/one", *named.items()))["object"]
    assert found["state"] == "rolled-back"
    assert found["reason"].startswith("error rate 100 % of ")

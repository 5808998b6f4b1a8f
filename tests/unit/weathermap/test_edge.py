"""The edge: what it passes on, and what it says when it cannot."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace

import aiohttp
from aiohttp import web

from governance.gateway.gateway import Gateway
from governance.gateway.governed import Governance
from governance.gateway.servers import Server, server_at
from governance.invocation.chain import Stage
from governance.routing.errors import NoInstanceError
from governance.routing.own import OwnInstance
from governance.samples.weathermap.edge import edge_answers, edge_config
from tests.unit.sdk.servers import black_hole, nobody, serving
from tests.unit.weathermap.apps import Service, get


class Registered:
    """Stands for a gateway's place among services: weather is at the URL."""

    def __init__(self, url: str | None) -> None:
        self._servers = (replace(server_at(url, "weather"), instance_id="w-1"),) if url else ()

    async def servers(self, service: str, app: str) -> Sequence[Server]:
        if service != "weather" or not self._servers:
            raise NoInstanceError(service, "the engine knows none")
        return self._servers

    async def facts(self, values: Mapping[str, str]) -> Mapping[str, str] | None:
        return None

    def names(self) -> Mapping[str, str]:
        return {}

    def watching(self) -> Sequence[Stage]:
        return ()


@contextlib.asynccontextmanager
async def edge_before(url: str | None, seconds: float = 5.0, service: Service | None = None) -> AsyncIterator[str]:
    """The sample's edge before one server, with the sample's configuration but for the patience."""
    config = edge_config("127.0.0.1", 0)
    routes = tuple(replace(route, timeout=int(seconds * 1000)) for route in config.routes)
    gateway = Gateway(replace(config, routes=routes))
    where = url if url is None or url.startswith("http") else f"http://{url}"
    gateway.core.governor = Governance(gateway.core, OwnInstance("edge-service"), Registered(where))
    gateway.core.local = edge_answers(service or Service())  # type: ignore[arg-type]
    async with gateway.listening():
        yield gateway.addresses["listen"]


async def reflect(request: web.Request) -> web.Response:
    headers = {"Set-Cookie": "id=7", "X-Answer": "yes", "Connection": "close, X-Private", "X-Private": "hop"}
    body = {
        "method": request.method,
        "path": request.raw_path,
        "body": await request.text(),
        "headers": {name.lower(): value for name, value in request.headers.items()},
    }
    return web.json_response(body, status=418, headers=headers)


async def test_a_request_is_passed_on_as_it_is_and_its_answer_too() -> None:
    async with serving(reflect) as url, edge_before(url) as address, aiohttp.ClientSession() as session:
        headers = {"X-Mine": "1", "Connection": "keep-alive, X-Hop", "X-Hop": "1", "Proxy-Authorization": "secret"}
        path = "/weather/a%2Fb?city=New%20York&x="
        async with session.post(address + path, data="text", headers=headers) as answer:
            seen = await answer.json()
            assert answer.status == 418
            assert answer.headers["X-Answer"] == "yes"
            assert answer.headers["Set-Cookie"] == "id=7"
            assert "X-Private" not in answer.headers
    assert (seen["method"], seen["body"]) == ("POST", "text")
    assert seen["path"].startswith("/weather/a%2Fb?city=New")
    assert seen["headers"]["x-mine"] == "1"
    assert not {"x-hop", "proxy-authorization"} & seen["headers"].keys()
    assert seen["headers"]["host"] == url.removeprefix("http://")


async def test_one_callers_cookies_are_nobody_elses() -> None:
    async with serving(reflect) as url, edge_before(url) as address:
        _, first = await get(f"{address}/weather/x")
        _, second = await get(f"{address}/weather/x")
    assert "cookie" not in first["headers"]  # type: ignore[index]
    assert "cookie" not in second["headers"]  # type: ignore[index]


async def test_a_request_line_with_a_whole_url_is_understood() -> None:
    """The Node page asks so."""
    async with serving(reflect) as url, edge_before(url) as address:
        host, port = address.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        line = (
            "GET http://edge:3010/weather/show?city=shenzhen HTTP/1.1\r\nHost: edge:3010\r\nConnection: close\r\n\r\n"
        )
        writer.write(line.encode())
        answer = (await reader.read()).decode()
        writer.close()
        await writer.wait_closed()
    assert answer.startswith("HTTP/1.1 418")
    assert '"path": "/weather/show?city=shenzhen"' in answer


async def test_what_the_edge_cannot_pass_on() -> None:
    async with edge_before(None) as address:
        assert await get(f"{address}/stranger/x") == (404, {"message": "there is no route for this"})
        assert await get(f"{address}/weather/x") == (503, {"message": "no instance of weather: the engine knows none"})
        assert await get(f"{address}/health") == (200, {"status": "UP"})
    with nobody() as dead:
        async with edge_before(dead) as address:
            assert await get(f"{address}/weather/x") == (502, {"message": "the server could not be reached"})


async def test_a_service_that_does_not_answer_in_time() -> None:
    async with black_hole() as hole, edge_before(hole, seconds=0.2) as address:
        assert await get(f"{address}/weather/x") == (504, {"message": "the server did not answer in time"})

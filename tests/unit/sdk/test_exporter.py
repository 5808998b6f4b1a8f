"""A service's own /metrics: where it is, what the registration says of it, and what it counts of calls."""

from __future__ import annotations

import contextlib
import logging
import socket
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager

import aiohttp
import pytest
from aiohttp import web
from fastapi import FastAPI
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from governance.invocation.invocation import Invocation, LocalReply, Reply
from governance.invocation.live import LiveRules
from governance.rules.marker import Request as Asked
from governance.rules.selection import OwnService
from governance.sdk import Microservice, ServiceSettings
from governance.sdk.call_metrics import MOST_ROWS, CallTimes, CountingStage, incoming, outgoing
from governance.sdk.exporter import exported, said_of
from governance.sdk.registration import instance_document
from governance.sdk.server import GovernedASGI, Inbound, governed
from tests.unit.sdk.fakes import Time
from tests.unit.sdk.servers import nobody, under_uvicorn


@pytest.mark.parametrize(
    ("host", "endpoints", "publish", "said"),
    [
        ("::", "10.0.0.7:80", "", {}),
        ("::", "0.0.0.0:80", "10.0.0.8", {}),
        ("10.0.0.7", "10.0.0.7:80", "", {}),
        ("10.9.9.9", "10.0.0.7:80", "", {"prometheus.host": "10.9.9.9"}),
        ("127.0.0.1", "127.0.0.1:80", "", {}),
        ("127.0.0.1", "localhost:80", "", {"prometheus.host": "127.0.0.1"}),
        ("::", "", "10.0.0.8", {"prometheus.host": "10.0.0.8"}),
    ],
)
def test_the_registration_says_where_the_metrics_are(
    host: str, endpoints: str, publish: str, said: Mapping[str, str]
) -> None:
    settings = ServiceSettings(name="c", endpoints=endpoints, publish_address=publish)  # type: ignore[arg-type]
    assert said_of(settings, host, 9696) == {"prometheus.port": "9696", **said}


def test_what_nobody_else_would_reach_is_not_said() -> None:
    settings = ServiceSettings(name="c", endpoints="10.0.0.7:80")  # type: ignore[arg-type]
    assert said_of(settings, "127.0.0.1", 9696) == {}


@pytest.mark.parametrize("address", ["9696", ":9696", "0.0.0.0:x", "0.0.0.0:70000", "10.0.0.7"])
def test_an_address_that_is_none_is_told(address: str) -> None:
    with pytest.raises(ValueError, match=r"is no address and port such as 0\.0\.0\.0:9696"):
        ServiceSettings(name="c", metrics_address=address)


def test_the_name_of_java_chassis_is_a_name_of_the_setting() -> None:
    environ = {"SERVICECOMB_METRICS_PROMETHEUS_ADDRESS": "0.0.0.0:9696"}
    assert ServiceSettings.load(None, environ, name="c").metrics_address == "0.0.0.0:9696"


async def test_a_service_serves_its_metrics_and_is_registered_with_their_port() -> None:
    with nobody() as dead:
        settings = ServiceSettings(
            name="c",
            addresses=dead,  # type: ignore[arg-type]
            endpoints="127.0.0.1:80",  # type: ignore[arg-type]
            metrics_address="127.0.0.1:0",
        )
        async with Microservice(settings, pause=Time().pause) as service, aiohttp.ClientSession() as session:
            registered = instance_document(service._membership._settings, service.instance_id, "UP")
            properties = registered["properties"]
            assert isinstance(properties, dict)
            async with session.get(f"http://127.0.0.1:{properties['prometheus.port']}/metrics") as answer:
                assert answer.status == 200
                assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
                assert "process_cpu_seconds_total" in await answer.text()


async def test_the_properties_of_the_settings_are_stronger() -> None:
    """Behind an address translation the port that others see is another."""
    with nobody() as dead:
        settings = ServiceSettings(
            name="c",
            addresses=dead,  # type: ignore[arg-type]
            metrics_address="127.0.0.1:0",
            instance_properties={"prometheus.port": "31000"},
        )
        async with Microservice(settings, pause=Time().pause) as service:
            properties = service._membership._settings.instance_properties
            assert properties["prometheus.port"] == "31000"


async def test_a_port_that_is_taken_is_logged_and_the_service_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    with nobody() as dead, socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        settings = ServiceSettings(name="c", addresses=dead, metrics_address=address)  # type: ignore[arg-type]
        async with Microservice(settings, pause=Time().pause) as service:
            assert "prometheus.port" not in service._membership._settings.instance_properties
    (line,) = [text for text in caplog.messages if "metrics." in text]
    assert line.startswith(f"event='metrics.not_served' address='{address}' error=")
    assert "ddress already in use" in line


async def test_a_scraper_that_wants_open_metrics_gets_it() -> None:
    registry = CollectorRegistry()
    async with exported(registry, "127.0.0.1:0") as where, aiohttp.ClientSession() as session:
        assert where is not None
        accept = {"Accept": "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"}
        async with session.get(f"http://127.0.0.1:{where[1]}/metrics", headers=accept) as answer:
            assert answer.content_type == "application/openmetrics-text"
            assert (await answer.text()).endswith("# EOF\n")


class _Target:
    instance_id, service, version, properties, data_center = "i", "cart", "1.0.0", {}, {}


def _call(method: str = "GET", pattern: str = "") -> Invocation:
    return Invocation(request=Asked(path="/x/1", method=method), service="cart", pattern=pattern, target=_Target())


def _rows(times: CallTimes) -> dict[str, float]:
    registry = CollectorRegistry()
    registry.register(times)
    return {
        " ".join(value for label, value in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(generate_latest(registry).decode())
        for sample in family.samples
        if sample.name.endswith("_count")
    }


async def _pass(stage: CountingStage, call: Invocation, status: int) -> None:
    async def proceed(_invocation: Invocation) -> Reply:
        if not status:
            raise ConnectionError
        return LocalReply(status)

    if status:
        await stage(call, proceed)
    else:
        with pytest.raises(ConnectionError):
            await stage(call, proceed)


async def test_requests_are_counted_by_the_pattern_of_their_path_and_how_they_ended() -> None:
    times, stage = incoming(Time().clock)
    for status in (200, 200, 404, 0):
        await _pass(stage, _call(pattern="/x/{id}"), status)
    await _pass(stage, _call("BREW"), 503)
    assert _rows(times) == {
        "GET SUCCESS 200 /x/{id}": 2,
        "GET CLIENT_ERROR 404 /x/{id}": 1,
        "GET SERVER_ERROR 500 /x/{id}": 1,
        "other SERVER_ERROR 503 UNKNOWN": 1,
    }


async def test_calls_are_counted_by_whom_they_reached() -> None:
    times, stage = outgoing(Time().clock)
    for status in (200, 503, 0):
        await _pass(stage, _call(), status)
    assert _rows(times) == {
        "cart 1.0.0 GET SUCCESS 200": 1,
        "cart 1.0.0 GET SERVER_ERROR 503": 1,
        "cart 1.0.0 GET UNKNOWN IO_ERROR": 1,
    }


async def test_what_comes_after_the_most_rows_is_other() -> None:
    times, stage = incoming(Time().clock)
    for number in range(MOST_ROWS + 5):
        await _pass(stage, _call(pattern=f"/{number}"), 200)
    rows = _rows(times)
    assert len(rows) == MOST_ROWS + 1
    assert rows["other UNKNOWN other other"] == 5


async def _uris_of(application: Callable[[Inbound], AbstractAsyncContextManager[str]]) -> set[str]:
    """The patterns that two requests of different paths, and one that has no route, are counted by."""
    times, stage = incoming(time.monotonic)

    async def nobody_known(_context: object) -> None:
        """Nobody proves who calls."""

    way = Inbound(LiveRules(OwnService("shop")), [stage], {}, nobody_known)
    async with application(way) as address, aiohttp.ClientSession() as session:
        for path in ("/carts/1", "/carts/2", "/none"):
            async with session.get(address + path) as answer:
                assert answer.status == (404 if path == "/none" else 200)
    return {row.split(" ", 3)[3] for row in _rows(times)}


@contextlib.asynccontextmanager
async def _in_aiohttp(way: Inbound) -> AsyncIterator[str]:
    async def show(_request: web.Request) -> web.Response:
        return web.Response()

    app = web.Application(middlewares=[governed(way)])
    app.router.add_get("/carts/{number}", show)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def _in_fastapi(way: Inbound) -> AbstractAsyncContextManager[str]:
    app = FastAPI()

    @app.get("/carts/{number}")
    async def show(number: str) -> str:
        return number

    return under_uvicorn(GovernedASGI(app, way))


def _in_starlette(way: Inbound) -> AbstractAsyncContextManager[str]:
    async def show(_request: Request) -> PlainTextResponse:
        return PlainTextResponse("here")

    return under_uvicorn(GovernedASGI(Starlette(routes=[Route("/carts/{number:int}", show)]), way))


@pytest.mark.parametrize("application", [_in_aiohttp, _in_fastapi, _in_starlette])
async def test_paths_are_counted_by_the_pattern_of_the_servers_route(
    application: Callable[[Inbound], AbstractAsyncContextManager[str]],
) -> None:
    assert await _uris_of(application) == {"/carts/{number}", "UNKNOWN"}

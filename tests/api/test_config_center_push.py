"""Websockets of Config Center: what old Java Chassis and go-archaius are told, when, and when not."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket as sockets
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from registry.api.call import Reply
from registry.api.config_center.members import members_of
from tests.api.config_center import Center
from tests.engine import Client, EngineProcess, client_of, eventually, running_engine
from tests.raw import connect, request

pytestmark = pytest.mark.asyncio(loop_scope="module")

SETTINGS = {"watch_ping_seconds": 1}
REFRESH = "/v3/default/configuration/refresh/items?dimensionsInfo=cart@mall"
PULL = {"action": "CREATE"}


@pytest.fixture
def center(api: Client) -> Center:
    """A client in a domain of its own."""
    return Center(api)


@contextlib.asynccontextmanager
async def java(center: Center) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    """Java Chassis up to 2.2.3: it names its domain and environment, the latter mostly empty."""
    async with center.listening(
        x_domain_name=center.headers["X-Domain-Name"], x_environment=center.environment
    ) as opened:
        yield opened


@contextlib.asynccontextmanager
async def go(
    url: str, app: str, path: str = "/v3/default/configuration"
) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    """go-archaius: no header of its own at all, and a raw `@`; so it is always in domain `default`."""
    target = f"{url}{path}/refresh/items?dimensionsInfo=cart@{app}%231.0.0"
    async with (
        aiohttp.ClientSession(skip_auto_headers=["User-Agent"]) as session,
        session.ws_connect(target, autoping=False) as opened,
    ):
        yield opened


async def told(opened: aiohttp.ClientWebSocketResponse) -> dict[str, str]:
    """The next frame, which must be one text frame with one JSON object."""
    message = await opened.receive(timeout=30)
    assert message.type is aiohttp.WSMsgType.TEXT, message
    document = json.loads(message.data)
    assert isinstance(document, dict)
    return document


async def everything(opened: aiohttp.ClientWebSocketResponse, dimension: str) -> dict[str, str]:
    """The whole configuration, which is all that go-archaius can be told."""
    frame = await told(opened)
    assert (frame["action"], frame["key"]) == ("UPDATE", dimension)
    assert isinstance(frame["value"], str)
    value = json.loads(frame["value"])
    assert isinstance(value, dict)
    return value


async def test_java_is_told_to_pull_once_a_change(center: Center) -> None:
    async with java(center) as opened:
        for dimension in ("application", f"cart@{center.app}", f"darklaunch@{center.app}", center.dimension):
            before = await center.revision()
            await center.write(dimension, a="1", b="2")
            assert await told(opened) == PULL
            assert await center.revision() != before
        await center.delete(center.dimension, "a", "b")
        assert await told(opened) == PULL


async def test_go_is_told_all_there_is(default_api: Client) -> None:
    """It takes the frame for the complete configuration: what is missing in it counts as deleted."""
    center = Center(default_api)
    async with go(default_api.url, center.app) as opened:
        await center.write(f"cart@{center.app}", a="service", b="service")
        assert await everything(opened, center.dimension) == {"a": "service", "b": "service"}
        await center.write(center.dimension, a="version")
        assert await everything(opened, center.dimension) == {"a": "version", "b": "service"}
        await center.delete(f"cart@{center.app}", "b")
        assert await everything(opened, center.dimension) == {"a": "version"}
        await center.delete(center.dimension, "a")
        await center.delete(f"cart@{center.app}", "a")
        seen = await everything(opened, center.dimension)
        assert seen in ({"a": "service"}, {})
        if seen:
            assert await everything(opened, center.dimension) == {}


async def test_both_kinds_listen_on_the_paths_of_both_versions(default_api: Client) -> None:
    center = Center(default_api)
    old = center.in_environment("", "/configuration/v2/items")
    async with (
        go(default_api.url, center.app, "/configuration/v2") as of_go,
        old.listening(x_environment="") as of_java,
    ):
        await center.write(center.dimension, a="1")
        assert await everything(of_go, center.dimension) == {"a": "1"}
        assert await told(of_java) == PULL


async def test_a_change_over_kie_is_told_too(default_api: Client) -> None:
    center = Center(default_api)
    labels = {"app": center.app, "service": "cart", "environment": ""}
    document = {"key": "x", "value": "a:\n  b: 1", "value_type": "yaml", "status": "enabled", "labels": labels}
    async with go(default_api.url, center.app) as opened:
        await default_api.call("POST", "/v1/default/kie/kv", document, 200)
        assert await everything(opened, center.dimension) == {"a.b": "1"}


async def test_nobody_is_told_of_what_it_does_not_see(center: Center) -> None:
    """Other services, versions, environments and domains; the same value again; the end of what was never seen."""
    production = center.in_environment("production")
    async with (
        java(center) as opened,
        java(production) as of_production,
        client_of(center.api.url, center.app) as other,
    ):
        await center.write(f"pay@{center.app}", a="1")
        await center.write(f"cart@{center.app}#2.0.0", a="1")
        await center.write(f"cart@x{center.app}", a="1")
        elsewhere = Center(other)
        elsewhere.dimension = center.dimension
        await elsewhere.write(center.dimension, a="1")
        await production.write(center.dimension, a="1")
        assert await told(of_production) == PULL
        await center.write(center.dimension, a="1")
        assert await told(opened) == PULL
        await center.write(center.dimension, a="1")
        await center.delete(center.dimension, "nobody")
        await center.write(center.dimension, a="2")
        assert await told(opened) == PULL
        assert await _nothing_more(opened)
        assert await _nothing_more(of_production)


async def test_a_change_that_shows_nowhere_is_not_told(default_api: Client) -> None:
    """A disabled item of the client's own labels, and everyone's value where the application has its own."""
    center = Center(default_api)
    labels = {"app": center.app, "environment": ""}
    document = {"key": f"of.{center.app}", "value": "own", "status": "enabled", "labels": labels}
    await default_api.call("POST", "/v1/default/kie/kv", document, 200)
    async with go(default_api.url, center.app) as opened:
        disabled = {**document, "key": "disabled", "status": "disabled"}
        await default_api.call("POST", "/v1/default/kie/kv", disabled, 200)
        await center.write("application", **{f"of.{center.app}": "everyone's"})
        assert await _nothing_more(opened)
        await center.delete("application", f"of.{center.app}")


async def _nothing_more(opened: aiohttp.ClientWebSocketResponse) -> bool:
    """Whether the next that comes is the answer to a ping: all frames before it would come before it."""
    await opened.ping(b"last")
    message = await opened.receive(timeout=30)
    return message.type is aiohttp.WSMsgType.PONG


async def test_many_changes_at_once_end_in_what_is_there(default_api: Client) -> None:
    """Frames may be fewer than changes, and the last one tells of all."""
    center = Center(default_api)
    async with go(default_api.url, center.app) as opened:
        await asyncio.gather(*(center.write(center.dimension, **{f"k{number}": "1"}) for number in range(40)))
        seen: dict[str, str] = {}
        while len(seen) < 40:
            more = await everything(opened, center.dimension)
            assert more.keys() > seen.keys(), "nothing is told twice, and nothing goes back"
            seen = more


async def test_a_write_right_after_the_handshake_is_told(center: Center) -> None:
    """From the moment that the client is connected it misses nothing."""
    for number in range(20):
        async with java(center) as opened:
            await center.write(center.dimension, a=str(number))
            assert await told(opened) == PULL


async def test_pings_are_answered_and_none_is_sent(center: Center) -> None:
    """Java hands every frame to its JSON parser, so the engine must not ping it, whereas it pings others every second here."""
    service = await center.api.service("watching")
    watcher = f"{center.api.registry}/microservices/{service}/watcher"
    async with java(center) as opened:
        for _ in range(2):
            async with center.api.session.ws_connect(watcher, autoping=False, headers=center.headers) as pinged:
                assert (await pinged.receive(timeout=30)).type is aiohttp.WSMsgType.PING
        assert await _nothing_more(opened), "others were pinged twice meanwhile"
        for payload in (b"", b"keepalive"):
            await opened.ping(payload)
            message = await opened.receive(timeout=5)
            assert (message.type, message.data) == (aiohttp.WSMsgType.PONG, payload)


async def test_what_is_no_handshake_is_refused(shared_engine: EngineProcess) -> None:
    """Nothing of it keeps listening."""
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec_WebSocket_Version": "13"}
    upgrade["Sec_WebSocket_Key"] = "dGhlIHNhbXBsZSBub25jZQ=="
    async with connect(shared_engine.port) as connection:
        plain = await connection.exchange(request("GET", REFRESH))
        assert (plain.status, plain.header("Sec-Websocket-Version")) == (400, "13")
        bad = await connection.exchange(request("GET", REFRESH.replace("@", ""), **upgrade))
        assert (bad.status, b'"400001"' in bad.body) == (400, True)
        good = await connection.exchange(request("GET", REFRESH, **upgrade))
        assert (good.status, good.header("Upgrade")) == (101, "websocket")


async def test_all_websockets_together_have_one_bound(tmp_path: Path) -> None:
    async with running_engine(tmp_path / "data", watch_max=2) as engine, client_of(engine.url) as api:
        center = Center(api)
        service = await api.service("watching")
        async with java(center), api.session.ws_connect(f"{api.registry}/microservices/{service}/watcher"):
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                async with java(center):
                    pass
            assert refused.value.status == 400
            with pytest.raises(aiohttp.WSServerHandshakeError):
                await api.session.ws_connect(f"{api.registry}/microservices/{service}/watcher")

        async def free() -> bool:
            with contextlib.suppress(aiohttp.WSServerHandshakeError):
                async with java(center):
                    return True
            return False

        await eventually(free)


async def test_who_does_not_read_is_cut_off(tmp_path: Path) -> None:
    """Frames with all there is are large; a client that reads none of them must not fill the engine's memory."""
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec_WebSocket_Version": "13"}
    upgrade["Sec_WebSocket_Key"] = "dGhlIHNhbXBsZSBub25jZQ=="
    async with running_engine(tmp_path / "data", watch_buffer_bytes=65536) as engine, client_of(engine.url) as api:
        center = Center(api)
        async with connect(engine.port) as deaf:
            target = REFRESH.replace("cart@mall", center.quoted)
            assert (await deaf.exchange(request("GET", target, **upgrade))).status == 101
            async with go(engine.url, center.app) as hearing:
                cut = False
                for number in range(400):
                    await center.write(center.dimension, big=f"{number}" + "x" * 100_000)
                    assert (await everything(hearing, center.dimension))["big"].startswith(str(number))
                    if cut := "watcher.cut_off" in engine.log.read_text():
                        break
                assert cut
                assert await deaf.closed()


async def test_clients_are_let_go_when_the_engine_stops(tmp_path: Path) -> None:
    """They come back by themselves; the engine does not wait for them."""
    async with running_engine(tmp_path / "data") as engine, client_of(engine.url) as api:
        center = Center(api)
        async with java(center) as of_java, go(engine.url, center.app) as of_go:
            assert await engine.stop() == 0
            for opened in (of_java, of_go):
                assert (await opened.receive(timeout=30)).type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSE)


def _free_ports(number: int) -> list[int]:
    with contextlib.ExitStack() as open_:
        taken = [open_.enter_context(sockets.socket()) for _ in range(number)]
        for one in taken:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in taken]


async def test_the_oldest_clients_have_ports_of_their_own(tmp_path: Path) -> None:
    """Items on one port, pushes on another of the same host; members name the port for items, which clients then use."""
    items, pushes = _free_ports(2)
    settings = {"config_port": items, "config_push_port": pushes}
    async with running_engine(tmp_path / "data", **settings) as engine, client_of(f"http://127.0.0.1:{items}") as api:
        assert [int(url.rsplit(":", 1)[1]) for url in engine.urls] == [engine.port, items, pushes]
        center = Center(api)
        async with go(f"http://127.0.0.1:{pushes}", center.app) as opened:
            await center.write(center.dimension, a="1")
            assert await everything(opened, center.dimension) == {"a": "1"}
        for path in ("/v3/default/configuration/members", "/members"):
            status, body = await center.call("GET", path)
            (member,) = body["instances"]
            assert (status, member["status"], member["isHttps"]) == (200, "UP", False)
            assert member["endpoints"][0] == f"rest://127.0.0.1:{items}"
            assert f"rest://127.0.0.1:{engine.port}" in member["endpoints"]
            assert member["hostName"]


async def test_members_name_the_host_that_others_reach(tmp_path: Path) -> None:
    """The main port, where there is no other; the host that is advertised; never a path, which clients would put theirs behind."""
    async with (
        running_engine(tmp_path / "data", advertise_host="center.example") as engine,
        client_of(engine.url) as api,
    ):
        _, body = await Center(api).call("GET", "/members")
        assert body["instances"][0]["endpoints"] == [f"rest://center.example:{engine.port}"]


async def test_members_say_whether_they_are_reached_over_tls() -> None:
    """Old clients take the scheme from `isHttps`, not from the endpoint."""
    handler = members_of(lambda: ["https://10.0.0.1:30103", "https://10.0.0.1:30100"])
    answer = await handler(None)  # type: ignore[arg-type]
    assert isinstance(answer, Reply)
    (member,) = json.loads(answer.body)["instances"]
    assert (member["endpoints"][0], member["isHttps"]) == ("rest://10.0.0.1:30103", True)

"""The websocket watch: who is told of what, and how a watch begins and ends. Protocol: Service Center sections 9.1 and 9.2."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from tests.engine import Client, EngineProcess
from tests.raw import connect, request

pytestmark = pytest.mark.asyncio(loop_scope="module")
SETTINGS = {"instance_min_interval": 1, "instance_min_times": 0, "watch_ping_seconds": 0.25, "watch_max": 20}
EAGER = {"mode": "push", "interval": 1, "times": 0}
HANDSHAKE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec_WebSocket_Version": "13",
    "Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


class Pair:
    """A consumer that watches and a provider that it depends on."""

    def __init__(self, api: Client) -> None:
        self.api = api

    async def register(self) -> None:
        """Register both, and let the consumer find the provider, which records that it depends on it."""
        self.consumer = await self.api.service("consumer")
        self.provider = await self.api.service("provider", version="1.2.0", alias="other-name")
        await self.api.find("provider", self.consumer)

    @property
    def instances(self) -> str:
        """The path of the provider's instances."""
        return f"/microservices/{self.provider}/instances"


@pytest.fixture(name="pair")
def _pair(api: Client) -> Pair:
    return Pair(api)


@contextlib.asynccontextmanager
async def watching(api: Client, service: str, root: str = "") -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    """A watch of a service, with the client's own pings off."""
    url = f"{root or api.registry}/microservices/{service}/watcher"
    async with api.session.ws_connect(url, headers=api._headers, autoping=False) as socket:
        yield socket


async def frames(socket: aiohttp.ClientWebSocketResponse, number: int) -> list[dict[str, Any]]:
    """The next text frames, pings aside."""
    got: list[dict[str, Any]] = []
    async with asyncio.timeout(15):
        while len(got) < number:
            message = await socket.receive()
            if message.type is aiohttp.WSMsgType.TEXT:
                got.append(json.loads(message.data))
            else:
                assert message.type is aiohttp.WSMsgType.PING, message
    return got


def _seen(frame: dict[str, Any]) -> tuple[str, str, str]:
    return frame["action"], frame["instance"]["instanceId"], frame["instance"]["status"]


async def test_every_change_of_a_provider_is_told_in_order(api: Client, pair: Pair) -> None:
    """Registered, changed one by one or all at once, unregistered; a heartbeat is no change."""
    await pair.register()
    async with watching(api, pair.consumer) as socket:
        await api.instance(pair.provider, instanceId="a", properties={"lane": "gray"})
        await api.call("PUT", f"{pair.instances}/a/heartbeat", None, 200)
        await api.call("PUT", f"{pair.instances}/a/status?value=TESTING", None, 200)
        await api.call("PUT", "/instances/status", {"matches": {"properties": {"lane": "gray"}}, "status": "DOWN"}, 200)
        await api.call("PUT", f"{pair.instances}/a/properties", {"properties": {"lane": "base"}}, 200)
        await api.instance(pair.provider, instanceId="a")
        await api.call("DELETE", f"{pair.instances}/a", None, 200)
        got = await frames(socket, 5)
    assert [_seen(frame) for frame in got] == [
        ("CREATE", "a", "UP"),
        ("UPDATE", "a", "TESTING"),
        ("UPDATE", "a", "DOWN"),
        ("UPDATE", "a", "DOWN"),
        ("DELETE", "a", "DOWN"),
    ]
    assert [frame["instance"].get("properties") for frame in got[-2:]] == [{"lane": "base"}] * 2


async def test_a_frame_names_the_provider_and_shows_the_instance(api: Client, pair: Pair) -> None:
    """`key` without its empty members; the instance as a find shows it."""
    await pair.register()
    async with watching(api, pair.consumer) as socket:
        await api.instance(pair.provider, instanceId="a")
        (frame,) = await frames(socket, 1)
    assert frame["key"] == {
        "tenant": f"{api._headers['X-Domain-Name']}/default",
        "appId": "default",
        "serviceName": "provider",
        "alias": "other-name",
        "version": "1.2.0",
    }
    assert [frame["instance"]] == await api.find("provider", pair.consumer)


async def test_an_instance_whose_lease_ends_is_told_as_deleted(api: Client, pair: Pair) -> None:
    await pair.register()
    async with watching(api, pair.consumer) as socket:
        await api.instance(pair.provider, instanceId="a", healthCheck=EAGER)
        assert [_seen(frame)[:2] for frame in await frames(socket, 2)] == [("CREATE", "a"), ("DELETE", "a")]
    assert await api.find("provider", pair.consumer) == []


async def test_the_instances_of_a_deleted_provider_are_told_one_by_one(api: Client, pair: Pair) -> None:
    """The original says nothing of a forced deletion."""
    await pair.register()
    names = {await api.instance(pair.provider) for _ in range(3)}
    async with watching(api, pair.consumer) as socket:
        await api.call("DELETE", f"/microservices/{pair.provider}?force=1", None, 200)
        got = await frames(socket, 3)
    assert {frame["instance"]["instanceId"] for frame in got} == names
    assert {frame["action"] for frame in got} == {"DELETE"}


async def test_only_providers_that_were_asked_for_are_told_of(api: Client, pair: Pair) -> None:
    """All versions of them, also under their alias; nothing of other services, applications or tenants."""
    await pair.register()
    other = await api.service("other")
    newer = await api.service("provider", version="2.0.0")
    elsewhere = Client(api.session, api.url, "elsewhere")
    async with watching(api, pair.consumer) as socket:
        await api.instance(other)
        await elsewhere.instance(await elsewhere.service("provider"))
        await api.instance(newer, instanceId="newer")
        assert _seen((await frames(socket, 1))[0])[:2] == ("CREATE", "newer")
        await api.find("other", pair.consumer)
        await api.instance(other, instanceId="asked-for")
        assert _seen((await frames(socket, 1))[0])[:2] == ("CREATE", "asked-for")


async def test_all_watchers_of_a_service_are_told(api: Client, pair: Pair) -> None:
    """Several instances of the consumer watch; one that has left does not disturb."""
    await pair.register()
    async with watching(api, pair.consumer) as first, watching(api, pair.consumer) as second:
        async with watching(api, pair.consumer):
            pass
        await api.instance(pair.provider, instanceId="a")
        assert [_seen(frame) for frame in await frames(first, 1)] == [_seen(frame) for frame in await frames(second, 1)]


async def test_the_v3_watch_is_as_good(api: Client, pair: Pair) -> None:
    """The original answers 500 there."""
    await pair.register()
    async with watching(api, pair.consumer, f"{api.url}/registry/v3") as socket:
        await api.instance(pair.provider, instanceId="a")
        assert _seen((await frames(socket, 1))[0])[:2] == ("CREATE", "a")


async def _farewell(socket: aiohttp.ClientWebSocketResponse) -> str:
    """The last text of a connection that ends without a close frame."""
    async with asyncio.timeout(15):
        text = ""
        while (message := await socket.receive()).type is not aiohttp.WSMsgType.CLOSED:
            text = message.data if message.type is aiohttp.WSMsgType.TEXT else text
    assert socket.close_code == aiohttp.WSCloseCode.ABNORMAL_CLOSURE
    return text


async def test_the_watch_of_a_service_that_is_deleted_ends(api: Client, pair: Pair) -> None:
    """As that of an unknown one: its client would wait for ever."""
    await pair.register()
    async with watching(api, pair.consumer) as socket:
        await api.call("DELETE", f"/microservices/{pair.consumer}?force=1", None, 200)
        assert await _farewell(socket) == "service does not exist"
    async with watching(api, pair.consumer) as socket:
        assert await _farewell(socket) == "service does not exist"


@pytest.mark.parametrize("lacking", ["Upgrade", "Connection", "Sec_WebSocket_Version", "Sec_WebSocket_Key"])
async def test_what_is_no_handshake_is_refused_in_text(lacking: str, shared_engine: EngineProcess) -> None:
    """400, and the version that is spoken here; also where the version is another."""
    target = "/v4/default/registry/microservices/x/watcher"
    lame = {name: value for name, value in HANDSHAKE.items() if name != lacking}
    other = {**HANDSHAKE, "Sec_WebSocket_Version": "12"}
    async with connect(shared_engine.port) as connection:
        answers = [await connection.exchange(request("GET", target, **headers)) for headers in (lame, other)]
    for answer in answers:
        assert (answer.status, answer.body) == (400, b"Bad Request\n")
        assert answer.header("Sec-Websocket-Version") == "13"
        assert (answer.header("Content-Type") or "").startswith("text/plain")


async def test_any_origin_may_watch_and_no_subprotocol_is_chosen(api: Client, pair: Pair) -> None:
    await pair.register()
    url = f"{api.registry}/microservices/{pair.consumer}/watcher"
    headers = {**api._headers, "Origin": "http://anywhere.example", "Sec-WebSocket-Protocol": "chat"}
    async with api.session.ws_connect(url, headers=headers, compress=15) as socket:
        answered = socket._response.headers
    assert "Sec-WebSocket-Protocol" not in answered
    assert "Sec-WebSocket-Extensions" not in answered


async def test_small_messages_are_ignored_and_large_ones_end_the_watch(api: Client, pair: Pair) -> None:
    """64 bytes are small, 65 are not: close code 1009."""
    await pair.register()
    async with watching(api, pair.consumer) as socket:
        await socket.send_str("a" * 64)
        await socket.send_bytes(b"b" * 64)
        await api.instance(pair.provider)
        assert len(await frames(socket, 1)) == 1
        await socket.send_str("a" * 65)
        async with asyncio.timeout(15):
            while (message := await socket.receive()).type is aiohttp.WSMsgType.PING:
                pass
        assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, aiohttp.WSCloseCode.MESSAGE_TOO_BIG)


async def test_the_engine_pings_until_the_client_does(api: Client, pair: Pair) -> None:
    """Java clients drop a silent connection after a minute; a client that pings gets pongs instead, each with what its ping carried."""
    await pair.register()
    async with watching(api, pair.consumer) as socket:
        async with asyncio.timeout(15):
            first = await socket.receive()
            assert (first.type, first.data) == (aiohttp.WSMsgType.PING, b"")
            await socket.ping(b"payload")
            while (message := await socket.receive()).type is aiohttp.WSMsgType.PING:
                pass
        assert (message.type, message.data) == (aiohttp.WSMsgType.PONG, b"payload")
        async with watching(api, pair.consumer) as other, asyncio.timeout(15):
            for _ in range(3):
                assert (await other.receive()).type is aiohttp.WSMsgType.PING
        await api.instance(pair.provider)
        async with asyncio.timeout(15):
            assert (await socket.receive()).type is aiohttp.WSMsgType.TEXT


async def test_a_close_is_answered_by_a_close(api: Client, pair: Pair) -> None:
    await pair.register()
    async with watching(api, pair.consumer) as socket:
        assert await socket.close(code=4000, message=b"bye")
    assert socket.close_code == aiohttp.WSCloseCode.OK


async def test_one_watch_too_many_is_refused_before_the_handshake(api: Client, pair: Pair) -> None:
    """`watch_max`: 400100 as any other quota; when one leaves there is room again."""
    await pair.register()
    async with contextlib.AsyncExitStack() as stack:
        sockets = [await stack.enter_async_context(watching(api, pair.consumer)) for _ in range(20)]
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await stack.enter_async_context(watching(api, pair.consumer))
        assert refused.value.status == 400
        await sockets[0].close()
        await stack.enter_async_context(watching(api, pair.consumer))

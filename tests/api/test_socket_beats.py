"""Heartbeats over a websocket: every pong renews the lease. Protocol: Service Center section 9.3."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager

import aiohttp
import pytest

from tests.engine import Client, eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")
SETTINGS = {"instance_min_interval": 1, "instance_min_times": 0, "watch_ping_seconds": 0.25}
EAGER = {"mode": "push", "interval": 1, "times": 0}
GONE = "heartbeat reporting failed because the instance does not exist"


def _beating(
    api: Client, service: str, instance: str, *, autoping: bool = True
) -> AbstractAsyncContextManager[aiohttp.ClientWebSocketResponse]:
    url = f"{api.registry}/microservices/{service}/instances/{instance}/heartbeat"
    return api.session.ws_connect(url, headers=api._headers, autoping=autoping)


async def _next_but_pings(socket: aiohttp.ClientWebSocketResponse) -> aiohttp.WSMessage:
    async with asyncio.timeout(15):
        while (message := await socket.receive()).type is aiohttp.WSMsgType.PING:
            pass
    return message


async def test_pongs_keep_an_instance_and_silence_loses_it(api: Client) -> None:
    """A client that pongs stays for several leases while one that does not goes; both are told by the engine's pings."""
    service = await api.service("provider")
    for name in ("ponging", "silent"):
        await api.instance(service, instanceId=name, healthCheck=EAGER)
    async with (
        _beating(api, service, "ponging", autoping=False) as socket,
        _beating(api, service, "silent", autoping=False) as other,
    ):
        for _ in range(12):
            async with asyncio.timeout(15):
                assert (await socket.receive()).type is aiohttp.WSMsgType.PING
            await socket.pong()
        names = [row["instanceId"] for row in await api.find("provider")]
        assert names == ["ponging"]
        await other.pong()
        message = await _next_but_pings(other)
    assert (message.type, message.data, message.extra) == (aiohttp.WSMsgType.CLOSE, 4001, GONE)


async def test_an_unknown_instance_is_told_at_once(api: Client) -> None:
    """Close code 4001 after the handshake, for an unknown service as well."""
    service = await api.service("provider")
    for owner in (service, "nobody"):
        async with _beating(api, owner, "nobody") as socket:
            message = await _next_but_pings(socket)
        assert (message.type, message.data, message.extra) == (aiohttp.WSMsgType.CLOSE, 4001, GONE)


async def test_connecting_renews_the_lease(api: Client) -> None:
    """The handshake is the first heartbeat: one a connection, without a single pong, keeps an instance too."""
    service = await api.service("provider")
    await api.instance(service, instanceId="a", healthCheck=EAGER)
    await api.instance(service, instanceId="b", healthCheck=EAGER)

    async def only_one_is_left() -> bool:
        async with _beating(api, service, "a"):
            return [row["instanceId"] for row in await api.find("provider")] == ["a"]

    await eventually(only_one_is_left)


async def test_a_plain_request_is_refused_and_v3_has_no_such_route(api: Client) -> None:
    """400 in text where a websocket is expected; 405 under v3, where heartbeats are only put."""
    service = await api.service("provider")
    await api.instance(service, instanceId="a")
    path = f"/microservices/{service}/instances/a/heartbeat"
    status, _, headers = await api.call("GET", path)
    assert (status, headers["Sec-Websocket-Version"]) == (400, "13")  # type: ignore[call-overload, index]
    status, _, headers = await api.call("GET", f"/registry/v3{path}")
    assert (status, headers["Allow"]) == (405, "PUT")  # type: ignore[call-overload, index]

"""What every websocket of the engine does, whatever is told over it."""

from __future__ import annotations

import aiohttp
import pytest

from tests.engine import Client

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize("payload", [b"", b"keepalive", b"x" * 60])
async def test_a_ping_is_answered_with_what_it_carries(payload: bytes, api: Client) -> None:
    """Some clients look for their own words in the pong; none sends more than a few."""
    service = await api.service("pinged")
    watcher = f"{api.registry}/microservices/{service}/watcher"
    async with api.session.ws_connect(watcher, autoping=False, headers=api._headers) as socket:
        await socket.ping(payload)
        message = await socket.receive(timeout=30)
        assert (message.type, message.data) == (aiohttp.WSMsgType.PONG, payload)

"""Being told of changes: a websocket to the engine, after each event of which the provider is asked for anew."""

from __future__ import annotations

from collections.abc import Callable

import aiohttp
import orjson
import structlog

from governance.sdk.client import CenterClient
from governance.sdk.discovery import Discovery
from governance.sdk.heartbeat import Pause

_SILENCE = 90.0
_LONGEST_PAUSE = 30.0

log = structlog.get_logger(__name__)


class Watch:
    """Follows the engine's events for one service. While it is down, pulling on interval is what remains."""

    def __init__(self, client: CenterClient, discovery: Discovery, service_id: Callable[[], str]) -> None:
        self._client = client
        self._discovery = discovery
        self._service_id = service_id
        self.connected = False

    async def run(self, pause: Pause) -> None:
        """Stay connected until cancelled, waiting 1 s after the first failure and up to 30 s after more."""
        wait = 1.0
        while True:
            for url in self._client.watch_urls(self._service_id()):
                if await self._follow(url):
                    wait = 1.0
                    break
            await pause(wait)
            wait = min(2 * wait, _LONGEST_PAUSE)

    async def _follow(self, url: str) -> bool:
        """Follow one address until it ends; whether it was ever connected."""
        try:
            async with self._client.session.ws_connect(
                url, headers=dict(self._client.headers), timeout=aiohttp.ClientWSTimeout(ws_receive=_SILENCE)
            ) as socket:
                self.connected = True
                log.info("watch.connected", url=url)
                # What happened before the connection stood was told to nobody.
                await self._discovery.pull_all()
                async for message in socket:
                    await self._heed(message)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            log.info("watch.lost", url=url, error=str(error) or type(error).__name__)
        was_connected, self.connected = self.connected, False
        return was_connected

    async def _heed(self, message: aiohttp.WSMessage) -> None:
        try:
            key = orjson.loads(message.data)["key"]
            app, service = str(key["appId"]), str(key["serviceName"])
        except (orjson.JSONDecodeError, KeyError, TypeError):
            await self._discovery.pull_all()
            return
        await self._discovery.pull(app, service)

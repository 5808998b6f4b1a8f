"""Being told of changes: a websocket to the engine, after each event of which the provider is asked for anew."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping

import aiohttp
import orjson

from governance.clock import Pause
from governance.logs import logger
from governance.sdk.client import CenterClient
from governance.sdk.discovery import Discovery

_SILENCE = 90.0
_CONNECT_SECONDS = 5.0
_LONGEST_PAUSE = 10.0
_UNKNOWN = "service does not exist"

log = logger(__name__)


class Watch:
    """Follows the engine's events for one service. While it is down, pulling on interval is what remains.

    `forgotten` is called where the engine says that it does not know the service.
    """

    def __init__(self, client: CenterClient, discovery: Discovery, forgotten: Callable[[], None]) -> None:
        self._client = client
        self._discovery = discovery
        self._forgotten = forgotten
        self.connected = False
        self._sent: Mapping[str, str] = {}
        """What the account has given for the connection."""

    async def run(self, service_id: str, pause: Pause) -> None:
        """Stay connected until cancelled, waiting 1 s after the first failure and up to 10 s after more."""
        wait = 1.0
        while True:
            for url in self._client.watch_urls(service_id):
                if await self._follow(url):
                    wait = 1.0
                    break
            await pause(wait)
            wait = min(2 * wait, _LONGEST_PAUSE)

    async def _follow(self, url: str) -> bool:
        """Follow one address until it ends; whether it was ever connected."""
        try:
            async with await self._connect(url) as socket, self._closed_with_token(socket):
                self.connected = True
                log.info("watch.connected", url=url)
                # What happened before the connection stood was told to nobody.
                self._discovery.want_all()
                async for message in socket:
                    self._heed(message)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            log.info("watch.lost", url=url, error=str(error) or type(error).__name__)
        finally:
            was_connected, self.connected = self.connected, False
        return was_connected

    async def _connect(self, url: str) -> aiohttp.ClientWebSocketResponse:
        """A connection, with the account's token; once more with a new one where that was refused."""
        session, account = self._client.session, self._client.account
        self._sent = await account.headers(session)
        try:
            return await self._opened(url)
        except aiohttp.WSServerHandshakeError as error:
            if error.status != 401 or not await account.renewed(session, self._sent):
                raise
        self._sent = await account.headers(session)
        return await self._opened(url)

    async def _opened(self, url: str) -> aiohttp.ClientWebSocketResponse:
        timeout = aiohttp.ClientWSTimeout(ws_receive=_SILENCE, ws_close=_CONNECT_SECONDS)
        async with asyncio.timeout(_CONNECT_SECONDS):
            return await self._client.session.ws_connect(
                url, headers={**self._client.headers, **self._sent}, timeout=timeout
            )

    @contextlib.asynccontextmanager
    async def _closed_with_token(self, socket: aiohttp.ClientWebSocketResponse) -> AsyncIterator[None]:
        """The connection ends when the token that it was made with is replaced: the engine ends it with that token otherwise."""

        async def close() -> None:
            await self._client.account.another_than(self._sent)
            await socket.close()

        closing = asyncio.create_task(close())
        try:
            yield
        finally:
            closing.cancel()
            await asyncio.wait((closing,))

    def _heed(self, message: aiohttp.WSMessage) -> None:
        if message.data in (_UNKNOWN, _UNKNOWN.encode()):
            self._forgotten()
            return
        try:
            key = orjson.loads(message.data)["key"]
            self._discovery.want(str(key["appId"]), str(key["serviceName"]))
        except (orjson.JSONDecodeError, KeyError, TypeError):
            self._discovery.want_all()

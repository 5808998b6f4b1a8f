"""An HTTP client that finds its targets by discovery: `cse://service/path` goes to an instance of the service, one after another."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Unpack

import aiohttp
from aiohttp.client import _RequestOptions
from yarl import URL

from governance.sdk.client import EngineUnavailableError
from governance.sdk.discovery import Discovery
from governance.sdk.model import Instance

_SAFE_TO_REPEAT = frozenset(("GET", "HEAD", "OPTIONS", "PUT", "DELETE"))


class NoInstanceError(Exception):
    """There is nobody to call."""

    def __init__(self, service: str, reason: str) -> None:
        self.service = service
        super().__init__(f"no instance of {service}: {reason}")


class Session:
    """Calls services by name. `cse://service/path` and `cse://app:service/path` are found by discovery; `http://service/path` is where
    the host is a provider that is already in use; every other URL is called as it is.

    An instance that cannot be connected to is passed over for the next one, for methods that may be repeated.
    """

    def __init__(self, session: aiohttp.ClientSession, discovery: Discovery, app: str) -> None:
        self._session = session
        self._discovery = discovery
        self._app = app
        self._turns: dict[tuple[str, str], int] = {}

    def get(self, url: str, **options: Unpack[_RequestOptions]) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        """GET; options are aiohttp's."""
        return self.request("GET", url, **options)

    def post(self, url: str, **options: Unpack[_RequestOptions]) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        """POST; options are aiohttp's."""
        return self.request("POST", url, **options)

    def put(self, url: str, **options: Unpack[_RequestOptions]) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        """PUT; options are aiohttp's."""
        return self.request("PUT", url, **options)

    def delete(
        self, url: str, **options: Unpack[_RequestOptions]
    ) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        """DELETE; options are aiohttp's."""
        return self.request("DELETE", url, **options)

    @asynccontextmanager
    async def request(
        self, method: str, url: str, **options: Unpack[_RequestOptions]
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Any method. Raises `NoInstanceError` where the service has no instance, and aiohttp's errors."""
        response = await self._send(method, url, options)
        try:
            yield response
        finally:
            response.release()

    async def _send(self, method: str, url: str, options: _RequestOptions) -> aiohttp.ClientResponse:
        target = self._target(url)
        if target is None:
            return await self._session.request(method, url, **options)
        app, service, rest = target
        candidates = await self.choose(service, app)
        for instance in candidates[:-1] if method.upper() in _SAFE_TO_REPEAT else ():
            try:
                return await self._session.request(method, instance.url + rest, **options)
            except aiohttp.ClientConnectorError:
                continue
        last = candidates[-1] if method.upper() in _SAFE_TO_REPEAT else candidates[0]
        return await self._session.request(method, last.url + rest, **options)

    async def choose(self, service: str, app: str | None = None) -> list[Instance]:
        """The callable instances in the order to try them: every call starts with the next. Raises `NoInstanceError`."""
        try:
            found = await self._discovery.instances(service, app)
        except EngineUnavailableError as error:
            raise NoInstanceError(service, str(error)) from error
        usable = [instance for instance in found if instance.status == "UP" and instance.url]
        if not usable:
            raise NoInstanceError(service, f"{len(found)} known, none of them up")
        key = (app or self._app, service)
        turn = self._turns[key] = self._turns.get(key, -1) + 1
        start = turn % len(usable)
        return usable[start:] + usable[:start]

    def _target(self, url: str) -> tuple[str | None, str, str] | None:
        scheme, separator, rest = url.partition("://")
        host, slash, path = rest.partition("/")
        if scheme == "cse" and separator:
            app, colon, service = host.partition(":")
            return (app, service, slash + path) if colon else (None, host, slash + path)
        if scheme == "http" and "." not in host and ":" not in host and self._discovery.knows(host):
            return None, host, URL(url).raw_path_qs
        return None

"""An HTTP client that finds its targets by discovery: `cse://service/path` goes to an instance of the service, one after another."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, NamedTuple, Unpack

import aiohttp

from governance.sdk.client import EngineError, EngineUnavailableError, NotRunningError
from governance.sdk.discovery import Discovery
from governance.sdk.model import Instance

if TYPE_CHECKING:
    from aiohttp.client import _RequestOptions

CONNECT_SECONDS = 3.0
"""How long connecting to an instance may take where the call's own timeout does not say."""
_CANNOT_CONNECT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)


class NoInstanceError(Exception):
    """There is nobody to call."""

    def __init__(self, service: str, reason: str) -> None:
        self.service = service
        super().__init__(f"no instance of {service}: {reason}")


class _Target(NamedTuple):
    """What a URL names: a service, of an application (none: the caller's own), and what comes after it."""

    app: str | None
    service: str
    rest: str


class Session:
    """Calls services by name. `cse://service/path` and `cse://app:service/path` are found by discovery, and so is `http://service/path`
    where the engine knows a service of that name; every other URL is called as it is.

    An instance that cannot be connected to is passed over for the next one: nothing was sent, so that is safe for every method. A body
    that can be read only once (a file, a form, a stream) is not tried again. A timeout among the options is that of each try. `start` is
    where the round begins. It needs `open_with` before the first call.
    """

    def __init__(self, discovery: Discovery, app: str, start: int = 0) -> None:
        self._connections: aiohttp.ClientSession | None = None
        self._discovery = discovery
        self._app = app
        self._start = start
        self._turns: dict[tuple[str, str], int] = {}

    def open_with(self, session: aiohttp.ClientSession) -> None:
        """Call services over these connections."""
        self._connections = session

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
        async with await self._send(method, url, options) as response:
            yield response

    async def choose(self, service: str, app: str | None = None) -> list[Instance]:
        """The instances that are UP in the order to try them: every call starts with the next. Raises `NoInstanceError`."""
        try:
            found = await self._discovery.instances(service, app)
        except (EngineUnavailableError, EngineError) as error:
            raise NoInstanceError(service, str(error)) from error
        usable = [instance for instance in found if instance.status == "UP" and instance.url]
        if not usable:
            raise NoInstanceError(service, _why_none(found))
        key = (app or self._app, service)
        turn = self._turns[key] = self._turns.get(key, self._start - 1) + 1
        rounds, first = divmod(turn, len(usable))
        others = usable[first + 1 :] + usable[:first]
        # The second choice differs from round to round, so that the calls of one that is gone are shared by all the others.
        second = rounds % max(1, len(others))
        return [usable[first], *others[second:], *others[:second]]

    async def _send(self, method: str, url: str, options: _RequestOptions) -> aiohttp.ClientResponse:
        if self._connections is None:
            raise NotRunningError
        session, target = self._connections, await self._target(url)
        if target is None:
            return await session.request(method, url, **options)
        candidates = await self.choose(target.service, target.app)
        if not isinstance(options.get("data"), (bytes, str, type(None))):
            del candidates[1:]
        options = _bounded(options)
        for instance in candidates[:-1]:
            try:
                return await session.request(method, instance.url + target.rest, **options)
            except _CANNOT_CONNECT:
                continue
        return await session.request(method, candidates[-1].url + target.rest, **options)

    async def _target(self, url: str) -> _Target | None:
        scheme, _, rest = url.partition("://")
        host, slash, path = rest.partition("/")
        host, question, query = host.partition("?")
        after = f"{slash}{path}" if slash and not question else f"/{question}{query}{slash}{path}"
        if scheme == "cse":
            app, colon, service = host.partition(":")
            return _Target(app, service, after) if colon else _Target(None, host, after)
        # A host with a dot or a port is an address, whatever services are called.
        if scheme == "http" and host.isascii() and not {".", ":", "@", "["} & set(host) and host != "localhost":
            return _Target(None, host, after) if await self._is_service(host) else None
        return None

    async def _is_service(self, name: str) -> bool:
        try:
            return bool(await self._discovery.instances(name))
        except (EngineUnavailableError, EngineError):
            return False


def _bounded(options: _RequestOptions) -> _RequestOptions:
    """The options with a bound for connecting, so that a host that is gone does not use up the time of the call."""
    given = options.get("timeout")
    if not isinstance(given, aiohttp.ClientTimeout) or given.sock_connect is not None:
        return options
    bound = aiohttp.ClientTimeout(
        total=given.total, connect=given.connect, sock_read=given.sock_read, sock_connect=CONNECT_SECONDS
    )
    return {**options, "timeout": bound}


def _why_none(found: tuple[Instance, ...]) -> str:
    if not found:
        return "the engine knows none"
    return f"{len(found)} known, none of them UP with a REST endpoint"

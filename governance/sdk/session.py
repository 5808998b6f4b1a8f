"""An HTTP client that finds its targets by discovery and obeys the rules: `cse://service/path` goes to an instance of the service."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, Unpack, cast
from urllib.parse import unquote

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from governance.invocation import context
from governance.invocation.chain import Proceed, Stage, chained
from governance.invocation.invocation import Invocation, LocalReply, Reply
from governance.invocation.live import LiveRules
from governance.logs import logger
from governance.resilience.retry import RetriesExhaustedError
from governance.rules.marker import Request
from governance.sdk.answers import Answer, LocalAnswer, let_go
from governance.sdk.client import NotRunningError
from governance.sdk.model import Instance
from governance.sdk.providers import Providers

if TYPE_CHECKING:
    from aiohttp.client import _RequestOptions

log = logger(__name__)
Own: TypeAlias = Callable[[], Mapping[str, str]]
CONNECT_SECONDS = 3.0
"""How long connecting to an instance may take where the call's own timeout does not say."""


class _Target(NamedTuple):
    """What a URL names: a service, of an application (none: the caller's own), and what comes after it."""

    app: str | None
    service: str
    rest: str


@dataclass(eq=False, slots=True, kw_only=True)
class _Sending(Invocation):
    """A call with what aiohttp needs for it."""

    rest: str
    headers: CIMultiDict[str]
    options: _RequestOptions


class Session:
    """Calls services by name. `cse://service/path` and `cse://app:service/path` are found by discovery, and so is `http://service/path`
    where the engine knows a service of that name; every other URL is called as it is.

    Such a call passes the stages: rules may refuse it, answer in its place (with a `LocalAnswer`), repeat it, and choose who gets it. A
    body that can be read only once (a file, a form, a stream) is not sent again. A timeout among the options is that of each try. It needs
    `open_with` before the first call. `own` gives what the caller says of itself in each call.
    """

    def __init__(self, providers: Providers, rules: LiveRules, stages: Sequence[Stage], own: Own) -> None:
        self._connections: aiohttp.ClientSession | None = None
        self._providers = providers
        self._rules = rules
        self._own = own
        self._chain: Proceed = chained(stages, self._try)
        self._told = False

    def open_with(self, session: aiohttp.ClientSession) -> None:
        """Call services over these connections."""
        self._connections = session

    def get(self, url: str, **options: Unpack[_RequestOptions]) -> AbstractAsyncContextManager[Answer]:
        """GET; options are aiohttp's."""
        return self.request("GET", url, **options)

    def post(self, url: str, **options: Unpack[_RequestOptions]) -> AbstractAsyncContextManager[Answer]:
        """POST; options are aiohttp's."""
        return self.request("POST", url, **options)

    def put(self, url: str, **options: Unpack[_RequestOptions]) -> AbstractAsyncContextManager[Answer]:
        """PUT; options are aiohttp's."""
        return self.request("PUT", url, **options)

    def delete(self, url: str, **options: Unpack[_RequestOptions]) -> AbstractAsyncContextManager[Answer]:
        """DELETE; options are aiohttp's."""
        return self.request("DELETE", url, **options)

    @asynccontextmanager
    async def request(
        self, method: str, url: str, *, operation: str = "", **options: Unpack[_RequestOptions]
    ) -> AsyncIterator[Answer]:
        """Any method. `operation` is `schema.operation` for rules that name one; where it is empty, the callee's schemas say it.

        Raises `NoInstanceError` where the service has no instance, and aiohttp's errors.
        """
        answer = await self._send(method, url, operation, options)
        try:
            yield answer
        finally:
            let_go(answer)

    async def _send(self, method: str, url: str, operation: str, options: _RequestOptions) -> Answer:
        if self._connections is None:
            raise NotRunningError
        target = await self._target(url)
        if target is None:
            return await self._connections.request(method, url, **options)
        sending = await self._sending(method.upper(), target, operation, options)
        try:
            reply = await self._chain(sending)
        except RetriesExhaustedError as error:
            let_go(error.reply)
            raise
        return LocalAnswer(method, url, reply) if isinstance(reply, LocalReply) else cast(aiohttp.ClientResponse, reply)

    async def _sending(self, method: str, target: _Target, operation: str, options: _RequestOptions) -> _Sending:
        path, _, query = target.rest.partition("?")
        headers = CIMultiDict(options.get("headers") or {})
        values = {**context.current(), **self._own()}
        schema, _, name = operation.partition(".")
        if not operation and self._rules.book.names_operations(target.service):
            schema, name = await self._providers.operation(target.service, target.app, method, path)
        request = Request(
            path=unquote(path),
            method=method,
            headers={**headers, **{name: text for name, text in values.items() if name not in headers}},
            queries=_queries(query, options) if self._rules.book.asks_queries else {},
            service_name=target.service,
            source=self._rules.book.own.name,
        )
        return _Sending(
            request=request,
            service=target.service,
            app=target.app or "",
            schema=schema,
            operation=name,
            context=values,
            replayable=isinstance(options.get("data"), (bytes, str, type(None))),
            rest=target.rest,
            headers=headers,
            options=_bounded(options),
        )

    async def _try(self, invocation: Invocation) -> Reply:
        """Send the call to the instance that was chosen."""
        assert isinstance(invocation, _Sending)  # noqa: S101  no other is given to the chain
        assert self._connections is not None  # noqa: S101  looked at before
        headers = invocation.headers.copy()
        for name, value in self._travelling(invocation.context).items():
            headers.setdefault(name, value)
        options: _RequestOptions = {**invocation.options, "headers": headers}
        url = cast(Instance, invocation.target).url + invocation.rest
        return await self._connections.request(invocation.request.method, url, **options)

    def _travelling(self, values: Mapping[str, str]) -> Mapping[str, str]:
        headers = context.written(values)
        if values and context.CHASSIS_HEADER not in headers and not self._told:
            self._told = True
            log.warning("context.too_long", largest=context.LARGEST, names=sorted(values)[:10])
        return headers

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
            return _Target(None, host, after) if await self._providers.is_service(host) else None
        return None


def _queries(query: str, options: _RequestOptions) -> Mapping[str, str]:
    """The parameters, whichever way they are given; of several with one name the first."""
    return dict(URL.build(query_string=query, encoded=True).extend_query(options.get("params")).query)


def _bounded(options: _RequestOptions) -> _RequestOptions:
    """The options with a bound for connecting, so that a host that is gone does not use up the time of the call."""
    given = options.get("timeout")
    if not isinstance(given, aiohttp.ClientTimeout) or given.sock_connect is not None:
        return options
    bound = aiohttp.ClientTimeout(
        total=given.total, connect=given.connect, sock_read=given.sock_read, sock_connect=CONNECT_SECONDS
    )
    return {**options, "timeout": bound}

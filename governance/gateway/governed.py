"""Rules at the edge: a request passes the stages of a provider, and then, as the gateway's own call, those of a consumer."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, cast
from urllib.parse import parse_qsl

from governance.gateway.config import GatewayConfig
from governance.gateway.core import Core
from governance.gateway.exchange import Exchange
from governance.gateway.picking import UpstreamPick
from governance.gateway.pool import UnsentError
from governance.gateway.servers import Server, server_of
from governance.gateway.table import Entry
from governance.invocation import context
from governance.invocation.chain import Proceed, Stage, chained
from governance.invocation.invocation import Invocation, LocalReply, Reply, Target
from governance.invocation.live import LiveRules
from governance.invocation.rulebook import Rulebook
from governance.resilience.retry import RetriesExhaustedError
from governance.routing.errors import NoInstanceError
from governance.routing.lanes import Lanes
from governance.routing.own import OwnInstance
from governance.routing.pick import Pick
from governance.rules.check import rule_key
from governance.rules.marker import Request
from governance.rules.selection import OwnService
from governance.sdk import Microservice
from governance.sdk.server.inbound import CALLER, Arrival, Inbound
from governance.sdk.stages import Isolated, Transport, inbound, outbound_by

_ONLY_ROUTES = frozenset(("matchGroup", "routeRule", "globalRouteRule", "darklaunch"))
"""Kinds that do nothing but choose among the servers of the callee that they name."""
_OPEN_STATUS = 503
"""Of a breaker's refusal, as the gateway of Spring Cloud Huawei has it."""


class Registered(Protocol):
    """What a registered gateway asks its service."""

    async def servers(self, service: str, app: str) -> Sequence[Server]:
        """The instances of a service: the same object for as long as nothing changes. Raises `NoInstanceError`."""

    def facts(self, values: Mapping[str, str]) -> Awaitable[Mapping[str, str] | None]:
        """What is known of who has sent a context."""

    def names(self) -> Mapping[str, str]:
        """What the gateway says of itself in its calls."""

    def watching(self) -> Sequence[Stage]:
        """What counts its calls for others."""


class Service:
    """A gateway's place among services."""

    def __init__(self, service: Microservice) -> None:
        self._service = service
        self._known: dict[tuple[str, str], tuple[object, Sequence[Server]]] = {}

    async def servers(self, service: str, app: str) -> Sequence[Server]:
        """See `Registered`."""
        found = await self._service.providers.usable(service, app or None)
        known = self._known.get((service, app))
        if known is None or known[0] is not found:
            known = (found, tuple(server for one in found if (server := server_of(one)) is not None))
            self._known[service, app] = known
        return known[1]

    def facts(self, values: Mapping[str, str]) -> Awaitable[Mapping[str, str] | None]:
        """See `Registered`."""
        return self._service.callers.facts(values)

    def names(self) -> Mapping[str, str]:
        """See `Registered`."""
        return self._service.own_names()

    def watching(self) -> Sequence[Stage]:
        """See `Registered`."""
        return self._service.counting()


class Alone:
    """A gateway that is no service: its rules come from its file, and it can call upstreams only."""

    def __init__(self, name: str) -> None:
        self._name = name

    async def servers(self, service: str, app: str) -> Sequence[Server]:
        """See `Registered`."""
        raise NoInstanceError(service, "the gateway is not registered")

    async def facts(self, values: Mapping[str, str]) -> Mapping[str, str] | None:
        """See `Registered`."""
        return None

    def names(self) -> Mapping[str, str]:
        """See `Registered`."""
        return dict.fromkeys(CALLER, self._name)

    def watching(self) -> Sequence[Stage]:
        """See `Registered`."""
        return ()


@dataclass(eq=False, slots=True, kw_only=True)
class _Forwarding(Invocation):
    """A request on its way on."""

    exchange: Exchange
    entry: Entry


@dataclass(frozen=True, slots=True)
class _Ways:
    """What requests pass: the stages of a provider, then those of a consumer."""

    into: Inbound
    to_services: Proceed
    to_upstreams: Proceed


class Governance:
    """Puts the requests of a core under rules. `own` is who the gateway is for rules that say whom they are for."""

    def __init__(self, core: Core, own: OwnInstance, registered: Registered) -> None:
        self._core = core
        self._registered = registered
        self.rules = LiveRules(OwnService(own.service, own.version))
        self._lanes = Lanes(own.service)
        self._book: Rulebook | None = None
        self._any = False
        transport = Transport(retriable=lambda error: isinstance(error, OSError), unsent=_is_unsent)

        def pick(isolated: Isolated) -> Stage:
            return Pick(self.rules, own, self._find, isolated=isolated, unsent=_is_unsent)

        def pick_upstream(isolated: Isolated) -> Stage:
            return UpstreamPick(self.rules, own, core.choice, isolated)

        watching = registered.watching()
        to_services = outbound_by(self.rules, pick, transport, watching=watching)
        to_upstreams = outbound_by(self.rules, pick_upstream, transport, watching=watching)
        self._all = self._ways(inbound(self.rules, breaker_status=_OPEN_STATUS), to_services, to_upstreams)
        # Without policies the other stages do nothing, and passing through them costs a third of a request.
        choosing = {Pick.name, *(stage.name for stage in watching)}
        self._choosing = self._ways(
            (), *([one for one in way if one.name in choosing] for way in (to_services, to_upstreams))
        )

    def _ways(self, into: Sequence[Stage], to_services: Sequence[Stage], to_upstreams: Sequence[Stage]) -> _Ways:
        arriving = Inbound(self.rules, into, {}, self._registered.facts)
        return _Ways(arriving, chained(to_services, _last), chained(to_upstreams, _last))

    def update(self, config: GatewayConfig, values: Mapping[str, str]) -> None:
        """The configuration and the engine's items are these now. Where both have a key, the engine's counts."""
        self.rules.update({**config.rules, **values})
        self._lanes.obey(values)
        self._core.guard(self._lanes.headers)

    def governs(self, entry: Entry) -> bool:
        """See `Governor`. Where nothing applies, an upstream is asked straight."""
        book = self.rules.book
        if book is not self._book:
            self._book = book
            kinds = {found.kind for key in book.values if (found := rule_key(key)) is not None}
            self._any = not kinds <= _ONLY_ROUTES
        return self._any or not entry.route.upstream or book.routes_to(entry.route.upstream) is not None

    async def govern(self, exchange: Exchange, entry: Entry) -> None:
        """See `Governor`."""
        request = self._request(exchange)
        ways = self._all if self._any else self._choosing

        async def run() -> Reply:
            return await self._forward(exchange, entry, request, ways)

        arrival = Arrival(
            method=request.method, path=request.path, headers=request.headers, queries=lambda: request.queries
        )
        try:
            reply = await ways.into.handle(arrival, run)
        except NoInstanceError as error:
            exchange.reply(503, str(error))
        except RetriesExhaustedError as error:
            _give(exchange, error.reply)
        except OSError as error:
            exchange.fail(error)
        else:
            _give(exchange, reply)

    def _request(self, exchange: Exchange) -> Request:
        """A request as rules look at it."""
        queries = {}
        if self.rules.book.asks_queries:
            query = exchange.path.query[1:].decode("ascii")
            queries = dict(parse_qsl(query, keep_blank_values=True, errors="surrogateescape"))
        return Request(
            path=exchange.path.plain,
            method=exchange.line.method.decode("ascii"),
            headers=exchange.block.headers,
            queries=queries,
        )

    async def _forward(self, exchange: Exchange, entry: Entry, request: Request, ways: _Ways) -> Reply:
        """The gateway's own call."""
        route = entry.route
        exchange.lane = self._lanes.mark(route.service, request.headers, context.current())
        values = {**context.current(), **self._registered.names()}
        if exchange.lane is not None:
            values[exchange.lane.header] = exchange.lane.label
        service = route.service or route.upstream
        forwarding = _Forwarding(
            request=Request(
                path=exchange.path_that_goes_on,
                method=request.method,
                headers={**values, **request.headers},
                queries=request.queries,
                service_name=service,
                source=self.rules.book.own.name,
            ),
            service=service,
            context=values,
            replayable=exchange.replayable,
            exchange=exchange,
            entry=entry,
        )
        return await (ways.to_services if route.service else ways.to_upstreams)(forwarding)

    async def _find(self, invocation: Invocation) -> Sequence[Target]:
        return await self._registered.servers(invocation.service, invocation.app)


async def _last(invocation: Invocation) -> Reply:
    """Send the request. What has been sent is repeated only where that does no harm."""
    forwarding = cast(_Forwarding, invocation)
    exchange = forwarding.exchange
    try:
        return await exchange.once(forwarding.entry, cast(Server, invocation.target), invocation.context)
    finally:
        invocation.replayable = exchange.replayable


def _is_unsent(error: BaseException) -> bool:
    return isinstance(error, UnsentError)


def _give(exchange: Exchange, reply: Reply) -> None:
    if isinstance(reply, LocalReply):
        exchange.reply(reply.status, reply.text)
    else:
        exchange.relay()

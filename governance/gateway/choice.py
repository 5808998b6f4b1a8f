"""Which server of an upstream a request goes to: route rules choose the group, weights the server."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from governance.clock import Clock
from governance.gateway.config import Upstream
from governance.gateway.servers import Server, server_at
from governance.rules.distribution import Plan, draw, weights_of
from governance.rules.marker import MatchGroup, Request
from governance.rules.routes import RouteItem, RouteRule, RouteRules, first_match

AVOIDED_SECONDS = 1.0
"""How long a server that could not be connected to is passed over where there are others."""


@dataclass(slots=True)
class _Drawn:
    """A route rule with the counters of its draws."""

    plan: Plan[Server]
    route: tuple[int, ...]
    fallback: tuple[int, ...]

    def next(self) -> Sequence[Server]:
        """The servers of the next draw."""
        rule = self.plan.rule
        place, self.route = _step(rule.route, self.route)
        spare, self.fallback = _step(rule.fallback, self.fallback) if rule.fallback else (0, ())
        return self.plan.chosen(place, spare)[0]


def _step(items: Sequence[RouteItem], counters: tuple[int, ...]) -> tuple[int, tuple[int, ...]]:
    weights = weights_of(items)
    return draw(weights, counters or (0,) * len(weights))


@dataclass(slots=True)
class UpstreamChoice:
    """The servers of one upstream, and the state of the draws among them."""

    servers: tuple[Server, ...]
    rules: RouteRules | None
    clock: Clock
    _drawn: dict[int, _Drawn] = field(default_factory=dict)
    _drawn_of: RouteRules | None = None
    _counters: dict[str, int] = field(default_factory=dict)
    _avoided: dict[str, float] = field(default_factory=dict)

    def choose(
        self,
        request: Callable[[], Request],
        tried: Collection[str] = (),
        rules: RouteRules | None = None,
        groups: Mapping[str, MatchGroup] = {},
    ) -> Server | None:
        """The server of the next request; None where route rules leave none. `rules` go before the upstream's own.

        Those that were tried, and those that could not be reached just now, come into question only where nobody else is left.
        """
        servers: Sequence[Server] = self.servers
        effective = rules or self.rules
        if effective is not None:
            servers = self._routed(effective, request, groups)
        if len(servers) > 1 and (tried or self._avoided):
            servers = self._preferred(servers, tried)
        if len(servers) <= 1:
            return servers[0] if servers else None
        return self._weighted(servers)

    def avoid(self, server: Server) -> None:
        """It could not be connected to."""
        self._avoided[server.instance_id] = self.clock() + AVOIDED_SECONDS

    def _routed(
        self, rules: RouteRules, request: Callable[[], Request], groups: Mapping[str, MatchGroup]
    ) -> Sequence[Server]:
        if self._drawn_of is not rules:
            self._drawn_of, self._drawn = rules, {}
        rule = first_match(rules, request(), groups)
        return self.servers if rule is None else self._of(rule).next()

    def _of(self, rule: RouteRule) -> _Drawn:
        drawn = self._drawn.get(id(rule))
        if drawn is None:
            drawn = self._drawn[id(rule)] = _Drawn(Plan(rule, self.servers), (), ())
        return drawn

    def _preferred(self, servers: Sequence[Server], tried: Collection[str]) -> Sequence[Server]:
        now = self.clock()
        self._avoided = {name: until for name, until in self._avoided.items() if until > now}
        fresh = [server for server in servers if server.instance_id not in tried]
        reachable = [server for server in fresh if server.instance_id not in self._avoided]
        return reachable or fresh or servers

    def _weighted(self, servers: Sequence[Server]) -> Server:
        """Smooth weighted round robin, with a counter for each server, since who is in question differs from request to request."""
        weights = [server.weight for server in servers]
        counts = [self._counters.get(server.instance_id, 0) for server in servers]
        place, raised = draw(weights, counts)
        for server, count in zip(servers, raised, strict=True):
            self._counters[server.instance_id] = count
        return servers[place]


def choice_of(name: str, upstream: Upstream, clock: Clock) -> UpstreamChoice:
    """The servers of an upstream as it is configured. Rules see a group's name as the tag `group`."""
    servers = [server_at(one.url, name, weight=one.weight) for one in upstream.addresses]
    for group, members in upstream.groups.items():
        tags = {"group": group, **members.tags}
        servers += [
            server_at(one.url, name, version=tags.get("version", group), properties=tags, weight=one.weight)
            for one in members.addresses
        ]
    return UpstreamChoice(tuple(servers), upstream.rules, clock)

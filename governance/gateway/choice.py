"""The servers of an upstream, and how their weights share requests."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from governance.clock import Clock
from governance.gateway.config import Upstream
from governance.gateway.servers import Server, server_at
from governance.rules.distribution import draw

AVOIDED_SECONDS = 1.0
"""How long a server that could not be connected to is passed over where there are others."""


@dataclass(slots=True)
class UpstreamChoice:
    """The servers of one upstream, and the state of the draws among them."""

    servers: tuple[Server, ...]
    clock: Clock
    _counters: dict[str, int] = field(default_factory=dict)
    _avoided: dict[str, float] = field(default_factory=dict)

    def choose(self, tried: Collection[str] = (), among: Sequence[Server] | None = None) -> Server | None:
        """The server of the next request; None where nobody is there. `among` are those that route rules leave.

        Those that were tried, and those that could not be reached just now, come into question only where nobody else is left.
        """
        servers: Sequence[Server] = self.servers if among is None else among
        if len(servers) > 1:
            if tried or self._avoided:
                servers = self._preferred(servers, tried)
            return self._weighted(servers)
        return servers[0] if servers else None

    def avoid(self, server: Server) -> None:
        """It could not be connected to."""
        self._avoided[server.instance_id] = self.clock() + AVOIDED_SECONDS

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
    return UpstreamChoice(tuple(servers), clock)

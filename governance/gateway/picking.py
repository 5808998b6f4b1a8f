"""The stage that chooses the server of an upstream: isolation, route rules, then weights."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import cast

from governance.gateway.choice import UpstreamChoice
from governance.gateway.pool import UnsentError
from governance.gateway.servers import Server
from governance.invocation.chain import Proceed
from governance.invocation.invocation import Invocation, Reply
from governance.invocation.live import LiveRules
from governance.routing.callee import Callee
from governance.routing.errors import NoInstanceError
from governance.routing.own import OwnInstance
from governance.sdk.stages import Isolated


class UpstreamPick:
    """Does for servers that do not register what `Pick` does for instances. Raises `NoInstanceError`."""

    name = "loadbalance"

    def __init__(
        self, rules: LiveRules, own: OwnInstance, find: Callable[[str], UpstreamChoice | None], isolated: Isolated
    ) -> None:
        self._rules = rules
        self._own = own
        self._find = find
        self._isolated = isolated
        self._dice = random.Random()  # noqa: S311  to spread calls, not to keep a secret

    async def __call__(self, invocation: Invocation, proceed: Proceed) -> Reply:
        """Call one server, and others while these cannot be reached."""
        choice = self._find(invocation.service)
        servers = self._routed(choice, invocation) if choice is not None else ()
        left = len(servers)
        while choice is not None and servers:
            left -= 1
            server = choice.choose(invocation.tried, servers)
            invocation.target = server
            invocation.tried.append(server.instance_id if server is not None else "")
            try:
                return await proceed(invocation)
            except UnsentError:
                choice.avoid(cast(Server, server))
                if left <= 0 or not invocation.replayable:
                    raise
        raise NoInstanceError(invocation.service, "the upstream is gone")

    def _routed(self, choice: UpstreamChoice, invocation: Invocation) -> Sequence[Server]:
        """The servers that rules leave for one call."""
        book, service = self._rules.book, invocation.service
        routes = book.routes_to(service)
        callee = self._rules.state(
            f"servicecomb.routeRule.{service}", routes, lambda: Callee(service, routes, self._own, self._dice)
        )
        callee.see(book, choice.servers)
        found = callee.shortlist(callee.lot(invocation), invocation)
        if not found.targets:
            raise NoInstanceError(service, found.why)
        servers = cast("tuple[Server, ...]", found.targets)
        # Where all are put aside, that counts for none.
        return [one for one in servers if not self._isolated(invocation, one)] or servers

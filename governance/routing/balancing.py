"""Which way of load balancing a call is under, with its state."""

from __future__ import annotations

import random

from governance.invocation.invocation import Invocation
from governance.invocation.live import LiveRules
from governance.routing.balancers import Balancer, Random, RoundRobin, SessionStickiness, WeightedResponse
from governance.rules.legacy import Value, setting_of
from governance.rules.policies import LoadBalance

_STICKINESS = "SessionStickinessRule"


class Balancing:
    """A policy of kind loadbalance says it, else the older key, else it is RoundRobin. States are those of a callee."""

    def __init__(self, rules: LiveRules, dice: random.Random) -> None:
        self._rules = rules
        self._dice = dice
        self._round = RoundRobin()
        self._random = Random(dice)

    def of(self, invocation: Invocation, callee: str) -> Balancer:
        """The way for a call; `callee` is the service's name among the states."""
        policy = self._rules.book.applied(LoadBalance, invocation.request)
        name = policy.rule if policy is not None else self._setting(invocation, "strategy.name")
        match name:
            case "Random":
                return self._random
            case "WeightedResponse":
                return self._rules.state(self._key(policy, callee), name, lambda: WeightedResponse(self._dice))
            case "SessionStickiness":
                return self._sticky(invocation, self._key(policy, callee))
        return self._round

    def _sticky(self, invocation: Invocation, key: str) -> SessionStickiness:
        idle = int(self._setting(invocation, f"{_STICKINESS}.sessionTimeoutInSeconds") or 0)
        failures = int(self._setting(invocation, f"{_STICKINESS}.successiveFailedTimes") or 0)
        return self._rules.state(key, (idle, failures), lambda: SessionStickiness(idle, max(1, failures)))

    def retries_on_same(self, invocation: Invocation) -> int:
        """How often the older keys let a call be repeated at the same instance."""
        return int(self._setting(invocation, "retryOnSame") or 0)

    def _setting(self, invocation: Invocation, name: str) -> Value | None:
        target = (invocation.service, invocation.schema, invocation.operation)
        return setting_of(self._rules.book.settings, "loadbalance", "", name, target)

    @staticmethod
    def _key(policy: LoadBalance | None, callee: str) -> str:
        return f"servicecomb.loadbalance.{f'{policy.name}.' if policy is not None else ''}{callee}"

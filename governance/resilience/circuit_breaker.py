"""The stage `circuitBreaker` of a provider: calls are refused while too many fail or are slow."""

from __future__ import annotations

import time

from governance.clock import Clock
from governance.invocation.chain import Proceed
from governance.invocation.invocation import Invocation, LocalReply, Reply
from governance.invocation.live import LiveRules
from governance.resilience.guard import Guard
from governance.rules.policies import CircuitBreaker


class CircuitBreakerStage:
    """One breaker for all requests of a policy. `status` is that of a refusal: 429, or 503 as gateways have it.

    `forceOpen` and `forceClosed` mean nothing here; only the isolation of instances heeds them.
    """

    name = "circuitBreaker"

    def __init__(self, rules: LiveRules, *, clock: Clock = time.monotonic, status: int = 429) -> None:
        self._rules = rules
        self._clock = clock
        self._status = status

    async def __call__(self, invocation: Invocation, proceed: Proceed) -> Reply:
        """Let a call go on, or refuse it."""
        policy = self._rules.book.applied(CircuitBreaker, invocation.request)
        if policy is None:
            return await proceed(invocation)
        guard = self._rules.processor(policy, lambda: Guard(policy, self._clock))
        reply = await guard.through(invocation, proceed)
        return LocalReply(self._status, "circuitBreaker is open.", self.name) if reply is None else reply

"""The stage `rateLimiting` of a provider: so many calls in a period, in this process."""

from __future__ import annotations

import time

from governance.clock import Clock, Pause, pause_for
from governance.invocation.chain import Proceed
from governance.invocation.invocation import Invocation, LocalReply, Reply
from governance.invocation.live import LiveRules
from governance.resilience.limiter import Limiter
from governance.rules.policies import RateLimiting

REFUSAL = "rate limited."


class RateLimitingStage:
    """Refuses with 429 what is more than the rate, after the wait that the policy allows for."""

    name = "rateLimiting"

    def __init__(self, rules: LiveRules, *, clock: Clock = time.monotonic, pause: Pause = pause_for) -> None:
        self._rules = rules
        self._clock = clock
        self._pause = pause

    async def __call__(self, invocation: Invocation, proceed: Proceed) -> Reply:
        """Let a call go on, or refuse it."""
        policy = self._rules.book.applied(RateLimiting, invocation.request)
        if policy is None:
            return await proceed(invocation)
        limiter = self._rules.processor(policy, lambda: Limiter(policy, self._clock, self._pause))
        if await limiter.admits():
            return await proceed(invocation)
        return LocalReply(429, REFUSAL, self.name)

"""The stage `identifierRateLimiting` of a provider: so many calls in a period for each value of a header."""

from __future__ import annotations

import hashlib
import re
import time

from governance.clock import Clock, Pause, pause_for
from governance.invocation.chain import Proceed
from governance.invocation.invocation import Invocation, LocalReply, Reply
from governance.invocation.live import LiveRules
from governance.resilience.limiter import Limiter
from governance.resilience.rate_limiting import REFUSAL
from governance.rules.policies import IdentifierRateLimiting

_PLAIN = re.compile(r"[!-~](?:[ -~]{0,126}[!-~])?")


class IdentifierRateLimitingStage:
    """Refuses with 429 what is more than the rate of its identifier. A request without the header has no limit."""

    name = "identifierRateLimiting"

    def __init__(self, rules: LiveRules, *, clock: Clock = time.monotonic, pause: Pause = pause_for) -> None:
        self._rules = rules
        self._clock = clock
        self._pause = pause

    async def __call__(self, invocation: Invocation, proceed: Proceed) -> Reply:
        """Let a call go on, or refuse it."""
        policy = self._rules.book.applied(IdentifierRateLimiting, invocation.request)
        if policy is None:
            return await proceed(invocation)
        value = invocation.request.folded_headers.get(policy.identifier.casefold())
        if value is None:
            return await proceed(invocation)
        limiter = self._rules.processor(policy, lambda: Limiter(policy, self._clock, self._pause), _named(value))
        if await limiter.admits():
            return await proceed(invocation)
        return LocalReply(429, REFUSAL, self.name)


def _named(value: str) -> str:
    """A header's value as a part of a key, which is kept and is a label of metrics: short, and nothing that no text can hold."""
    if _PLAIN.fullmatch(value):
        return value
    return f"sha256:{hashlib.sha256(value.encode('utf-8', 'surrogatepass')).hexdigest()}"

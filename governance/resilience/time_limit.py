"""How long a call may take: policy timeLimiter, which no runtime of Java applies (governance.md 2.8)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from governance.invocation.chain import Proceed
from governance.invocation.invocation import Invocation, LocalReply, Reply
from governance.invocation.live import LiveRules
from governance.invocation.measures import Measure
from governance.resilience.timeouts import within
from governance.rules.policies import TimeLimiter

_KINDS = ("successful", "failed", "timeout")


class TimeLimitCounts:
    """How calls ended, by the kinds of resilience4j."""

    def __init__(self) -> None:
        self.ended: Counter[str] = Counter()

    def measures(self) -> Iterator[Measure]:
        """Calls by kind."""
        for kind in _KINDS:
            yield Measure("calls", self.ended[kind], {"kind": kind})


class TimeLimiterStage:
    """Cancels a call whose reply has not begun in time, and replies 504. cancelRunningFuture has no effect: nobody would wait for it."""

    name = "timeLimiter"

    def __init__(self, rules: LiveRules) -> None:
        self._rules = rules

    async def __call__(self, invocation: Invocation, proceed: Proceed) -> Reply:
        """The reply of the call, or 504."""
        policy = self._rules.book.applied(TimeLimiter, invocation.request)
        if policy is None:
            return await proceed(invocation)
        return await _limited(policy, self._rules.processor(policy, TimeLimitCounts), invocation, proceed)


async def _limited(policy: TimeLimiter, counts: TimeLimitCounts, invocation: Invocation, proceed: Proceed) -> Reply:
    try:
        reply = await within(policy.timeout_duration / 1000, invocation, proceed)
    except Exception:
        counts.ended["failed"] += 1
        raise
    counts.ended["timeout" if reply is None else "successful"] += 1
    if reply is None:
        return LocalReply(504, f"no answer within {policy.timeout_duration} ms", by=TimeLimiterStage.name)
    return reply

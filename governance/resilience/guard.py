"""Calls under a circuit breaker: what counts as a failure, how long a call took, and what is measured."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from governance.clock import Clock
from governance.invocation.chain import Proceed
from governance.invocation.invocation import Invocation, LocalReply, Reply
from governance.invocation.measures import Measure
from governance.resilience.breaker import Breaker, State
from governance.resilience.time_limit import TimeLimiterStage
from governance.rules.policies import CircuitBreaker, status_matches


class Guard:
    """The breaker of a policy, and the calls that it has seen."""

    def __init__(self, policy: CircuitBreaker, clock: Clock, *, forced_open: bool = False) -> None:
        self.breaker = Breaker(policy, forced_open=forced_open)
        self._failures = policy.record_failure_status
        self._clock = clock
        self._calls: Counter[str] = Counter()

    async def through(self, invocation: Invocation, proceed: Proceed) -> Reply | None:
        """Make a call where the breaker lets it through; None where it is refused. What the call raises is a failure and passes on.

        A call that is cancelled is none, nor is one that a stage further in has refused: that says nothing of what is called.
        The time limiter has made its call, so that its reply counts.
        """
        began = self._clock()
        ticket = self.breaker.admit(began)
        if ticket is None:
            self._calls["not_permitted"] += 1
            return None
        try:
            reply = await proceed(invocation)
        except Exception:
            self._record(ticket, began, failed=True)
            raise
        except BaseException:
            self.breaker.release(ticket)
            raise
        if isinstance(reply, LocalReply) and reply.by not in ("", TimeLimiterStage.name):
            self._calls["ignored"] += 1
            self.breaker.release(ticket)
        else:
            self._record(ticket, began, failed=status_matches(self._failures, reply.status))
        return reply

    def _record(self, ticket: int, began: float, *, failed: bool) -> None:
        now = self._clock()
        self._calls["failed" if failed else "successful"] += 1
        self.breaker.record(ticket, now, failed=failed, took=now - began)

    def measures(self) -> Iterable[Measure]:
        """The state, each possible one as 1 or 0; all calls so far; the ones that are recorded at present, and their shares in percent."""
        now = self._clock()
        tally, (failure_rate, slow_rate) = self.breaker.tally(now), self.breaker.rates(now)
        for kind in ("successful", "failed", "ignored"):
            yield Measure("calls", self._calls[kind], {"kind": kind})
        yield Measure("not.permitted.calls", self._calls["not_permitted"], {"kind": "not_permitted"})
        for state in State:
            yield Measure("state", self.breaker.state is state, {"state": state.value})
        yield Measure("buffered.calls", tally.calls - tally.failed, {"kind": "successful"})
        yield Measure("buffered.calls", tally.failed, {"kind": "failed"})
        yield Measure("slow.calls", tally.slow - tally.slow_failed, {"kind": "successful"})
        yield Measure("slow.calls", tally.slow_failed, {"kind": "failed"})
        yield Measure("failure.rate", failure_rate)
        yield Measure("slow.call.rate", slow_rate)

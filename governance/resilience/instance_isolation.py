"""The stage `instanceIsolation` of a consumer: an instance that fails too often is not called, and is put aside for a while."""

from __future__ import annotations

import time

from governance.clock import Clock
from governance.invocation.chain import Proceed
from governance.invocation.invocation import Invocation, LocalReply, Reply, Target
from governance.invocation.live import LiveRules
from governance.resilience.breaker import Breaker, State
from governance.resilience.guard import Guard
from governance.rules.policies import InstanceIsolation

_REFUSAL = "instance isolation circuitBreaker is open."


class InstanceIsolationStage:
    """A breaker for each instance. While it is open, calls to its instance are refused with 503, and `isolated` tells of it.

    With `forceOpen` every call is refused, and with `forceClosed` none is.
    """

    name = "instanceIsolation"

    def __init__(self, rules: LiveRules, *, clock: Clock = time.monotonic) -> None:
        self._rules = rules
        self._clock = clock
        self._aside: dict[tuple[str, str], tuple[InstanceIsolation, Breaker]] = {}

    async def __call__(self, invocation: Invocation, proceed: Proceed) -> Reply:
        """Let a call go on to the instance that was chosen for it, or refuse it."""
        policy = self._rules.book.applied(InstanceIsolation, invocation.request)
        target = invocation.target
        if policy is None or target is None or (policy.force_closed and not policy.force_open):
            return await proceed(invocation)
        guard = self._guard(policy, target)
        try:
            reply = await guard.through(invocation, proceed)
        finally:
            if guard.breaker.state is State.OPEN:
                self._put_aside(policy, target, guard.breaker)
        return LocalReply(503, _REFUSAL, self.name) if reply is None else reply

    def isolated(self, invocation: Invocation, target: Target) -> bool:
        """Whether an instance is put aside now, by a rule that is still there; whoever chooses an instance for a call asks."""
        key = (target.service, target.instance_id)
        found = self._aside.get(key)
        if found is None:
            return False
        if self._lasts(*found):
            return True
        del self._aside[key]
        return False

    def _guard(self, policy: InstanceIsolation, target: Target) -> Guard:
        of = f"{target.service}.{target.instance_id}"
        return self._rules.processor(policy, lambda: Guard(policy, self._clock, forced_open=policy.force_open), of)

    def _put_aside(self, policy: InstanceIsolation, target: Target, breaker: Breaker) -> None:
        """Unless another rule has put the instance aside for longer."""
        key = (target.service, target.instance_id)
        if key not in self._aside:
            # Of instances that are gone nobody asks again.
            self._aside = {other: entry for other, entry in self._aside.items() if self._lasts(*entry)}
        before = self._aside.get(key)
        longer = before is not None and before[1].refuses_until() > breaker.refuses_until() and self._lasts(*before)
        if not longer and self._lasts(policy, breaker):
            self._aside[key] = policy, breaker

    def _lasts(self, policy: InstanceIsolation, breaker: Breaker) -> bool:
        return breaker.refuses_until() > self._clock() and policy in self._rules.book.policies.get(type(policy), ())

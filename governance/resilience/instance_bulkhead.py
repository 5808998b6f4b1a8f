"""The stage `instanceBulkhead` of a consumer: so many calls at once to each instance, from this process."""

from __future__ import annotations

from governance.clock import Pause, pause_for
from governance.invocation.chain import Proceed
from governance.invocation.invocation import Invocation, LocalReply, Reply
from governance.invocation.live import LiveRules
from governance.resilience.bulkhead import REFUSAL, Bulkhead
from governance.rules.policies import InstanceBulkhead


class InstanceBulkheadStage:
    """Refuses with 503, so that another instance can be tried, the calls for which there is no place in time."""

    name = "instanceBulkhead"

    def __init__(self, rules: LiveRules, *, pause: Pause = pause_for) -> None:
        self._rules = rules
        self._pause = pause

    async def __call__(self, invocation: Invocation, proceed: Proceed) -> Reply:
        """Let a call go on to the instance that was chosen for it, or refuse it."""
        policy = self._rules.book.applied(InstanceBulkhead, invocation.request)
        target = invocation.target
        if policy is None or target is None:
            return await proceed(invocation)
        of = f"{target.service}.{target.instance_id}"
        bulkhead = self._rules.processor(policy, lambda: Bulkhead(policy, self._pause), of)
        reply = await bulkhead.through(invocation, proceed)
        return LocalReply(503, REFUSAL, self.name) if reply is None else reply

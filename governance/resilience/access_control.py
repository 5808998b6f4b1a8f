"""The stage `accessControl` of a provider: who may call it, by its lists and by its security policy."""

from __future__ import annotations

from governance.invocation.chain import Proceed
from governance.invocation.invocation import Invocation, LocalReply, Reply
from governance.invocation.live import LiveRules
from governance.logs import logger
from governance.rules.security import SecurityPolicy

MOST_TOLD = 1000
"""Consumers and reasons that are told of; after as many, all are told of anew."""
log = logger(__name__)


class AccessControlStage:
    """Refuses callers that the rules of the provider do not let in. `status` is that of a refusal: 403 as Spring Cloud Huawei's, 401 as
    Java Chassis's.

    The caller's facts are proved by whoever made the invocation; a caller that has proved nothing passes only where there is no rule.
    """

    name = "accessControl"

    def __init__(self, rules: LiveRules, *, status: int = 403) -> None:
        self._rules = rules
        self._status = status
        self._told: tuple[SecurityPolicy | None, set[tuple[str, str]]] = (None, set())

    async def __call__(self, invocation: Invocation, proceed: Proceed) -> Reply:
        """Let a call go on, or refuse it."""
        book = self._rules.book
        if not book.asks_callers:
            return await proceed(invocation)
        if not book.access.allows(invocation.caller):
            return self._refusal("UNAUTHORIZED BY WHITE BLACK")
        if not self._secure(book.security, invocation):
            return self._refusal("UNAUTHORIZED BY SECURITY POLICY")
        return await proceed(invocation)

    def _refusal(self, why: str) -> LocalReply:
        return LocalReply(self._status, "UNAUTHORIZED" if self._status == 401 else why, self.name)

    def _secure(self, policy: SecurityPolicy, invocation: Invocation) -> bool:
        consumer = (invocation.caller or {}).get("serviceName", "")
        decision = policy.decide(consumer, invocation.request.method, invocation.request.path)
        if decision.tolerated:
            self._tell(policy, consumer, decision.why)
        return decision.allowed

    def _tell(self, policy: SecurityPolicy, consumer: str, why: str) -> None:
        """Once of each consumer and reason: a policy is made permissive to see whom it would refuse, under full load."""
        told_of, told = self._told
        if told_of is not policy or len(told) >= MOST_TOLD:
            told_of, told = self._told = policy, set()
        if (consumer, why) not in told:
            told.add((consumer, why))
            log.warning("access.tolerated", caller=consumer, why=why)

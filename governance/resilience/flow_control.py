"""The older flow control, `servicecomb.flowcontrol.…`, of a consumer and of a provider (governance.md 3.3)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from governance.clock import Clock
from governance.invocation.chain import Proceed
from governance.invocation.invocation import Invocation, LocalReply, Reply
from governance.invocation.live import LiveRules
from governance.invocation.measures import Measure
from governance.invocation.rulebook import Rulebook
from governance.resilience.flow_limits import Bucket, FixedWindow, FlowLimit
from governance.resilience.older import Callee, OlderRule, ReadOnce, Side
from governance.rules.legacy import qps_limit, setting_of

UNLIMITED = 2**31 - 1
"""Calls a second; the limit where no key says one."""


@dataclass(frozen=True, slots=True)
class FlowRule:
    """A limit in calls a second. All calls that find the same key share its counter."""

    limit: int
    bucket: int
    strategy: str


class FlowState:
    """The counter of one key."""

    def __init__(self, rule: FlowRule, clock: Clock) -> None:
        fixed = rule.strategy == "FixedWindow"
        self._limit: FlowLimit = FixedWindow(rule.limit) if fixed else Bucket(rule.limit, rule.bucket)
        self._clock = clock

    def admits(self) -> bool:
        """Whether a call may go on now."""
        return self._limit.admits(self._clock())

    def measures(self) -> Iterator[Measure]:
        """What is left of the limit."""
        yield Measure("available.permissions", self._limit.available(self._clock()))


class FlowControlStage:
    """Refuses with 429 what is beyond the limit of its callee; on the provider's side, of its caller."""

    name = "flowControl"

    def __init__(self, rules: LiveRules, side: Side, *, clock: Clock = time.monotonic) -> None:
        self._rules = rules
        self._found = ReadOnce(rules, lambda book, callee: _flow_rule(book, side, callee))
        self._clock = clock
        self._refusal = LocalReply(429, f"{side.lower()} request rejected by flow control.", by=self.name)

    async def __call__(self, invocation: Invocation, proceed: Proceed) -> Reply:
        """The reply of the call, or 429."""
        found = self._found.of(invocation)
        if found is not None:
            state = self._rules.state(found.key, found, lambda: FlowState(found.rule, self._clock))
            if not state.admits():
                return self._refusal
        return await proceed(invocation)


def _flow_rule(book: Rulebook, side: Side, callee: Callee) -> OlderRule[FlowRule] | None:
    settings = book.settings
    scope, limit = qps_limit(settings, side, callee)
    enabled = setting_of(settings, "flowcontrol", side, "qps.enabled", callee)
    if limit >= UNLIMITED or not enabled:
        return None
    sizes = settings.scopes("flowcontrol", side, "qps.bucket" if scope else "qps.global.bucket")
    strategy = str(setting_of(settings, "flowcontrol", "", "strategy", callee))
    named, name = (f"limit.{scope}", "qps.limit") if scope else ("global.limit", "qps.global.limit")
    bucket = int(sizes.get(scope, min(2 * limit, UNLIMITED)))
    return OlderRule(
        f"servicecomb.flowcontrol.{side}.qps.{named}",
        FlowRule(limit, bucket, strategy),
        lambda now: scope in now.settings.scopes("flowcontrol", side, name),
    )

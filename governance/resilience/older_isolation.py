"""The older isolation of instances, `servicecomb.loadbalance.….isolation.…` (governance.md 3.5). As from Java Chassis 2.8 on, it is off
until `servicecomb.loadbalance.filter.isolation.enabled` is true.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from governance.clock import Clock
from governance.invocation.chain import Proceed
from governance.invocation.invocation import Invocation, LocalReply, Reply, Target
from governance.invocation.live import LiveRules
from governance.invocation.measures import Measure
from governance.invocation.rulebook import Rulebook
from governance.resilience.instance_health import HealthRule, InstanceHealth
from governance.resilience.older import Callee, OlderRule, ReadOnce
from governance.resilience.time_limit import TimeLimiterStage
from governance.rules.legacy import setting_of

_SWITCH = "loadbalance.filter.isolation.enabled"
_FAILURES = frozenset({408, 490, 503})


class IsolationState:
    """The health of one instance."""

    def __init__(self, rule: HealthRule, clock: Clock) -> None:
        self.health = InstanceHealth(rule)
        self._clock = clock

    def measures(self) -> Iterator[Measure]:
        """Calls of the window by kind, and whether the instance is put aside."""
        yield Measure("calls", self.health.calls - self.health.failures, {"kind": "successful"})
        yield Measure("calls", self.health.failures, {"kind": "failed"})
        yield Measure("isolated", self.health.is_aside(self._clock()))


class OlderIsolationStage:
    """Counts what becomes of the calls of each instance; `isolated` says whether one is put aside. It refuses nothing."""

    name = "isolation"

    def __init__(self, rules: LiveRules, *, clock: Clock = time.monotonic) -> None:
        self._rules = rules
        self._found = ReadOnce(rules, _health_rule)
        self._clock = clock
        self._aside: dict[tuple[str, str], tuple[OlderRule[HealthRule], InstanceHealth]] = {}
        self._trial: tuple[Invocation, float] | None = None

    async def __call__(self, invocation: Invocation, proceed: Proceed) -> Reply:
        """The reply of the call. Raises what it raises."""
        found, target = self._found.of(invocation), invocation.target
        if found is None or target is None:
            return await proceed(invocation)
        key = f"{found.key}.{target.instance_id}"
        health = self._rules.state(key, found, lambda: IsolationState(found.rule, self._clock)).health
        if health.is_aside(self._clock()):
            self._trial = invocation, self._clock()
        try:
            reply = await proceed(invocation)
        except Exception:
            self._record(found, target, health, failed=True)
            raise
        finally:
            if self._trial is not None and self._trial[0] is invocation:
                self._trial = None
        by = reply.by if isinstance(reply, LocalReply) else ""
        if by in ("", TimeLimiterStage.name):
            self._record(found, target, health, failed=bool(by) or reply.status in _FAILURES)
        return reply

    def isolated(self, invocation: Invocation, target: Target) -> bool:
        """Whether an instance is put aside now. When its trial is due it is not, unless there is another trial."""
        entry = self._aside.get((target.service, target.instance_id))
        if entry is None:
            return False
        found, health, now = self._found.of(invocation), entry[1], self._clock()
        if found is None or found != entry[0] or not health.is_aside(now):
            del self._aside[target.service, target.instance_id]
            return False
        return not health.trial_is_due(now) or self._is_trying(found.rule, now)

    def _is_trying(self, rule: HealthRule, now: float) -> bool:
        return self._trial is not None and now - self._trial[1] <= rule.longest_trial

    def _record(self, found: OlderRule[HealthRule], target: Target, health: InstanceHealth, *, failed: bool) -> None:
        now = self._clock()
        health.record(now, failed=failed)
        key = (target.service, target.instance_id)
        if health.is_aside(now) and key not in self._aside:
            self._aside = {other: entry for other, entry in self._aside.items() if not entry[1].is_gone(now)}
            self._aside[key] = found, health


def _health_rule(book: Rulebook, callee: Callee) -> OlderRule[HealthRule] | None:
    switch = book.values.get(f"servicecomb.{_SWITCH}", book.values.get(f"cse.{_SWITCH}", ""))
    of_service = (callee[0], "", "")

    def number(name: str) -> int:
        return int(setting_of(book.settings, "loadbalance", "", f"isolation.{name}", of_service) or 0)

    if switch.strip().lower() != "true" or not number("enabled"):
        return None
    rule = HealthRule(
        error_threshold=number("errorThresholdPercentage"),
        request_threshold=number("enableRequestThreshold"),
        in_a_row=number("continuousFailureThreshold"),
        single_test=number("singleTestTime") / 1000,
        longest_trial=number("maxSingleTestWindow") / 1000,
        min_isolation=number("minIsolationTime") / 1000,
        recovers_at_once=bool(number("recoverImmediatelyWhenSuccess")),
    )
    return OlderRule(f"servicecomb.isolation.{callee[0]}", rule, lambda now: _health_rule(now, callee) is not None)

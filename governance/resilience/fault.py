"""Delays or fails a share of the calls on purpose: policy faultInjection, else the older keys (governance.md 2.7, 3.6)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from governance.clock import Pause, pause_for
from governance.invocation.chain import Proceed
from governance.invocation.invocation import Invocation, LocalReply, Reply
from governance.invocation.live import LiveRules
from governance.invocation.measures import Measure
from governance.invocation.rulebook import Rulebook
from governance.resilience.older import Callee, OlderRule, ReadOnce, state_key
from governance.rules.legacy import Settings
from governance.rules.policies import FaultInjection

ABORTED = "aborted by fault inject"


class FaultCount:
    """Numbers the calls; the shares of delays and of failures are exact by that."""

    def __init__(self) -> None:
        self._calls = 0
        self._injected = 0

    def due(self, faults: Sequence[FaultInjection]) -> list[FaultInjection]:
        """The faults that befall the next call."""
        self._calls += 1
        due = [fault for fault in faults if fault.fires(self._calls)]
        self._injected += bool(due)
        return due

    def measures(self) -> Iterator[Measure]:
        """Calls by kind."""
        yield Measure("calls", self._injected, {"kind": "injected"})
        yield Measure("calls", self._calls - self._injected, {"kind": "passed"})


class FaultInjectionStage:
    """A delay waits and lets the call go on; an abort replies in its place."""

    name = "faultInjection"

    def __init__(self, rules: LiveRules, *, pause: Pause = pause_for) -> None:
        self._rules = rules
        self._older = ReadOnce(rules, _older_faults)
        self._pause = pause

    async def __call__(self, invocation: Invocation, proceed: Proceed) -> Reply:
        """The reply of the call, or the fault's."""
        for fault in self._due(invocation):
            if fault.type == "abort":
                return _aborted(fault)
            await self._pause(fault.delay_time / 1000)
        return await proceed(invocation)

    def _due(self, invocation: Invocation) -> Sequence[FaultInjection]:
        policy = self._rules.book.applied(FaultInjection, invocation.request)
        if policy is not None:
            return self._rules.processor(policy, FaultCount).due((policy,))
        older = self._older.of(invocation)
        return self._rules.state(older.key, older, FaultCount).due(older.rule) if older is not None else ()


def _aborted(fault: FaultInjection) -> LocalReply:
    if fault.fallback_type == "ReturnNull":
        return LocalReply(200, by=FaultInjectionStage.name)
    return LocalReply(fault.error_code, ABORTED, by=FaultInjectionStage.name)


def _older_faults(book: Rulebook, callee: Callee) -> OlderRule[tuple[FaultInjection, ...]] | None:
    """The delay goes first. Each needs its share, and what it does."""
    settings = book.settings
    delay, delayed = (_number(settings, f"delay.{name}", callee) for name in ("fixedDelay", "percent"))
    status, aborted = (_number(settings, f"abort.{name}", callee) for name in ("httpStatus", "percent"))
    faults = []
    if delay >= 0 and delayed >= 0:
        faults.append(FaultInjection(name=callee[0], delay_time=delay, percentage=delayed))
    if status >= 100 and aborted >= 0:
        faults.append(FaultInjection(name=callee[0], type="abort", error_code=status, percentage=aborted))
    if not faults:
        return None
    key = state_key("faultInjection", "Consumer", callee)
    return OlderRule(key, tuple(faults), lambda now: _older_faults(now, callee) is not None)


def _number(settings: Settings, name: str, callee: Callee) -> int:
    """The narrowest that is set; -1 is as not set, so that the next one counts."""
    found = settings.scopes("fault", "Consumer", f"rest.{name}")
    service, schema, operation = callee
    scopes = (f"{service}.{schema}.{operation}", f"{service}.{schema}", service, "")
    return next((int(found[scope]) for scope in scopes if int(found.get(scope, -1)) >= 0), -1)

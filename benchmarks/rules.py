"""What the rules cost a service at each call: the processor time of all stages, around a call that does nothing."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping, Sequence

from benchmarks.plan import Plan
from benchmarks.results import SizeFigure
from governance.invocation.chain import Proceed, chained
from governance.invocation.invocation import Invocation, LocalReply, Reply
from governance.invocation.live import LiveRules
from governance.routing.own import OwnInstance
from governance.rules.marker import Request
from governance.rules.objects.forms import expand
from governance.rules.objects.gray import GrayRelease
from governance.rules.selection import OwnService
from governance.sdk.model import Instance
from governance.sdk.outcomes import Outcomes, OutcomeStage
from governance.sdk.stages import inbound, outbound

NAMES = ("rules-consumer", "rules-provider", "rules-outcomes")
_HEADERS = {"type": "gray", "user": "tom", "accept": "*/*", "host": "cart", "user-agent": "benchmark"}
_ROUTES = """
- precedence: 2
  match: {headers: {type: {exact: gray}}}
  route: [{weight: 50, tags: {version: 1.0.0}}, {weight: 50, tags: {version: 2.0.0}}]
- precedence: 1
  route: [{weight: 100, tags: {version: 1.0.0}}]
"""
RULES: Mapping[str, str] = {
    "matchGroup.all": "matches: [{apiPath: {prefix: /}, headers: {type: {exact: gray}}}]",
    "routeRule.cart": _ROUTES,
    "loadbalance.all": "rule: RoundRobin",
    "retry.all": "maxAttempts: 2",
    "faultInjection.all": "{type: delay, percentage: 0}",
    "instanceIsolation.all": "minimumNumberOfCalls: 100",
    "instanceBulkhead.all": "maxConcurrentCalls: 1000",
    "identifierRateLimiting.all": "{identifier: user, rate: 100000000}",
    "rateLimiting.all": "rate: 100000000",
    "circuitBreaker.all": "minimumNumberOfCalls: 100",
    "bulkhead.all": "maxConcurrentCalls: 1000",
}
"""A group and ten rules that all apply to every call."""
_RELEASE = GrayRelease(service="cart", app="mall", version="2.0.0", baseline=("1.0.0",), share=50, max_error_rate=5.0)
JUDGED: Mapping[str, str] = {item.key.removeprefix("servicecomb."): item.value for item in expand(_RELEASE)}
"""A gray release under a bound, so that each call is counted."""
_TARGET = Instance("i0", "s", "shop", "cart", "2.0.0", ("rest://10.0.0.1:1",))


class _Providers:
    """Three instances of cart, or as many as are asked for."""

    def __init__(self, count: int) -> None:
        self._instances = tuple(
            Instance(f"i{number}", "s", "shop", "cart", f"{1 + number % 2}.0.0", (f"rest://10.0.0.1:{number + 1}",))
            for number in range(count)
        )

    async def usable(self, _service: str, _app: str | None) -> tuple[Instance, ...]:
        """All of them."""
        return self._instances


async def rules_cost(plan: Plan, chosen: Sequence[str], tell: Callable[[str], None]) -> Sequence[SizeFigure]:
    """The median of the plan's rounds, without rules and with them."""
    figures = []
    for name in chosen:
        for rules, about in _cases(name):
            tell(about)
            figures.append(SizeFigure(name, about, len(rules), await _cost(_stages(name, rules), plan), "µs of CPU"))
    return figures


def _cases(name: str) -> Sequence[tuple[Mapping[str, str], str]]:
    """Items, and what they are about."""
    if name == "rules-outcomes":
        return ({}, "a call whose service is not judged"), (
            JUDGED,
            "a call that is counted for the judgement of a release",
        )
    return [
        (rules, f"{name.removeprefix('rules-')}'s stages with {max(0, len(rules) - 1)} rules, a call")
        for rules in ({}, RULES)
    ]


def _stages(name: str, items: Mapping[str, str]) -> Proceed:
    if name == "rules-outcomes":
        outcomes = Outcomes()
        outcomes.update({f"servicecomb.{key}": text for key, text in items.items()})
        return chained((OutcomeStage(outcomes, "mall"),), _answered)
    rules = LiveRules(OwnService("shop", "1.0.0"))
    rules.update({f"servicecomb.{key}": text for key, text in items.items()})
    if name == "rules-provider":
        return chained(inbound(rules), _answered)
    own = OwnInstance("shop", "1.0.0")
    return chained(outbound(rules, own, _Providers(3)), _answered)  # type: ignore[arg-type]  # all that is asked of Providers


async def _answered(_invocation: Invocation) -> Reply:
    return LocalReply(200)


async def _cost(stages: Proceed, plan: Plan) -> float:
    """Microseconds of a call, without what making the call and answering it takes."""
    rounds = [await _round(stages, plan.calls) - await _round(_answered, plan.calls) for _ in range(plan.rounds)]
    return statistics.median(rounds)


async def _round(proceed: Proceed, calls: int) -> float:
    gc.collect()
    began = time.process_time()
    for _ in range(calls):
        request = Request("/cart/show", "GET", dict(_HEADERS))
        await proceed(Invocation(request=request, service="cart", target=_TARGET))
    return (time.process_time() - began) / calls * 1e6

"""Rules change every few milliseconds on both sides, and no call is lost, refused, sent twice or ended by an error."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import Mapping, Sequence

import pytest
from aiohttp import web

from governance.invocation.live import LiveRules
from governance.rules.check import check
from governance.rules.selection import OwnService
from governance.sdk import Session
from governance.sdk.server import Inbound, governed
from governance.sdk.stages import inbound
from tests.unit.sdk.known import Known, instance, session_of
from tests.unit.sdk.servers import serving

_CALLS, _CALLERS, _CALLS_A_CHANGE = 1200, 20, 4
_GROUPS = ("matches: [{apiPath: {prefix: /}}]", "matches: [{method: [GET]}, {apiPath: {prefix: /x}}]")
_ROUTES = (
    "[{precedence: 1, route: [{weight: 50, tags: {version: 1.0.0}}, {weight: 50, tags: {version: 2.0.0}}]}]",
    "[{precedence: 1, route: [{weight: 100, tags: {version: 2.0.0}}]}]",
    "[{match: {headers: {type: {exact: gray}}}, route: [{weight: 100, tags: {version: 2.0.0}}]}]",
)
_WRONG = "{maxAttempts: 500ms}"
_CONSUMER: Mapping[str, Sequence[str]] = {
    "matchGroup.all": _GROUPS,
    "routeRule.cart": _ROUTES,
    "globalRouteRule": _ROUTES,
    "retry.all": ("{maxAttempts: 1}", "{maxAttempts: 3, waitDuration: 5}", _WRONG),
    "instanceIsolation.all": ("{minimumNumberOfCalls: 5}", "{slidingWindowType: COUNT_BASED, slidingWindowSize: 10}"),
    "instanceBulkhead.all": ("{maxConcurrentCalls: 100}", "{maxConcurrentCalls: 1000, maxWaitDuration: 10}"),
    "loadbalance.all": ("rule: Random", "rule: RoundRobin", "rule: WeightedResponse", "rule: SessionStickiness"),
    "timeLimiter.all": ("{timeoutDuration: 20000}", "{timeoutDuration: 30000}"),
    "fallbackpolicy.Consumer.cart.policy": ("returnnull", "fromcache"),
    "faultInjection.all": ("{type: delay, percentage: 0}", "{type: abort, percentage: 0}"),
}
_PROVIDER: Mapping[str, Sequence[str]] = {
    "matchGroup.all": _GROUPS,
    "rateLimiting.all": ("{rate: 1000000}", "{rate: 2000000, limitRefreshPeriod: 500}"),
    "identifierRateLimiting.all": ("{rate: 1000000, identifier: user}", "{rate: 2000000, identifier: user}"),
    "circuitBreaker.all": ("{minimumNumberOfCalls: 5}", "{slidingWindowType: COUNT_BASED, slidingWindowSize: 10}"),
    "bulkhead.all": ("{maxConcurrentCalls: 100}", "{maxConcurrentCalls: 1000, maxWaitDuration: 10}"),
}


def drawn(variants: Mapping[str, Sequence[str]], dice: random.Random) -> dict[str, str]:
    """Each item in one of its variants, or away."""
    found = {f"servicecomb.{key}": dice.choice((*texts, "")) for key, texts in variants.items()}
    return {key: text for key, text in found.items() if text}


def test_the_rules_are_in_order_but_for_the_one_that_is_not() -> None:
    found = [(key, text) for some in (_CONSUMER, _PROVIDER) for key, texts in some.items() for text in texts]
    assert [text for key, text in found if check(f"servicecomb.{key}", text).rule is None] == [_WRONG]


@pytest.mark.parametrize("seed", [1])
async def test_no_call_is_lost_while_rules_change(seed: int) -> None:
    dice = random.Random(seed)
    rules = LiveRules(OwnService("cart"))
    way_in = governed(Inbound(rules, inbound(rules), {}, _nobody_known))
    seen: Counter[str] = Counter()

    async def answer(request: web.Request) -> web.StreamResponse:
        seen[request.query["n"]] += 1
        return web.Response(text=request.query["n"])

    async def governed_answer(request: web.Request) -> web.StreamResponse:
        return await way_in(request, answer)

    async with serving(governed_answer) as one, serving(governed_answer) as two:
        known = Known(cart=[instance(one, version="1.0.0"), instance(two, version="2.0.0")])
        async with session_of(known) as http:
            numbers = itertools.count()
            changes: list[int] = []

            async def call_on() -> None:
                while (number := next(numbers)) < _CALLS:
                    if number % _CALLS_A_CHANGE == 0:
                        rules.update(drawn(_PROVIDER, dice))
                        http._rules.update(drawn(_CONSUMER, dice))
                        changes.append(number)
                    await _called(http, number, gray=number % 2 == 0)

            async with asyncio.TaskGroup() as group:
                for _ in range(_CALLERS):
                    group.create_task(call_on())
    assert len(changes) == _CALLS / _CALLS_A_CHANGE
    assert seen == {str(number): 1 for number in range(_CALLS)}


async def _called(http: Session, number: int, *, gray: bool) -> None:
    headers = {"type": "gray", "user": "tom"} if gray else {"user": "ann"}
    async with http.get(f"cse://cart/show?n={number}", headers=headers) as answer:
        assert (answer.status, await answer.text()) == (200, str(number)), f"call {number}"


async def _nobody_known(_context: object) -> None:
    """Nobody proves who calls."""

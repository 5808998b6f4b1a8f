"""The stages that limit rates: what callers get, what waiting costs, and what a change of the rule does."""

from __future__ import annotations

import asyncio

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from governance.invocation.invocation import LocalReply
from governance.invocation.live import MOST_PROCESSORS
from governance.invocation.measures import RuleCollector
from governance.resilience.identifier_rate_limiting import IdentifierRateLimitingStage
from governance.resilience.rate_limiting import RateLimitingStage
from tests.unit.resilience.limited import ALL, Callee, call, change, measured, rules_of, statuses
from tests.unit.sdk.fakes import Time, settle

KEY = "servicecomb.rateLimiting.all"


@pytest.fixture
def time() -> Time:
    return Time()


async def test_what_is_more_than_the_rate_is_refused_until_the_next_cycle(time: Time) -> None:
    stage = RateLimitingStage(rules_of(rateLimiting="{rate: 2}"), clock=time.clock, pause=time.pause)
    callee = Callee()
    assert await statuses(stage, callee, 3) == [200, 200, 429]
    assert await stage(call(), callee) == LocalReply(429, "rate limited.", by="rateLimiting")
    assert callee.calls == 2
    time.now += 1
    assert await statuses(stage, callee, 3) == [200, 200, 429]


async def test_without_a_policy_every_call_goes_on(time: Time) -> None:
    rules = rules_of()
    for stage in (RateLimitingStage(rules, clock=time.clock), IdentifierRateLimitingStage(rules, clock=time.clock)):
        assert await statuses(stage, Callee(), 1500) == [200] * 1500


async def test_of_two_policies_the_one_of_the_lower_order_applies(time: Time) -> None:
    rules = rules_of()
    rules.update(
        {
            "servicecomb.matchGroup.a": ALL,
            "servicecomb.matchGroup.b": ALL,
            "servicecomb.rateLimiting.a": "{rate: 5, order: 1}",
            "servicecomb.rateLimiting.b": "{rate: 1, order: 0}",
        }
    )
    assert await statuses(RateLimitingStage(rules, clock=time.clock), Callee(), 3) == [200, 429, 429]


async def test_a_call_waits_as_long_as_the_timeout_allows(time: Time) -> None:
    rules = rules_of(rateLimiting="{rate: 1, timeoutDuration: 1500}")
    stage = RateLimitingStage(rules, clock=time.clock, pause=time.pause)
    callee = Callee()
    calls = [asyncio.ensure_future(stage(call(), callee)) for _ in range(3)]
    await settle()
    assert [task.done() for task in calls] == [True, False, False]
    assert measured(rules, KEY) == {"available.permissions": -1, "waiting.threads": 2}
    await time.pass_(1.0)
    assert [task.done() for task in calls] == [True, True, False]
    await time.pass_(0.5)
    assert [(await task).status for task in calls] == [200, 200, 429], "the third has waited out the timeout"
    assert callee.calls == 2
    assert measured(rules, KEY)["waiting.threads"] == 0


async def test_a_call_that_is_cancelled_while_it_waits_gives_its_permit_back(time: Time) -> None:
    rules = rules_of(rateLimiting="{rate: 1, timeoutDuration: 1000}")
    stage = RateLimitingStage(rules, clock=time.clock, pause=time.pause)
    callee = Callee()
    assert await statuses(stage, callee, 1) == [200]
    leaving = asyncio.ensure_future(stage(call(), callee))
    await settle()
    leaving.cancel()
    await settle()
    assert leaving.cancelled()
    assert measured(rules, KEY) == {"available.permissions": 0, "waiting.threads": 0}
    staying = asyncio.ensure_future(stage(call(), callee))
    await time.pass_(1.0)
    assert (await staying).status == 200
    assert callee.calls == 2


async def test_a_call_that_is_cancelled_just_when_its_cycle_begins_gives_its_permit_back(time: Time) -> None:
    over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    rules = rules_of(rateLimiting="{rate: 1, timeoutDuration: 1000}")
    stage = RateLimitingStage(rules, clock=time.clock, pause=lambda _: over)
    await statuses(stage, Callee(), 1)
    leaving = asyncio.ensure_future(stage(call(), Callee()))
    await settle()
    time.now += 1
    over.set_result(None)
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    assert leaving.cancelled()
    assert measured(rules, KEY)["available.permissions"] == 1


async def test_in_real_time_a_call_waits_for_its_cycle() -> None:
    stage, callee = (
        RateLimitingStage(rules_of(rateLimiting="{rate: 1, limitRefreshPeriod: 50, timeoutDuration: 10S}")),
        Callee(),
    )
    began = asyncio.get_running_loop().time()
    assert await statuses(stage, callee, 3) == [200] * 3
    assert asyncio.get_running_loop().time() - began >= 0.09


async def test_a_change_of_the_rule_begins_anew_and_loses_nobody_who_waits(time: Time) -> None:
    rules = rules_of(rateLimiting="{rate: 1, timeoutDuration: 2000}")
    stage = RateLimitingStage(rules, clock=time.clock, pause=time.pause)
    callee = Callee()
    waiting = [asyncio.ensure_future(stage(call(), callee)) for _ in range(3)]
    await settle()
    change(rules, rateLimiting="{rate: 2}")
    assert await statuses(stage, callee, 3) == [200, 200, 429]
    change(rules)
    assert await statuses(stage, callee, 9) == [200] * 9
    await time.pass_(2.0)
    assert [(await task).status for task in waiting] == [200] * 3


async def test_what_the_call_raises_passes_on(time: Time) -> None:
    stage = RateLimitingStage(rules_of(rateLimiting="{rate: 1}"), clock=time.clock)
    with pytest.raises(ConnectionError):
        await stage(call(), Callee(ConnectionError()))


async def test_each_value_of_the_header_has_its_own_limit(time: Time) -> None:
    rules = rules_of(identifierRateLimiting="{rate: 1, identifier: X-User}")
    stage = IdentifierRateLimitingStage(rules, clock=time.clock)
    headers: list[dict[str, str]] = [{"x-user": "ann"}, {"X-USER": "ann"}, {"x-user": "bob"}, {}, {}]
    found = [await stage(call(**each), Callee()) for each in headers]
    assert [reply.status for reply in found] == [200, 429, 200, 200, 200]
    assert found[1] == LocalReply(429, "rate limited.", by="identifierRateLimiting")
    assert {key for key, _ in rules.processors()} == {
        "servicecomb.identifierRateLimiting.all.ann",
        "servicecomb.identifierRateLimiting.all.bob",
    }


async def test_endless_values_of_the_header_are_kept_up_to_a_bound(time: Time) -> None:
    rules = rules_of(identifierRateLimiting="{rate: 1, identifier: user}")
    stage = IdentifierRateLimitingStage(rules, clock=time.clock)
    for number in range(MOST_PROCESSORS + 50):
        await stage(call(user=f"u{number}"), Callee())
    assert sum(1 for _ in rules.processors()) == MOST_PROCESSORS


@pytest.mark.parametrize(
    "value",
    ["x" * 8000, "a\udcff\udc00", "ü" * 5, "a\nb", "", " ", "\ud800"],
    ids=["long", "bytes", "umlauts", "line", "empty", "blank", "half"],
)
async def test_a_value_of_any_kind_is_limited_and_keeps_the_metrics_readable(time: Time, value: str) -> None:
    rules = rules_of(identifierRateLimiting="{rate: 1, identifier: user}")
    stage = IdentifierRateLimitingStage(rules, clock=time.clock)
    assert await statuses(stage, Callee(), 2, user=value) == [200, 429]
    assert await statuses(stage, Callee(), 1, user=value + "2") == [200], "another value has another limit"
    registry = CollectorRegistry()
    registry.register(RuleCollector(rules.processors))
    rows = [row for row in generate_latest(registry).decode().splitlines() if "available_permissions{" in row]
    assert len(rows) == 2
    assert all(len(row) < 250 for row in rows)

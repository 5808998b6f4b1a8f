"""The stages with breakers: what callers get, what counts as a failure, and which instances are put aside."""

from __future__ import annotations

import asyncio

import pytest

from governance.invocation.chain import chained
from governance.invocation.invocation import LocalReply
from governance.resilience.bulkhead import BulkheadStage
from governance.resilience.circuit_breaker import CircuitBreakerStage
from governance.resilience.instance_bulkhead import InstanceBulkheadStage
from governance.resilience.instance_isolation import InstanceIsolationStage
from tests.unit.resilience.limited import Busy, Callee, Instance, call, change, measured, rules_of, statuses
from tests.unit.sdk.fakes import Time, settle

TEN = "{slidingWindowType: COUNT_BASED, slidingWindowSize: 10, minimumNumberOfCalls: 10, waitDurationInOpenState: 5S"
FOUR = (
    "{slidingWindowType: COUNT_BASED, slidingWindowSize: 4, minimumNumberOfCalls: 4, waitDurationInOpenState: 5S,"
    " permittedNumberOfCallsInHalfOpenState: 2"
)
KEY = "servicecomb.circuitBreaker.all"
A, B = Instance("a"), Instance("b")


@pytest.fixture
def time() -> Time:
    return Time()


async def test_five_of_ten_with_503_open_it_and_after_the_wait_a_call_tries(time: Time) -> None:
    rules = rules_of(circuitBreaker=TEN + "}")
    stage, callee = CircuitBreakerStage(rules, clock=time.clock), Callee(*[503, 200] * 5)
    assert await statuses(stage, callee, 10) == [503, 200] * 5
    assert await stage(call(), callee) == LocalReply(429, "circuitBreaker is open.", by="circuitBreaker")
    assert callee.calls == 10
    found = measured(rules, KEY)
    assert found["state{open}"] == 1
    assert found["state{closed}"] == found["state{half_open}"] == found["state{forced_open}"] == 0
    assert found["calls{failed}"] == found["calls{successful}"] == 5
    assert found["buffered.calls{failed}"] == found["buffered.calls{successful}"] == 5
    assert found["not.permitted.calls{not_permitted}"] == 1
    assert (found["failure.rate"], found["slow.call.rate"]) == (50, 0)
    time.now += 5
    assert await statuses(stage, callee, 1) == [200]
    assert measured(rules, KEY)["state{half_open}"] == 1
    assert await statuses(stage, callee, 9) == [200] * 9
    assert measured(rules, KEY)["state{closed}"] == 1
    assert measured(rules, KEY)["failure.rate"] == -1


async def test_a_gateway_says_503(time: Time) -> None:
    stage = CircuitBreakerStage(rules_of(circuitBreaker=FOUR + "}"), clock=time.clock, status=503)
    assert (await statuses(stage, Callee(*[502] * 4), 5))[4:] == [503]


@pytest.mark.parametrize(
    ("listed", "status", "opens"),
    [
        ("[502, 503]", 500, False),
        ("['5xx']", 500, True),
        ("['5xx']", 404, False),
        ("[]", 502, True),
        ("[404]", 404, True),
    ],
)
async def test_a_status_counts_as_a_failure_where_it_is_listed(
    time: Time, listed: str, status: int, opens: bool
) -> None:
    rules = rules_of(circuitBreaker=f"{FOUR}, recordFailureStatus: {listed}}}")
    stage = CircuitBreakerStage(rules, clock=time.clock)
    assert await statuses(stage, Callee(*[status] * 4), 5) == [status] * 4 + [429 if opens else 200]


async def test_what_the_call_raises_is_a_failure_and_passes_on(time: Time) -> None:
    stage = CircuitBreakerStage(rules_of(circuitBreaker=FOUR + "}"), clock=time.clock)
    callee = Callee(*[ConnectionError()] * 4)
    for _ in range(4):
        with pytest.raises(ConnectionError):
            await stage(call(), callee)
    assert await statuses(stage, callee, 1) == [429]


async def test_slow_calls_open_it(time: Time) -> None:
    rules = rules_of(circuitBreaker=FOUR + ", slowCallDurationThreshold: 500}")
    stage, busy = CircuitBreakerStage(rules, clock=time.clock), Busy()
    calls = [asyncio.ensure_future(stage(call(), busy)) for _ in range(4)]
    await settle()
    time.now += 0.6
    busy.end(4)
    assert [(await each).status for each in calls] == [200] * 4
    assert await statuses(stage, Callee(), 1) == [429]
    assert measured(rules, KEY)["slow.calls{successful}"] == 4
    assert measured(rules, KEY)["slow.call.rate"] == 100


async def test_a_call_that_is_cancelled_is_no_failure_and_a_trial_gives_its_place_back(time: Time) -> None:
    stage = CircuitBreakerStage(rules_of(circuitBreaker=FOUR + "}"), clock=time.clock)
    await _cancelled(stage, 10)
    assert await statuses(stage, Callee(*[503] * 4), 5) == [503] * 4 + [429]
    time.now += 5
    await _cancelled(stage, 2)
    await _cancelled(stage, 2)
    assert await statuses(stage, Callee(), 6) == [200] * 6


async def _cancelled(stage: CircuitBreakerStage, calls: int) -> None:
    """So many calls at once that all reach what is called, and are cancelled there."""
    busy = Busy()
    started = [asyncio.ensure_future(stage(call(), busy)) for _ in range(calls)]
    await settle()
    assert busy.running == calls
    for each in started:
        each.cancel()
    await settle()
    assert busy.running == 0


@pytest.mark.parametrize("turns", range(5))
async def test_a_trial_that_is_cancelled_at_any_moment_gives_its_place_back(time: Time, turns: int) -> None:
    stage = CircuitBreakerStage(rules_of(circuitBreaker=FOUR + "}"), clock=time.clock)
    await statuses(stage, Callee(*[503] * 4), 4)
    time.now += 5
    busy = Busy()
    trial = asyncio.ensure_future(stage(call(), busy))
    for _ in range(turns):
        await asyncio.sleep(0)
    trial.cancel()
    await asyncio.gather(trial, return_exceptions=True)
    assert await statuses(stage, Callee(503, 503), 3) == [503, 503, 429], "both places are there"


async def test_force_open_means_nothing_to_a_provider(time: Time) -> None:
    stage = CircuitBreakerStage(rules_of(circuitBreaker=FOUR + ", forceOpen: true}"), clock=time.clock)
    assert await statuses(stage, Callee(), 5) == [200] * 5
    stage = CircuitBreakerStage(rules_of(circuitBreaker=FOUR + ", forceClosed: true}"), clock=time.clock)
    assert await statuses(stage, Callee(*[503] * 4), 5) == [503] * 4 + [429]


async def test_a_refusal_further_in_says_nothing_of_what_is_called(time: Time) -> None:
    rules = rules_of(circuitBreaker=FOUR + ", recordFailureStatus: ['4xx']}", bulkhead="{maxConcurrentCalls: 0}")
    proceed = chained([CircuitBreakerStage(rules, clock=time.clock), BulkheadStage(rules)], Callee())
    replies = [await proceed(call()) for _ in range(8)]
    assert {getattr(reply, "by", None) for reply in replies} == {"bulkhead"}
    assert measured(rules, KEY)["calls{ignored}"] == 8
    assert measured(rules, KEY)["state{closed}"] == 1


async def test_a_trial_that_a_stage_further_in_refuses_gives_its_place_back(time: Time) -> None:
    rules = rules_of(circuitBreaker=FOUR + "}", bulkhead="{maxConcurrentCalls: 1}")
    stages = [CircuitBreakerStage(rules, clock=time.clock), BulkheadStage(rules)]
    await statuses(stages[0], Callee(*[503] * 4), 4)
    time.now += 5
    busy = Busy()
    trial = asyncio.ensure_future(chained(stages, busy)(call()))
    await settle()
    assert [(await chained(stages, busy)(call())).status for _ in range(5)] == [429] * 5
    assert measured(rules, KEY)["not.permitted.calls{not_permitted}"] == 0, "the bulkhead refused, not the breaker"
    busy.end()
    assert (await trial).status == 200
    assert (await chained(stages, Callee())(call())).status == 200
    assert measured(rules, KEY)["state{closed}"] == 1


async def test_a_change_of_the_rule_closes_it_and_a_deletion_ends_it(time: Time) -> None:
    rules = rules_of(circuitBreaker=FOUR + "}")
    stage, busy = CircuitBreakerStage(rules, clock=time.clock), Busy()
    under_way = asyncio.ensure_future(stage(call(), busy))
    await settle()
    assert (await statuses(stage, Callee(*[503] * 4), 5))[4] == 429
    change(rules, circuitBreaker=FOUR + ", failureRateThreshold: 60}")
    assert await statuses(stage, Callee(*[503] * 4), 5) == [503] * 4 + [429]
    change(rules)
    assert await statuses(stage, Callee(*[503] * 20), 20) == [503] * 20
    busy.end(status=503)
    assert (await under_way).status == 503


# --- instances


async def test_an_instance_that_fails_is_put_aside_and_the_other_is_not(time: Time) -> None:
    rules = rules_of(instanceIsolation=FOUR + "}")
    stage, failing = InstanceIsolationStage(rules, clock=time.clock), Callee(*[503] * 4)
    assert not stage.isolated(call(), A)
    assert await statuses(stage, failing, 4, A) == [503] * 4
    refusal = LocalReply(503, "instance isolation circuitBreaker is open.", by="instanceIsolation")
    assert await stage(call(A), failing) == refusal
    assert failing.calls == 4
    assert await statuses(stage, Callee(), 5, B) == [200] * 5
    assert (stage.isolated(call(), A), stage.isolated(call(), B)) == (True, False)
    assert [key for key, _ in rules.processors()] == [
        "servicecomb.instanceIsolation.all.stock.a",
        "servicecomb.instanceIsolation.all.stock.b",
    ]
    assert measured(rules, "servicecomb.instanceIsolation.all.stock.a")["state{open}"] == 1


async def test_all_may_be_put_aside(time: Time) -> None:
    """Whoever chooses among them takes all of them then."""
    stage = InstanceIsolationStage(rules_of(instanceIsolation=FOUR + "}"), clock=time.clock)
    for target in (A, B):
        await statuses(stage, Callee(*[503] * 4), 4, target)
    assert [stage.isolated(call(), target) for target in (A, B)] == [True, True]


async def test_an_instance_comes_back_after_the_wait_and_goes_again_when_its_trials_fail(time: Time) -> None:
    stage = InstanceIsolationStage(rules_of(instanceIsolation=FOUR + "}"), clock=time.clock)
    await statuses(stage, Callee(*[503] * 4), 4, A)
    time.now += 4.9
    assert stage.isolated(call(), A)
    time.now += 0.1
    assert not stage.isolated(call(), A)
    assert await statuses(stage, Callee(503, 503), 3, A) == [503] * 3
    assert stage.isolated(call(), A)
    time.now += 5
    assert await statuses(stage, Callee(), 6, A) == [200] * 6
    assert not stage.isolated(call(), A)


async def test_instances_that_are_gone_are_forgotten(time: Time) -> None:
    stage = InstanceIsolationStage(rules_of(instanceIsolation=FOUR + "}"), clock=time.clock)
    for number in range(50):
        await statuses(stage, Callee(*[503] * 4), 4, Instance(f"i{number}"))
        time.now += 1
    assert len(stage._aside) == 5, "as many as are put aside at present"


async def test_an_instance_whose_calls_raise_is_put_aside(time: Time) -> None:
    stage = InstanceIsolationStage(rules_of(instanceIsolation=FOUR + "}"), clock=time.clock)
    for _ in range(4):
        with pytest.raises(ConnectionError):
            await stage(call(A), Callee(ConnectionError()))
    assert stage.isolated(call(), A)


async def test_without_the_rule_nobody_is_put_aside(time: Time) -> None:
    rules = rules_of(instanceIsolation=FOUR + "}")
    stage = InstanceIsolationStage(rules, clock=time.clock)
    await statuses(stage, Callee(*[503] * 4), 4, A)
    change(rules)
    assert not stage.isolated(call(), A)
    assert await statuses(stage, Callee(*[503] * 9), 9, A) == [503] * 9
    assert await statuses(stage, Callee(), 1) == [200], "a call without a target"


async def test_a_late_call_under_an_old_rule_changes_nothing_of_the_new_one(time: Time) -> None:
    rules = rules_of(instanceIsolation=FOUR + "}")
    stage, busy = InstanceIsolationStage(rules, clock=time.clock), Busy()
    late = [asyncio.ensure_future(stage(call(A), busy)) for _ in range(4)]
    await settle()
    change(rules, instanceIsolation=FOUR + ", failureRateThreshold: 90}")
    await statuses(stage, Callee(*[503] * 4), 4, A)
    busy.end(4, status=503)
    await asyncio.gather(*late)
    assert stage.isolated(call(), A)
    change(rules, instanceIsolation=FOUR + ", failureRateThreshold: 91}")
    assert not stage.isolated(call(), A)


async def test_force_open_refuses_every_call_and_force_closed_none(time: Time) -> None:
    rules = rules_of(instanceIsolation="{forceOpen: true}")
    stage, callee = InstanceIsolationStage(rules, clock=time.clock), Callee()
    assert await statuses(stage, callee, 3, A) == [503] * 3
    assert callee.calls == 0
    assert measured(rules, "servicecomb.instanceIsolation.all.stock.a")["state{forced_open}"] == 1
    change(rules, instanceIsolation="{forceOpen: true, forceClosed: true}")
    assert await statuses(stage, callee, 1, A) == [503], "the safer of the two"
    change(rules, instanceIsolation=FOUR + ", forceClosed: true}")
    assert await statuses(stage, Callee(*[503] * 9), 9, A) == [503] * 9
    assert not stage.isolated(call(), A)


async def test_of_two_rules_the_longer_isolation_counts(time: Time) -> None:
    rules = rules_of()
    rules.update(
        {
            "servicecomb.matchGroup.long": "matches: [{headers: {kind: {exact: long}}}]",
            "servicecomb.matchGroup.short": "matches: [{headers: {kind: {exact: short}}}]",
            "servicecomb.instanceIsolation.long": FOUR.replace("5S", "60S") + "}",
            "servicecomb.instanceIsolation.short": FOUR + "}",
        }
    )
    stage = InstanceIsolationStage(rules, clock=time.clock)
    for kind in ("long", "short"):
        assert await statuses(stage, Callee(*[503] * 4), 5, A, kind=kind) == [503] * 5
    time.now += 59
    assert stage.isolated(call(), A)


async def test_a_full_bulkhead_of_an_instance_does_not_isolate_it(time: Time) -> None:
    rules = rules_of(instanceIsolation=FOUR + "}", instanceBulkhead="{maxConcurrentCalls: 0}")
    isolation = InstanceIsolationStage(rules, clock=time.clock)
    proceed = chained([isolation, InstanceBulkheadStage(rules)], Callee())
    assert [(await proceed(call(A))).status for _ in range(9)] == [503] * 9
    assert not isolation.isolated(call(), A)

"""A time limit acts only where a policy says one, and says so with a 504."""

from __future__ import annotations

import asyncio

import pytest

from governance.invocation.chain import chained
from governance.resilience.instance_isolation import InstanceIsolationStage
from governance.resilience.time_limit import TimeLimiterStage
from tests.unit.resilience.consuming import calling, obeying
from tests.unit.resilience.limited import Busy, Callee, Instance, measured, rules_of


async def test_a_call_that_takes_longer_is_cancelled_and_answered_with_504() -> None:
    rules, busy = obeying(timeLimiter__all="timeoutDuration: 5"), Busy()
    reply = await TimeLimiterStage(rules)(calling(), busy)
    assert (reply.status, getattr(reply, "by", "")) == (504, "timeLimiter")
    assert getattr(reply, "text", "") == "no answer within 5 ms"
    assert (busy.running, busy.most, busy.ended) == (0, 1, 0)


async def test_other_calls_are_as_they_are_and_all_are_counted() -> None:
    rules = obeying(timeLimiter__all="timeoutDuration: 5")
    stage = TimeLimiterStage(rules)
    assert (await stage(calling(), Callee(503))).status == 503
    with pytest.raises(TimeoutError, match="its own"):
        await stage(calling(), Callee(TimeoutError("its own")))
    await stage(calling(), Busy())
    assert measured(rules, "servicecomb.timeLimiter.all") == {
        "calls{successful}": 1,
        "calls{failed}": 1,
        "calls{timeout}": 1,
    }


async def test_a_limit_of_centuries_is_none() -> None:
    assert (
        await TimeLimiterStage(obeying(timeLimiter__all=f"timeoutDuration: {10**9}H"))(calling(), Callee())
    ).status == 200


async def test_without_a_policy_a_call_takes_as_long_as_it_takes() -> None:
    rules, busy = obeying(), Busy()
    task = asyncio.create_task(TimeLimiterStage(rules)(calling(), busy))
    busy.end(status=201)
    assert (await task).status == 201
    assert [*rules.processors()] == []


async def test_an_instance_that_is_too_slow_is_isolated() -> None:
    breaking = (
        "{slidingWindowType: COUNT_BASED, slidingWindowSize: 2, minimumNumberOfCalls: 2, recordFailureStatus: [5xx]}"
    )
    rules, busy = rules_of(timeLimiter="timeoutDuration: 5", instanceIsolation=breaking), Busy()
    proceed = chained([InstanceIsolationStage(rules), TimeLimiterStage(rules)], busy)
    invocation = calling()
    invocation.target = Instance("slow")
    assert [(await proceed(invocation)).status for _ in range(3)] == [504, 504, 503]

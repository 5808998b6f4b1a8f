"""Faults befall exactly the share that the rule says, and nothing else."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from governance.invocation.live import LiveRules
from governance.resilience.fault import FaultInjectionStage
from tests.unit.resilience.consuming import OPERATION, Time, calling, now_obeying, obeying
from tests.unit.resilience.limited import Callee, measured

_OLDER = "governance__Consumer__{}__policy__fault__protocols__rest__{}"


def fault(rules: LiveRules, time: Time | None = None) -> FaultInjectionStage:
    """The stage, in a time of its own."""
    return FaultInjectionStage(rules, pause=(time or Time()).pause)


async def statuses(stage: FaultInjectionStage, calls: int, service: str = "forecast") -> list[int]:
    """What so many calls bring."""
    return [(await stage(calling(service), Callee())).status for _ in range(calls)]


def older(scope: str, name: str, value: int) -> dict[str, int]:
    """An older key, as an item."""
    return {_OLDER.format(scope, name): value}


async def test_half_of_the_calls_are_the_second_the_fourth_and_so_on() -> None:
    stage = fault(obeying(faultInjection__all="{type: abort, percentage: 50}"))
    assert await statuses(stage, 6) == [200, 500, 200, 500, 200, 500]


async def test_a_tenth_are_the_tenth_and_the_twentieth() -> None:
    stage = fault(obeying(faultInjection__all="{type: abort, percentage: 10, errorCode: 418}"))
    found = await statuses(stage, 20)
    assert [number for number, status in enumerate(found, 1) if status == 418] == [10, 20]


@settings(deadline=None)
@given(st.integers(0, 100), st.integers(1, 4))
def test_the_share_of_each_hundred_calls_is_exact(percentage: int, hundreds: int) -> None:
    stage = fault(obeying(faultInjection__all=f"{{type: abort, percentage: {percentage}}}"))
    assert asyncio.run(statuses(stage, 100 * hundreds)).count(500) == percentage * hundreds


async def test_an_aborted_call_is_not_made_and_says_who_aborted_it() -> None:
    callee = Callee()
    stage = fault(obeying(faultInjection__all="{type: abort, percentage: 100, errorCode: 503}"))
    reply = await stage(calling(), callee)
    assert (reply.status, getattr(reply, "text", ""), getattr(reply, "by", "")) == (
        503,
        "aborted by fault inject",
        "faultInjection",
    )
    assert callee.calls == 0


async def test_return_null_is_an_empty_success() -> None:
    callee = Callee()
    stage = fault(obeying(faultInjection__all="{type: abort, percentage: 100, fallbackType: ReturnNull}"))
    reply = await stage(calling(), callee)
    assert (reply.status, getattr(reply, "text", None), callee.calls) == (200, "", 0)


async def test_a_delay_waits_and_then_calls() -> None:
    time, callee = Time(), Callee(201)
    stage = fault(obeying(faultInjection__all="{type: delay, percentage: 100, delayTime: 1.5S}"), time)
    assert (await stage(calling(), callee)).status == 201
    assert time.pauses == [1.5]


@pytest.mark.parametrize("rule", ["{type: abort}", "{type: abort, percentage: 100, forceClosed: true}"])
async def test_a_fault_that_is_off_does_nothing(rule: str) -> None:
    assert await statuses(fault(obeying(faultInjection__all=rule)), 3) == [200, 200, 200]


async def test_a_fault_is_gone_with_its_rule_and_counts_anew_with_the_next() -> None:
    rules = obeying(faultInjection__all="{type: abort, percentage: 50}")
    stage = fault(rules)
    assert await statuses(stage, 1) == [200]
    now_obeying(rules)
    assert await statuses(stage, 3) == [200, 200, 200]
    now_obeying(rules, faultInjection__all="{type: abort, percentage: 50, errorCode: 501}")
    assert await statuses(stage, 2) == [200, 501]


async def test_who_is_cancelled_during_a_delay_does_not_call() -> None:
    waiting = asyncio.Event()

    async def pause(_: float) -> None:
        waiting.set()
        await asyncio.Event().wait()

    callee = Callee()
    rules = obeying(faultInjection__all="{type: delay, percentage: 100, delayTime: 10}")
    task = asyncio.create_task(FaultInjectionStage(rules, pause=pause)(calling(), callee))
    await waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert callee.calls == 0


async def test_older_keys_delay_first_and_then_abort_each_by_its_share() -> None:
    time = Time()
    items = {
        **older("_global", "delay.fixedDelay", 200),
        **older("_global", "delay.percent", 50),
        **older("_global", "abort.httpStatus", 421),
        **older("_global", "abort.percent", 25),
    }
    stage = fault(obeying(**items), time)
    assert await statuses(stage, 8) == [200, 200, 200, 421, 200, 200, 200, 421]
    assert time.pauses == [0.2] * 4


async def test_of_older_keys_the_narrowest_that_is_set_counts() -> None:
    schema, operation = "forecast.schemas.weather", "forecast.schemas.weather.operations.show"
    items = older("_global", "abort.percent", 100)
    for status, scope in ((421, "_global"), (422, "forecast"), (423, schema), (424, operation)):
        items |= older(scope, "abort.httpStatus", status)
    stage = fault(obeying(**items))
    for callee, status in (
        (OPERATION, 424),
        (("forecast", "weather", "other"), 423),
        (("forecast", "other", "show"), 422),
        (("weather", "weather", "show"), 421),
    ):
        assert (await stage(calling(*callee), Callee())).status == status
    items |= older(operation, "abort.httpStatus", -1)
    assert (await fault(obeying(**items))(calling(*OPERATION), Callee())).status == 423, "-1 is as not set"


@pytest.mark.parametrize("name", ["abort.percent", "delay.percent", "abort.httpStatus", "delay.fixedDelay"])
async def test_an_older_key_alone_does_nothing(name: str) -> None:
    time = Time()
    assert await statuses(fault(obeying(**older("_global", name, 100)), time), 3) == [200, 200, 200]
    assert time.pauses == []


async def test_a_policy_counts_before_older_keys() -> None:
    items = {**older("_global", "abort.httpStatus", 421), **older("_global", "abort.percent", 100)}
    rules = obeying(**items, faultInjection__all="{type: abort, percentage: 100, errorCode: 500}")
    assert await statuses(fault(rules), 1) == [500]


async def test_an_older_keys_share_goes_on_when_other_rules_change() -> None:
    items = {**older("_global", "abort.httpStatus", 421), **older("_global", "abort.percent", 50)}
    rules = obeying(**items)
    stage = fault(rules)
    assert await statuses(stage, 1) == [200]
    now_obeying(rules, **items, retry__all="maxAttempts: 1")
    assert await statuses(stage, 1) == [421]


async def test_faults_are_measured() -> None:
    rules = obeying(faultInjection__all="{type: abort, percentage: 25}")
    await statuses(fault(rules), 8)
    assert measured(rules, "servicecomb.faultInjection.all") == {"calls{injected}": 2, "calls{passed}": 6}

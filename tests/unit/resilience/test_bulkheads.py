"""The bulkheads: how many calls are made at once, who waits, and that a call that goes away leaves its place, wherever it is."""

from __future__ import annotations

import asyncio
import random

import pytest

from governance.invocation.invocation import Invocation, LocalReply, Reply
from governance.invocation.live import LiveRules
from governance.resilience.bulkhead import Bulkhead, BulkheadStage
from governance.resilience.instance_bulkhead import InstanceBulkheadStage
from tests.unit.resilience.limited import Busy, Callee, Instance, call, change, measured, rules_of, statuses
from tests.unit.sdk.fakes import Time, settle

KEY = "servicecomb.bulkhead.all"
FULL = "bulkhead is full and does not permit further calls."


@pytest.fixture
def time() -> Time:
    return Time()


def _started(stage: BulkheadStage, busy: Busy, calls: int) -> list[asyncio.Future[Reply]]:
    return [asyncio.ensure_future(stage(call(), busy)) for _ in range(calls)]


def _free(rules: LiveRules) -> float:
    return measured(rules, KEY)["available.concurrent.calls"]


async def test_more_calls_at_once_are_refused() -> None:
    rules = rules_of(bulkhead="{maxConcurrentCalls: 2}")
    stage, busy = BulkheadStage(rules), Busy()
    calls = _started(stage, busy, 3)
    await settle()
    assert await calls[2] == LocalReply(429, FULL, by="bulkhead")
    assert measured(rules, KEY) == {"available.concurrent.calls": 0, "max.allowed.concurrent.calls": 2}
    busy.end(2)
    await settle()
    assert [(await each).status for each in calls[:2]] == [200, 200]
    assert _free(rules) == 2


async def test_none_at_once_refuses_all() -> None:
    stage = BulkheadStage(rules_of(bulkhead="{maxConcurrentCalls: 0}"))
    assert await statuses(stage, Callee(), 3) == [429] * 3


async def test_without_a_policy_every_call_goes_on() -> None:
    busy = Busy()
    calls = _started(BulkheadStage(rules_of()), busy, 1500)
    await settle()
    assert busy.most == 1500
    busy.end(1500)
    assert {(await each).status for each in calls} == {200}


async def test_calls_wait_for_a_place_in_the_order_that_they_came(time: Time) -> None:
    rules = rules_of(bulkhead="{maxConcurrentCalls: 1, maxWaitDuration: 1S}")
    stage, entered = BulkheadStage(rules, pause=time.pause), list[str]()

    async def turn(invocation: Invocation) -> Reply:
        entered.append(invocation.request.headers["number"])
        await settle()
        return LocalReply(200)

    calls = [asyncio.ensure_future(stage(call(number=str(number)), turn)) for number in range(5)]
    assert [(await each).status for each in calls] == [200] * 5
    assert entered == ["0", "1", "2", "3", "4"]
    assert _free(rules) == 1


async def test_a_call_that_has_waited_too_long_is_refused(time: Time) -> None:
    rules = rules_of(bulkhead="{maxConcurrentCalls: 1, maxWaitDuration: 1S}")
    busy = Busy()
    first, second = _started(BulkheadStage(rules, pause=time.pause), busy, 2)
    await time.pass_(0.9)
    assert not second.done()
    await time.pass_(0.1)
    assert (await second).status == 429
    busy.end()
    assert (await first).status == 200
    assert _free(rules) == 1


async def test_in_real_time_a_call_is_refused_after_its_wait() -> None:
    stage, busy = BulkheadStage(rules_of(bulkhead="{maxConcurrentCalls: 1, maxWaitDuration: 20}")), Busy()
    first, second = _started(stage, busy, 2)
    assert (await second).status == 429
    third = asyncio.ensure_future(stage(call(), busy))
    busy.end(2)
    assert [(await each).status for each in (first, third)] == [200, 200]


async def test_nothing_is_kept_of_calls_that_wait_no_longer(time: Time) -> None:
    """However long the one that has the place takes: neither their place in the line nor their timer."""
    rules = rules_of(bulkhead="{maxConcurrentCalls: 1, maxWaitDuration: 1S}")
    stage, busy, before = BulkheadStage(rules, pause=time.pause), Busy(), len(asyncio.all_tasks())
    first, cancelled, *late = _started(stage, busy, 5)
    await settle()
    cancelled.cancel()
    await time.pass_(1)
    assert [(await each).status for each in late] == [429] * 3
    ((_, state),) = rules.processors()
    assert isinstance(state, Bulkhead)
    assert not state._slots._waiting
    served = asyncio.ensure_future(stage(call(), busy))
    await settle()
    busy.end(2)
    assert [(await each).status for each in (first, served)] == [200, 200]
    await settle()
    assert len(asyncio.all_tasks()) == before


async def test_what_the_call_raises_passes_on_and_its_place_is_free() -> None:
    rules = rules_of(bulkhead="{maxConcurrentCalls: 1}")
    stage = BulkheadStage(rules)
    with pytest.raises(ConnectionError):
        await stage(call(), Callee(ConnectionError()))
    assert await statuses(stage, Callee(), 2) == [200, 200]


async def test_a_change_of_the_rule_loses_no_call(time: Time) -> None:
    rules = rules_of(bulkhead="{maxConcurrentCalls: 1, maxWaitDuration: 1S}")
    stage, busy = BulkheadStage(rules, pause=time.pause), Busy()
    old = _started(stage, busy, 2)
    await settle()
    change(rules, bulkhead="{maxConcurrentCalls: 2}")
    new = _started(stage, busy, 3)
    await settle()
    assert busy.running == 3
    change(rules)
    new += _started(stage, busy, 1)
    await settle()
    busy.end(5)
    assert [(await each).status for each in old] == [200, 200]
    assert [(await each).status for each in new] == [200, 200, 429, 200]


async def test_each_instance_has_its_own_places() -> None:
    rules = rules_of(instanceBulkhead="{maxConcurrentCalls: 1}")
    stage, busy = InstanceBulkheadStage(rules), Busy()
    targets = [Instance("i1"), Instance("i1"), Instance("i2"), None]
    calls = [asyncio.ensure_future(stage(call(target), busy)) for target in targets]
    await settle()
    busy.end(3)
    found = [await each for each in calls]
    assert [reply.status for reply in found] == [200, 503, 200, 200]
    assert found[1] == LocalReply(503, FULL, by="instanceBulkhead")
    assert [key for key, _ in rules.processors()] == [
        "servicecomb.instanceBulkhead.all.stock.i1",
        "servicecomb.instanceBulkhead.all.stock.i2",
    ]


@pytest.mark.parametrize("turns", range(14))
@pytest.mark.parametrize("who", range(4))
async def test_a_call_that_is_cancelled_at_any_moment_leaves_its_place(who: int, turns: int) -> None:
    """Before its first turn of the loop, wherever it waits, and after its end."""
    rules = rules_of(bulkhead="{maxConcurrentCalls: 1, maxWaitDuration: 1S}")
    running, most = 0, 0

    async def work(_: Invocation) -> Reply:
        nonlocal running, most
        running += 1
        most = max(most, running)
        try:
            for _ in range(2):
                await asyncio.sleep(0)
        finally:
            running -= 1
        return LocalReply(200)

    time = Time()
    stage = BulkheadStage(rules, pause=time.pause)
    calls = [asyncio.ensure_future(stage(call(), work)) for _ in range(4)]
    for _ in range(turns):
        await asyncio.sleep(0)
    calls[who].cancel()
    async with asyncio.timeout(10):
        ended = await asyncio.gather(*calls, return_exceptions=True)
    assert [reply for reply in ended if not isinstance(reply, asyncio.CancelledError)] == [LocalReply(200)] * (
        4 - calls[who].cancelled()
    )
    assert most == 1
    if any(True for _ in rules.processors()):
        assert _free(rules) == 1


@pytest.mark.parametrize("seed", range(20))
async def test_in_a_throng_no_place_is_lost_and_none_is_had_twice(seed: int) -> None:
    """Calls come, end, time out and are cancelled in any order, also two of these in one turn of the loop."""
    chance = random.Random(seed)
    rules, time, busy = rules_of(bulkhead="{maxConcurrentCalls: 3, maxWaitDuration: 1S}"), Time(), Busy()
    stage, calls = BulkheadStage(rules, pause=time.pause), list[asyncio.Future[Reply]]()
    for _ in range(150):
        match chance.randrange(6):
            case 0 | 1:
                calls += _started(stage, busy, chance.randrange(4))
            case 2:
                busy.end(min(busy.running, 1 + chance.randrange(2)))
            case 3 if calls:
                chance.choice(calls).cancel()
            case 4:
                await asyncio.sleep(0)
            case _:
                await time.pass_(chance.choice([0.1, 0.5]))
        assert busy.most <= 3
    busy.end(1000)
    await time.pass_(2)
    async with asyncio.timeout(10):
        await asyncio.gather(*calls, return_exceptions=True)
    assert _free(rules) == 3
    assert busy.ended > 10

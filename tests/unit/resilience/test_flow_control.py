"""The older flow control lets through what its limit says and refuses the rest, by the narrowest key that is set."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from governance.invocation.live import LiveRules
from governance.resilience.flow_control import FlowControlStage
from governance.resilience.flow_limits import Bucket, FixedWindow
from governance.resilience.older import MOST_READ, Side
from tests.unit.resilience.consuming import Time, calling, now_obeying, obeying
from tests.unit.resilience.limited import Callee, measured

_STEPS = st.lists(st.floats(0, 3), min_size=1, max_size=60)


def flow(rules: LiveRules, side: Side = "Consumer", time: Time | None = None) -> FlowControlStage:
    """The stage, in a time of its own."""
    return FlowControlStage(rules, side, clock=time or Time())


async def statuses(stage: FlowControlStage, times: int, *callee: str) -> list[int]:
    """What so many calls at once bring."""
    return [(await stage(calling(*callee), Callee())).status for _ in range(times)]


async def test_a_limit_of_none_for_any_caller_refuses_every_call_of_a_provider() -> None:
    rules = obeying(flowcontrol__Provider__qps__limit__ANY=0)
    callee = Callee()
    for caller in ("fusionweather", "edge-service", ""):
        reply = await flow(rules, "Provider")(calling(caller), callee)
        assert (reply.status, getattr(reply, "by", "")) == (429, "flowControl")
        assert getattr(reply, "text", "") == "provider request rejected by flow control."
    assert callee.calls == 0
    assert await statuses(flow(rules, "Consumer"), 3, "forecast") == [200] * 3, "the other side is not limited"


async def test_a_window_lets_its_limit_through_and_the_next_one_does_so_again() -> None:
    time = Time()
    stage = flow(obeying(flowcontrol__Consumer__qps__limit__forecast=2), time=time)
    assert await statuses(stage, 4, "forecast") == [200, 200, 429, 429]
    assert await statuses(stage, 3, "weather") == [200] * 3
    time.now += 1.0
    assert await statuses(stage, 1, "forecast") == [429], "a window is over after more than a second"
    time.now += 0.001
    assert await statuses(stage, 3, "forecast") == [200, 200, 429]


async def test_the_narrowest_key_counts_and_its_counter_is_shared() -> None:
    limits = {
        "forecast.weather.show": 1, "forecast.weather": 2, "forecast": 3, "ANY.weather.show": 4, "ANY.weather": 5, "ANY": 6,
    }  # fmt: skip
    items = {f"flowcontrol.Consumer.qps.limit.{scope}": limit for scope, limit in limits.items()}
    stage = flow(obeying(**items, **{"flowcontrol.Consumer.qps.global.limit": 7}))
    for callee, limit in (
        (("forecast", "weather", "show"), 1),
        (("forecast", "weather", "list"), 2),
        (("forecast", "admin", "show"), 3),
        (("other", "weather", "show"), 4),
        (("other", "weather", "list"), 5),
        (("other", "admin", "show"), 6),
    ):
        assert (await statuses(stage, 9, *callee)).count(200) == limit, callee
    assert await statuses(stage, 1, "third", "admin", "show") == [429], "ANY is one counter for all of them"
    general = flow(obeying(**{"flowcontrol.Consumer.qps.global.limit": 7}))
    assert (await statuses(general, 9, "forecast")).count(200) == 7


async def test_without_keys_and_where_it_is_switched_off_nothing_is_limited() -> None:
    for rules in (
        obeying(),
        obeying(flowcontrol__Consumer__qps__limit__ANY=0, flowcontrol__Consumer__qps__enabled="false"),
        obeying(flowcontrol__Consumer__qps__global__limit=2**31 - 1),
    ):
        assert await statuses(flow(rules), 5, "forecast") == [200] * 5
        assert [*rules.processors()] == []


@pytest.mark.parametrize("strategy", ["LeakyBucket", "TokenBucket"])
async def test_a_bucket_lets_a_burst_through_and_then_the_limit(strategy: str) -> None:
    time = Time()
    items = {"flowcontrol__strategy": strategy, "flowcontrol__Consumer__qps__limit__forecast": 2}
    stage = flow(obeying(**items), time=time)
    assert (await statuses(stage, 9, "forecast")).count(200) == 4, "twice the limit where nothing else is said"
    time.now += 1
    assert (await statuses(stage, 9, "forecast")).count(200) == 2
    sized = flow(obeying(**items, flowcontrol__Consumer__qps__bucket__forecast=7), time=time)
    assert (await statuses(sized, 9, "forecast")).count(200) == 7


async def test_a_limit_that_changes_counts_from_the_next_call_on() -> None:
    rules = obeying(flowcontrol__Consumer__qps__limit__ANY=1)
    stage = flow(rules)
    assert await statuses(stage, 2, "forecast") == [200, 429]
    now_obeying(rules, flowcontrol__Consumer__qps__limit__ANY=3)
    assert (await statuses(stage, 9, "forecast")).count(200) == 3
    now_obeying(rules, flowcontrol__Consumer__qps__limit__ANY=3, retry__all="maxAttempts: 1")
    assert await statuses(stage, 1, "forecast") == [429], "other rules leave the counter alone"
    now_obeying(rules)
    assert await statuses(stage, 3, "forecast") == [200] * 3


async def test_callees_without_end_are_limited_as_well_as_the_first() -> None:
    stage = flow(obeying(flowcontrol__Consumer__qps__limit__ANY=5))
    found = [(await stage(calling(f"service-{number}"), Callee())).status for number in range(MOST_READ + 5)]
    assert found == [200] * 5 + [429] * MOST_READ


async def test_what_is_left_is_measured() -> None:
    time = Time()
    rules = obeying(flowcontrol__Consumer__qps__limit__forecast=3)
    await statuses(flow(rules, time=time), 2, "forecast")
    key = "servicecomb.flowcontrol.Consumer.qps.limit.forecast"
    assert measured(rules, key) == {"available.permissions": 1}
    time.now += 2
    assert measured(rules, key) == {"available.permissions": 3}


async def test_what_is_left_of_a_bucket_is_measured() -> None:
    time = Time()
    rules = obeying(flowcontrol__strategy="TokenBucket", flowcontrol__Consumer__qps__limit__forecast=2)
    await statuses(flow(rules, time=time), 3, "forecast")
    key = "servicecomb.flowcontrol.Consumer.qps.limit.forecast"
    assert measured(rules, key) == {"available.permissions": 1}
    time.now += 1
    assert measured(rules, key) == {"available.permissions": 3}


@settings(deadline=None)
@given(_STEPS, st.integers(0, 5))
def test_a_fixed_window_lets_exactly_its_limit_through(steps: list[float], limit: int) -> None:
    window, now = FixedWindow(limit), 50.0
    begun, count = now - 9, 0
    for step in steps:
        now += step
        if now - begun > 1:
            begun, count = now, 0
        assert window.available(now) == limit - count
        assert window.admits(now) is (count < limit)
        count += count < limit


@settings(deadline=None)
@given(_STEPS, st.integers(0, 5), st.integers(0, 9))
def test_a_bucket_never_lets_more_through_than_its_size_and_what_leaks(
    steps: list[float], limit: int, size: int
) -> None:
    bucket, now, admitted = Bucket(limit, size), 50.0, list[float]()
    for step in steps:
        now += step
        if bucket.admits(now):
            admitted.append(now)
    for index, begin in enumerate(admitted):
        for count, end in enumerate(admitted[index:], 1):
            assert count <= size + limit * (end - begin) + 1e-6


def test_calls_at_once_share_one_counter() -> None:
    async def run() -> list[int]:
        stage = flow(obeying(flowcontrol__Consumer__qps__limit__ANY=3))
        replies = await asyncio.gather(*(stage(calling(f"s{number}"), Callee()) for number in range(9)))
        return [reply.status for reply in replies]

    assert sorted(asyncio.run(run())) == [200] * 3 + [429] * 6

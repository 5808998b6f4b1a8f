"""Load balancing: which of the instances of a list gets a call, and which rule says it."""

from __future__ import annotations

import logging
from collections import Counter
from itertools import pairwise

import pytest

from governance.invocation.invocation import Invocation, LocalReply, Reply
from governance.routing.balancers import SessionStickiness, WeightedResponse
from tests.unit.routing.callees import Callee, Instance, UnreachableError, calling, named

RANDOM = {"loadbalance__all": "rule: Random"}
WEIGHTED = {"loadbalance__all": "rule: WeightedResponse"}
STICKY = {"loadbalance__all": "rule: SessionStickiness"}


def rounds(called: list[str], size: int) -> bool:
    """Whether calls go one after another."""
    return all(len(set(called[at : at + size])) == size for at in range(len(called) - size))


async def test_without_a_rule_calls_go_round() -> None:
    assert rounds(await Callee(named("a", "b", "c")).often(30), 3)


@pytest.mark.parametrize(
    ("values", "by_chance"),
    [
        (RANDOM, True),
        ({"loadbalance__weather__strategy__name": "Random"}, True),
        ({"loadbalance__strategy__name": "Random"}, True),
        ({"loadbalance__forecast__strategy__name": "Random"}, False),
        ({"loadbalance__weather__strategy__name": "RoundRobin", "loadbalance__strategy__name": "Random"}, False),
        ({"loadbalance__all": "rule: RoundRobin", "loadbalance__strategy__name": "Random"}, False),
        ({"loadbalance__ungrouped": "rule: Random"}, False),
    ],
)
async def test_which_rule_counts(values: dict[str, str], by_chance: bool) -> None:
    assert rounds(await Callee(named("a", "b", "c"), **values).often(60), 3) is not by_chance


@pytest.mark.parametrize(
    "values", [{"loadbalance__all": "rule: Fastest"}, {"loadbalance__weather__strategy__name": "Fastest"}]
)
async def test_an_unknown_name_is_told_once_and_calls_go_round(
    values: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    callee = Callee(named("a", "b", "c"), **values)
    assert rounds(await callee.often(30), 3)
    (told,) = [record.getMessage() for record in caplog.records]
    assert "Fastest" in told
    assert "write RoundRobin or Random" in told


async def test_an_operation_has_a_strategy_of_its_own() -> None:
    callee = Callee(named("a", "b"), loadbalance__weather__api__show__strategy__name="SessionStickiness")
    names = []
    for _ in range(6):
        call = calling()
        call.schema, call.operation = "api", "show"
        names.append(await callee.once(call))
    assert len(set(names)) == 1
    assert set(await callee.often(6)) == {"a", "b"}


async def test_random_is_even_and_has_no_order() -> None:
    called = await Callee(named("a", "b", "c", "d"), **RANDOM).often(4000)
    assert all(900 < count < 1100 for count in Counter(called).values())
    assert 800 < sum(one == other for one, other in pairwise(called)) < 1200


async def test_the_calls_of_one_that_is_gone_are_shared_whatever_the_rule() -> None:
    for values in (RANDOM, WEIGHTED):
        callee = Callee(named("a", "b", "c"), **values)
        callee.gone = {"a"}
        counts = Counter(await callee.often(1000))
        assert set(counts) == {"b", "c"}
        assert all(count > 400 for count in counts.values())


async def test_the_slower_an_instance_is_the_fewer_calls_it_gets() -> None:
    """The weights of 20, 60 and 120 ms are 180, 140 and 80."""
    callee = Callee(named("a", "b", "c"), **WEIGHTED)
    callee.seconds = {"a": 0.020, "b": 0.060, "c": 0.120}
    assert rounds(await callee.often(1000), 3), "nothing is known of the first 1,000"
    counts = Counter(await callee.often(4000))
    for name, weight in (("a", 180), ("b", 140), ("c", 80)):
        assert counts[name] == pytest.approx(4000 * weight / 400, rel=0.1)


async def test_what_has_become_fast_gets_its_calls_back() -> None:
    callee = Callee(named("a", "b"), **WEIGHTED)
    callee.seconds = {"a": 0.010, "b": 0.090}
    await callee.often(1000)
    assert Counter(await callee.often(1000))["b"] < 150
    callee.seconds = {"a": 0.030, "b": 0.030}
    await callee.often(1000)
    assert 400 < Counter(await callee.often(1000))["b"] < 600


async def test_where_nobody_is_slow_calls_go_round() -> None:
    callee = Callee(named("a", "b", "c"), **WEIGHTED)
    callee.seconds = {"a": 0.001, "b": 0.009}
    await callee.often(1000)
    assert rounds(await callee.often(30), 3)


async def test_who_fails_at_once_is_not_fast() -> None:
    callee = Callee(named("a", "b", "c"), **WEIGHTED)
    callee.seconds = {"a": 0.100, "b": 0.020, "c": 0.020}
    await callee.often(1000)
    callee.seconds["a"] = 0.0
    callee.ill = {"a"}
    await callee.often(3000)
    assert Counter(await callee.often(1000))["a"] < 200


async def test_a_reply_that_nobody_gave_tells_nothing_of_the_instance() -> None:
    callee = Callee(named("a", "b", "c"), **WEIGHTED)
    callee.seconds = {"a": 0.100, "b": 0.020, "c": 0.020}
    await callee.often(1000)

    async def fault(_invocation: Invocation) -> Reply:
        return LocalReply(500, by="faultInjection")

    for _ in range(2000):
        await callee.pick(calling(), fault)
    assert Counter(await callee.often(1000))["a"] < 200


async def test_a_refusal_ends_no_session() -> None:
    callee = Callee(named("a", "b"), **STICKY)
    first = await callee.once()

    async def refuse(_invocation: Invocation) -> Reply:
        return LocalReply(503, by="instanceBulkhead")

    for _ in range(6):
        await callee.pick(calling(), refuse)
    assert await callee.once() == first


async def test_of_endless_instances_not_all_latencies_are_kept() -> None:
    callee = Callee([], **WEIGHTED)
    for number in range(12_500):
        callee.instances = (Instance(f"i{number}"),)
        await callee.once()
    ((_, state),) = [one for one in callee.rules.processors() if one[0] == "servicecomb.loadbalance.all.weather"]
    assert isinstance(state, WeightedResponse)
    assert len(state._latencies) <= 11_000


async def test_weights_are_of_the_list_that_a_draw_leads_to() -> None:
    """Each of many lists has weights of its own."""
    items = ", ".join(f"{{weight: 5, tags: {{version: '{number}'}}}}" for number in range(20))
    pairs = [Instance(f"{kind}{number}", str(number)) for number in range(20) for kind in ("fast", "slow")]
    callee = Callee(pairs, routeRule__weather=f"[{{route: [{items}]}}]", **WEIGHTED)
    callee.seconds = {one.instance_id: 0.090 if "slow" in one.instance_id else 0.010 for one in pairs}
    await callee.often(1000)
    counts = Counter(name[:4] for name in await callee.often(2000))
    assert counts["slow"] == pytest.approx(200, abs=60)


async def test_one_that_is_alone_gets_all_calls_however_slow() -> None:
    callee = Callee(named("a"), **WEIGHTED)
    callee.seconds = {"a": 1.0}
    assert set(await callee.often(1100)) == {"a"}


async def test_sessions_stick() -> None:
    callee = Callee(named("a", "b", "c"), **STICKY)
    assert len(set(await callee.often(20))) == 1


async def test_a_session_that_was_idle_ends() -> None:
    callee = Callee(named("a", "b"), **STICKY)
    first = await callee.once()
    callee.now += 30.0
    assert await callee.once() == first
    callee.now += 30.5
    assert await callee.once() != first


async def test_a_session_ends_after_failures_one_after_another() -> None:
    callee = Callee(named("a", "b", "c"), **STICKY)
    first = await callee.once()
    callee.ill = {first}
    assert await callee.often(4) == [first] * 4
    callee.ill = set()
    assert await callee.often(1) == [first], "a success ends the row"
    callee.ill = {first}
    assert await callee.often(5) == [first] * 5
    second = await callee.once()
    assert second != first
    assert await callee.often(5) == [second] * 5


async def test_a_session_keeps_its_instance_while_others_come_and_go() -> None:
    callee = Callee(named("a", "b", "c"), **STICKY)
    first = await callee.once()
    callee.instances = (*(Instance(f"new{number}") for number in range(5)), Instance(first))
    assert await callee.often(5) == [first] * 5
    callee.instances = callee.instances[:-1]
    (second,) = set(await callee.often(5))
    assert second != first


async def test_of_endless_sessions_not_all_are_kept() -> None:
    callee = Callee([], **STICKY)
    for number in range(250):
        callee.instances = (Instance(f"i{number}"),)
        assert await callee.often(2) == [f"i{number}"] * 2
    ((_, state),) = [one for one in callee.rules.processors() if one[0] == "servicecomb.loadbalance.all.weather"]
    assert isinstance(state, SessionStickiness)
    assert len(state._sessions) <= 100


async def test_a_session_s_call_that_cannot_reach_its_instance_goes_to_another() -> None:
    callee = Callee(named("a", "b"), **STICKY)
    first = await callee.once()
    callee.gone = {first}
    assert first not in await callee.often(3)
    callee.gone = {"a", "b"}
    with pytest.raises(UnreachableError):
        await callee.once()


async def test_sessions_of_shares_are_sessions_of_their_own() -> None:
    pairs = [Instance("a1", "1"), Instance("a2", "1"), Instance("b1", "2"), Instance("b2", "2")]
    rule = "[{route: [{weight: 50, tags: {version: '1'}}, {weight: 50, tags: {version: '2'}}]}]"
    counts = Counter(await Callee(pairs, routeRule__weather=rule, **STICKY).often(20))
    assert sorted(counts.values()) == [10, 10]
    assert {name[0] for name in counts} == {"a", "b"}


async def test_how_long_a_session_lasts_is_configured() -> None:
    callee = Callee(
        named("a", "b"),
        loadbalance__weather__SessionStickinessRule__sessionTimeoutInSeconds="5",
        loadbalance__SessionStickinessRule__successiveFailedTimes="2",
        **STICKY,
    )
    first = await callee.once()
    callee.now += 5.5
    second = await callee.once()
    assert second != first
    callee.ill = {second}
    assert await callee.often(3) == [second, second, first]

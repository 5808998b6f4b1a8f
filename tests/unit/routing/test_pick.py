"""Who is called when some cannot be reached, are isolated, or were tried before."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from governance.invocation.chain import Proceed
from governance.invocation.invocation import Invocation, LocalReply, Reply
from governance.routing.errors import NoInstanceError
from tests.unit.routing.callees import SERVICE, Callee, Instance, UnreachableError, calling, named

HALVES = "[{route: [{weight: 50, tags: {version: '1'}}, {weight: 50, tags: {version: '2'}}]}]"
GRAY = "[{route: [{weight: 100, tags: {version: '2'}}]%s}]"


async def test_calls_go_round() -> None:
    callee = Callee(named("a", "b", "c"))
    called = await callee.often(9)
    assert called == called[:3] * 3
    assert sorted(called[:3]) == ["a", "b", "c"]


async def test_a_list_that_is_found_anew_and_is_the_same_changes_nothing() -> None:
    callee = Callee(named("a", "b", "c"))
    called = []
    for _ in range(12):
        callee.instances = named("a", "b", "c")
        called.append(await callee.once())
    assert called == called[:3] * 4


async def test_each_consumer_begins_its_round_elsewhere() -> None:
    firsts = {await Callee(named("a", "b", "c"), seed=seed).once() for seed in range(20)}
    assert firsts == {"a", "b", "c"}


async def test_where_nobody_is_there() -> None:
    callee = Callee([])
    with pytest.raises(NoInstanceError, match="no instance of weather: none is known") as caught:
        await callee.once()
    assert caught.value.service == SERVICE


async def test_the_choice_is_told_to_the_call() -> None:
    callee = Callee(named("a"))
    call = calling()
    assert await callee.once(call) == "a"
    assert call.target is callee.instances[0]
    assert call.tried == ["a"]


async def test_one_that_cannot_be_reached_is_passed_over_and_its_calls_are_shared() -> None:
    callee = Callee(named("a", "b", "c", "d"))
    callee.gone = {"c"}
    assert Counter(await callee.often(60)) == {"a": 20, "b": 20, "d": 20}
    assert Counter(callee.called)["c"] == 15


async def test_everyone_is_tried_and_the_last_error_is_raised() -> None:
    callee = Callee(named("a", "b", "c"))
    callee.gone = {"a", "b", "c"}
    call = calling()
    with pytest.raises(UnreachableError) as caught:
        await callee.once(call)
    assert sorted(call.tried) == ["a", "b", "c"]
    assert str(caught.value) == call.tried[-1]


async def test_a_body_that_cannot_be_sent_again_is_sent_once() -> None:
    callee = Callee(named("a", "b"))
    callee.gone = {"a", "b"}
    call = calling()
    call.replayable = False
    with pytest.raises(UnreachableError):
        await callee.once(call)
    assert len(callee.called) == 1


async def test_an_error_after_something_was_sent_is_raised_at_once() -> None:
    callee = Callee(named("a", "b"))
    calls = 0

    async def reset(_invocation: Invocation) -> Reply:
        nonlocal calls
        calls += 1
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await callee.pick(calling(), reset)
    assert calls == 1


async def test_a_gray_version_that_cannot_be_reached_is_as_though_it_were_not_there() -> None:
    instances = [Instance("old", "1"), Instance("new", "2"), Instance("other", "3")]
    callee = Callee(instances, routeRule__weather=GRAY % ", fallback: [{weight: 100, tags: {version: '1'}}]")
    callee.gone = {"new"}
    assert await callee.often(4) == ["old"] * 4
    callee.set(routeRule__weather=GRAY % "")
    assert set(await callee.often(8)) == {"old", "other"}
    callee.set(routeRule__weather=GRAY % ", emptyProtection: false")
    with pytest.raises(UnreachableError):
        await callee.once()


async def test_isolated_instances_get_no_calls() -> None:
    callee = Callee(named("a", "b", "c", "d"))
    callee.aside = {"b"}
    assert Counter(await callee.often(60)) == {"a": 20, "c": 20, "d": 20}
    callee.aside = set()
    assert Counter(await callee.often(60)) == {"a": 15, "b": 15, "c": 15, "d": 15}


async def test_where_all_are_isolated_all_are_called() -> None:
    """Vector 24."""
    callee = Callee(named("a", "b"))
    callee.aside = {"a", "b"}
    assert Counter(await callee.often(10)) == {"a": 5, "b": 5}
    callee.gone = {"a"}
    assert set(await callee.often(4)) == {"b"}


async def test_isolation_goes_before_the_route_rule() -> None:
    instances = [Instance("old", "1"), Instance("new1", "2"), Instance("new2", "2")]
    callee = Callee(instances, routeRule__weather=HALVES)
    callee.aside = {"new1"}
    assert await callee.often(4) == ["old", "new2", "old", "new2"]
    callee.aside = {"new1", "new2"}
    assert await callee.often(4) == ["old"] * 4, "nobody of the version is left: all that are"
    callee.set(routeRule__weather=GRAY % ", emptyProtection: false")
    with pytest.raises(NoInstanceError, match="emptyProtection: false"):
        await callee.once()
    callee.aside.add("old")
    assert set(await callee.often(4)) == {"new1", "new2"}, "all are isolated, so that does not count"


async def test_a_repetition_goes_to_another_instance_if_there_is_one() -> None:
    callee = Callee(named("a", "b", "c"))
    for _ in range(10):
        call = calling()
        for _ in range(3):
            await callee.once(call)
        assert sorted(call.tried) == ["a", "b", "c"]
        await callee.once(call)
        assert len(call.tried) == 4


async def test_a_repetition_draws_again_where_all_of_the_draw_were_tried() -> None:
    instances = [Instance("old", "1"), Instance("new", "2")]
    text = "[{route: [{weight: 90, tags: {version: '1'}}, {weight: 10, tags: {version: '2'}}]}]"
    callee = Callee(instances, routeRule__weather=text)
    call = calling()
    assert [await callee.once(call), await callee.once(call)] == ["old", "new"]


async def test_a_repetition_stays_within_the_rule() -> None:
    callee = Callee([Instance("old", "1"), Instance("new", "2")], routeRule__weather=GRAY % "")
    call = calling()
    assert [await callee.once(call) for _ in range(3)] == ["new"] * 3


async def test_a_repetition_prefers_one_that_is_not_isolated() -> None:
    callee = Callee(named("a", "b", "c"))
    call = calling()
    first = await callee.once(call)
    callee.aside = {"a", "b", "c"} - {first}
    assert await callee.once(call) == first
    callee.aside.add(first)
    assert await callee.once(call) != first


@pytest.mark.parametrize(
    "values",
    [
        {"retry__all": "retryOnSame: 2", "loadbalance__retryOnSame": "7"},
        {"retry__all": "maxAttempts: 9", "loadbalance__retryOnSame": "2"},
        {"loadbalance__retryOnSame": "2"},
        {"loadbalance__weather__retryOnSame": "2", "loadbalance__retryOnSame": "0"},
    ],
)
async def test_a_repetition_at_the_same_instance(values: dict[str, str]) -> None:
    callee = Callee(named("a", "b", "c"), **values)
    call = calling()
    called = [await callee.once(call) for _ in range(5)]
    assert called[0] == called[1] == called[2]
    assert sorted(called[2:]) == ["a", "b", "c"]


async def test_the_same_instance_is_the_one_that_was_reached() -> None:
    """One that was passed over is none that the call is repeated at."""
    callee = Callee(named("a", "b", "c"), retry__all="retryOnSame: 1")
    callee.gone = {"a"}
    passed_over = 0
    for _ in range(12):
        call = calling()
        reached = await callee.once(call)
        passed_over += call.tried[0] == "a"
        assert await callee.once(call) == reached
        assert await callee.once(call) != reached
    assert passed_over


async def test_the_same_instance_is_not_called_again_where_it_is_gone_or_isolated() -> None:
    callee = Callee(named("a", "b"), retry__all="retryOnSame: 5")
    call = calling()
    first = await callee.once(call)
    callee.aside = {first}
    assert await callee.once(call) != first
    callee.aside = set()
    call = calling()
    first = await callee.once(call)
    callee.instances = tuple(one for one in callee.instances if one.instance_id != first)
    assert await callee.once(call) != first


async def test_rules_and_instances_that_change_while_calls_wait() -> None:
    """Calls that are under way keep what they have drawn, and end well."""
    callee = Callee([Instance("old", "1"), Instance("new", "2")], routeRule__weather=HALVES)
    begun, go = asyncio.Barrier(11), asyncio.Event()
    answered: Counter[str] = Counter()

    async def slow(invocation: Invocation) -> Reply:
        assert invocation.target is not None
        if len(invocation.tried) == 1:
            await begun.wait()
            await go.wait()
            raise UnreachableError
        answered[invocation.target.instance_id] += 1
        return LocalReply(200)

    calls = [asyncio.create_task(_picked(callee, slow)) for _ in range(10)]
    await begun.wait()
    callee.set(routeRule__weather=GRAY % "")
    callee.instances = (Instance("new", "2"), Instance("late", "2"))
    assert await callee.once() in ("new", "late")
    go.set()
    assert [reply.status for reply in await asyncio.gather(*calls)] == [200] * 10
    assert answered == {"old": 5, "new": 5}


async def _picked(callee: Callee, proceed: Proceed, call: Invocation | None = None) -> Reply:
    return await callee.pick(call or calling(), proceed)


async def test_a_call_that_is_cancelled_is_no_call_to_others() -> None:
    callee = Callee(named("a", "b"))
    call = calling()
    begun = asyncio.Event()

    async def endless(_invocation: Invocation) -> Reply:
        begun.set()
        await asyncio.Event().wait()
        return LocalReply(200)

    task = asyncio.create_task(_picked(callee, endless, call))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(call.tried) == 1


async def test_of_many_instances_none_is_looked_at_while_nothing_changes() -> None:
    """What a rule leads to is found once: further calls do not look at the properties of anyone."""
    looked: list[str] = []

    class Looking(dict[str, str]):
        def get(self, name: str, default: str | None = None) -> str | None:  # type: ignore[override]
            looked.append(name)
            return super().get(name, default)

    callee = Callee(
        [Instance(f"i{number}", properties=Looking(lane="gray")) for number in range(1000)],
        routeRule__weather="[{route: [{weight: 100, tags: {lane: gray}}]}]",
    )
    await callee.often(2)
    assert len(looked) == 1000
    await callee.often(10)
    assert len(looked) == 1000
    callee.instances = callee.instances[1:]
    await callee.often(10)
    assert len(looked) == 1999


async def test_one_that_fails_gets_no_more_first_tries_than_others() -> None:
    """Repetitions are no turns of the round."""
    for names in ("ab", "abc", "abcd"):
        callee = Callee(named(*names))
        callee.ill = {"a"}
        ends: Counter[str] = Counter()
        for _ in range(12 * len(names)):
            call = calling()
            reached = await callee.once(call)
            ends[reached if reached != "a" else await callee.once(call)] += 1
        assert Counter(callee.called)["a"] == 12
        assert len(set(ends.values())) == 1, "and its calls are shared by all the others"
        assert set(ends) == set(names) - {"a"}

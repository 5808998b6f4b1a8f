"""Route rules and dark launch at work: which instances calls go to, in which order and with which share."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest

from governance.invocation.measures import RuleCollector
from governance.routing.errors import NoInstanceError
from governance.rules.distribution import Plan
from governance.rules.printing import print_rule
from governance.rules.routes import RouteItem, RouteRule, RouteRules
from tests.unit.routing.callees import Callee, Instance, calling, versions

OLD, NEW, NEWEST = Instance("a", "1"), Instance("b", "2"), Instance("c", "3")


def route(*items: tuple[int, str], further: str = "") -> str:
    """The text of one rule with weights of versions."""
    written = ", ".join(f"{{weight: {weight}, tags: {{version: '{version}'}}}}" for weight, version in items)
    return f"[{{route: [{written}]{further}}}]"


@pytest.mark.parametrize(
    ("items", "instances", "expected"),
    [
        pytest.param([(50, "1"), (50, "2")], [OLD, NEW], "abab", id="50/50"),
        pytest.param([(20, "2")], [OLD, NEW], "aabaa", id="20 % to the new, vector 16"),
        pytest.param([(70, "1"), (20, "2"), (10, "3")], [OLD, NEW, NEWEST], "aabaacaaba", id="70/20/10"),
        pytest.param([(100, "2")], [OLD, NEW], "bbbb", id="all to the new"),
        pytest.param([(0, "2"), (100, "1")], [OLD, NEW], "aaaa", id="none to the new"),
    ],
)
async def test_worked_sequences(items: Sequence[tuple[int, str]], instances: Sequence[Instance], expected: str) -> None:
    callee = Callee(instances, routeRule__weather=route(*items))
    assert "".join(await callee.often(2 * len(expected))) == expected * 2


async def test_who_gets_calls_for_a_version_that_nobody_has() -> None:
    """Vector 17."""
    absent = Callee([OLD, NEW], routeRule__weather=route((100, "9.9")))
    assert Counter(await absent.often(10)) == {"a": 5, "b": 5}
    strict = Callee([OLD, NEW], routeRule__weather=route((100, "9.9"), further=", emptyProtection: false"))
    with pytest.raises(NoInstanceError, match=r"no instance of weather: nobody, because .* emptyProtection: false"):
        await strict.once()
    assert strict.called == []
    tagged = Callee(
        [OLD, NEW], routeRule__weather="[{route: [{weight: 100, tags: {tagX: a}}], emptyProtection: false}]"
    )
    assert Counter(await tagged.often(10)) == {"a": 5, "b": 5}, "a tag that an instance does not have fits"


async def test_a_rule_of_its_own_replaces_the_rule_for_all() -> None:
    """Vector 18."""
    values = {"routeRule__weather": route((100, "1")), "globalRouteRule": route((100, "2"))}
    callee = Callee([OLD, NEW], **values)
    assert set(await callee.often(6)) == {"a"}
    callee.set(globalRouteRule=values["globalRouteRule"])
    assert set(await callee.often(6)) == {"b"}
    callee.set()
    assert set(await callee.often(6)) == {"a", "b"}


async def test_a_broken_list_of_rules_routes_nothing_and_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """Vector 19."""
    caplog.set_level(logging.WARNING)
    callee = Callee([OLD, NEW], routeRule__weather="- route: [{weight: 100")
    assert Counter(await callee.often(10)) == {"a": 5, "b": 5}
    assert len([record for record in caplog.records if "rule.ignored" in record.getMessage()]) == 1


LANES = """
- precedence: 100
  match: { headers: { x_cse_canary: { exact: gray } } }
  route:    [ { weight: 100, tags: { cas_lane_tag: gray } } ]
  fallback: [ { weight: 100, tags: { cas_lane_tag: base } } ]
- precedence: 1
  route:    [ { weight: 100, tags: { cas_lane_tag: base } } ]
"""
BASE, GRAY = (
    Instance("base", properties={"cas_lane_tag": "base"}),
    Instance("gray", properties={"cas_lane_tag": "gray"}),
)


@pytest.mark.parametrize(
    ("lane", "instances", "expected"),
    [
        pytest.param("gray", [BASE, GRAY], {"gray"}, id="gray goes to gray"),
        pytest.param("gray", [BASE], {"base"}, id="gray goes to base where there is no gray"),
        pytest.param("gray", [OLD, NEW], {"a", "b"}, id="a service without lanes is called as it is"),
        pytest.param("base", [BASE, GRAY], {"base"}, id="base goes to base"),
        pytest.param("", [BASE, GRAY], {"base"}, id="without a lane calls go to base"),
    ],
)
async def test_lanes(lane: str, instances: Sequence[Instance], expected: set[str]) -> None:
    """Vector 20: the lane is in the context of the call, not in a header of its own."""
    callee = Callee(instances, globalRouteRule=LANES)
    context = {"x_cse_canary": lane} if lane else {}
    assert {await callee.once(calling(**context)) for _ in range(10)} == expected


async def test_a_header_goes_before_the_context() -> None:
    callee = Callee([BASE, GRAY], globalRouteRule=LANES)
    assert await callee.once(calling({"X_CSE_Canary": "red"}, x_cse_canary="gray")) == "base"
    assert await callee.once(calling({"X_CSE_Canary": "gray"}, x_cse_canary="base")) == "gray"


async def test_a_match_group_that_a_rule_refers_to_sees_the_context() -> None:
    callee = Callee(
        [OLD, NEW],
        matchGroup__vip="matches: [{headers: {level: {compare: '>3'}}, method: [GET], serviceName: weather}]",
        routeRule__weather="[{match: {refer: vip}, route: [{weight: 100, tags: {version: '2'}}]}]",
    )
    for level, expected in (("4", {"b"}), ("3", {"a", "b"})):
        assert {await callee.once(calling({"host": "x"}, level=level)) for _ in range(4)} == expected


async def test_a_header_goes_before_the_context_in_a_match_group_too() -> None:
    callee = Callee(
        [OLD, NEW],
        matchGroup__vip="matches: [{headers: {level: {exact: '4'}}}]",
        routeRule__weather="[{match: {refer: vip}, route: [{weight: 100, tags: {version: '2'}}]}]",
    )
    assert {await callee.once(calling({"Level": "3"}, level="4")) for _ in range(4)} == {"a", "b"}


async def test_all_that_a_match_asks_for_counts_beside_the_context() -> None:
    match = "{headers: {x_cse_canary: {exact: gray}, host: {exact: x}}, apiPath: {prefix: /}, method: [GET]}"
    callee = Callee(
        [OLD, NEW], routeRule__weather=f"[{{match: {match}, route: [{{weight: 100, tags: {{version: '2'}}}}]}}]"
    )
    for host, expected in (("x", {"b"}), ("y", {"a", "b"})):
        call = [calling({"Host": host, "accept": "all"}, x_cse_canary="gray", user="tom") for _ in range(4)]
        assert {await callee.once(one) for one in call} == expected


async def test_the_highest_precedence_that_matches_counts_alone() -> None:
    rules = """
    - precedence: 1
      route: [{weight: 100, tags: {version: '1'}}]
    - precedence: 2
      match: {headers: {type: {regex: 'gray[a-z]*'}}}
      route: [{weight: 100, tags: {version: '2'}}]
    """
    callee = Callee([OLD, NEW], routeRule__weather=rules)
    assert await callee.often(3, type="grayish") == ["b", "b", "b"]
    assert await callee.often(3, type="plain") == ["a", "a", "a"]
    assert await callee.often(3) == ["a", "a", "a"]


async def test_a_fallback_has_its_own_shares() -> None:
    """It is drawn from only where the route has nobody."""
    fallback = "fallback: [{weight: 50, tags: {version: '2'}}, {weight: 50, tags: {version: '3'}}]"
    callee = Callee([OLD, NEW, NEWEST], routeRule__weather=route((50, "1"), (50, "9"), further=f", {fallback}"))
    assert "".join(await callee.often(8)) == "abacabac"


async def test_draws_go_on_while_instances_come_and_go_and_begin_anew_with_the_rules() -> None:
    callee = Callee([OLD, NEW], routeRule__weather=route((50, "1"), (50, "2")))
    assert await callee.often(3) == ["a", "b", "a"]
    callee.instances = (OLD, NEW, Instance("d", "9"))
    assert await callee.often(2) == ["b", "a"]
    callee.set(routeRule__weather=route((50, "1"), (50, "2")), routeRule__other=route((100, "1")))
    assert await callee.often(1) == ["b"], "rules of others do not count"
    callee.set(routeRule__weather=route((50, "1"), (50, "2"), further=", precedence: 3"))
    assert await callee.often(3) == ["a", "b", "a"]


async def test_each_callee_of_the_rule_for_all_has_draws_of_its_own() -> None:
    callee = Callee([OLD, NEW], globalRouteRule=route((50, "1"), (50, "2")))
    assert await callee.once() == "a"
    other = calling()
    other.service = "forecast"
    assert await callee.once(other) == "a"
    assert await callee.once() == "b"


async def test_calls_of_a_share_go_round_within_it() -> None:
    """The draws alternate, and both instances of a version still get as many calls."""
    pair = [Instance("a1", "1"), Instance("a2", "1"), Instance("b1", "2"), Instance("b2", "2")]
    callee = Callee(pair, routeRule__weather=route((50, "1"), (50, "2")))
    assert Counter(await callee.often(100)) == {"a1": 25, "a2": 25, "b1": 25, "b2": 25}


async def test_draws_are_metrics() -> None:
    callee = Callee([OLD, NEW], routeRule__weather=route((75, "1"), (25, "2")))
    await callee.often(9)
    registry = CollectorRegistry()
    registry.register(RuleCollector(callee.rules.processors))
    text = generate_latest(registry).decode()
    name = 'name="servicecomb.routeRule.weather"'
    assert f'servicecomb_routeRule_draws{{item="route 1",{name},precedence="0"}} 7.0' in text
    assert f'servicecomb_routeRule_draws{{item="route 2",{name},precedence="0"}} 2.0' in text


DARK = """{"policyType": "%s", "ruleItems": [
    {"groupName": "new", "groupCondition": "version=2,3", "policyCondition": "%s"}]}"""


@pytest.mark.parametrize(("dice", "expected"), [(29, "b"), (30, "a")])
async def test_dark_launch_by_rate(dice: int, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Vector 27."""
    callee = Callee([OLD, NEW], darklaunch__policy__weather=DARK % ("RATE", "30"))
    monkeypatch.setattr(callee.pick._dice, "randrange", lambda most: dice if most == 100 else 0)
    assert await callee.once() == expected


async def test_dark_launch_by_rule() -> None:
    callee = Callee([OLD, NEW], darklaunch__policy__weather=DARK % ("RULE", "uid<100"))
    assert await callee.often(2, uid="99") == ["b", "b"]
    assert await callee.often(2, uid="100") == ["a", "a"]
    assert await callee.once(calling(uid="5")) == "b", "the context counts, too"
    assert await callee.often(2) == ["a", "a"]


async def test_dark_launch_of_groups_that_have_nobody() -> None:
    callee = Callee([OLD, Instance("d", "1")], darklaunch__policy__weather=DARK % ("RULE", "uid<100"))
    assert set(await callee.often(4, uid="99")) == {"a", "d"}, "its group is empty: the default group"
    callee.instances = (NEW, NEWEST)
    assert set(await callee.often(4, uid="100")) == {"b", "c"}, "the default group is empty: all"


async def test_route_rules_go_before_a_dark_launch() -> None:
    callee = Callee([OLD, NEW], darklaunch__policy__weather=DARK % ("RATE", "100"), globalRouteRule=route((100, "1")))
    assert await callee.often(3) == ["a", "a", "a"]
    callee.set(darklaunch__policy__weather=DARK % ("RATE", "100"))
    assert await callee.often(3) == ["b", "b", "b"]


_VALUES = st.sampled_from(["1", "2", "a"])
_TAGS = st.dictionaries(st.sampled_from(["version", "zone", "lane"]), _VALUES, min_size=1)
_PROPERTIES: st.SearchStrategy[Mapping[str, str]] = st.dictionaries(st.sampled_from(["zone", "lane"]), _VALUES)
_INSTANCES = st.lists(st.tuples(_VALUES, _PROPERTIES), min_size=1, max_size=5).map(
    lambda some: tuple(Instance(f"i{number}", *one) for number, one in enumerate(some))
)
_ITEMS = st.builds(RouteItem, st.integers(0, 25), _TAGS)
_RULES = st.builds(
    RouteRule,
    route=st.lists(_ITEMS, min_size=1, max_size=4).map(tuple),
    fallback=st.lists(_ITEMS, max_size=4).map(tuple),
    empty_protection=st.booleans(),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 33), min_size=1, max_size=3), st.integers(1, 3))
async def test_shares_are_exact(shares: list[int], hundreds: int) -> None:
    everyone = [Instance(f"i{version}", str(version)) for version in range(len(shares) + 1)]
    items = [(share, str(version)) for version, share in enumerate(shares)]
    callee = Callee(everyone, routeRule__weather=route(*items))
    counts = Counter(versions(await callee.often(100 * hundreds), everyone))
    assert [counts[str(version)] for version in range(len(shares))] == [share * hundreds for share in shares]


@settings(max_examples=30, deadline=None)
@given(_RULES, _INSTANCES)
async def test_calls_go_where_the_preview_says(rule: RouteRule, instances: tuple[Instance, ...]) -> None:
    """The preview and the calls are of one mind: nobody else is called, and the shares are those."""
    callee = Callee(instances, routeRule__weather=print_rule(RouteRules("weather", (rule,))))
    calls = 10_000 if rule.fallback else 100  # after so many, all shares are whole
    shares: Counter[tuple[str, ...]] = Counter()
    for outcome in Plan(rule, instances).outcomes():
        shares[tuple(one.instance_id for one in outcome.instances)] += int(outcome.share * calls)
    counts: Counter[str] = Counter()
    for _ in range(calls):
        try:
            counts[await callee.once()] += 1
        except NoInstanceError:
            counts[""] += 1
    expected: Counter[str] = Counter()
    for names in shares:
        expected.update(names or [""])
    assert set(counts) <= set(expected)
    for names, share in shares.items():
        if all(expected[name] == 1 for name in names or [""]):
            assert sum(counts[name] for name in names or [""]) == share

"""The conformance vectors of the protocol notes (governance, section 9) that concern what rules mean, each by its number.

Those that concern a running chain, a gateway or a stopping service belong to the parts that enforce rules: `ELSEWHERE`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TypeVar

import pytest

from governance.rules.access import AccessPart, access_list
from governance.rules.check import Rule, check
from governance.rules.conditions import compares
from governance.rules.darklaunch import DarkLaunch
from governance.rules.distribution import Plan, draw, effective, weights_of
from governance.rules.legacy import Setting, Settings, qps_limit, setting_of
from governance.rules.marker import MatchGroup, Request, in_scope
from governance.rules.policies import CircuitBreaker, FaultInjection, RateLimiting, Retry, status_matches
from governance.rules.problems import Code, Severity
from governance.rules.routes import RouteRules, first_match
from governance.rules.security import SecurityPart, security_policy
from governance.rules.selection import OwnService, applied

Kind = TypeVar("Kind")


@dataclass(frozen=True)
class Instance:
    """One of a callee."""

    name: str
    version: str
    properties: Mapping[str, str] = field(default_factory=dict)


OLD, NEW = Instance("old", "1.0.0"), Instance("new", "2.0.0")


def _rule(kind: type[Kind], key: str, value: str) -> Kind:
    rule: Rule | None = check(key, value).rule
    assert isinstance(rule, kind)
    return rule


def _group(value: str, name: str = "g") -> MatchGroup:
    return _rule(MatchGroup, f"servicecomb.matchGroup.{name}", value)


def _routes(value: str, key: str = "servicecomb.routeRule.weather") -> RouteRules:
    return _rule(RouteRules, key, value)


def _codes(key: str, value: str) -> list[tuple[Severity, Code]]:
    return [(one.severity, one.code) for one in check(key, value).problems]


def _drawn(weights: list[int], times: int) -> list[int]:
    """The places of draws that follow each other."""
    current: tuple[int, ...] = (0,) * len(weights)
    places = []
    for _ in range(times):
        place, current = draw(weights, current)
        places.append(place)
    return places


def _went(rules: RouteRules, request: Request, instances: tuple[Instance, ...]) -> dict[str, Fraction]:
    """Share by names of instances."""
    rule = first_match(rules, request)
    assert rule is not None
    return {
        "+".join(one.name for one in outcome.instances): outcome.share for outcome in Plan(rule, instances).outcomes()
    }


def test_1_a_header_without_an_operator_never_matches() -> None:
    group = _group("matches: [{apiPath: {prefix: /a}, headers: {x: {}}}]")
    assert not group.holds(Request("/a", headers={"x": ""}))
    assert not group.holds(Request("/a", headers={"x": "1"}))
    assert _group("matches: [{apiPath: {prefix: /a}}]").holds(Request("/a"))


def test_2_methods_are_upper_case() -> None:
    assert not _group("matches: [{method: [get]}]").holds(Request(method="GET"))
    assert _group("matches: [{method: [GET]}]").holds(Request(method="GET"))


def test_3_an_item_that_asks_for_nothing_matches_all() -> None:
    assert _group("matches: [{}]").holds(Request("/any", "DELETE"))


def test_4_numbers_compare_as_numbers() -> None:
    assert compares(">=3", "3.0")
    assert not compares("==3", "3")
    assert _codes("servicecomb.matchGroup.g", 'matches: [{headers: {a: {compare: "==3"}}}]') == [
        (Severity.ERROR, Code.COMPARE)
    ]


def test_5_the_lowest_order_applies() -> None:
    policies = [
        _rule(RateLimiting, f"servicecomb.rateLimiting.{name}", f"order: {order}")
        for name, order in (("a", 1), ("b", 0))
    ]
    groups = {name: _group("matches: [{}]", name) for name in "ab"}
    chosen = applied(policies, groups, Request(), OwnService("weather"))
    assert chosen is policies[1]
    del groups["b"]
    assert applied(policies, groups, Request(), OwnService("weather")) is policies[0]


def test_6_a_policy_with_a_wrong_duration_is_none() -> None:
    checked = check("servicecomb.retry.g", "waitDuration: 500ms")
    assert checked.rule is None
    assert [one.instead for one in checked.problems] == ["write 500 or 0.5S"]


def test_an_empty_text_means_the_default() -> None:
    """Section 1.7, as Java reads it."""
    limit = _rule(RateLimiting, "servicecomb.rateLimiting.g", "rate: 2\nlimitRefreshPeriod: ''")
    assert (limit.rate, limit.limit_refresh_period) == (2, 1000)
    assert _rule(CircuitBreaker, "servicecomb.circuitBreaker.g", "slidingWindowSize: ''").window == 100
    assert check("servicecomb.faultInjection.g", "delayTime: ''").rule is None


def test_8_an_x_in_a_status_is_any_digit() -> None:
    retry = _rule(Retry, "servicecomb.retry.g", "retryOnResponseStatus: [5xx]")
    assert status_matches(retry.retry_on_response_status, 500)
    assert not status_matches(retry.retry_on_response_status, 404)


def test_10_force_open_has_no_effect_on_a_provider() -> None:
    assert _codes("servicecomb.circuitBreaker.g", "forceOpen: true") == [(Severity.WARNING, Code.NO_EFFECT)]
    assert _rule(CircuitBreaker, "servicecomb.circuitBreaker.g", "forceOpen: true").force_open


def test_11_and_12_the_share_of_faults_is_deterministic() -> None:
    def fired(percentage: int, calls: int) -> list[int]:
        fault = _rule(FaultInjection, "servicecomb.faultInjection.g", f"type: abort\npercentage: {percentage}")
        return [call for call in range(1, calls + 1) if fault.fires(call)]

    assert fired(50, 6) == [2, 4, 6]
    assert fired(10, 20) == [10, 20]
    assert fired(100, 3) == [1, 2, 3]
    assert fired(-1, 100) == []
    assert not _rule(FaultInjection, "servicecomb.faultInjection.g", "percentage: 100\nforceClosed: true").fires(1)


def _settings(values: Mapping[str, str]) -> Settings:
    return Settings(_rule(Setting, f"servicecomb.{key}", value) for key, value in values.items())


def test_13_a_forced_fallback_and_its_policy() -> None:
    target = ("forecast", "forecast", "show")
    degraded = _settings(
        {"fallback.Consumer.forecast.force": "true", "fallbackpolicy.Consumer.forecast.policy": "ReturnNull"}
    )
    assert setting_of(degraded, "fallback", "Consumer", "force", target) is True
    assert setting_of(degraded, "fallbackpolicy", "Consumer", "policy", target) == "returnnull"
    assert setting_of(Settings(), "fallback", "Consumer", "force", target) is False
    assert setting_of(degraded, "fallback", "Consumer", "force", ("weather", "a", "b")) is False


def test_14_an_operations_setting_beats_its_services() -> None:
    both = _settings({"fallback.Consumer.forecast.s.show.force": "false", "fallback.Consumer.forecast.force": "true"})
    assert setting_of(both, "fallback", "Consumer", "force", ("forecast", "s", "show")) is False
    assert setting_of(both, "fallback", "Consumer", "force", ("forecast", "s", "other")) is True


def test_15_a_limit_of_0_for_any_caller() -> None:
    limits = _settings({"flowcontrol.Provider.qps.limit.ANY": "0", "flowcontrol.Provider.qps.limit.edge": "7"})
    assert qps_limit(limits, "Provider", ("weather", "s", "o")) == ("ANY", 0)
    assert qps_limit(limits, "Provider", ("edge", "s", "o")) == ("edge", 7)
    assert qps_limit(Settings(), "Provider", ("weather", "s", "o")) == ("", 2**31 - 1)


def test_16_shares_are_drawn_in_the_order_of_the_algorithm() -> None:
    share = _routes("- route: [{weight: 20, tags: {version: 2.0.0}}]")
    plan = Plan(share.rules[0], (OLD, NEW))
    went = [plan.chosen(place, 0)[0][0].name for place in _drawn(weights_of(share.rules[0].route), 5)]
    assert went == ["old", "old", "new", "old", "old"]
    assert _drawn([50, 50], 4) == [0, 1, 0, 1]
    assert _drawn([70, 20, 10], 10) == [0, 0, 1, 0, 0, 2, 0, 0, 1, 0]


def test_17_nobody_has_the_tags() -> None:
    absent = "- route: [{weight: 100, tags: {version: '9.9'}}]"
    both = (OLD, NEW)
    assert _went(_routes(absent), Request(), both) == {"old+new": 1}
    assert _went(_routes(absent + "\n  emptyProtection: false"), Request(), both) == {"": 1}
    assert _went(_routes("- route: [{weight: 100, tags: {tagX: a}}]"), Request(), both) == {"old+new": 1}


def test_18_a_services_own_rules_replace_those_for_all() -> None:
    own = _routes("- route: [{weight: 100, tags: {version: 2.0.0}}]")
    everyone = _routes("- route: [{weight: 100, tags: {version: 1.0.0}}]", "servicecomb.globalRouteRule")
    assert effective(own, everyone) is own
    assert effective(None, everyone) is everyone


def test_19_broken_yaml_is_no_rule_and_one_problem() -> None:
    checked = check("servicecomb.routeRule.weather", "- route: [{weight: 100\n- precedence")
    assert checked.rule is None
    assert [one.code for one in checked.problems] == [Code.SYNTAX]


LANES = """
- precedence: 100
  match: { headers: { x_cse_canary: { exact: gray } } }
  route:    [ { weight: 100, tags: { cas_lane_tag: gray } } ]
  fallback: [ { weight: 100, tags: { cas_lane_tag: base } } ]
- precedence: 1
  route:    [ { weight: 100, tags: { cas_lane_tag: base } } ]
"""


def test_20_lanes() -> None:
    rules = _routes(LANES, "servicecomb.globalRouteRule")
    base, gray, red = (Instance(lane, "1.0.0", {"cas_lane_tag": lane}) for lane in ("base", "gray", "red"))
    marked = Request(headers={"x_cse_canary": "gray"})
    assert _went(rules, marked, (base, gray)) == {"gray": 1}
    assert _went(rules, marked, (base,)) == {"base": 1}
    assert _went(rules, marked, (OLD,)) == {"old": 1}
    assert _went(rules, Request(), (base, gray)) == {"base": 1}
    assert _went(rules, marked, (base, red)) == {"base": 1}


def test_22_half_and_half_is_exact_at_all_times() -> None:
    places = _drawn([50, 50], 100)
    assert [places[:calls].count(0) for calls in range(0, 101, 2)] == [*range(51)]


def test_23_blanks_in_services_count() -> None:
    assert not in_scope("a, b", "b")
    assert in_scope("a,b", "b")
    assert in_scope("a,b:1.0.0", "b", "1.0.0")
    assert not in_scope("a,b:1.0.0", "b", "1.0.1")
    assert in_scope("", "b")


def test_26_a_white_list_refuses_a_caller_that_is_not_known() -> None:
    parts = [
        _rule(AccessPart, f"servicecomb.publicKey.accessControl.white.edge.{part}", value)
        for part, value in (("category", "property"), ("propertyName", "serviceName"), ("rule", "edge*"))
    ]
    white = access_list(parts)
    assert not white.allows(None)
    assert white.allows({"serviceName": "edge-service"})
    assert not white.allows({"serviceName": "weather"})
    assert access_list(parts[:2]).allows(None), "an item that is not whole is none"


def test_26_a_caller_that_is_not_known_is_refused_by_a_security_policy() -> None:
    key = "spring.cloud.servicecomb.webmvc.publicKey.acls"
    values = {"consumer": "edge", "method": "GET", "uri": "/weather/*"}
    allow = [_rule(SecurityPart, f"{key}.action.allow[0].{part}", value) for part, value in values.items()]
    policy = security_policy([*allow, _rule(SecurityPart, f"{key}.mode", "enforcing")])
    assert policy.decide("edge", "GET", "/weather/show").allowed
    assert not policy.decide(None, "GET", "/weather/show").allowed
    assert not policy.decide("other", "GET", "/weather/show").allowed


def test_27_a_share_of_30_is_the_random_numbers_below_30() -> None:
    text = (
        '{"policyType":"RATE","ruleItems":[{"groupName":"g1","groupCondition":"version=1.0.1","policyCondition":"30"}]}'
    )
    dark = _rule(DarkLaunch, "servicecomb.darklaunch.policy.weather", text)
    assert dark.group_of_rate(29) == "g1"
    assert dark.group_of_rate(30) is None
    assert dark.group_of_instance({"version": "1.0.1"}) == "g1"
    assert dark.group_of_instance({"version": "1.0.0"}) is None


ELSEWHERE = {7, 9, 21, 24, 25}
"""Calls that are tried again, breakers, what a gateway takes from clients, isolated instances, a provider that shuts down."""
PROTOCOL = Path(__file__).parents[4] / "shared" / "protocol" / "governance.md"


@pytest.mark.skipif(not PROTOCOL.is_file(), reason="the protocol notes are not beside the checkout")
def test_every_vector_is_here_or_elsewhere() -> None:
    text = PROTOCOL.read_text(encoding="utf-8").partition("## 9.")[2].partition("## 10.")[0]
    listed = {int(number) for number in re.findall(r"(?:^|\. )([0-9]+)\. ", text, re.MULTILINE)}
    named = [re.match(r"test_([0-9]+)(?:_and_([0-9]+))?_", name) for name in globals()]
    here = {int(number) for found in named if found for number in found.groups() if number}
    assert listed == set(range(1, 28))
    assert here == listed - ELSEWHERE

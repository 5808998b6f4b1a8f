"""Which requests a traffic marker, a route rule and a policy are for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from governance.rules.check import check
from governance.rules.conditions import Condition, Operator
from governance.rules.marker import Match, MatchGroup, Request
from governance.rules.policies import KINDS, Policy, Retry
from governance.rules.routes import RouteRules, first_match, route_matches
from governance.rules.selection import Choices, OwnService, applied
from tests.unit.rules.rule_strategies import GROUPS, MATCHES, ROUTE_CONDITIONS, TEXTS, route_rules

REQUESTS = st.builds(
    Request,
    TEXTS,
    st.sampled_from(["GET", "POST"]),
    st.dictionaries(TEXTS, TEXTS | st.integers(-9, 9).map(str), max_size=3),
    st.dictionaries(TEXTS, TEXTS, max_size=2),
    st.none() | TEXTS,
    st.none() | TEXTS,
)


def _group(value: str) -> MatchGroup:
    rule = check("servicecomb.matchGroup.g", value).rule
    assert isinstance(rule, MatchGroup)
    return rule


@pytest.mark.parametrize(
    ("operator", "pattern", "holds", "does_not"),
    [
        (Operator.EXACT, "tom", ["tom"], ["Tom", "to", "", None]),
        (Operator.PREFIX, "/user", ["/user", "/users/1"], ["/use", "/User", None]),
        (Operator.SUFFIX, ".do", [".do", "a.do"], ["a.DO", "a.do/", None]),
        (Operator.CONTAINS, "b", ["abc", "b"], ["B", "", None]),
        (Operator.COMPARE, ">=3", ["3", "3.0", "4", "1e3", "2.9999999"], ["2", "", "x", None, "nan", "inf"]),
        (Operator.COMPARE, "<3", ["2", "-1"], ["3", "2.9999999", "4"]),
        (Operator.COMPARE, "=1", ["1", "1.0000001"], ["1.1", "1.00001"]),
        (Operator.COMPARE, "!1", ["2"], ["1"]),
        (Operator.COMPARE, "!=1", ["2"], ["1"]),
        (Operator.COMPARE, "==1", [], ["1", "=1"]),
        (Operator.REGEX, "gray[a-z]*", ["gray", "grayish"], ["agray", "gray1", None]),
        (Operator.NO_EQU, "a", ["b"], ["a", None]),
        (Operator.NO_LESS, "3", ["3", "4"], ["2", "x", None]),
        (Operator.NO_GREATER, "3", ["3", "2"], ["4", "x"]),
        (Operator.GREATER, "3", ["4"], ["3", "x"]),
        (Operator.LESS, "3", ["2"], ["3", "x"]),
    ],
)  # fmt: skip
def test_operators(operator: Operator, pattern: str, holds: list[str], does_not: list[str | None]) -> None:
    condition = Condition({operator: pattern})
    assert [text for text in holds if not condition.holds(text)] == []
    assert [text for text in does_not if condition.holds(text)] == []


@pytest.mark.parametrize("operators", ["prefix: ", "exact: null", "contains: ~, prefix: /", "suffix: "])
def test_an_operator_without_a_value_never_matches(operators: str) -> None:
    """As for Java: else a rule that was not written to its end would be for all requests."""
    group = _group(f"matches: [{{apiPath: {{{operators}}}}}]")
    assert not any(group.holds(Request(path)) for path in ("", "/", "/a"))


def test_all_operators_of_a_place_must_hold() -> None:
    group = _group("matches: [{apiPath: {prefix: /user, suffix: .do}}]")
    assert group.holds(Request("/user/a.do"))
    assert not group.holds(Request("/user/a"))


def test_one_match_is_enough_and_all_of_it_is_needed() -> None:
    group = _group("matches: [{method: [GET], headers: {a: {exact: b}}}, {serviceName: order}]")
    assert group.holds(Request(headers={"a": "b"}))
    assert not group.holds(Request("/", "POST", {"a": "b"}))
    assert not group.holds(Request())
    assert group.holds(Request(service_name="order"))


def test_names_of_headers_are_found_in_any_case_and_values_are_not() -> None:
    group = _group("matches: [{headers: {X-User: {exact: tom}}}]")
    assert group.holds(Request(headers={"x-user": "tom"}))
    assert not group.holds(Request(headers={"x-user": "Tom"}))


def test_of_a_header_that_is_there_twice_the_first_counts() -> None:
    twice = CIMultiDict([("X-User", "tom"), ("x-user", "eve")])
    assert _group("matches: [{headers: {x-user: {exact: tom}}}]").holds(Request(headers=twice))
    assert not _group("matches: [{headers: {x-user: {exact: eve}}}]").holds(Request(headers=twice))


def test_thousands_of_headers_and_of_matches_are_asked_for() -> None:
    asked = {f"h{n}": Condition({Operator.EXACT: str(n)}) for n in range(5000)}
    group = MatchGroup("g", (Match(headers=asked),))
    headers = {f"H{n}": str(n) for n in range(5000)}
    assert group.holds(Request(headers=headers))
    assert not group.holds(Request(headers={**headers, "H4999": ""}))
    paths = MatchGroup("g", tuple(Match(api_path=Condition({Operator.EXACT: f"/{n}"})) for n in range(5000)))
    assert paths.holds(Request("/4999"))
    assert not paths.holds(Request("/5000"))


def test_a_class_of_java_decides_nothing_here() -> None:
    assert not _group("matches: [{customMatcher: {customMatcherHandler: a.B, customMatcherParameters: c}}]").holds(
        Request()
    )
    assert _group("matches: [{customMatcher: {customMatcherHandler: a.B}}]").holds(Request())


@pytest.mark.parametrize(
    ("match", "yes", "no"),
    [
        ("headers: {region: {exact: Canton}}", Request(headers={"Region": "canton"}), Request()),
        ("headers: {region: {exact: Canton, caseInsensitive: false}}", Request(headers={"region": "Canton"}),
        Request(headers={"region": "canton"})),
        ("httpHeaders: {a: {exact: b}}", Request(headers={"a": "b"}), Request(headers={"a": "c"})),
        ("source: edge", Request(source="edge"), Request(source="other")),
        ("sourceTags: {version: '1'}", Request(source_tags={"version": "1"}), Request(source_tags={})),
        ("apiPath: {prefix: /v2}", Request("/v2/a"), Request("/v1/a")),
        ("method: [GET]", Request(), Request(method="POST")),
        ("refer: g\nheaders: {never: {exact: a}}", Request("/g"), Request("/h")),
        ("refer: unknown", None, Request("/g")),
    ],
)  # fmt: skip
def test_matches_of_route_rules(match: str, yes: Request | None, no: Request) -> None:
    indented = match.replace("\n", "\n    ")
    rules = check(
        "servicecomb.routeRule.a", f"- match:\n    {indented}\n  route: [{{weight: 100, tags: {{version: '1'}}}}]"
    ).rule
    assert isinstance(rules, RouteRules)
    markers = {"g": _group("matches: [{apiPath: {exact: /g}}]")}
    assert yes is None or first_match(rules, yes, markers) is rules.rules[0]
    assert first_match(rules, no, markers) is None


def test_the_highest_precedence_is_tried_first() -> None:
    route = "route: [{weight: 100, tags: {version: '1'}}]"
    text = f"- {{precedence: 1, {route}}}\n- {{precedence: 9, match: {{headers: {{a: {{exact: b}}}}}}, {route}}}"
    rules = check("servicecomb.routeRule.a", text).rule
    assert isinstance(rules, RouteRules)
    assert first_match(rules, Request(headers={"a": "b"})) is rules.rules[1]
    assert first_match(rules, Request()) is rules.rules[0]


def test_policies_and_groups_are_for_the_services_that_they_name() -> None:
    group = _group("services: weather\nmatches: [{}]")
    policies = [Retry(name="g", services="weather:1.0.0")]
    assert applied(policies, {"g": group}, Request(), OwnService("weather", "1.0.0")) is policies[0]
    assert applied(policies, {"g": group}, Request(), OwnService("weather", "2.0.0")) is None
    assert applied([Retry(name="g")], {"g": group}, Request(), OwnService("forecast")) is None
    assert applied(policies, {}, Request(), OwnService("weather", "1.0.0")) is None


def test_choices_are_made_once_for_many_requests() -> None:
    """In the order of `order`, then of the name; the second is taken where the first is not for the request."""
    texts = {"b": "matches: [{}]", "a": "matches: [{}]", "c": "matches: [{method: [POST]}]"}
    groups = {name: _group(text) for name, text in texts.items()}
    policies = [Retry(name="b"), Retry(name="a"), Retry(name="c", order=-1), Retry(name="none", order=-2)]
    choices = Choices(policies, groups, OwnService("weather"))
    chosen = [choices.applied(Request(method=method)) for method in ("GET", "POST", "GET")]
    assert [one and one.name for one in chosen] == ["a", "c", "a"]
    assert Choices(policies, {}, OwnService("weather")).applied(Request()) is None


def test_ten_kinds_of_policies_choose_each_its_own() -> None:
    kinds = [kind for kind in KINDS if kind not in ("contextMapper", "timeLimiter", "cache")]
    texts = {"identifierRateLimiting": "identifier: a"}
    policies = [check(f"servicecomb.{kind}.g", texts.get(kind, "{}")).rule for kind in kinds]
    group = _group(
        "matches: [{apiPath: {prefix: /other}, method: [GET]},"
        " {apiPath: {prefix: /user}, method: [GET, POST], headers: {X-User: {exact: tom}}}]"
    )
    choices = [Choices([one], {"g": group}, OwnService("weather")) for one in policies if isinstance(one, Policy)]
    headers = {"X-User": "tom", **{f"X-Other-{n}": "value" for n in range(9)}}
    assert [one.applied(Request("/user/1", "GET", headers)) for one in choices] == policies
    assert [one.applied(Request("/else", "GET", headers)) for one in choices] == [None] * 10


@given(GROUPS, REQUESTS)
def test_a_group_matches_when_one_of_its_matches_does(group: MatchGroup, request: Request) -> None:
    assert group.holds(request) == any(one.holds(request) for one in group.matches)


@given(MATCHES, REQUESTS, ROUTE_CONDITIONS)
def test_nothing_that_a_request_holds_makes_a_matcher_raise(
    match: object, request: Request, condition: Condition
) -> None:
    for text in (*request.headers.values(), None, "9" * 400, "1e999"):
        assert condition.holds(text) in (True, False)
        assert condition.holds(text, fold=True) in (True, False)


@given(route_rules(), REQUESTS)
def test_the_rule_that_counts_matches_and_none_above_it_does(rules: RouteRules, request: Request) -> None:
    found = first_match(rules, request)
    matching = [rule for rule in rules.rules if route_matches(rule.match, request, {})]
    assert found == max(matching, key=lambda rule: rule.precedence or 0, default=None)

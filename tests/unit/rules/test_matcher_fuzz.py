"""No header, parameter or path makes a matcher raise or stall, whatever its bytes are, and names of headers are found in any case."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from governance.rules.conditions import Condition, Operator
from governance.rules.darklaunch import DarkLaunch, parse_expression
from governance.rules.marker import Match, MatchGroup, Request
from governance.rules.policies import Policy
from governance.rules.regex import LONGEST_TEXT
from governance.rules.routes import RouteMatch, RouteRules, first_match
from governance.rules.security import SecurityItem, SecurityPolicy
from governance.rules.selection import Choices, OwnService
from tests.unit.rules.rule_strategies import DARK, GROUPS, MARKER_CONDITIONS, POLICIES, ROUTE_CONDITIONS, route_rules

LONG = 65_536
# A server gives bytes that are no UTF-8 as halves of characters, or as Latin-1.
BYTES = st.binary(max_size=40)
VALUES = (
    BYTES.map(lambda raw: raw.decode("utf-8", "surrogateescape"))
    | BYTES.map(lambda raw: raw.decode("latin-1"))
    | st.text(st.characters(exclude_categories=()), max_size=20)
    | st.sampled_from(["\0", "\ud800", "1\0", " 1 ", "\u0663", "\u2003" * 9, "+", "1e999", "-0", "ß", "İ", "9" * 500])
    | st.builds(lambda text, count: (text * count)[:LONG], st.text(min_size=1, max_size=3), st.just(LONG))
)
TOKENS = st.text("abcdefgXYZ0189-_.!#$%&'*+^`|~", min_size=1, max_size=12)
REQUESTS = st.builds(
    Request,
    path=VALUES,
    method=st.sampled_from(["GET", "POST"]) | VALUES,
    headers=st.dictionaries(TOKENS | VALUES, VALUES, max_size=3),
    queries=st.dictionaries(VALUES, VALUES, max_size=3),
    service_name=st.none() | VALUES,
    source=st.none() | VALUES,
    source_tags=st.dictionaries(VALUES, VALUES, max_size=2),
)


def _asking(condition: Condition, request: Request) -> Match:
    """A match that asks for everything that the request has."""
    return Match(
        api_path=condition,
        headers=dict.fromkeys(request.headers, condition),
        queries=dict.fromkeys(request.queries, condition),
    )


@given(MARKER_CONDITIONS | ROUTE_CONDITIONS, REQUESTS)
def test_no_request_makes_a_match_raise(condition: Condition, request: Request) -> None:
    asked = _asking(condition, request)
    assert asked.holds(request) in (True, False)
    route = RouteMatch(api_path=condition, headers=asked.headers, http_headers=asked.headers, queries=asked.queries)
    assert route.holds(request) in (True, False)
    for value in (request.path, *request.headers.values()):
        assert {condition.holds(value), condition.holds(value, fold=True)} <= {True, False}


@given(GROUPS, st.lists(st.one_of(*POLICIES.values()), max_size=3), REQUESTS)
def test_no_request_makes_a_choice_raise(group: MatchGroup, policies: list[Policy], request: Request) -> None:
    groups = {policy.name: group for policy in policies}
    chosen = Choices(policies, groups, OwnService("weather")).applied(request)
    assert chosen is None or chosen in policies


@given(route_rules(), GROUPS, REQUESTS)
def test_no_request_makes_a_route_raise(rules: RouteRules, group: MatchGroup, request: Request) -> None:
    found = first_match(rules, request, {group.name: group})
    assert found is None or found in rules.rules


@given(DARK, st.dictionaries(st.sampled_from(["uid", "city", "a", "c", "version"]), VALUES))
def test_no_fact_makes_a_dark_launch_raise(dark: DarkLaunch, facts: dict[str, str]) -> None:
    names = {None, *(item.group_name for item in dark.rule_items)}
    assert dark.group_of_instance(facts) in names
    assert dark.policy_type == "RATE" or dark.group_of_request(facts) in names


@given(VALUES, VALUES, VALUES)
def test_no_call_makes_a_security_policy_raise(uri: str, path: str, consumer: str) -> None:
    assert SecurityItem("a", consumer, "GET", uri).fits(path) in (True, False)
    anything = SecurityPolicy("enforcing", (SecurityItem("a", consumer, "GET", "*"),))
    assert anything.decide(consumer, "GET", path).allowed == bool(consumer)


@given(st.dictionaries(TOKENS, VALUES, min_size=1, max_size=4), st.sampled_from([str.upper, str.lower, str.swapcase]))
@settings(max_examples=200)
def test_names_of_headers_are_found_in_any_case(headers: dict[str, str], other: object) -> None:
    assert callable(other)
    folded = {name.casefold(): (name, value) for name, value in reversed(headers.items())}
    asked = {other(name): Condition({Operator.EXACT: value}) for name, value in folded.values()}
    assert Match(headers=asked).holds(Request(headers=headers))
    assert RouteMatch(headers=asked).holds(Request(headers=headers))


_NASTY = {
    "blanks": " " * LONG,
    "digits": "1" * LONG,
    "nearly a number": "1" + " " * (LONG - 2) + "x",
    "one letter": "a" * LONG,
    "letters that fold into two": "ß" * LONG,
    "halves of characters": "\ud800" * LONG,
    "nothing": "\0" * LONG,
    "as long as a pattern may look": "a" * LONGEST_TEXT,
}
_PATTERNS = {
    Operator.EXACT: "a" * LONG + "b",
    Operator.PREFIX: "a" * 1000 + "b",
    Operator.SUFFIX: "b" + "a" * 1000,
    Operator.CONTAINS: "a" * 1000 + "b" + "a" * 1000,
    Operator.COMPARE: ">=3",
    Operator.REGEX: "(a+)+(a|aa)*(.*)*b",
    Operator.NO_EQU: "a",
    Operator.NO_LESS: "3",
    Operator.NO_GREATER: "3",
    Operator.GREATER: "3",
    Operator.LESS: "3",
}


def test_every_operator_is_tried() -> None:
    assert set(_PATTERNS) == set(Operator)


@pytest.mark.parametrize("value", _NASTY.values(), ids=_NASTY)
def test_a_header_of_64_kilobytes_stalls_nothing(value: str) -> None:
    """Twenty requests with all operators twice, in seconds of the processor."""
    conditions = [Condition({operator: pattern}) for operator, pattern in _PATTERNS.items()]
    asked = [Match(headers={"x": condition}) for condition in conditions]
    folding = [RouteMatch(headers={"x": condition}) for condition in conditions]
    like = parse_expression("x~*a*aa*aaa*b*||x>a||x<=3||x=a")
    before = time.process_time()
    for _ in range(20):
        request = Request(headers={"X": value})
        for match in (*asked, *folding):
            match.holds(request)
        like.holds({"x": value}, fold=True)
    assert time.process_time() - before < 4

"""Rules within items of type yaml and properties: clients read the keys of the text, so these are checked, each where it stands."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from governance.rules.check import check
from governance.rules.problems import MOST_PROBLEMS, Code, Severity
from governance.rules.runtimes import Runtime

LISTS = """\
spring:
  cloud:
    servicecomb:
      webmvc:
        publicKey:
          access-control:
            white:
              - category: property
                propertyName: serviceName
                rule: "*edge*"
          acls:
            mode: enforcing
            action:
              allow:
                - {consumer: fusion, method: get, uri: /weather/*}
"""


def _said(value: str, value_type: str = "yaml") -> list[tuple[int, int, str, str]]:
    found = check("application.yaml", value, value_type=value_type)
    assert found.rule is None
    return [(one.line, one.column, str(one.severity), one.instead) for one in found.problems]


def test_lists_of_spring_are_checked_where_they_stand() -> None:
    assert _said(LISTS) == [
        (10, 17, "warning", "write exact, *suffix, prefix*, or * for any"),
        (15, 38, "error", "write GET"),
    ]
    assert _said(LISTS.replace("*edge*", "edge*").replace("get", "GET")) == []


def test_what_an_entry_of_a_list_lacks_is_told() -> None:
    lacking = (
        LISTS.replace("*edge*", "edge*")
        .replace("method: get, ", "")
        .replace("                propertyName: serviceName\n", "")
    )
    begin = "add spring.cloud.servicecomb.webmvc.public-key"
    assert _said(lacking) == [
        (8, 17, "warning", f"{begin}.access-control.white[0].propertyName"),
        (9, 17, "warning", f"{begin}.access-control.white[0].propertyName"),
        (11, 13, "warning", f"{begin}.acls.action.allow[0].consumer, method, uri"),
        (14, 20, "warning", f"{begin}.acls.action.allow[0].method"),
        (14, 38, "warning", f"{begin}.acls.action.allow[0].method"),
    ]


def test_a_rule_within_a_text_is_checked_with_the_line_that_is_its_own() -> None:
    value = "servicecomb:\n  retry:\n    orders: |\n      order: 1\n      maxAttempts: 0\n"
    (problem,) = check("a", value, value_type="yaml").problems
    assert (problem.line, problem.column, problem.code) == (3, 5, Code.RANGE)
    assert problem.why == "servicecomb.retry.orders, line 2, column 1: maxAttempts is 0"


def test_keys_of_a_properties_item_are_checked() -> None:
    value = "# limits\ntimeout=3\nservicecomb.fallback.Consumer.forecast.force=yes\n"
    assert _said(value, "properties") == [(3, 1, "error", "write true or false")]
    assert _said(value.replace("yes", "true"), "properties") == []


def test_runtimes_that_would_misread_are_told_there_too() -> None:
    spring = Runtime("springCloud", "1.11.11-2021.0.x")
    value = "servicecomb.flowcontrol.Consumer.qps.limit.a=1"
    (problem,) = check("a", value, [spring], value_type="properties").problems
    assert (problem.severity, problem.runtimes) == (Severity.WARNING, (spring,))


@pytest.mark.parametrize(
    ("value", "key", "line"),
    [
        ("servicecomb:\n  routeRule:\n    weather:\n      - precedence: 1\n        route: []\n", "servicecomb.routeRule.weather", 4),
        ("servicecomb:\n  globalRouteRule:\n    - precedence: 1\n    - precedence: 2\n", "servicecomb.globalRouteRule", 3),
        ("servicecomb:\n  retry:\n    orders: {maxAttempts: 2, waitDuration: 1}\n", "servicecomb.retry.orders", 3),
        ("servicecomb:\n  matchGroup:\n    orders:\n      matches:\n      - method: [GET]\n", "servicecomb.matchGroup.orders", 5),
        ("servicecomb.match.orders.matches:\n- method: [GET]\n", "servicecomb.match.orders", 2),
    ],
)  # fmt: skip
def test_a_rule_that_is_taken_apart_is_told_once(value: str, key: str, line: int) -> None:
    (problem,) = check("a", value, value_type="yaml").problems
    assert (problem.severity, problem.code, problem.line) == (Severity.ERROR, Code.VALUE_TYPE, line)
    assert problem.why == f"{key}: the rule is taken apart here, and no client finds it"


def test_a_policy_whose_name_ends_as_a_field_is_one() -> None:
    assert _said("servicecomb.retry.orders.order: 'maxAttempts: 2'\n") == []


def test_other_keys_and_texts_that_do_not_parse_are_no_rules() -> None:
    assert _said("a: 1\nservicecomb:\n  service: {name: weather}\n") == []
    assert _said("servicecomb: [") == []
    assert _said("servicecomb.retry.a=x", "text") == []


def test_what_is_merged_is_told_where_its_mapping_stands() -> None:
    value = "base: &base {force: maybe}\nservicecomb:\n  fallback:\n    Consumer: {<<: *base}\n"
    assert _said(value) == [(4, 5, "error", "write true or false")]


def test_problems_are_bounded_and_an_error_is_never_left_out() -> None:
    many = "".join(f"servicecomb.retry.r{n}=maxAttempts: 0\n" for n in range(2 * MOST_PROBLEMS))
    assert len(_said(many, "properties")) == MOST_PROBLEMS
    warned = many.replace("maxAttempts: 0", "maxAttemps: 1") + "servicecomb.retry.last=maxAttempts: 0"
    assert [one[2] for one in _said(warned, "properties")] == ["warning"] * MOST_PROBLEMS + ["error"]


_TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["servicecomb", "retry", "a", "order", "globalRouteRule", "matchGroup", "matches", "spring.cloud"])
            | st.text(max_size=3),
            inner,
            max_size=3,
        )
    ),
    max_leaves=10,
)  # fmt: skip


@given(
    _TREES.map(json.dumps) | st.text("servicecomb: .[]{}&*<\n=", max_size=40), st.sampled_from(["yaml", "properties"])
)
@example("servicecomb: &a {retry: *a}", "yaml")
@example("servicecomb: {'': {'': 1}}", "yaml")
@example("? [servicecomb]\n: 1\n", "yaml")
@example("--- {servicecomb: 1}\n--- {servicecomb: 2}\n", "yaml")
def test_no_text_makes_it_raise(value: str, value_type: str) -> None:
    found = check("a", value, value_type=value_type)
    assert found.rule is None
    assert all(one.line <= value.count("\n") + 1 for one in found.problems)

"""Laws of the rule language: what is printed is read as the same, and no text of any kind makes a check raise."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from governance.rules.check import Rule, check
from governance.rules.conditions import Operator
from governance.rules.policies import KINDS
from governance.rules.printing import print_rule
from governance.rules.problems import MOST_PARTS, MOST_PROBLEMS, Code, Severity
from governance.rules.reading import readers_of
from governance.rules.routes import RouteRule, RouteRules
from governance.rules.runtimes import Runtime
from governance.rules.yaml_nodes import compose
from tests.unit.rules.rule_strategies import KEYED

RUNTIMES = [
    Runtime("servicecomb-java-chassis", "ServiceComb:2.7.9"),
    Runtime("servicecomb-java-chassis", "ServiceComb:3.2.1"),
    Runtime("springCloud", "1.11.11-2021.0.x"),
    Runtime("go-chassis", "2.0.0"),
    Runtime("waggle-python", "0.1.0"),
]
KEYS = [
    *(f"servicecomb.{kind}.x" for kind in KINDS),
    "servicecomb.matchGroup.x", "servicecomb.routeRule.x", "servicecomb.globalRouteRule",
    "servicecomb.darklaunch.policy.x", "cse.darklaunch.policy.x",
    "servicecomb.fallback.Consumer.x.force", "servicecomb.flowcontrol.Provider.qps.limit.ANY",
    "servicecomb.governance.Consumer._global.policy.fault.protocols.rest.delay.percent",
    "servicecomb.loadbalance.x.isolation.enabled", "servicecomb.publicKey.accessControl.white.a.rule",
    "servicecomb.match.x", "spring.cloud.servicecomb.webmvc.public-key.access-control.white[0].rule",
    *(f"spring.cloud.servicecomb.webmvc.publicKey.acls.{part}" for part in ("mode", "action.allow[0].uri", "action.deny[0].method")),
]  # fmt: skip
_FIELDS = sorted(
    {name for record in (*KINDS.values(), RouteRule) for name in readers_of(record)} | {*map(str, Operator)}
)
_LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["1S", "5xx", ">=3", "(a"])
)
_TREES = st.recursive(
    _LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*_FIELDS, "matches", "tags", "weight", "ruleItems"]) | st.text(max_size=4),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(KEYED)
def test_what_is_printed_is_read_as_the_same(keyed: tuple[str, Rule]) -> None:
    key, rule = keyed
    written = print_rule(rule)
    read = check(key, written)
    assert read.rule == rule, (written, [str(one) for one in read.problems])
    assert print_rule(read.rule) == written


@given(st.sampled_from(KEYS), st.text(st.characters(exclude_categories=())))
@example("servicecomb.routeRule.x", "&a [*a]")
@example("servicecomb.retry.x", "&a\n<<: *a\nrate: 1")
@example("servicecomb.matchGroup.x", "matches: &a [*a]")
@example("servicecomb.retry.x", "{[1]: 2}")
@example("servicecomb.retry.x", "maxAttempts: !!python/object:os.system 1")
@example("servicecomb.retry.x", "maxAttempts: " + "9" * 5000)
@example("servicecomb.retry.x", "order: 1:59:59")
def test_no_text_makes_a_check_raise(key: str, text: str) -> None:
    checked = check(key, text, RUNTIMES)
    assert (checked.rule is None) == any(one.severity is Severity.ERROR for one in checked.problems)


@settings(max_examples=300)
@given(st.sampled_from(KEYS), _TREES)
def test_no_tree_of_known_names_makes_a_check_raise(key: str, tree: object) -> None:
    checked = check(key, json.dumps(tree), RUNTIMES)
    assert (checked.rule is None) == any(one.severity is Severity.ERROR for one in checked.problems)
    if checked.rule is not None:
        assert check(key, print_rule(checked.rule)).rule == checked.rule


@given(st.text(), st.text(max_size=20))
def test_no_key_makes_a_check_raise(key: str, text: str) -> None:
    check(key, text, RUNTIMES)
    for prefix in ("servicecomb", "spring.cloud.servicecomb.webmvc.publicKey.acls"):
        check(f"{prefix}.{key}", text, RUNTIMES)


@pytest.mark.parametrize("key", ["timeout", "servicecomb.service.name", "spring.cloud.x", "", "cse.retry.x"])
def test_other_keys_are_of_no_rule(key: str) -> None:
    assert check(key, "anything: [").rule is None
    assert check(key, "anything: [").problems == ()


def test_what_an_alias_multiplies_is_bounded() -> None:
    """A hundred kilobytes that mean a hundred million parts."""
    item = "&a {headers: {" + ", ".join(f"h{n}: {{exact: a}}" for n in range(2000)) + "}}"
    checked = check("servicecomb.matchGroup.x", f"matches: [{item}{', *a' * 2000}]")
    (problem,) = checked.problems
    assert (problem.code, str(MOST_PARTS) in problem.why) == (Code.SYNTAX, True)


def test_problems_are_bounded_and_an_error_is_never_left_out() -> None:
    many = "".join(f"unknown{n}: 1\n" for n in range(MOST_PROBLEMS * 2))
    checked = check("servicecomb.retry.x", many + "maxAttempts: none\n")
    assert len(checked.problems) == MOST_PROBLEMS + 1
    assert checked.problems[-1].code is Code.TYPE
    assert checked.rule is None


def test_an_item_that_merges_has_what_it_merges() -> None:
    merged = "- &a\n  precedence: 2\n  route: [{weight: 100, tags: {version: 1.0.0}}]\n- {<<: *a, precedence: 1}\n"
    rules = check("servicecomb.routeRule.x", merged).rule
    assert isinstance(rules, RouteRules)
    assert [(rule.precedence, rule.route) for rule in rules.rules] == [
        (2, rules.rules[0].route),
        (1, rules.rules[0].route),
    ]


def test_a_text_of_unknown_fields_takes_no_time_to_speak_of() -> None:
    """In seconds of the processor, and without what reading YAML takes."""
    text = json.dumps({f"maxAttempt{n}": n for n in range(5_000)})
    before = time.process_time()
    assert len(check("servicecomb.retry.x", text).problems) == MOST_PROBLEMS
    reading = time.process_time()
    compose(text)
    assert reading - before < 2 * (time.process_time() - reading) + 1


def test_the_message_about_many_rules_is_short() -> None:
    rules = [{"precedence": n, "route": [{"weight": 100, "tags": {"version": "1"}}]} for n in range(500)]
    (problem,) = check("servicecomb.routeRule.x", json.dumps(rules)).problems
    assert (problem.code, len(problem.why) < 200) == (Code.SHADOWED, True)

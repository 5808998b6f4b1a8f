"""Rules as forms and as texts: nothing is lost on the way there and back, and what would be stays a text."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from governance.rules.check import Rule, check
from governance.rules.printing import print_rule
from registry.console.rule_text import StaysTextError, posted, rows, text_of, tree_of
from tests.unit.rules.rule_strategies import KEYED
from tests.unit.test_docs_rules import EXAMPLES, SCALARS

RETRY = "servicecomb.retry.orders"


@pytest.mark.parametrize(("key", "text"), EXAMPLES + SCALARS)
def test_every_example_has_a_form_that_says_the_same(key: str, text: str) -> None:
    tree = tree_of(key, text)
    assert text_of(key, tree, text) == text, "what is not changed is not written anew"
    assert check(key, text_of(key, tree)).rule == check(key, text).rule


@settings(deadline=None, max_examples=300)
@given(KEYED)
def test_no_rule_means_something_else_after_the_form(keyed: tuple[str, Rule]) -> None:
    key, rule = keyed
    text = print_rule(rule)
    try:
        tree = tree_of(key, text)
    except StaysTextError:
        return
    assert check(key, text_of(key, tree)).rule == check(key, text).rule


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("maxAttempts: 2\n# because of the bank\nwaitDuration: 10\n", 2),
        ("maxAttempts: 2 # tries\n", 1),
        ("maxAttempts: 2\nmaxAtempts: 3\n", 2),
        ("maxAttempts: &two 2\n", 1),
        ("maxAttempts: [2]\n", 1),
        ("maxAttempts: 2\nmaxAttempts: 3\n", 2),
        ("retryOnResponseStatus: ['5xx', '']\n", 1),
        ("maxAttempts: {\n", 2),
    ],
)
def test_what_a_form_would_lose_stays_a_text_and_says_where(text: str, line: int) -> None:
    with pytest.raises(StaysTextError) as stays:
        tree_of(RETRY, text)
    assert stays.value.line == line


def test_a_hash_within_a_text_is_no_comment() -> None:
    assert tree_of("servicecomb.mapper.m", 'target: { a: "b #c" }') == {"target": {"0": {"name": "a", "value": "b #c"}}}


def test_what_a_person_types_wrongly_is_kept_and_checked() -> None:
    text = text_of(RETRY, {"maxAttempts": "many", "waitDuration": "1S", "failAfterMaxAttempts": "true"})
    assert text == 'maxAttempts: many\nwaitDuration: "1S"\nfailAfterMaxAttempts: true\n'
    assert [(one.line, one.code) for one in check(RETRY, text).problems] == [(1, "type")]


def test_fields_of_a_browser_make_a_tree() -> None:
    sent = [("f.matches.10.name", "b"), ("f.matches.2.name", "a\r\nc"), ("other", "x"), ("f.a.b", "1"), ("f.a", "2")]
    tree = posted(sent, "f")
    assert tree == {"matches": {"10": {"name": "b"}, "2": {"name": "a\nc"}}, "a": "2"}
    assert [name for name, _ in rows(tree["matches"])] == ["2", "10"]
    assert posted([("f." + "a." * 50 + "b", "1"), ("f.a", "1"), ("f.a.b", "2")], "f") == {"a": {"b": "2"}}


def test_an_empty_form_says_nothing_and_a_policy_of_defaults_is_in_order() -> None:
    assert check(RETRY, text_of(RETRY, {})).rule is not None

"""Forms of rules: what a field shows of the rule language, and where what is wrong is said."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from governance.rules.fields import fields_of
from registry.console.pages.governance.editing import acted, key_of, placed
from registry.console.rule_text import Tree
from registry.console.widgets import Said, Widget, widgets_of


def say(text: str, **names: object) -> str:
    """English."""
    return text.format(**names)


def made(kind: str, tree: dict[str, Tree], said: Said | None = None) -> dict[str, Widget]:
    """All widgets of a form by their names."""

    def all_of(widgets: Sequence[Widget]) -> Iterator[Widget]:
        for one in widgets:
            yield one
            for row in one.rows:
                yield from all_of(row.widgets)

    return {one.name: one for one in all_of(widgets_of(fields_of(kind), tree, said or Said(say, ())))}


@pytest.mark.parametrize(
    ("kind", "name", "about"),
    [
        ("retry", "f.maxAttempts", "further tries · 1 or more · default 3"),
        ("retry", "f.multiplier", "RandomBackoff: each wait is so many times the one before · above 0 · default 2"),
        (
            "faultInjection",
            "f.delayTime",
            "delay: how long · milliseconds, or as 1S, 0.5S, 1M30S; 0 ms or more · default 0",
        ),
        ("faultInjection", "f.percentage", "share of calls; -1 is off · -1 to 100 · default -1"),
        ("identifierRateLimiting", "f.identifier", "name of the header · required"),
        ("retry", "f.retryOnResponseStatus", "statuses; x is any digit, as 5xx · default 502, 503"),
    ],
)
def test_a_field_says_what_it_is_its_bounds_and_its_default(kind: str, name: str, about: str) -> None:
    assert made(kind, {})[name].about == about


def test_what_is_required_comes_first_and_what_all_policies_have_last() -> None:
    names = list(made("identifierRateLimiting", {}))
    assert (names[0], names[-2:]) == ("f.identifier", ["f.services", "f.order"])


def test_conditions_are_rows_and_lists_of_records_have_their_fields() -> None:
    tree: dict[str, Tree] = {
        "matches": {"3": {"headers": {"0": {"name": "type", "operator": "exact", "value": "gray"}}}}
    }
    found = made("matchGroup", tree)
    (row,) = found["f.matches.3.headers"].rows
    assert (row.path, row.name, row.operator, row.value) == ("f.matches.3.headers.0", "type", "exact", "gray")
    assert "compare" in found["f.matches.3.headers"].options
    assert found["f.matches.3.headers"].used
    assert not found["f.matches.3.queries"].used


def test_what_is_wrong_is_said_at_its_field_or_at_the_whole_that_lacks_it() -> None:
    key = "servicecomb.routeRule.weather"
    text = "- route:\n    - weight: 100\n"
    lacks = {"severity": "error", "line": 2, "column": 7, "why": "tags is missing", "instead": "add tags"}
    (wrong,) = placed(key, text, [lacks])
    assert (wrong.way, wrong.text, wrong.error) == ((0, "route", 0), "tags is missing: add tags", True)
    high = {"severity": "error", "line": 2, "column": 7, "why": "weight is -1", "instead": ""}
    assert placed(key, text, [high])[0].way == (0, "route", 0, "weight")
    tree: dict[str, Tree] = {"": {"0": {"route": {"0": {"weight": "-1"}}}}}
    found = made("routeRule", tree, Said(say, placed(key, text, [high])))
    assert found["f..0.route.0.weight"].invalid
    assert not found["f..0.route"].invalid


def test_a_warning_is_no_reason_to_call_a_field_invalid() -> None:
    warned = {"severity": "warning", "line": 1, "column": 1, "why": "rate is odd", "instead": ""}
    found = made("rateLimiting", {"rate": "1"}, Said(say, placed("servicecomb.rateLimiting.a", "rate: 1", [warned])))
    assert [one.text for one in found["f.rate"].problems] == ["rate is odd"]
    assert not found["f.rate"].invalid


def test_rows_are_added_after_the_last_and_removed_by_their_number() -> None:
    tree: dict[str, Tree] = {"matches": {"0": {"name": "a"}, "7": {"name": "b"}}}
    assert acted(tree, "add f.matches")["matches"] == {"0": {"name": "a"}, "7": {"name": "b"}, "8": {}}
    assert acted(tree, "remove f.matches.0")["matches"] == {"7": {"name": "b"}, "8": {}}
    assert acted({}, "add f.matches.0.headers") == {"matches": {"0": {"headers": {"0": {}}}}}
    for nonsense in ("", "add", "add f", "remove f.matches.9.x.y", "drop f.matches"):
        assert acted({"matches": "x"}, nonsense) == {"matches": "x"}


@pytest.mark.parametrize(
    ("kind", "name", "key"),
    [
        ("retry", "reads", "servicecomb.retry.reads"),
        ("darklaunch", "weather", "servicecomb.darklaunch.policy.weather"),
        ("globalRouteRule", "", "servicecomb.globalRouteRule"),
    ],
)
def test_a_new_rule_has_the_key_of_its_kind(kind: str, name: str, key: str) -> None:
    assert key_of(kind, name) == key

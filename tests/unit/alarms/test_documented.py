"""docs/alarms.md has the metrics and the built-in rules as they are."""

from __future__ import annotations

from pathlib import Path

from registry.alarms.builtin import BUILT_IN
from registry.alarms.measures import MEASURES, REPORTED
from registry.alarms.rules import FIELDS

PAGE = (Path(__file__).parents[3] / "docs" / "alarms.md").read_text(encoding="utf-8")


def _rows(heading: str) -> list[list[str]]:
    section = PAGE.partition(f" {heading}\n")[2].partition("\n## ")[0].partition("\n### ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_every_metric_is_there_with_its_unit() -> None:
    documented = {row[0].strip("`"): (row[1], row[2]) for row in _rows("Metrics")}
    assert documented == {one.name: (one.scope.value, one.unit) for one in MEASURES.values()}


def test_every_built_in_rule_is_there_as_it_is() -> None:
    documented = {row[0].strip("`"): row[1:] for row in _rows("Built-in rules")}
    assert documented.keys() == BUILT_IN.keys()
    for name, rule in BUILT_IN.items():
        metric, severity, raised, cleared, seconds = documented[name]
        assert (metric, severity) == (f"`{rule.metric}`", rule.severity)
        if rule.metric != REPORTED:
            side = "below" if rule.below else "above"
            assert (raised, cleared, seconds) == (f"{side} {rule.threshold:g}", f"{rule.clear:g}", f"{rule.seconds:g}")


def test_every_member_of_a_rule_is_there() -> None:
    named = {name.strip(" `") for row in _rows("Rules") for name in row[0].split(",")}
    assert named == set(FIELDS)

"""What lanes ask of route rules: one rule for all services, with one rule of it for each lane."""

from __future__ import annotations

from governance.rules.problems import Code, Notes
from governance.rules.routes import RouteRules

LANE_TAG = "cas_lane_tag"
"""The property of an instance that says its lane."""


def labels_of(routes: RouteRules) -> list[tuple[int, str]]:
    """Place of the rule and label, of all rules that lead to a lane."""
    return [
        (index, item.tags[LANE_TAG])
        for index, rule in enumerate(routes.rules)
        for item in rule.route
        if LANE_TAG in item.tags
    ]


def check_labels(routes: RouteRules | None, notes: Notes) -> None:
    """A lane has one rule: of two for one label, the second would never be used."""
    rule_of: dict[str, int] = {}
    for index, label in labels_of(routes) if routes is not None else ():
        if rule_of.setdefault(label, index) != index:
            notes.error((index,), Code.TWICE, f"the lane {label[:100]} has two rules", "keep one rule for each lane")

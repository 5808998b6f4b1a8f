"""What lanes ask of route rules: one rule for all services, with one rule of it for each lane."""

from __future__ import annotations

from governance.rules.problems import Code, Notes
from governance.rules.routes import RouteRules
from governance.rules.runtimes import Family, Runtime

LANE_TAG = "cas_lane_tag"
"""The property of an instance that says its lane."""
_SPRING = (1, 11, 5)
_CHASSIS = (2, 8, 14)


def labels_of(routes: RouteRules) -> list[tuple[int, str]]:
    """Place of the rule and label, of all rules that lead to a lane."""
    return [
        (index, item.tags[LANE_TAG])
        for index, rule in enumerate(routes.rules)
        for item in rule.route
        if LANE_TAG in item.tags
    ]


def check_lanes(routes: RouteRules | None, notes: Notes) -> None:
    """A lane has one rule: of two for one label, the second would never be used. What leads to lanes leads nowhere else."""
    rule_of: dict[str, int] = {}
    for index, label in labels_of(routes) if routes is not None else ():
        if rule_of.setdefault(label, index) != index:
            notes.error((index,), Code.TWICE, f"the lane {label[:100]} has two rules", "keep one rule for each lane")
    for index, rule in enumerate(routes.rules if routes is not None else ()):
        for name, items in (("route", rule.route), ("fallback", rule.fallback)):
            total = sum(item.weight for item in items)
            if total < 100 and any(LANE_TAG in item.tags for item in items):
                why = f"the weights of lanes add up to {total}, and the rest would go to instances outside of them"
                notes.error((index, name), Code.SUM, why, "write weights that add up to 100")


def hindrance(runtime: Runtime) -> str:
    """Why services of a runtime cannot follow lanes; empty where they can, or nobody knows.

    It takes a rule for all services, a fallback in it, and tags of instances: without one of these, gray requests end elsewhere or nowhere.
    """
    if runtime.family is Family.GO:
        return f"{runtime} knows no fallback: a service without an instance in the lane would answer 503"
    if runtime.family is Family.SPRING and runtime.numbers < _SPRING:
        return f"{runtime} knows no fallback in route rules: Spring Cloud Huawei does from 1.11.5 on"
    if runtime.family is Family.CHASSIS_2 and runtime.numbers < _CHASSIS:
        return f"{runtime} knows no rule for all services with a fallback: Java Chassis does from 2.8.14 on"
    return ""

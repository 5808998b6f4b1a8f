"""The rules that are there before anybody writes one: a rule of the same name changes one or switches it off. docs/alarms.md lists them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from registry.alarms.measures import MEASURES, REPORTED, Scope
from registry.alarms.rules import Rule, rule_of

BACKEND = "BackendConnectionRefuse"
"""The journal cannot store changes. The name is the original's, as is the next. Protocol: Service Center section 11.2."""
INTERNAL = "InternalError"
"""A request was answered by 500 or above."""
GRAY = "GrayRelease"
"""A gray release broke a bound; its item is the source."""

_RULES: Sequence[Mapping[str, object]] = (
    {"name": BACKEND, "metric": REPORTED, "severity": "critical", "note": "the journal cannot store changes"},
    {"name": INTERNAL, "metric": REPORTED, "severity": "major", "note": "a defect: the log has its traceback"},
    {"name": GRAY, "metric": REPORTED, "severity": "major", "note": "a gray release broke a bound"},
    {"name": "no-instances", "metric": "instances-up", "severity": "critical", "raise": 1, "for": 30},
    {"name": "instances-lost", "metric": "instances-lost", "severity": "major", "raise": 50, "clear": 20, "for": 30},
    {
        "name": "failing",
        "metric": "failure-rate",
        "severity": "major",
        "raise": 10,
        "clear": 5,
        "for": 30,
        "minRate": 0.5,
    },
    {"name": "slow", "metric": "p99", "severity": "minor", "raise": 5000, "clear": 4000, "for": 60, "minRate": 0.5},
    {"name": "breaker-open", "metric": "breaker-open", "severity": "minor", "raise": 0, "for": 10, "clearFor": 30},
    {"name": "busy", "metric": "cpu", "severity": "minor", "raise": 90, "clear": 80, "for": 120, "per": "instance"},
    {"name": "quota-services", "metric": "quota-services", "severity": "minor", "raise": 80, "clear": 75},
    {"name": "quota-instances", "metric": "quota-instances", "severity": "minor", "raise": 80, "clear": 75},
    {"name": "quota-config", "metric": "quota-config", "severity": "minor", "raise": 80, "clear": 75},
    {"name": "engine-lag", "metric": "event-loop-lag", "severity": "major", "raise": 1, "clear": 0.5, "for": 60},
    {"name": "self-preservation", "metric": "protected-instances", "severity": "major", "raise": 0, "for": 10},
    {"name": "journal-queue", "metric": "journal-queue", "severity": "major", "raise": 80, "clear": 50, "for": 30},
    {"name": "disk", "metric": "disk-free", "severity": "major", "raise": 512, "clear": 1024, "for": 60},
    {"name": "engine-memory", "metric": "engine-memory", "severity": "major", "raise": 80, "clear": 70, "for": 60},
    {"name": "connections", "metric": "connections", "severity": "minor", "raise": 80, "clear": 70, "for": 30},
    {"name": "certificate", "metric": "certificate-days", "severity": "major", "raise": 14, "clear": 15},
    {"name": "certificate-ends", "metric": "certificate-days", "severity": "critical", "raise": 2, "clear": 3},
)
BUILT_IN: Mapping[str, Rule] = {rule.name: rule for rule in map(rule_of, _RULES)}


def of_engine(rule: str, metric: str) -> bool:
    """Whether a rule is about the engine, which belongs to the default tenant alone; a gray release is of its own tenant."""
    return MEASURES[metric].scope is Scope.ENGINE and rule != GRAY

"""Alarm rules: what is read of their documents, and whether a number is wrong or right again by one.

A number between the two thresholds changes nothing: what is raised stays so, and what is not is not raised.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from registry.alarms.measures import GRAINS, MEASURES, PARTS, REPORTED, Scope, Source, listed
from registry.errors import invalid

SEVERITIES = ("critical", "major", "minor", "warning")
"""From the worst to the least."""
LONGEST_SECONDS = 86400.0
_LARGEST = 1e12
_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,63}", re.ASCII)
_PATTERN_LENGTH = 160
_NOTE_LENGTH = 500
ANY = "*"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. Times are seconds; `patterns` say by part of a source's name which sources it is about, `*` stands for any text.

    Of calls of which there are fewer than `min_rate` a second, nothing is measured but how many there are.
    """

    name: str
    metric: str
    severity: str
    threshold: float = 0.0
    clear: float = 0.0
    below: bool = False
    seconds: float = 0.0
    clear_seconds: float = 0.0
    per: str = ""
    min_rate: float = 0.0
    enabled: bool = True
    note: str = ""
    patterns: Mapping[str, str] = field(default_factory=dict)

    @property
    def scope(self) -> Scope:
        """Of what its measure is taken."""
        return MEASURES[self.metric].scope

    def wrong(self, value: float) -> bool:
        """Whether a number is beyond the threshold."""
        return value < self.threshold if self.below else value > self.threshold

    def right(self, value: float) -> bool:
        """Whether a number is back behind the threshold of clearing."""
        return value >= self.clear if self.below else value <= self.clear

    def about(self, source: Source) -> bool:
        """Whether a source is one of those that the rule is about."""
        return all(fnmatchcase(getattr(source, part), pattern) for part, pattern in self.patterns.items())

    def message(self, source: Source, value: float) -> str:
        """What is wrong, for people."""
        measure = MEASURES[self.metric]
        unit = f" {measure.unit}" if measure.unit else ""
        of = f" of {source.text}" if source.text else ""
        side = "below" if self.below else "above"
        return f"{self.metric}{of} is {value:.6g}{unit}, {side} {self.threshold:g}{unit}"

    @property
    def document(self) -> dict[str, object]:
        """As the API and the journal write it."""
        return {
            "name": self.name,
            "metric": self.metric,
            "severity": self.severity,
            "condition": "below" if self.below else "above",
            "raise": self.threshold,
            "clear": self.clear,
            "for": self.seconds,
            "clearFor": self.clear_seconds,
            "per": self.per,
            "minRate": self.min_rate,
            "enabled": self.enabled,
            "note": self.note,
            **{part: self.patterns.get(part, ANY) for part in PARTS},
        }


FIELDS = tuple(Rule("x", REPORTED, "minor").document)
"""The members of a rule's document."""


def rule_of(document: Mapping[str, object]) -> Rule:
    """The rule that a document says; members that are missing have their defaults. Raises 400001 with what to write instead."""
    unknown = next((name for name in document if name not in FIELDS), None)
    if unknown is not None:
        raise invalid(f"an alarm rule has no member {unknown[:64]!r}, only {listed(FIELDS)}")
    name = checked_name(_text(document, "name"))
    metric = _one_of(document, "metric", tuple(MEASURES))
    measure = MEASURES[metric]
    below = _one_of(document, "condition", ("above", "below"), "below" if measure.below else "above") == "below"
    threshold = _number(document, "raise", None if metric != REPORTED else 0.0, -_LARGEST, _LARGEST)
    rule = Rule(
        name,
        metric,
        _one_of(document, "severity", SEVERITIES, "major"),
        threshold,
        _number(document, "clear", threshold, -_LARGEST, _LARGEST),
        below,
        _number(document, "for", 0.0, 0.0, LONGEST_SECONDS),
        _number(document, "clearFor", 0.0, 0.0, LONGEST_SECONDS),
        _grain(document, measure.scope),
        _number(document, "minRate", 0.0, 0.0, 1e9),
        _flag(document, "enabled", default=True),
        _text(document, "note", _NOTE_LENGTH),
        dict(_patterns(document, measure.scope)),
    )
    _check_thresholds(rule)
    return rule


def checked_name(name: str) -> str:
    """The name of a rule or a webhook. Raises 400001."""
    if not _NAME.fullmatch(name):
        raise invalid(f"name: letters, digits, '.', '_' and '-', 64 at most, not {name[:64]!r}")
    return name


def _check_thresholds(rule: Rule) -> None:
    """What clears must not be wrong: else an alarm would be raised and cleared by the same number."""
    if rule.clear < rule.threshold if rule.below else rule.clear > rule.threshold:
        side = "at least" if rule.below else "at most"
        raise invalid(f"clear: {side} {rule.threshold:g}, which is what raises, not {rule.clear:g}")


def _grain(document: Mapping[str, object], scope: Scope) -> str:
    grains = GRAINS[scope]
    if not grains:
        if document.get("per"):
            raise invalid(f"per: a measure of the {scope.value} has one source only")
        return ""
    return _one_of({"per": document.get("per") or grains[0]}, "per", grains)


def _patterns(document: Mapping[str, object], scope: Scope) -> list[tuple[str, str]]:
    """The patterns that say something."""
    found = []
    for part in PARTS:
        pattern = _text({part: document.get(part, ANY)}, part, _PATTERN_LENGTH)
        if "[" in pattern:
            raise invalid(f"{part}: of a pattern, '*' and '?' stand for other text, and '[' is in no name")
        if pattern != ANY:
            if part not in GRAINS[scope] and not (GRAINS[scope] and part in ("environment", "app")):
                raise invalid(f"{part}: the measure is not taken by that")
            found.append((part, pattern))
    return found


def _text(document: Mapping[str, object], name: str, longest: int = 64) -> str:
    value = document.get(name, "")
    if not isinstance(value, str) or len(value) > longest:
        raise invalid(f"{name}: a text of {longest} characters at most is expected")
    return value


def _one_of(document: Mapping[str, object], name: str, allowed: tuple[str, ...], default: str = "") -> str:
    value = document.get(name, default)
    if value not in allowed:
        raise invalid(f"{name}: one of {listed(allowed)}, not {str(value)[:64]!r}")
    return str(value)


def _flag(document: Mapping[str, object], name: str, *, default: bool) -> bool:
    value = document.get(name, default)
    if not isinstance(value, bool):
        raise invalid(f"{name}: true or false is expected")
    return value


def _number(document: Mapping[str, object], name: str, default: float | None, least: float, most: float) -> float:
    value = document.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise invalid(f"{name}: a number is expected")
    if not least <= value <= most:
        raise invalid(f"{name}: at least {least:g} and at most {most:g}, not {value:g}")
    return float(value)

"""Access lists of a provider: which consumers may call it.

Java Chassis's are `servicecomb.publicKey.accessControl.<white|black>.<item>.<part>`, Spring Cloud Huawei's
`spring.cloud.servicecomb.webmvc.public-key.access-control.<white|black>[<place>].<part>`. Protocol: governance, 2.11.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from governance.rules.problems import Code, Notes
from governance.rules.spring import spelled

PREFIX = "publicKey.accessControl."
PARTS = ("category", "propertyName", "rule")
CATEGORY = "property"
"""The one category; an entry of another matches nobody."""
_KEY = re.compile(r"(white|black)\.(.+)\.([A-Za-z]+)")
_SPRING_KEY = re.compile(r"(white|black)(\[[0-9]{1,6}\])\.([A-Za-z_-]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class AccessPart:
    """One key, read: a part of one item of one list; `spring` where the key is Spring Cloud Huawei's."""

    colour: str
    item: str
    part: str
    value: str
    spring: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a call may pass, and why. `tolerated` is one that passes only because the mode is permissive."""

    allowed: bool
    why: str
    tolerated: bool = False


@dataclass(frozen=True, slots=True)
class AccessRule:
    """A fact of a consumer, and the text that it must be: `exact`, `*suffix`, `prefix*`, or `*` for any."""

    property_name: str
    rule: str
    category: str = CATEGORY

    def matches(self, facts: Mapping[str, str]) -> bool:
        """Whether a consumer has it; `facts` are serviceName, appId, version and the properties of the service."""
        fact = facts.get(self.property_name)
        if fact is None or self.category != CATEGORY:
            return False
        if self.rule.startswith("*"):
            return fact.endswith(self.rule[1:])
        return fact.startswith(self.rule[:-1]) if self.rule.endswith("*") else fact == self.rule

    def __str__(self) -> str:
        return f"{self.property_name} is {self.rule}"


@dataclass(frozen=True, slots=True)
class AccessList:
    """Both lists of a provider."""

    white: tuple[AccessRule, ...] = ()
    black: tuple[AccessRule, ...] = ()

    def decide(self, facts: Mapping[str, str] | None) -> Decision:
        """Whether a consumer may call; one of which nothing is known only where no list is set."""
        if facts is None:
            known = not (self.white or self.black)
            return Decision(known, "there is no list" if known else "nothing is known of the consumer")
        black = next((rule for rule in self.black if rule.matches(facts)), None)
        if black is not None:
            return Decision(allowed=False, why=f"black: {black}")
        if not self.white:
            return Decision(allowed=True, why="no black rule matches")
        white = next((rule for rule in self.white if rule.matches(facts)), None)
        return Decision(white is not None, f"white: {white}" if white is not None else "no white rule matches")

    def allows(self, facts: Mapping[str, str] | None) -> bool:
        """Whether a consumer may call."""
        return self.decide(facts).allowed


def read_access(rest: str, value: str, notes: Notes, *, spring: bool = False) -> AccessPart | None:
    """Read a key, without its prefix, and its value; None where one is in error."""
    found = (_SPRING_KEY if spring else _KEY).fullmatch(rest)
    part = found and (spelled(found[3], PARTS) if spring else found[3])
    if found is None or part not in PARTS:
        form = "white or black, a place as [0]" if spring else "white or black, a name"
        notes.error((), Code.KEY, "the key is no part of an access list", f"write {form}, and {', '.join(PARTS)}")
        return None
    _check_value(part, value, notes)
    return None if notes.failed else AccessPart(found[1].lower(), found[2], part, value, spring)


def _check_value(part: str, value: str, notes: Notes) -> None:
    """What Java takes as it is and never matches is no error: a white list without the entry would let everyone pass."""
    if not value.strip():
        notes.error((), Code.MISSING, f"{part} is empty", "write a value, or delete the item")
    elif part == "category" and value != CATEGORY:
        why = f"category is {value[:100]!r}, so the entry matches nobody"
        notes.warn((), Code.NEVER_MATCHES, why, f"write {CATEGORY}")
    elif part == "rule" and ("*" in value[1:-1] or (len(value) > 1 and value[0] == "*" == value[-1])):
        why = f"{value[:100]!r} has a * that is not the only one, at the begin or the end, and stands for itself"
        notes.warn((), Code.NEVER_MATCHES, why, "write exact, *suffix, prefix*, or * for any")


def access_list(parts: Iterable[AccessPart]) -> AccessList:
    """The lists of all parts. An item without all of its parts is left out, as Java does."""
    found: dict[tuple[bool, str, str], dict[str, str]] = {}
    for part in parts:
        found.setdefault((part.spring, part.colour, part.item), {})[part.part] = part.value
    return AccessList(_rules(found, "white"), _rules(found, "black"))


def _rules(found: Mapping[tuple[bool, str, str], Mapping[str, str]], colour: str) -> tuple[AccessRule, ...]:
    whole = [parts for (_, one, _), parts in found.items() if one == colour and len(parts) == len(PARTS)]
    return tuple(AccessRule(parts["propertyName"], parts["rule"], parts["category"]) for parts in whole)

"""Access lists of a provider, `servicecomb.publicKey.accessControl.<white|black>.<item>.<part>`: which consumers may call it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from governance.rules.problems import Code, Notes

PREFIX = "publicKey.accessControl."
_KEY = re.compile(r"(white|black)\.(.+)\.(category|propertyName|rule)")


@dataclass(frozen=True, slots=True)
class AccessPart:
    """One key, read: a part of one item of one list."""

    colour: str
    item: str
    part: str
    value: str


@dataclass(frozen=True, slots=True)
class AccessRule:
    """A fact of a consumer, and the text that it must be: `exact`, `*suffix` or `prefix*`."""

    property_name: str
    rule: str

    def matches(self, facts: Mapping[str, str]) -> bool:
        """Whether a consumer has it; `facts` are serviceName, appId, version and the properties of the service."""
        fact = facts.get(self.property_name)
        if fact is None:
            return False
        if self.rule.startswith("*"):
            return fact.endswith(self.rule[1:])
        return fact.startswith(self.rule[:-1]) if self.rule.endswith("*") else fact == self.rule


@dataclass(frozen=True, slots=True)
class AccessList:
    """Both lists of a provider."""

    white: tuple[AccessRule, ...] = ()
    black: tuple[AccessRule, ...] = ()

    def allows(self, facts: Mapping[str, str] | None) -> bool:
        """Whether a consumer may call; one of which nothing is known only where no list is set."""
        if facts is None:
            return not (self.white or self.black)
        passes = not self.white or any(rule.matches(facts) for rule in self.white)
        return passes and not any(rule.matches(facts) for rule in self.black)


def read_access(rest: str, value: str, notes: Notes) -> AccessPart | None:
    """Read a key, without its prefix, and its value; None where one is in error."""
    found = _KEY.fullmatch(rest)
    if found is None:
        notes.error(
            (),
            Code.KEY,
            "the key is no part of an access list",
            "write white or black, a name, and category, propertyName or rule",
        )
        return None
    if not value.strip():
        notes.error((), Code.MISSING, f"{found[3]} is empty", "write a value, or delete the item")
        return None
    if found[3] == "category" and value != "property":
        notes.error((), Code.CHOICE, f"category is {value[:100]!r}", "write property")
        return None
    if found[3] == "rule" and ("*" in value[1:-1] or value == "*" or (value[0] == "*" == value[-1])):
        notes.error(
            (),
            Code.EXPRESSION,
            f"{value[:100]!r} has a * that is not the only one, at the begin or the end",
            "write exact, *suffix or prefix*",
        )
        return None
    return AccessPart(found[1], found[2], found[3], value)


def access_list(parts: Iterable[AccessPart]) -> AccessList:
    """The lists of all parts. An item without all of its parts is left out, as Java does."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    for part in parts:
        found.setdefault((part.colour, part.item), {})[part.part] = part.value
    return AccessList(_rules(found, "white"), _rules(found, "black"))


def _rules(found: Mapping[tuple[str, str], Mapping[str, str]], colour: str) -> tuple[AccessRule, ...]:
    whole: Sequence[Mapping[str, str]] = [
        parts for (one, _), parts in found.items() if one == colour and len(parts) == 3
    ]
    return tuple(AccessRule(parts["propertyName"], parts["rule"]) for parts in whole)

"""Conditions on a text of a request: operators that must all hold."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

from ruamel.yaml.nodes import Node

from governance.rules.problems import Code, Notes, Path
from governance.rules.reading import Reader, flag, mapping_of, text
from governance.rules.regex import Regex, RegexError
from governance.rules.yaml_nodes import is_null

_COMPARE = re.compile(
    r"(>=|<=|!=|>|<|=|!)\s*([-+]?(?:[0-9]{1,300}(?:\.[0-9]{0,300})?|\.[0-9]{1,300})(?:[eE][-+]?[0-9]{1,3})?)\s*"
)
_NUMBER = re.compile(r"\s*[-+]?(?:[0-9]{1,300}(?:\.[0-9]{0,300})?|\.[0-9]{1,300})(?:[eE][-+]?[0-9]{1,3})?\s*")
_WHOLE = re.compile(r"[-+]?[0-9]{1,18}")
_NEAR = 1e-6


class Operator(StrEnum):
    """The first five are the traffic marker's, the rest are of route rules; the last five of go-chassis alone."""

    EXACT = "exact"
    PREFIX = "prefix"
    SUFFIX = "suffix"
    CONTAINS = "contains"
    COMPARE = "compare"
    REGEX = "regex"
    NO_EQU = "noEqu"
    NO_LESS = "noLess"
    NO_GREATER = "noGreater"
    GREATER = "greater"
    LESS = "less"


MARKER = (Operator.EXACT, Operator.PREFIX, Operator.SUFFIX, Operator.CONTAINS, Operator.COMPARE)
GO_ONLY = (Operator.NO_EQU, Operator.NO_LESS, Operator.NO_GREATER, Operator.GREATER, Operator.LESS)


@dataclass(frozen=True, slots=True)
class Condition:
    """Operators with their patterns. `fold` where upper and lower case are the same; None where the rule does not say it."""

    operators: Mapping[Operator, str]
    fold: bool | None = None

    def holds(self, target: str | None, *, fold: bool = False) -> bool:
        """Whether all operators hold; without any, or without a text, none does. `fold` counts where the rule does not say it."""
        if target is None or not self.operators:
            return False
        folding = fold if self.fold is None else self.fold
        return all(_holds(one, pattern, target, folding) for one, pattern in self.operators.items())


_OF_TEXT: Mapping[Operator, Callable[[str, str], bool]] = {
    Operator.EXACT: str.__eq__,
    Operator.PREFIX: str.startswith,
    Operator.SUFFIX: str.endswith,
    Operator.CONTAINS: str.__contains__,
    Operator.NO_EQU: str.__ne__,
}
_OF_WHOLE: Mapping[Operator, Callable[[int, int], bool]] = {
    Operator.NO_LESS: int.__ge__,
    Operator.NO_GREATER: int.__le__,
    Operator.GREATER: int.__gt__,
    Operator.LESS: int.__lt__,
}
_COMPARED: Mapping[str, Callable[[int], bool]] = {
    "=": lambda order: order == 0,
    "!": lambda order: order != 0,
    "!=": lambda order: order != 0,
    ">=": lambda order: order >= 0,
    "<=": lambda order: order <= 0,
    ">": lambda order: order > 0,
    "<": lambda order: order < 0,
}


def _holds(operator: Operator, pattern: str, target: str, fold: bool) -> bool:
    if operator is Operator.COMPARE:
        return compares(pattern, target)
    if operator is Operator.REGEX:
        return _fits(pattern, target)
    if operator in _OF_WHOLE:
        both = _WHOLE.fullmatch(pattern) and _WHOLE.fullmatch(target)
        return bool(both) and _OF_WHOLE[operator](int(target), int(pattern))
    if fold:
        pattern, target = pattern.casefold(), target.casefold()
    return _OF_TEXT[operator](target, pattern)


def compares(pattern: str, target: str) -> bool:
    """Whether a number compares as `>=3` asks; what is no number does not. Numbers nearer than a millionth are equal."""
    found = _COMPARE.fullmatch(pattern)
    if found is None or not _NUMBER.fullmatch(target):
        return False
    actual, asked = float(target), float(found[2])
    near = actual == asked or abs(actual - asked) < _NEAR
    return _COMPARED[found[1]](0 if near else (1 if actual > asked else -1))


def _fits(pattern: str, target: str) -> bool:
    try:
        return Regex.of(pattern).fits(target)
    except RegexError:
        return False


def condition(known: Collection[Operator], *, folding: bool = False) -> Reader:
    """Reads a condition that may have some operators, and `caseInsensitive` where `folding`."""

    def read(node: Node, notes: Notes, path: Path) -> Condition | None:
        if is_null(node):
            return _empty(notes, path)
        entries = mapping_of(node, notes, path)
        if entries is None:
            return None
        operators: dict[Operator, str] = {}
        fold, sound = None, True
        for name, inner in entries.items():
            place = (*path, name)
            if folding and name == "caseInsensitive":
                fold = flag(inner, notes, place)
                sound = sound and fold is not None
            elif name in known:
                operators[Operator(name)] = pattern = text(inner, notes, place) or ""
                sound = _check_pattern(Operator(name), pattern, notes, place) and sound
            else:
                notes.error(place, Code.OPERATOR, f"{name[:100]} is no operator here", f"write {' or '.join(known)}")
                sound = False
        if not operators:
            _empty(notes, path)
        return Condition(operators, fold) if sound else None

    return read


def _empty(notes: Notes, path: Path) -> Condition:
    notes.warn(path, Code.NEVER_MATCHES, f"{path[-1]} has no operator, so it matches nothing", 'write exact: "value"')
    return Condition({})


def _check_pattern(operator: Operator, pattern: str, notes: Notes, path: Path) -> bool:
    if operator is Operator.COMPARE and not _COMPARE.fullmatch(pattern):
        notes.error(
            path,
            Code.COMPARE,
            f"{pattern[:100]!r} is no comparison",
            'write one of > < = ! >= <= != and a number, as ">=3"',
        )
        return False
    if operator in GO_ONLY[1:] and not _WHOLE.fullmatch(pattern):
        notes.error(path, Code.COMPARE, f"{pattern[:100]!r} is no whole number", "write digits")
        return False
    if operator is Operator.REGEX:
        try:
            Regex.of(pattern)
        except RegexError as error:
            notes.error(path, Code.REGEX, f"the pattern cannot be used: {error}", "write a simpler pattern, or exact")
            return False
    return True

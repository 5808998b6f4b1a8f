"""Conditions on a text of a request: operators that must all hold."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import TypeAlias

from ruamel.yaml.nodes import Node

from governance.rules.asks import Asking, Asks, Sort, asking
from governance.rules.joining import all_of
from governance.rules.pattern import RegexError
from governance.rules.problems import Code, Notes, Path
from governance.rules.reading import flag, mapping_of, text
from governance.rules.regex import Regex
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


Test: TypeAlias = Callable[[str], bool]


@dataclass(frozen=True)
class Condition:
    """Operators with their patterns. `fold` where upper and lower case are the same; None where the rule does not say it."""

    operators: Mapping[Operator, str]
    fold: bool | None = None

    def holds(self, target: str | None, *, fold: bool = False) -> bool:
        """Whether all operators hold; without any, or without a text, none does. `fold` counts where the rule does not say it."""
        return target is not None and self.test(fold=fold)(target)

    def test(self, *, fold: bool) -> Test:
        """All operators as one test, prepared once."""
        folding = fold if self.fold is None else self.fold
        return self._folding if folding else self._heeding

    @cached_property
    def _heeding(self) -> Test:
        return _joined(self.operators, fold=False)

    @cached_property
    def _folding(self) -> Test:
        return _joined(self.operators, fold=True)


def _joined(operators: Mapping[Operator, str], *, fold: bool) -> Test:
    return all_of([_test(one, pattern, fold=fold) for one, pattern in operators.items()]) if operators else _never


def _never(_target: str) -> bool:
    return False


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


def _test(operator: Operator, pattern: str, *, fold: bool) -> Test:
    """The test of one operator, with all that is known before there is a target."""
    if operator is Operator.COMPARE:
        return _comparing(pattern)
    if operator is Operator.REGEX:
        return _fitting(pattern)
    if operator in _OF_WHOLE:
        return _of_whole(_OF_WHOLE[operator], pattern)
    compared = _OF_TEXT[operator]
    if fold:
        folded = pattern.casefold()
        return lambda target: compared(target.casefold(), folded)
    return lambda target: compared(target, pattern)


def compares(pattern: str, target: str) -> bool:
    """Whether a number compares as `>=3` asks; what is no number does not. Numbers nearer than a millionth are equal."""
    return _comparing(pattern)(target)


def _comparing(pattern: str) -> Test:
    found = _COMPARE.fullmatch(pattern)
    if found is None:
        return _never
    compared, asked = _COMPARED[found[1]], float(found[2])

    def test(target: str) -> bool:
        if not _NUMBER.fullmatch(target):
            return False
        actual = float(target)
        near = actual == asked or abs(actual - asked) < _NEAR
        return compared(0 if near else (1 if actual > asked else -1))

    return test


def _of_whole(compared: Callable[[int, int], bool], pattern: str) -> Test:
    if not _WHOLE.fullmatch(pattern):
        return _never
    asked = int(pattern)
    return lambda target: bool(_WHOLE.fullmatch(target)) and compared(int(target), asked)


def _fitting(pattern: str) -> Test:
    try:
        return Regex.of(pattern).fits
    except RegexError:
        return _never


def condition(known: Collection[Operator], *, folding: bool = False) -> Asking[Condition]:
    """Reads a condition that may have some operators, and `caseInsensitive` where `folding`."""

    @asking(Asks(Sort.CONDITION, words=(*known, *(["caseInsensitive"] if folding else []))))
    def read(node: Node, notes: Notes, path: Path) -> Condition | None:
        if is_null(node):
            return _empty(notes, path)
        entries = mapping_of(node, notes, path)
        if entries is None:
            return None
        operators: dict[Operator, str] = {}
        fold, sound, hollow = None, True, False
        for name, inner in entries.items():
            place = (*path, name)
            if folding and name == "caseInsensitive":
                fold = flag(inner, notes, place)
                sound = sound and fold is not None
            elif name in known and is_null(inner):
                hollow = True
                why = f"{name} has no value, so it matches nothing"
                notes.warn(place, Code.NEVER_MATCHES, why, f'write {name}: "value"')
            elif name in known:
                operators[Operator(name)] = pattern = text(inner, notes, place) or ""
                sound = _check_pattern(Operator(name), pattern, notes, place) and sound
            else:
                notes.error(place, Code.OPERATOR, f"{name[:100]} is no operator here", f"write {' or '.join(known)}")
                sound = False
        if not operators and not hollow:
            _empty(notes, path)
        return Condition({} if hollow else operators, fold) if sound else None

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

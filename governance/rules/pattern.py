"""Reads a regular expression into its parts.

Known are characters, `.`, classes, groups, `|`, `*`, `+`, `?`, `{m,n}`, and `^` and `$` at the ends.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

LONGEST_PATTERN = 512
MOST_REPEATS = 100
_DEEPEST = 20
_COUNT = re.compile(r"\{([0-9]{1,4})(,?)([0-9]{0,4})\}")
_CLASSES: dict[str, Callable[[str], bool]] = {
    "d": lambda one: one in "0123456789",
    "w": lambda one: one == "_" or (one.isascii() and one.isalnum()),
    "s": lambda one: one in " \t\n\v\f\r",
}
_ESCAPES = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}
Test: TypeAlias = Callable[[str], bool]


class RegexError(ValueError):
    """A pattern that is wrong, or that needs what is not known here."""


@dataclass(eq=False, slots=True)
class One:
    """One character."""

    test: Test


@dataclass(eq=False, slots=True)
class Every:
    """Parts one after the other."""

    parts: Sequence[Part]


@dataclass(eq=False, slots=True)
class Either:
    """One of several ways."""

    ways: Sequence[Part]


@dataclass(eq=False, slots=True)
class Repeat:
    """A part again and again; `most` is None where there is no bound."""

    part: Part
    least: int
    most: int | None


Part: TypeAlias = "One | Every | Either | Repeat"


def read_pattern(pattern: str) -> Part:
    """The parts of a pattern. Raises `RegexError`."""
    return _Reader(pattern).read()


class _Reader:
    """Reads a pattern from left to right."""

    def __init__(self, pattern: str) -> None:
        if len(pattern) > LONGEST_PATTERN:
            raise RegexError(f"it has more than {LONGEST_PATTERN} characters")
        end = len(pattern) - len(pattern[:-1].rstrip("\\")) - 1 if pattern.endswith("$") else 1
        self._text = pattern[:-1] if pattern.endswith("$") and end % 2 == 0 else pattern
        self._at = 1 if self._text.startswith("^") else 0

    def read(self) -> Part:
        """The whole pattern."""
        root = self._ways(0)
        if self._at < len(self._text):
            raise RegexError("a ) has no (")
        return root

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _take(self) -> str:
        one = self._peek()
        if not one:
            raise RegexError("it ends too early")
        self._at += 1
        return one

    def _ways(self, depth: int) -> Part:
        if depth > _DEEPEST:
            raise RegexError(f"more than {_DEEPEST} groups are nested")
        ways = [self._sequence(depth)]
        while self._peek() == "|":
            self._at += 1
            ways.append(self._sequence(depth))
        return ways[0] if len(ways) == 1 else Either(ways)

    def _sequence(self, depth: int) -> Part:
        parts: list[Part] = []
        while self._peek() not in ("", "|", ")"):
            parts.append(self._repeats(self._single(depth)))
        return Every(parts)

    def _single(self, depth: int) -> Part:
        one = self._take()
        match one:
            case "(":
                return self._group(depth)
            case "[":
                return One(self._class())
            case ".":
                return One(_inline)
            case "\\":
                return One(self._escape())
            case "*" | "+" | "?" | "{":
                raise RegexError(f"there is nothing before {one} to repeat")
            case "^" | "$":
                raise RegexError(f"{one} is known at the ends alone; write \\{one} for the character")
        return One(_same(one))

    def _group(self, depth: int) -> Part:
        if self._peek() == "?":
            self._at += 1
            if self._take() != ":":
                raise RegexError("of groups with (? only (?: is known")
        inner = self._ways(depth + 1)
        if self._peek() != ")":
            raise RegexError("a ( has no )")
        self._at += 1
        return inner

    def _repeats(self, part: Part) -> Part:
        bounds = self._bounds()
        if bounds is None:
            return part
        if self._peek() == "+":
            raise RegexError("possessive repeats are not known")
        if self._peek() == "?":
            self._at += 1  # a reluctant repeat fits the same whole texts
        if self._peek() in ("*", "+", "?", "{"):
            raise RegexError("a repeat is repeated; write a group around it")
        return Repeat(part, *bounds)

    def _bounds(self) -> tuple[int, int | None] | None:
        simple = {"*": (0, None), "+": (1, None), "?": (0, 1)}.get(self._peek())
        if simple is not None:
            self._at += 1
            return simple
        if self._peek() != "{":
            return None
        found = _COUNT.match(self._text, self._at)
        if found is None:
            raise RegexError("{ begins no count; write \\{ for the character")
        self._at = found.end()
        least = int(found[1])
        most = int(found[3]) if found[3] else (None if found[2] else least)
        if (most is not None and most < least) or max(least, most or 0) > MOST_REPEATS:
            raise RegexError(f"the count {found[0]} is not from 0 to {MOST_REPEATS}")
        return least, most

    def _escape(self) -> Test:
        one = self._take()
        if one.lower() in _CLASSES:
            test = _CLASSES[one.lower()]
            return test if one.islower() else _not(test)
        if one in _ESCAPES:
            return _same(_ESCAPES[one])
        if one.isalnum():
            raise RegexError(f"\\{one} is not known")
        return _same(one)

    def _class(self) -> Test:
        inverted = self._peek() == "^"
        self._at += inverted
        tests: list[Test] = []
        while self._peek() != "]" or not tests:
            tests.append(self._member())
        self._at += 1
        return _not(_either(tests)) if inverted else _either(tests)

    def _member(self) -> Test:
        first = self._take()
        if first == "[" or self._text[self._at - 1 : self._at + 1] == "&&":
            raise RegexError("classes within classes are not known")
        if first == "\\":
            return self._escape()
        following = self._text[self._at + 1 : self._at + 2]
        if self._peek() != "-" or following in ("]", ""):
            return _same(first)
        self._at += 1
        last = self._take()
        if last in "\\[" or last < first:
            raise RegexError(f"{first}-{last} is no range")
        return lambda found: first <= found <= last


def _inline(found: str) -> bool:
    return found not in "\n\r\u0085\u2028\u2029"


@lru_cache(maxsize=256)
def _same(one: str) -> Test:
    """The same test for the same character, so that it is asked once for all states that it is for."""
    return lambda found: found == one


def _not(test: Test) -> Test:
    return lambda found: not test(found)


def _either(tests: Sequence[Test]) -> Test:
    return lambda found: any(test(found) for test in tests)

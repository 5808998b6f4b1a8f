"""Regular expressions that must fit a whole text, in time that no pattern and no text can stretch.

Known are characters, `.`, classes, groups, `|`, `*`, `+`, `?`, `{m,n}`, and `^` and `$` at the ends. What needs to go back in the text
(backreferences, looking around, possessive repeats) is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, reduce
from typing import TypeAlias

LONGEST_PATTERN = 512
LONGEST_TEXT = 512
"""Characters; a longer text does not fit."""
MOST_STEPS = 1024
"""That one pattern keeps; then it begins anew."""
MOST_REPEATS = 100
MOST_PARTS = 1000
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
class _One:
    """One character."""

    test: Test


@dataclass(eq=False, slots=True)
class _All:
    """Parts one after the other."""

    parts: Sequence[_Part]


@dataclass(eq=False, slots=True)
class _Any:
    """One of several ways."""

    ways: Sequence[_Part]


@dataclass(eq=False, slots=True)
class _Repeat:
    """A part again and again; `most` is None where there is no bound."""

    part: _Part
    least: int
    most: int | None


_Part: TypeAlias = "_One | _All | _Any | _Repeat"


class _Step:
    """States that were reached together, and the steps that lead on from them, of those characters that were seen."""

    __slots__ = ("after", "fitting", "ready")

    def __init__(self, ready: int, *, fitting: bool) -> None:
        self.ready = ready
        self.fitting = fitting
        self.after: dict[str, _Step] = {}


class Regex:
    """A pattern that has been read: an automaton with one state for each character that it names. Sets of states are bits of a number.

    Steps that were taken are kept, up to a number of them, so that most texts cost a look-up for each character.
    """

    def __init__(self, pattern: str) -> None:
        """Read a pattern. Raises `RegexError`."""
        builder = _Builder()
        span = builder.add(_Reader(pattern).read())
        self._tests, self._follows, self._last = builder.tests, builder.follows, span.last
        self._begin = _Step(span.first, fitting=span.empty)
        self._known: dict[int, _Step] = {}
        self._left = MOST_STEPS

    @staticmethod
    @lru_cache(maxsize=64)
    def of(pattern: str) -> Regex:
        """The same for the same pattern. Raises `RegexError`."""
        return Regex(pattern)

    def fits(self, text: str) -> bool:
        """Whether it fits the whole text."""
        if len(text) > LONGEST_TEXT:
            return False
        step = self._begin
        for one in text:
            step = step.after.get(one) or self._next(step, one)
            if not step.ready and not step.fitting:
                return False
        return step.fitting

    def _next(self, step: _Step, one: str) -> _Step:
        active = following = 0
        for state in _bits(step.ready):
            if self._tests[state](one):
                active |= 1 << state
                following |= self._follows[state]
        if self._left == 0:
            self._forget()
        self._left -= 1
        found = self._known.setdefault(active, _Step(following, fitting=bool(active & self._last)))
        step.after[one] = found
        return found

    def _forget(self) -> None:
        self._begin.after.clear()
        self._known.clear()
        self._left = MOST_STEPS


def _bits(states: int) -> Iterator[int]:
    while states:
        lowest = states & -states
        yield lowest.bit_length() - 1
        states ^= lowest


@dataclass(frozen=True, slots=True)
class _Span:
    """Where a part begins and ends, and whether it fits the empty text."""

    first: int
    last: int
    empty: bool


_NOTHING = _Span(0, 0, True)


@dataclass(slots=True)
class _Builder:
    """Makes the automaton. What is repeated a number of times is there as often."""

    tests: list[Test] = field(default_factory=list)
    follows: list[int] = field(default_factory=list)
    left: int = MOST_PARTS

    def add(self, part: _Part) -> _Span:
        """Add the states of a part."""
        self.left -= 1
        if self.left < 0:
            raise RegexError(f"with its repeats written out it has more than {MOST_PARTS} parts")
        match part:
            case _One():
                self.tests.append(part.test)
                self.follows.append(0)
                state = 1 << (len(self.tests) - 1)
                return _Span(state, state, empty=False)
            case _All():
                return self._joined(part.parts)
            case _Any():
                ways = [self.add(way) for way in part.ways]
                return reduce(lambda a, b: _Span(a.first | b.first, a.last | b.last, a.empty or b.empty), ways)
        return self._repeated(part)

    def _joined(self, parts: Iterable[_Part]) -> _Span:
        whole = _NOTHING
        for part in parts:
            whole = self._join(whole, self.add(part))
        return whole

    def _join(self, before: _Span, after: _Span) -> _Span:
        for state in _bits(before.last):
            self.follows[state] |= after.first
        first = before.first | (after.first if before.empty else 0)
        last = after.last | (before.last if after.empty else 0)
        return _Span(first, last, before.empty and after.empty)

    def _repeated(self, repeat: _Repeat) -> _Span:
        whole = self._joined([repeat.part] * repeat.least)
        optional = 1 if repeat.most is None else repeat.most - repeat.least
        for _ in range(optional):
            again = self.add(repeat.part)
            if repeat.most is None:
                self._join(again, again)
            whole = self._join(whole, _Span(again.first, again.last, empty=True))
        return whole


class _Reader:
    """Reads a pattern from left to right."""

    def __init__(self, pattern: str) -> None:
        if len(pattern) > LONGEST_PATTERN:
            raise RegexError(f"it has more than {LONGEST_PATTERN} characters")
        end = len(pattern) - len(pattern[:-1].rstrip("\\")) - 1 if pattern.endswith("$") else 1
        self._text = pattern[:-1] if pattern.endswith("$") and end % 2 == 0 else pattern
        self._at = 1 if self._text.startswith("^") else 0

    def read(self) -> _Part:
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

    def _ways(self, depth: int) -> _Part:
        if depth > _DEEPEST:
            raise RegexError(f"more than {_DEEPEST} groups are nested")
        ways = [self._sequence(depth)]
        while self._peek() == "|":
            self._at += 1
            ways.append(self._sequence(depth))
        return ways[0] if len(ways) == 1 else _Any(ways)

    def _sequence(self, depth: int) -> _Part:
        parts: list[_Part] = []
        while self._peek() not in ("", "|", ")"):
            parts.append(self._repeats(self._single(depth)))
        return _All(parts)

    def _single(self, depth: int) -> _Part:
        one = self._take()
        match one:
            case "(":
                return self._group(depth)
            case "[":
                return _One(self._class())
            case ".":
                return _One(lambda found: found not in "\n\r\u0085\u2028\u2029")
            case "\\":
                return _One(self._escape())
            case "*" | "+" | "?" | "{":
                raise RegexError(f"there is nothing before {one} to repeat")
            case "^" | "$":
                raise RegexError(f"{one} is known at the ends alone; write \\{one} for the character")
        return _One(_same(one))

    def _group(self, depth: int) -> _Part:
        if self._peek() == "?":
            self._at += 1
            if self._take() != ":":
                raise RegexError("of groups with (? only (?: is known")
        inner = self._ways(depth + 1)
        if self._peek() != ")":
            raise RegexError("a ( has no )")
        self._at += 1
        return inner

    def _repeats(self, part: _Part) -> _Part:
        bounds = self._bounds()
        if bounds is None:
            return part
        if self._peek() == "+":
            raise RegexError("possessive repeats are not known")
        if self._peek() == "?":
            self._at += 1  # a reluctant repeat fits the same whole texts
        if self._peek() in ("*", "+", "?", "{"):
            raise RegexError("a repeat is repeated; write a group around it")
        return _Repeat(part, *bounds)

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


def _same(one: str) -> Test:
    return lambda found: found == one


def _not(test: Test) -> Test:
    return lambda found: not test(found)


def _either(tests: Sequence[Test]) -> Test:
    return lambda found: any(test(found) for test in tests)

"""Regular expressions that must fit a whole text, in time that no pattern and no text can stretch.

What needs to go back in the text (backreferences, looking around, possessive repeats) is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, reduce
from typing import TypeAlias

from governance.rules.pattern import Either, Every, One, Part, RegexError, Repeat, Test, read_pattern

LONGEST_TEXT = 512
"""Characters; a longer text does not fit."""
MOST_STEPS = 1024
"""Steps, and characters, that one pattern keeps; then it begins anew."""
MOST_PARTS = 1000


class _Step:
    """Where a text may be after some characters: the states that may come next, and the steps to those that were seen to come."""

    __slots__ = ("after", "fitting", "ready")

    def __init__(self, ready: int, *, fitting: bool) -> None:
        self.ready = ready
        self.fitting = fitting
        self.after: dict[int, _Step] = {}


class Regex:
    """A pattern that has been read: an automaton with one state for each character that it names. Sets of states are bits of a number.

    What was found of characters and of steps is kept, up to a number of them, so that most texts cost two look-ups for each character.
    """

    def __init__(self, pattern: str) -> None:
        """Read a pattern. Raises `RegexError`."""
        builder = _Builder()
        span = builder.add(read_pattern(pattern))
        self._states_of: dict[Test, int] = {}
        for state, test in enumerate(builder.tests):
            self._states_of[test] = self._states_of.get(test, 0) | 1 << state
        self._follows = _tables(builder.follows)
        self._last = span.last
        self._begin = _Step(span.first, fitting=span.empty)
        self._known: dict[int, _Step] = {}
        self._masks: dict[str, int] = {}
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
            mask = self._masks.get(one)
            if mask is None:
                mask = self._mask(one)
            step = step.after.get(mask) or self._next(step, mask)
            if not step.ready and not step.fitting:
                return False
        return step.fitting

    def _mask(self, one: str) -> int:
        """The states that a character is for."""
        if len(self._masks) == MOST_STEPS:
            self._masks.clear()
        mask = 0
        for test, states in self._states_of.items():
            if test(one):
                mask |= states
        self._masks[one] = mask
        return mask

    def _next(self, step: _Step, mask: int) -> _Step:
        if self._left == 0:
            self._forget()
        self._left -= 1
        active = step.ready & mask
        found = self._known.get(active)
        if found is None:
            found = self._known[active] = _Step(_following(self._follows, active), fitting=bool(active & self._last))
        step.after[mask] = found
        return found

    def _forget(self) -> None:
        self._begin.after.clear()
        self._known.clear()
        self._left = MOST_STEPS


_Tables: TypeAlias = Sequence[Mapping[str, int]]
_DIGITS = "0123456789abcdef"


def _tables(follows: Sequence[int]) -> _Tables:
    """For each four states, by the hexadecimal digit that says which of them are active: the states that follow these."""
    return [
        {digit: reduce(int.__or__, (follows[begin + bit] for bit in _bits(int(digit, 16)) if begin + bit < len(follows)), 0)
         for digit in _DIGITS}
        for begin in range(0, len(follows), 4)
    ]  # fmt: skip


def _following(tables: _Tables, active: int) -> int:
    following = 0
    for table, digit in zip(tables, reversed(f"{active:x}"), strict=False):
        following |= table[digit]
    return following


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

    def add(self, part: Part) -> _Span:
        """Add the states of a part."""
        self.left -= 1
        if self.left < 0:
            raise RegexError(f"with its repeats written out it has more than {MOST_PARTS} parts")
        match part:
            case One():
                self.tests.append(part.test)
                self.follows.append(0)
                state = 1 << (len(self.tests) - 1)
                return _Span(state, state, empty=False)
            case Every():
                return self._joined(part.parts)
            case Either():
                ways = [self.add(way) for way in part.ways]
                return reduce(lambda a, b: _Span(a.first | b.first, a.last | b.last, a.empty or b.empty), ways)
        return self._repeated(part)

    def _joined(self, parts: Iterable[Part]) -> _Span:
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

    def _repeated(self, repeat: Repeat) -> _Span:
        whole = self._joined([repeat.part] * repeat.least)
        optional = 1 if repeat.most is None else repeat.most - repeat.least
        for _ in range(optional):
            again = self.add(repeat.part)
            if repeat.most is None:
                self._join(again, again)
            whole = self._join(whole, _Span(again.first, again.last, empty=True))
        return whole

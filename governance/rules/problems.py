"""What a check says about a rule: problems with their places, their codes, and what to write instead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from governance.rules.parsing import ParseError, Position
from governance.rules.runtimes import Runtime

MOST_PROBLEMS = 100
"""Of one rule; what is wrong beyond them is not said."""
MOST_PARTS = 100_000
"""Fields and places in lists that are read of one rule, those of an alias as often as it is used."""


class Severity(StrEnum):
    """An error keeps a rule from being saved, a warning does not."""

    ERROR = "error"
    WARNING = "warning"


class Code(StrEnum):
    """The kinds of problems. docs/rules.md explains each."""

    SYNTAX = "syntax"
    KEY = "key"
    TYPE = "type"
    CHOICE = "choice"
    RANGE = "range"
    DURATION = "duration"
    OPERATOR = "operator"
    COMPARE = "compare"
    REGEX = "regex"
    MISSING = "missing"
    TWICE = "twice"
    PRECEDENCE = "precedence"
    SUM = "sum"
    EXPRESSION = "expression"
    VALUE_TYPE = "value-type"
    UNKNOWN_FIELD = "unknown-field"
    NEVER_MATCHES = "never-matches"
    REMAINDER = "remainder"
    UNSUPPORTED = "unsupported"
    MISREAD = "misread"
    NO_EFFECT = "no-effect"
    REPEATS_WRITES = "repeats-writes"
    NO_CALLEE = "no-callee"
    UNTRIMMED = "untrimmed"
    SHADOWED = "shadowed"
    UNPAIRED = "unpaired"
    NO_INSTANCE = "no-instance"
    TAG_ABSENT = "tag-absent"
    LANE = "lane"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a rule, or with all of it where `whole`.

    `runtimes` are those that are registered and would misread it; none where all would.
    """

    severity: Severity
    code: Code
    at: Position
    why: str
    instead: str = ""
    runtimes: tuple[Runtime, ...] = ()
    whole: bool = False

    @property
    def line(self) -> int:
        """From 1."""
        return self.at.line

    @property
    def column(self) -> int:
        """From 1, in characters."""
        return self.at.column

    @property
    def text(self) -> str:
        """What is wrong, what to write instead, and who would misread it."""
        who = f" ({', '.join(map(str, self.runtimes))})" if self.runtimes else ""
        advice = f": {self.instead}" if self.instead else ""
        return f"{self.why}{advice}{who}"

    def __str__(self) -> str:
        return f"{self.at}: {self.severity}: {self.text}"


Path: TypeAlias = "tuple[str | int, ...]"
"""The way to a part of a rule: names of fields and places in lists."""


@dataclass(slots=True)
class Notes:
    """Gathers the problems of one rule while it is read, and remembers where its parts stand."""

    problems: list[Problem] = field(default_factory=list)
    places: dict[Path, Position] = field(default_factory=lambda: {(): Position(1, 1)})
    parts_left: int = MOST_PARTS

    def error(self, path: Path, code: Code, why: str, instead: str = "") -> None:
        """Note what keeps the rule from being saved."""
        self._add(Problem(Severity.ERROR, code, self.place(path), why, instead, whole=not path))

    def warn(self, path: Path, code: Code, why: str, instead: str = "", runtimes: Sequence[Runtime] = ()) -> None:
        """Note what does not."""
        self._add(Problem(Severity.WARNING, code, self.place(path), why, instead, tuple(runtimes), not path))

    def _add(self, problem: Problem) -> None:
        first_error = problem.severity is Severity.ERROR and not self.failed
        if not self.full or first_error:
            self.problems.append(problem)

    @property
    def full(self) -> bool:
        """Whether a further warning is not kept."""
        return len(self.problems) >= MOST_PROBLEMS

    @property
    def failed(self) -> bool:
        """Whether there is an error."""
        return any(problem.severity is Severity.ERROR for problem in self.problems)

    def stands(self, path: Path, at: Position) -> None:
        """Remember where a part stands, where it is not known from its name."""
        if not path or path not in self.places:
            self.places[path] = at

    def place(self, path: Path) -> Position:
        """Where a part stands; where it is not there, its nearest whole."""
        while path not in self.places:
            path = path[:-1]
        return self.places[path]

    def spend(self, at: Position) -> None:
        """One more part is read. Raises `ParseError` when there are too many."""
        self.parts_left -= 1
        if self.parts_left < 0:
            raise ParseError(at, f"a rule has at most {MOST_PARTS} parts")

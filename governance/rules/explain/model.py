"""What an explanation is made of, and what it is made from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Generic, TypeAlias

from governance.rules.check import Checked, RuleKey, check
from governance.rules.distribution import Outcome, Target
from governance.rules.parsing import Position
from governance.rules.problems import Problem
from governance.rules.routes import RouteRule
from governance.rules.runtimes import Runtime


@dataclass(frozen=True, slots=True)
class Item:
    """A property as one process reads it, and the item of configuration that it is from; without a revision it is a draft."""

    key: str
    value: str
    labels: Mapping[str, str] = field(default_factory=dict)
    revision: int | None = None


Check: TypeAlias = Callable[[str, str, tuple[Runtime, ...]], Checked]
"""How an item is checked, by key, value and runtimes."""


@dataclass(frozen=True, slots=True)
class Process:
    """A service that reads items: those that it sees, one for each key. `facts` are its properties, None where it is not registered.

    `check` is for who has checked its items before, which takes time.
    """

    name: str
    version: str = ""
    app: str = ""
    items: Sequence[Item] = ()
    facts: Mapping[str, str] | None = None
    runtime: Runtime | None = None
    check: Check = check


@dataclass(frozen=True, slots=True)
class Read:
    """A rule of a process with a runtime: its item, what its key stands for, and what its value is."""

    item: Item
    key: RuleKey
    checked: Checked
    runtime: Runtime | None = None


class Verdict(StrEnum):
    """What became of a rule: it is obeyed, it is not, or it has an error, so that it counts as not there."""

    APPLIES = "applies"
    SKIPPED = "skipped"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Considered:
    """A rule that was looked at, and why it applies or does not; `does` is what it says, in a line."""

    kind: str
    name: str
    verdict: Verdict
    why: str
    item: Item
    does: str = ""
    at: Position | None = None
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Side:
    """What one process does with the request, in the order in which it does it; `notes` are what that comes to."""

    rules: tuple[Considered, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Routing(Generic[Target]):
    """Where the request goes: the rules that were looked at, and instances with their shares, which add up to 1 where there are any.

    `rule` is the one that applies, where it is a route rule.
    """

    rules: tuple[Considered, ...]
    outcomes: tuple[Outcome[Target], ...]
    why: str
    rule: RouteRule | None = None

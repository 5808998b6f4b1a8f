"""What the older keys say of a call: read once, and again when the rules change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, Literal, TypeAlias, TypeVar

from governance.invocation.invocation import Invocation
from governance.invocation.live import LiveRules
from governance.invocation.rulebook import Rulebook

Side: TypeAlias = Literal["Consumer", "Provider"]
"""Whose call it is, as the keys spell it."""
Callee: TypeAlias = tuple[str, str, str]
"""Service, schema and operation; the latter two may be empty."""
MOST_READ = 1000
"""Callees that are remembered; beyond them all are read again."""
_Read = TypeVar("_Read")
_Rule = TypeVar("_Rule")


@dataclass(frozen=True, slots=True)
class OlderRule(Generic[_Rule]):
    """What older keys ask for, and the key of its state. `asked` says whether they still do."""

    key: str
    rule: _Rule
    asked: Callable[[Rulebook], bool] = field(compare=False)

    def is_in(self, book: Rulebook) -> bool:
        """Whether these rules have it, so that its state lasts."""
        return self.asked(book)


class ReadOnce(Generic[_Read]):
    """What `read` makes of the rules for a callee, remembered for as long as the rules are the same ones."""

    def __init__(self, rules: LiveRules, read: Callable[[Rulebook, Callee], _Read]) -> None:
        self._rules = rules
        self._read = read
        self._book = rules.book
        self._found: dict[Callee, _Read] = {}

    def of(self, invocation: Invocation) -> _Read:
        """What holds for a call."""
        if self._book is not self._rules.book:
            self._book = self._rules.book
            self._found.clear()
        callee = (invocation.service, invocation.schema, invocation.operation)
        try:
            return self._found[callee]
        except KeyError:
            return self._remembered(callee)

    def _remembered(self, callee: Callee) -> _Read:
        if len(self._found) >= MOST_READ:
            self._found.clear()
        found = self._found[callee] = self._read(self._book, callee)
        return found


def state_key(kind: str, side: Side, callee: Callee) -> str:
    """The key of a state that is one operation's, such as `servicecomb.bizkeeper.Consumer.forecast`."""
    return ".".join(("servicecomb", kind, side, *(part for part in callee if part)))

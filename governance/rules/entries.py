"""Whether the keys of access lists and of security policies make whole entries: what is not whole counts for nothing, without a word."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from governance.rules import access
from governance.rules.access import AccessPart
from governance.rules.problems import Code, Notes, Problem
from governance.rules.security import SecurityPart

_SPRING = "spring.cloud.servicecomb.webmvc.public-key"
_NEEDED = ("consumer", "method", "uri")


class Entries:
    """The parts of all lists and policies, by the entry that they are of."""

    def __init__(self, rules: Iterable[object]) -> None:
        self._parts: dict[str, set[str]] = {}
        for rule in rules:
            if isinstance(rule, AccessPart | SecurityPart):
                self._parts.setdefault(_entry(rule), set()).add(rule.part)

    def note(self, part: AccessPart | SecurityPart, notes: Notes) -> None:
        """Note what keeps the entry of a part from counting."""
        entry = _entry(part)
        needed: Collection[str] = access.PARTS if isinstance(part, AccessPart) else _NEEDED if part.effect else ()
        missing = [name for name in needed if name not in self._parts[entry]]
        if missing:
            why = f"without its {' and '.join(missing)} the entry counts for nothing"
            notes.warn((), Code.UNPAIRED, why, f"add {entry}.{missing[0]}")
        if isinstance(part, SecurityPart):
            self._note_policy(part, notes)

    def problems(self, rule: object) -> Sequence[Problem]:
        """The same of any rule; others have none."""
        notes = Notes()
        if isinstance(rule, AccessPart | SecurityPart):
            self.note(rule, notes)
        return notes.problems

    def _note_policy(self, part: SecurityPart, notes: Notes) -> None:
        acls = f"{_SPRING}.acls"
        if part.effect and "mode" not in self._parts.get(acls, ()):
            notes.warn((), Code.UNPAIRED, "without a mode everything passes", f"add {acls}.mode")
        if part.part == "mode" and not self._allows_any():
            why = "no entry of allow is whole, so no call is allowed"
            notes.warn((), Code.UNPAIRED, why, f"add {acls}.action.allow[0].{', '.join(_NEEDED)}")

    def _allows_any(self) -> bool:
        allowing = f"{_SPRING}.acls.action.allow"
        return any(entry.startswith(allowing) and parts.issuperset(_NEEDED) for entry, parts in self._parts.items())


def _entry(part: AccessPart | SecurityPart) -> str:
    """The beginning that the keys of one entry share."""
    if isinstance(part, SecurityPart):
        return f"{_SPRING}.acls.action.{part.effect}{part.item}" if part.effect else f"{_SPRING}.acls"
    if part.spring:
        return f"{_SPRING}.access-control.{part.colour}{part.item}"
    return f"servicecomb.{access.PREFIX}{part.colour}.{part.item}"

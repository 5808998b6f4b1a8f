"""What a reader of events wants to see, and may: the same for those that are followed and those that are searched.

An event tells of a record, and is for whoever may read such records.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass

from registry.access import Mode, Need
from registry.api.call import Call, Parameter
from registry.engine.happenings import KINDS, OFTEN, RULE, Happening
from registry.errors import invalid

_RESOURCES: Mapping[str, str] = {
    "service": "service",
    "instance": "service",
    "protection": "service",
    "dependency": "service",
    "schema": "service/schema",
    "config": "config",
    "release": "config",
    "gray": "config",
    "account": "account",
    "role": "role",
    "access": "access",
    "alarm": "ops",
    "alarm-rule": "ops",
    "alarm-silence": "ops",
    "alarm-webhook": "ops",
}
FILTERS = (
    Parameter("kind", f"only events of these kinds, with commas between: {', '.join(KINDS)}"),
    Parameter("service", "only events of this service"),
    Parameter("author", "only changes by authors whose name or address has this text in it"),
    Parameter("contains", "only events that have this text in their names or values"),
)


class Reader:
    """Who reads: what they may read is asked anew once anything of access control has changed."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._version = -1
        self._known: dict[str, bool] = {}

    def may(self, kind: str) -> bool:
        """Whether they may read records of a kind."""
        resource = _RESOURCES.get(kind, "ops")
        version = self._call.engine.access.version
        if version != self._version:
            self._version, self._known = version, {}
        if resource not in self._known:
            self._known[resource] = self._may(resource)
        return self._known[resource]

    @property
    def sees_authors(self) -> bool:
        """Who did what is for those who may read the audit log."""
        return self.may("alarm")

    def _may(self, resource: str) -> bool:
        """Where a part is enforced only, events are of it: they are about nothing in particular."""
        access, need = self._call.engine.access, Need(resource, "get", ({},))
        if access.mode is Mode.OFF or not access.enforces(need):
            return True
        verdict = self._call.verdict
        identity = verdict.seen.identity if verdict is not None else self._call.identity
        return identity is not None and access.permit(identity, need) is None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for. Kinds of which there are very many are there on request alone, if `often` is false."""

    kinds: Set[str]
    service: str
    author: str
    contains: str
    reader: Reader
    often: bool

    @classmethod
    def of(cls, call: Call, *, often: bool) -> Wanted:
        """The parameters of a request. Raises 400001 for a kind that there is not."""
        kinds = frozenset(one.strip() for one in call.query.get("kind", "").split(",") if one.strip())
        unknown = next((one for one in sorted(kinds) if one not in KINDS), None)
        if unknown is not None:
            raise invalid(f"kind: there is no {unknown[:64]!r}, only {', '.join(KINDS)}")
        service, author, contains = (call.query.get(name, "") for name in ("service", "author", "contains"))
        return cls(kinds, service, author, contains, Reader(call), often)

    def fits(self, one: Happening) -> bool:
        """Whether an event is to be shown."""
        if not self._fits_kind(one) or not self.reader.may(one.kind):
            return False
        if self.service and one.service != self.service:
            return False
        if self.author and not (self.reader.sees_authors and self.author in one.author):
            return False
        return not self.contains or any(self.contains in text for text in one.texts)

    def _fits_kind(self, one: Happening) -> bool:
        if not self.kinds:
            return self.often or one.kind not in OFTEN
        return one.kind in self.kinds or (RULE in self.kinds and one.is_rule)

"""What was decided on a request, for as long as it holds: the hot path repeats a decision only while it does."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from registry.access.callers import Told
from registry.access.permissions import Labels, Need

if TYPE_CHECKING:
    from registry.access.callers import Origin, Seen
    from registry.api.door import Door
    from registry.catalog.records import Service

_NEVER = float("inf")


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks for what: the Authorization header, the need, the labels that the scope of enforcement looks at, and the instances.

    `filtered`: the answer is narrowed to what may be seen; `empty`: for those who may see nothing it is empty, where others refuse.
    `any_labels`: the same request may come with other labels, and the decision is to be the same.
    """

    header: str
    need: Need
    about: Sequence[Labels]
    origins: Sequence[Origin]
    depends: Sequence[Dependence] = ()
    filtered: bool = False
    empty: bool = False
    any_labels: bool = False


class Dependence(NamedTuple):
    """A service that the decision was made from: another one in its place makes it void."""

    services: Mapping[str, Service]
    service: Service

    @property
    def holds(self) -> bool:
        """Whether it is still registered as it was."""
        return self.services.get(self.service.service_id) is self.service


class Verdict:
    """A decision. `granted` narrows a list to these label sets; `repeatable`: the hot path may use it again."""

    __slots__ = ("_door", "_version", "asked", "expires", "granted", "repeatable", "seen", "told")

    def __init__(
        self, door: Door, asked: Asked, seen: Seen, granted: Sequence[Labels] | None, *, repeatable: bool
    ) -> None:
        self.asked = asked
        self.seen = seen
        self.told = Told.of(seen, asked.about)
        self.granted = granted
        self.repeatable = repeatable
        self._door = door
        self._version = door.access.version
        self.expires: float = seen.identity.expires if seen.identity is not None else _NEVER

    @property
    def refused(self) -> bool:
        """Whether the request is refused."""
        return self.seen.refusal is not None and self.seen.enforced and self.granted is None

    @property
    def author(self) -> str:
        """Who asks, before an address, for the audit log."""
        return f"{self.seen.identity.account}@" if self.seen.identity is not None else ""

    def stands(self) -> bool:
        """Whether it may be used again: nothing that it depends on has changed, and its token has not ended."""
        if self._version != self._door.access.version or time.time() >= self.expires:
            return False
        return all(dependence.holds for dependence in self.asked.depends)

    def still_holds(self) -> bool:
        """Whether the request would be decided alike now: for those who have waited since."""
        if self.stands():
            return True
        now = self._door.decide(self.asked)
        return (now.refused, now.granted) == (self.refused, self.granted) and (now.repeatable or not self.repeatable)

    def note(self, address: str) -> None:
        """Count a request that it was used for."""
        self._door.note(self, address)

"""How many instances services have, and had: none at all is wrong only where there were some."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import NamedTuple

LOOK_BACK = 600
"""Seconds in which the most instances count as all of them."""
_SLOT = 60
RETIRED_AFTER = 86400
"""Seconds after which a service without instances is no longer missed."""
_MOST = 100_000
"""Services that are remembered. The one that was counted longest ago goes first."""


class Group(NamedTuple):
    """The instances that are counted together: of a service, or of one of its versions."""

    tenant: str
    environment: str
    app: str
    service: str
    version: str = ""


@dataclass(slots=True)
class _Known:
    """The most instances by minute, and when there was one last."""

    most: dict[int, int] = field(default_factory=dict)
    last: int = 0


class Population:
    """What is known of the number of instances that are UP. Seconds are those of the wall clock."""

    def __init__(self) -> None:
        self._known: OrderedDict[Group, _Known] = OrderedDict()

    def seen(self, group: Group, second: int) -> None:
        """There was an instance at that time."""
        known = self._of(group)
        known.last = max(known.last, second)

    def lost(self, group: Group, up: int, second: int) -> float | None:
        """Count: how many percent of the most of late are not up; None where none were for so long that none are expected."""
        known = self._known.get(group)
        if known is None and not up:
            return None
        known = self._of(group)
        slot = second // _SLOT
        if up:
            known.last = second
        known.most = {at: most for at, most in known.most.items() if 0 <= slot - at < LOOK_BACK // _SLOT}
        known.most[slot] = max(known.most.get(slot, 0), up)
        if not up and second - known.last > RETIRED_AFTER:
            del self._known[group]
            return None
        most = max(known.most.values())
        return 100.0 * (most - up) / most if most else 0.0

    def _of(self, group: Group) -> _Known:
        known = self._known.setdefault(group, _Known())
        self._known.move_to_end(group)
        if len(self._known) > _MOST:
            self._known.popitem(last=False)
        return known

"""What one try of a call has drawn: a place among groups of instances, whoever is in them at the moment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from governance.invocation.invocation import Target

Targets: TypeAlias = tuple[Target, ...]


class Plan(Protocol):
    """What draws lead to, for certain instances."""

    def falls_back(self, drawn: int) -> bool:
        """Whether a draw has nobody, so that a second one counts."""

    def chosen(self, drawn: int, fallback: int) -> tuple[Targets, str]:
        """The instances of two draws, and why it is these."""


@dataclass(eq=False, slots=True)
class Lot:
    """A draw. `number` is that of the rule that was drawn from. The second draw is made where it is needed alone, so that its shares
    are exact, too; whatever instances drop out, the try keeps its draws.
    """

    number: int
    plan: Callable[[Targets], Plan]
    drawn: int
    draw_fallback: Callable[[], int]
    _second: int | None = None

    def places(self, plan: Plan) -> tuple[int, int]:
        """Both draws; the second is 0 where it does not count."""
        if not plan.falls_back(self.drawn):
            return self.drawn, 0
        if self._second is None:
            self._second = self.draw_fallback()
        return self.drawn, self._second


@dataclass(frozen=True, slots=True)
class _Everyone:
    instances: Targets

    def falls_back(self, drawn: int) -> bool:
        return False

    def chosen(self, drawn: int, fallback: int) -> tuple[Targets, str]:
        return self.instances, "all instances"


def no_fallback() -> int:
    """The second draw where there is no fallback."""
    return 0


EVERYONE = Lot(-1, _Everyone, 0, no_fallback)
"""The draw of a call that is under no rule."""

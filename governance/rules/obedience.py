"""What a runtime makes of a rule, by the problems that the rule has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from governance.rules.problems import Code, Problem
from governance.rules.runtimes import Family, Runtime


class Does(StrEnum):
    """What it does with a rule."""

    OBEYS = "obeys"
    MISREADS = "misreads"
    IGNORES = "ignores"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Obedience:
    """What a runtime does with a rule, and why it does not obey."""

    does: Does
    why: str = ""


def obedience(runtime: Runtime, problems: Sequence[Problem], *, sound: bool) -> Obedience:
    """What one runtime does; a rule that is not `sound` has an error, and is dropped by all."""
    if not sound:
        return Obedience(Does.IGNORES, "the rule has an error")
    if runtime.family is Family.OTHER:
        return Obedience(Does.UNKNOWN, "it is not known how it reads rules")
    own = [one for one in problems if runtime in one.runtimes]
    ignored = next((one for one in own if one.code is Code.UNSUPPORTED and one.whole), None)
    if ignored is not None:
        return Obedience(Does.IGNORES, ignored.why)
    return Obedience(Does.MISREADS, "; ".join(one.why for one in own)) if own else Obedience(Does.OBEYS)

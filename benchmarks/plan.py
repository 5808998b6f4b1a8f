"""How much is done: the whole, and a quick run that shows that everything works and says nothing about speed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Plan:
    """`rounds` runs of each load, each of so many `seconds`, after a check of `check_seconds`; 0 seconds: the check is all there is.

    `patience` is how many seconds a change may take to reach all watchers or pollers, `settle` how many the pollers get to begin their
    polls; `populations` are the numbers of instances that memory is measured with, `keys` that of key-values, `calls` how many
    calls a round of the stages has.
    """

    rounds: int = 3
    seconds: int = 4
    check_seconds: int = 1
    instances: int = 1000
    watchers: int = 1000
    changes: int = 100
    patience: float = 20.0
    populations: Sequence[int] = (10_000, 100_000)
    keys: int = 10_000
    pollers: int = 1000
    polled_changes: int = 5
    settle: float = 1.0
    calls: int = 20_000


FULL = Plan()
QUICK = Plan(
    rounds=1,
    seconds=0,
    instances=100,
    watchers=20,
    changes=5,
    populations=(100, 300),
    keys=200,
    pollers=20,
    polled_changes=2,
    settle=0.1,
    calls=50,
)

"""Notes what some runtimes would do with a rule."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from governance.rules.problems import Code, Notes, Path
from governance.rules.runtimes import Family, Runtime


class Lint:
    """Notes what some of the runtimes would do."""

    def __init__(self, runtimes: Sequence[Runtime], notes: Notes) -> None:
        self.runtimes = runtimes
        self.notes = notes

    def note(self, path: Path, code: Code, why: str, instead: str, concerned: Callable[[Runtime], bool]) -> None:
        """A warning, where it concerns any."""
        who = [runtime for runtime in self.runtimes if concerned(runtime)]
        if who:
            self.notes.warn(path, code, why, instead, who)


def of(*families: Family) -> Callable[[Runtime], bool]:
    """Whether a runtime is of one of some families."""
    return lambda runtime: runtime.family in families

"""Makes one test of many. A request is put to many of them, and a loop over them would take longer than they do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

Target = TypeVar("Target")


def all_of(tests: Sequence[Callable[[Target], bool]]) -> Callable[[Target], bool]:
    """Whether all hold, asked in their order until one does not; of none, true."""
    if len(tests) < 2:
        return tests[0] if tests else lambda _: True
    # In halves, so that thousands are not nested as deeply.
    first, second = all_of(tests[: len(tests) // 2]), all_of(tests[len(tests) // 2 :])
    return lambda target: first(target) and second(target)


def any_of(tests: Sequence[Callable[[Target], bool]]) -> Callable[[Target], bool]:
    """Whether one holds, asked in their order until one does; of none, false."""
    if len(tests) < 2:
        return tests[0] if tests else lambda _: False
    first, second = any_of(tests[: len(tests) // 2]), any_of(tests[len(tests) // 2 :])
    return lambda target: first(target) or second(target)

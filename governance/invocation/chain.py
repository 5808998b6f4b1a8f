"""Stages around a call: each may refuse it, change it, repeat it, or let it go on to the next."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeAlias

from governance.invocation.invocation import Invocation, Reply

Proceed: TypeAlias = Callable[[Invocation], Awaitable[Reply]]
"""What follows a stage: the next one, at last the call itself. It raises what the call raises."""


class Stage(Protocol):
    """A middleware of calls. `name` is the kind of rule that it obeys."""

    @property
    def name(self) -> str:
        """By which a stage is found in a chain."""

    async def __call__(self, invocation: Invocation, proceed: Proceed) -> Reply:
        """Handle a call."""


def chained(stages: Sequence[Stage], last: Proceed) -> Proceed:
    """The stages as one, the first of them outermost."""
    for stage in reversed(stages):
        last = _around(stage, last)
    return last


def _around(stage: Stage, proceed: Proceed) -> Proceed:
    def handle(invocation: Invocation) -> Awaitable[Reply]:
        return stage(invocation, proceed)

    return handle

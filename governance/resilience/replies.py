"""What becomes of replies that do not reach the caller, or that reach more than one. Who makes the calls says how."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from governance.invocation.invocation import Reply

Discard: TypeAlias = Callable[[Reply], None]
"""Lets go of a reply that nobody will read, and of its connection."""
Keep: TypeAlias = Callable[[Reply], Awaitable[Reply]]
"""Makes of a reply one that can be read any number of times. Raises what reading it raises."""


def leave(_: Reply) -> None:
    """Nothing is to be done, as with a reply that is in memory."""

"""Time as an argument: what waits, and what tells the time. Tests give others."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeAlias

Pause: TypeAlias = Callable[[float], Awaitable[None]]
"""Waits for so many seconds."""
Clock: TypeAlias = Callable[[], float]
"""Seconds since any moment; never goes back."""


async def pause_for(seconds: float) -> None:
    """The pause of real life."""
    await asyncio.sleep(seconds)

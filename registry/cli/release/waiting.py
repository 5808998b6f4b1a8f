"""Waits for instances to come and to go, as the engine tells it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import typer

from registry.cli.client import fail
from registry.cli.objects import Named
from registry.cli.show import Row

_PAUSE = 0.5


async def until(release: Named, holds: Callable[[Row], bool], seconds: float, what: str) -> Row:
    """The release as soon as something holds of it; after so many seconds a line that says `what`, and exit status 1."""
    try:
        async with asyncio.timeout(seconds) as limit:
            return await _until(release, holds)
    except TimeoutError as error:
        if not limit.expired():
            raise
        fail(f"after {seconds:g} seconds {what}")
        raise typer.Exit(1) from error


async def unless_changed(release: Named, since: Row, seconds: float) -> Row:
    """The release after so many seconds, sooner where somebody changes it."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while True:
        found = await release.get()
        left = end - loop.time()
        if left <= 0 or found.get("revision") != since.get("revision"):
            return found
        await asyncio.sleep(min(left, _PAUSE))


async def _until(release: Named, holds: Callable[[Row], bool]) -> Row:
    while True:
        found = await release.get()
        if holds(found):
            return found
        await asyncio.sleep(_PAUSE)

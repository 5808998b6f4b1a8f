"""A server in the test's own process, for tests that look inside it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from registry.server import Server


@contextlib.asynccontextmanager
async def served(server: Server) -> AsyncIterator[str]:
    """The server's first address, while the block lasts. Raises what keeps it from starting."""
    ready: asyncio.Future[list[str]] = asyncio.get_running_loop().create_future()
    running = asyncio.create_task(server.run(lambda addresses, _password: ready.set_result(addresses)))
    await asyncio.wait([running, ready], return_when=asyncio.FIRST_COMPLETED)
    if running.done():
        running.result()
    try:
        yield ready.result()[0]
    finally:
        server.stop()
        await running

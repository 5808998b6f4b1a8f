"""The end of a service's life, as process managers and people ask for it."""

from __future__ import annotations

import asyncio
import signal


async def until_stopped() -> None:
    """Wait for SIGTERM or Ctrl-C. Without it SIGTERM ends Python at once, and the instance stays registered until its lease ends.

    Afterwards a second Ctrl-C ends the program at once, while SIGTERM changes nothing: process managers repeat it.
    """
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    try:
        await stopped.wait()
    finally:
        loop.remove_signal_handler(signal.SIGINT)
        if not stopped.is_set():
            loop.remove_signal_handler(signal.SIGTERM)

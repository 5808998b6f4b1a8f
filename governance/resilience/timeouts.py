"""A bound on how long a call may take."""

from __future__ import annotations

import asyncio

from governance.invocation.chain import Proceed
from governance.invocation.invocation import Invocation, Reply
from governance.resilience.backoff import LONGEST


async def within(seconds: float, invocation: Invocation, proceed: Proceed) -> Reply | None:
    """The reply, or None when the time is over; the call is cancelled then. Raises what the call raises before."""
    timeout = asyncio.timeout(min(seconds, LONGEST))
    try:
        async with timeout:
            return await proceed(invocation)
    except Exception:
        if timeout.expired():
            return None
        raise

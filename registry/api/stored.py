"""Handlers that only read, and show nothing that is not stored."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable

from registry.api.call import Call, Reply

Reading = Callable[[Call], Awaitable[Reply]]


def of_stored(handler: Reading) -> Reading:
    """The handler, answering once what it has read is stored; it reads again where that was taken back."""

    @functools.wraps(handler)
    async def answer(call: Call) -> Reply:
        while True:
            reply = await handler(call)
            if await call.engine.settled():
                return reply

    return answer

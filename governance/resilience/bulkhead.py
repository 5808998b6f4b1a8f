"""The stage `bulkhead` of a provider: so many calls at once, in this process."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from governance.clock import Pause, pause_for
from governance.invocation.chain import Proceed
from governance.invocation.invocation import Invocation, LocalReply, Reply
from governance.invocation.live import LiveRules
from governance.invocation.measures import Measure
from governance.resilience.slots import Slots
from governance.rules import policies

REFUSAL = "bulkhead is full and does not permit further calls."


class Bulkhead:
    """The places of a policy, and the calls that wait for one."""

    def __init__(self, policy: policies.Bulkhead, pause: Pause) -> None:
        self._most = policy.max_concurrent_calls
        self._wait = policy.max_wait_duration / 1000
        self._pause = pause
        self._slots: Slots[asyncio.Future[bool]] = Slots(self._most)

    async def through(self, invocation: Invocation, proceed: Proceed) -> Reply | None:
        """Make a call when there is a place for it; None where there was none in time."""
        if not (self._slots.take() or (self._wait > 0 and await self._waited())):
            return None
        try:
            return await proceed(invocation)
        finally:
            self._leave()

    def measures(self) -> Iterable[Measure]:
        """Places that are free, and all there are."""
        yield Measure("available.concurrent.calls", self._slots.free)
        yield Measure("max.allowed.concurrent.calls", self._most)

    async def _waited(self) -> bool:
        """Wait for a place; False where the time is over before there is one."""
        waiter: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._slots.wait(waiter)
        timer = asyncio.ensure_future(self._pause(self._wait))
        timer.add_done_callback(lambda _: self._give_up(waiter))
        try:
            return await waiter
        except BaseException:
            if not self._slots.abandon(waiter) and not waiter.cancelled() and waiter.result():
                self._leave()
            raise
        finally:
            timer.cancel()

    def _give_up(self, waiter: asyncio.Future[bool]) -> None:
        if self._slots.abandon(waiter) and not waiter.done():
            waiter.set_result(False)

    def _leave(self) -> None:
        waiter = self._slots.leave()
        while waiter is not None and waiter.done():
            # It was cancelled and has had no turn to say so: its place is the next one's.
            waiter = self._slots.leave()
        if waiter is not None:
            waiter.set_result(True)


class BulkheadStage:
    """Refuses with 429 the calls for which there is no place in time."""

    name = "bulkhead"

    def __init__(self, rules: LiveRules, *, pause: Pause = pause_for) -> None:
        self._rules = rules
        self._pause = pause

    async def __call__(self, invocation: Invocation, proceed: Proceed) -> Reply:
        """Let a call go on, or refuse it."""
        policy = self._rules.book.applied(policies.Bulkhead, invocation.request)
        if policy is None:
            return await proceed(invocation)
        bulkhead = self._rules.processor(policy, lambda: Bulkhead(policy, self._pause))
        reply = await bulkhead.through(invocation, proceed)
        return LocalReply(429, REFUSAL, self.name) if reply is None else reply

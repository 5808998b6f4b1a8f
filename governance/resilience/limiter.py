"""A limit that calls wait at."""

from __future__ import annotations

from collections.abc import Iterable

from governance.clock import Clock, Pause
from governance.invocation.measures import Measure
from governance.resilience.permits import Permits
from governance.rules.policies import RateLimiting


class Limiter:
    """The permits of a policy in this process, and who waits for one."""

    def __init__(self, policy: RateLimiting, clock: Clock, pause: Pause) -> None:
        self._clock = clock
        self._pause = pause
        self._timeout = policy.timeout_duration / 1000
        self._permits = Permits(policy.rate, policy.limit_refresh_period / 1000, clock())
        self._waiting = 0

    async def admits(self) -> bool:
        """Whether a call may go on, after a wait where it has to. One that may not has waited out the timeout."""
        permit = self._permits.take(self._clock(), self._timeout)
        wait = self._timeout if permit is None else permit.wait
        if wait <= 0:
            return permit is not None
        self._waiting += 1
        try:
            await self._pause(wait)
        except BaseException:
            if permit is not None:
                self._permits.give_back(permit, self._clock())
            raise
        finally:
            self._waiting -= 1
        return permit is not None

    def measures(self) -> Iterable[Measure]:
        """Permits that are left, and calls that wait."""
        yield Measure("available.permissions", self._permits.available(self._clock()))
        yield Measure("waiting.threads", self._waiting)

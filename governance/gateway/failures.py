"""What is told of requests that no server answered. A server that is down fails each of them; a log line for each would be a flood."""

from __future__ import annotations

from governance.clock import Clock
from governance.logs import logger

_QUIET_SECONDS = 1.0
_MOST_KNOWN = 1000
log = logger(__name__)


class Failures:
    """One line a second for each route and server. `untold` in it are those since the line before, which the access log has."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._told: dict[tuple[str, str], tuple[float, int]] = {}

    def tell(self, route: str, server: str, error: OSError) -> None:
        """A request has failed."""
        now = self._clock()
        told, untold = self._told.get((route, server), (now - _QUIET_SECONDS, 0))
        if now - told < _QUIET_SECONDS:
            self._told[route, server] = told, untold + 1
            return
        if len(self._told) >= _MOST_KNOWN:
            self._told.clear()
        self._told[route, server] = now, 0
        log.warning("gateway.failed", route=route, server=server, error=str(error), untold=untold)

"""Leaving under load: first nobody new is sent here, then nobody new is let in, then who is inside finishes. Nobody is turned away."""

from __future__ import annotations

import asyncio

from governance.clock import Clock, Pause
from governance.logs import logger
from governance.sdk.calls import EngineError, EngineUnavailableError
from governance.sdk.membership import Membership
from governance.sdk.server.gate import Gate
from governance.sdk.settings import ServiceSettings

_AGAIN_SECONDS = 1.0

log = logger(__name__)


class Draining:
    """The end of one instance's work. It happens once, whoever asks for it and however often."""

    def __init__(
        self, membership: Membership, gate: Gate, settings: ServiceSettings, clock: Clock, pause: Pause
    ) -> None:
        self._membership = membership
        self._gate = gate
        self._settings = settings
        self._clock = clock
        self._pause = pause
        self._under_way = asyncio.Lock()

    async def run(self) -> None:
        """Return when nothing is handled any more, or `drain_timeout` has passed. Who asks a second time waits for the same end."""
        async with self._under_way:
            if not self._gate.closed and await self._told():
                await self._pause(self._settings.drain_wait)
            log.info("service.draining", service=self._settings.name, inside=self._gate.inside)
            if not await self._gate.close(self._settings.drain_timeout):
                log.warning("service.not_drained", service=self._settings.name, inside=self._gate.inside)

    async def _told(self) -> bool:
        """Make the status DOWN; whether the engine has it. One that is away is asked again for as long as callers would be waited for."""
        deadline = self._clock() + self._settings.drain_wait
        while True:
            try:
                await self._membership.set_status("DOWN")
            except (EngineError, EngineUnavailableError) as error:
                log.warning("service.status_unknown", service=self._settings.name, error=str(error))
            else:
                return self._membership.ready.is_set()
            if self._clock() >= deadline:
                return False
            await self._pause(min(_AGAIN_SECONDS, max(deadline - self._clock(), 0)))

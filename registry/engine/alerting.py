"""Alarms at work: what measures, and what sends, put together for an engine."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from registry.engine import Engine
from registry.engine.measuring import Readings
from registry.engine.sweeping import Sweeper
from registry.engine.webhooks import Sending, Webhooks


class Alerting:
    """Use it as `async with alerting.running():`, within the engine's own. It measures at every tick of the engine."""

    def __init__(self, engine: Engine, seconds: float, sending: Sending, readings: Readings) -> None:
        self.webhooks = Webhooks(engine.alarming, sending, engine.now)
        self.sweeper = Sweeper(engine, seconds, readings, self.webhooks)
        engine.on_tick.append(self.sweeper.tick)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Send what is raised while the block lasts."""
        async with self.webhooks.running():
            yield

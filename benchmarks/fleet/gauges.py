"""The two processes over time, and how late this one is: where it is, its figures are its own."""

from __future__ import annotations

import asyncio
import time

from benchmarks.fleet.figures import Figures, Moment
from benchmarks.server import Server, resident_mib
from tests.engine import EngineProcess

_MOMENT_SECONDS = 10.0
_DELAY_SECONDS = 0.05


class Gauges:
    """Looks again and again until cancelled."""

    def __init__(self, figures: Figures, engine: EngineProcess, pace: float) -> None:
        self._figures = figures
        self._engine = engine
        self._pause = _MOMENT_SECONDS / pace

    async def watch_processes(self) -> None:
        """Processor time and memory, where the engine is there to be looked at."""
        at, own, pid, spent = self._figures.now, time.process_time(), self._engine.pid, self._spent()
        while True:
            await asyncio.sleep(self._pause)
            if self._figures.running_since > self._figures.now:
                continue
            # A process that has started since has spent all that it has in this while.
            spent = spent if pid == self._engine.pid else 0.0
            before, at = at, self._figures.now
            used, now_own = self._spent() - spent, time.process_time()
            shares = [100 * part / (at - before) for part in (used, now_own - own)]
            moment = Moment(at, self._figures.calls, shares[0], resident_mib(self._engine.pid), shares[1])
            self._figures.moments.append(moment)
            own, pid, spent = now_own, self._engine.pid, spent + used

    def _spent(self) -> float:
        return Server("", self._engine.url, "", (), self._engine.pid).cpu_seconds() or 0.0

    async def watch_delays(self) -> None:
        """How much later than it should this process does what is due."""
        while True:
            due = time.perf_counter() + _DELAY_SECONDS
            await asyncio.sleep(_DELAY_SECONDS)
            self._figures.delays.add((time.perf_counter() - due) * 1000)

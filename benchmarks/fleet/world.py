"""What the clients of a fleet have in common: the engine's ports, the pace, and who should be there."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.fleet.figures import Figures
from benchmarks.fleet.wire import Address, Line

_HOST = "127.0.0.1"
_SOURCES = 200
_SEED = 1
STOP, KILL = "stop", "kill"


@dataclass(eq=False, slots=True)
class App:
    """An application and its one changing item: its number as last acknowledged, and when that was sent."""

    name: str
    key_id: str = ""
    number: int = 0
    sent_at: float = 0.0


@dataclass(eq=False, slots=True)
class Service:
    """A service, whom it calls, and the instances that the engine has said are registered."""

    app: App
    name: str
    providers: Sequence[Service] = ()
    service_id: str = ""
    present: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Ports:
    """The engine's ports, as unmodified clients are set to them."""

    registry: int
    config: int
    kie: int
    monitor: int


@dataclass(frozen=True, slots=True)
class Plan:
    """How large a fleet is and how it lives.

    `seconds` are those of the run, its start included, and real clients', of which these are `pace` times faster. `share` of them use one
    connection for calls that do not wait. An answer may take `patience` seconds. `restarts` are spread evenly over the run.
    """

    instances: int = 10_000
    seconds: float = 600.0
    pace: float = 1.0
    share: int = 5
    patience: float = 5.0
    restarts: Sequence[str] = (STOP, KILL)


class World:
    """The pace, the connections and the figures of all."""

    def __init__(self, figures: Figures, ports: Ports, plan: Plan) -> None:
        self.figures = figures
        self.ports = ports
        self.pace = plan.pace
        self.patience = plan.patience
        self.dice = random.Random(_SEED)
        self._share = plan.share
        self._lines: dict[tuple[int, int], Line] = {}

    async def sleep(self, seconds: float) -> None:
        """So many of a real client's seconds."""
        await asyncio.sleep(seconds / self.pace)

    def address(self, number: int, port: int) -> Address:
        """A port as the client of this number reaches it."""
        return Address(_HOST, port, f"127.0.1.{1 + number % _SOURCES}")

    def line(self, number: int, port: int) -> Line:
        """The connection for this client's calls that do not wait: one a port, or, where it is shared, one to that of the registry."""
        if self._share > 1:
            number, port = number // self._share, self.ports.registry
        line = self._lines.get((number, port))
        if line is None:
            line = self._lines[number, port] = self.held(number, port)
        return line

    def held(self, number: int, port: int) -> Line:
        """A connection for calls that wait."""
        return Line(self.address(number, port))

    def close(self) -> None:
        """Leave the connections that are shared."""
        for line in self._lines.values():
            line.close()

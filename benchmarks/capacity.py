"""What very many instances cost an engine: its memory, and the time until it answers again after it was killed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.plan import Plan
from benchmarks.results import SizeFigure
from benchmarks.sample import LoadFailedError
from benchmarks.scene import Scene
from benchmarks.server import own_engine, start
from tests.engine import EngineProcess, client_of

NAMES = ("memory", "restart")
_INSTANCES_A_SERVICE = 100


async def capacity(plan: Plan, chosen: Sequence[str], tell: Callable[[str], None]) -> Sequence[SizeFigure]:
    """Fill an engine of its own, look at its memory on the way, kill it and start it again. Raises `LoadFailedError`."""
    figures: list[SizeFigure] = []
    async with own_engine() as engine, client_of(engine.url) as client:
        scene, registered = Scene(client), 0
        for count in (0, *plan.populations):
            tell(f"memory with {count:,} instances")
            await _fill(scene, registered, count)
            registered = count
            about = f"memory with {count:,} instances"
            figures.append(SizeFigure("memory", about, count, _resident_mib(engine.pid), "MiB"))
        if "restart" in chosen:
            tell(f"restart with {registered:,} instances")
            figures.append(await _restart(engine, scene, registered))
    return [figure for figure in figures if figure.name in chosen]


async def _fill(scene: Scene, registered: int, count: int) -> None:
    for first in range(registered, count, _INSTANCES_A_SERVICE):
        owner = await scene.service(_name(first))
        await scene.instances(owner, min(_INSTANCES_A_SERVICE, count - first))


def _name(first: int) -> str:
    return f"provider-{first:08d}"


async def _restart(engine: EngineProcess, scene: Scene, count: int) -> SizeFigure:
    await engine.kill()
    started = time.perf_counter()
    await start(engine)
    seconds = time.perf_counter() - started
    found = 0
    for first in range(0, count, _INSTANCES_A_SERVICE):
        found += (await scene.find(_name(first)))[0]
    if found != count:
        raise LoadFailedError(f"{found} instances are there after a restart, where {count} were registered")
    return SizeFigure("restart", f"restart with {count:,} instances after kill -9", count, seconds, "s")


def _resident_mib(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise LoadFailedError(f"process {pid} tells nothing of its memory")

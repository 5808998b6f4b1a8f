"""What very many instances or key-values cost an engine: its memory, and the time until it answers again after it was killed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from benchmarks.config import config_scene_on
from benchmarks.plan import Plan
from benchmarks.results import SizeFigure
from benchmarks.sample import LoadFailedError
from benchmarks.scene import Scene
from benchmarks.server import own_engine, resident_mib, start
from tests.engine import EngineProcess, client_of

NAMES = ("memory", "restart", "config-memory")
_INSTANCES_A_SERVICE = 100


async def capacity(plan: Plan, chosen: Sequence[str], tell: Callable[[str], None]) -> Sequence[SizeFigure]:
    """Fill engines of its own and look at them. Raises `LoadFailedError`."""
    figures: list[SizeFigure] = []
    if {"memory", "restart"} & set(chosen):
        figures += await _instances(plan, chosen, tell)
    if "config-memory" in chosen:
        figures.append(await _key_values(plan, tell))
    return figures


async def _key_values(plan: Plan, tell: Callable[[str], None]) -> SizeFigure:
    about = f"memory with {plan.keys:,} key-values"
    tell(about)
    async with own_engine() as engine, config_scene_on(engine.url) as scene:
        await scene.fill(plan.keys)
        return SizeFigure("config-memory", about, plan.keys, resident_mib(engine.pid), "MiB")


async def _instances(plan: Plan, chosen: Sequence[str], tell: Callable[[str], None]) -> Sequence[SizeFigure]:
    """Look at the memory on the way, kill the engine and start it again."""
    figures: list[SizeFigure] = []
    async with own_engine() as engine, client_of(engine.url) as client:
        scene, registered = Scene(client), 0
        for count in (0, *plan.populations):
            tell(f"memory with {count:,} instances")
            await _fill(scene, registered, count)
            registered = count
            about = f"memory with {count:,} instances"
            figures.append(SizeFigure("memory", about, count, resident_mib(engine.pid), "MiB"))
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

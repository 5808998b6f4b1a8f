"""The demo: an engine, a gateway, the three services with two gray copies, and their lanes. It ends all of them."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated

import aiohttp
import typer
from rich.console import Console

from governance.samples.lanes.plan import GROUP, PARTS, RULES, Plan, group_of_lanes
from governance.samples.lanes.unit import APP
from governance.samples.weathermap.demo import STOP, stops, taken
from governance.samples.weathermap.plan import DEFAULT_ENGINE_PORT, ENGINE
from governance.samples.weathermap.processes import Fleet

_START_SECONDS = 60.0
_PAUSE_SECONDS = 0.3
_PATIENCE = aiohttp.ClientTimeout(total=5)
_HIGHEST_PORT = 65535


def demo(
    port: Annotated[int, typer.Option(min=1, max=_HIGHEST_PORT, help="The engine's port.")] = DEFAULT_ENGINE_PORT,
    edge_port: Annotated[int, typer.Option(min=1, max=_HIGHEST_PORT, help="The gateway's port.")] = 3020,
    base_port: Annotated[
        int, typer.Option(min=1, max=_HIGHEST_PORT - 4, help="First of the five ports of the services.")
    ] = 13190,
) -> None:
    """Start an engine, a gateway, the three services with two gray copies, and their lanes. Ctrl-C ends every process."""
    folder = Path(tempfile.mkdtemp(prefix="waggle-lanes-"))
    status = asyncio.run(_run(Plan(port, edge_port, base_port, folder)))
    if status == 0 or not any(folder.iterdir()):
        shutil.rmtree(folder, ignore_errors=True)
    raise typer.Exit(status)


async def _run(plan: Plan) -> int:
    console = Console(highlight=False, markup=False, soft_wrap=True)
    if (complaint := taken(plan.ports())) is not None:
        console.print(complaint, style="red")
        return 1
    happenings = stops()
    (plan.folder / "edge.yaml").write_text(plan.edge_config(), encoding="utf-8")
    members = plan.members()
    console.print(f"Starting {len(members)} processes; their logs are in {plan.folder}")
    async with Fleet(plan.folder, members, happenings.put_nowait) as fleet:
        ready = asyncio.create_task(_made_ready(plan))
        try:
            status = await _until_stopped(plan, fleet, ready, happenings, console)
        finally:
            ready.cancel()
        console.print("Stopping…")
    console.print("Every process has ended.")
    return status


async def _until_stopped(
    plan: Plan, fleet: Fleet, ready: asyncio.Task[None], happenings: asyncio.Queue[str], console: Console
) -> int:
    """Say when it is ready, and go on until someone stops it (0), or it cannot go on (1)."""
    happening = asyncio.create_task(happenings.get())
    await asyncio.wait((ready, happening), timeout=_START_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    if ready.done():
        ready.result()
        console.print(f'\n  curl -H "type:gray" {plan.hello}\n  curl {plan.hello}')
        console.print(f"  waggle lane show {GROUP} --engine {plan.engine}\n\nCtrl-C ends everything.\n")
    elif not happening.done():
        console.print("The services did not start in time.", style="red")
        return 1
    while (happened := await happening) != STOP:
        console.print(fleet.obituary(happened), style="yellow")
        if happened == ENGINE or not ready.done():
            return 1
        console.print(f"The rest goes on. To start it again:\n  {fleet.revival(happened)}\n")
        happening = asyncio.create_task(happenings.get())
    return 0


async def _made_ready(plan: Plan) -> None:
    """Create the lanes as soon as the engine answers, and wait until every component is up and the gateway knows its way."""
    async with aiohttp.ClientSession(timeout=_PATIENCE) as session:
        await _until(lambda: _written(session, plan))
        await _until(lambda: _goes_gray(session, plan))


async def _until(holds: Callable[[], Awaitable[bool]]) -> None:
    while True:
        with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError, ValueError):
            if await holds():
                return
        await asyncio.sleep(_PAUSE_SECONDS)


async def _written(session: aiohttp.ClientSession, plan: Plan) -> bool:
    for key, value in RULES.items():
        item = {"key": key, "value": value, "labels": {"app": APP, "environment": ""}, "status": "enabled"}
        async with session.post(f"{plan.engine}/v1/default/kie/kv", json=item) as answer:
            await answer.read()
    async with session.put(f"{plan.engine}/waggle/v1/lane-groups/one", json=group_of_lanes()) as answer:
        answer.raise_for_status()
    return True


async def _goes_gray(session: aiohttp.ClientSession, plan: Plan) -> bool:
    """Whether all components are registered, and a gray request finds the gray ones."""
    where = {"name": GROUP, "app": APP}
    async with session.get(f"{plan.engine}/waggle/v1/lane-groups/one", params=where) as answer:
        lanes = (await answer.json())["lanes"]
    there = [one for lane in lanes for component in lane["components"] for one in component["instances"]]
    async with session.get(plan.hello, headers={"type": "gray"}) as answer:
        said = await answer.json() if answer.status == 200 else {}
    gray = [name for name, one in said.items() if "gray" in one["SERVICECOMB_INSTANCE_PROPS"]]
    return len(there) == len(PARTS) and sorted(gray) == ["unit-controller", "unit-provider"]

"""The demo: an engine and the whole weathermap as processes, a table of what is registered, and an end that leaves no process behind."""

from __future__ import annotations

import asyncio
import shutil
import signal
import socket
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import aiohttp
import typer
from rich.console import Console
from rich.live import Live

from governance.samples.weathermap.plan import DEFAULT_ENGINE_PORT, ENGINE, Plan
from governance.samples.weathermap.processes import Fleet
from governance.samples.weathermap.table import Overview, read_overview, table_of
from governance.sdk import ServiceSettings, SettingsError
from governance.sdk.account import Account
from governance.sdk.addresses import AddressPool

_START_SECONDS = 60.0
_REFRESH_SECONDS = 1.0
_PATIENCE = aiohttp.ClientTimeout(total=3)
_HIGHEST_PORT = 65535
STOP = "stop"


def demo(
    port: Annotated[int, typer.Option(min=1, max=_HIGHEST_PORT, help="The engine's port.")] = DEFAULT_ENGINE_PORT,
    edge_port: Annotated[int, typer.Option(min=1, max=_HIGHEST_PORT, help="The edge's port.")] = 3010,
    web_port: Annotated[int, typer.Option(min=1, max=_HIGHEST_PORT, help="The page's port.")] = 3000,
    base_port: Annotated[
        int, typer.Option(min=1, max=_HIGHEST_PORT - 4, help="First of the five ports of the services behind the edge.")
    ] = 13090,
    beta: Annotated[bool, typer.Option("--beta", help="Start weather-beta too, which adds the UV index.")] = False,
    data_dir: Annotated[
        Path | None, typer.Option(help="Folder for data and logs, which stay; none: one that is removed at the end.")
    ] = None,
) -> None:
    """Start an engine and the weathermap. Ctrl-C ends every process."""
    folder = data_dir or Path(tempfile.mkdtemp(prefix="waggle-demo-"))
    status = asyncio.run(_run(Plan(port, edge_port, web_port, base_port, beta, folder)))
    if data_dir is None and (status == 0 or not any(folder.iterdir())):
        shutil.rmtree(folder, ignore_errors=True)
    raise typer.Exit(status)


async def _run(plan: Plan) -> int:
    console = Console(highlight=False, markup=False)
    if (complaint := taken(plan.ports())) is not None:
        console.print(complaint, style="red", soft_wrap=True)
        return 1
    try:
        asking = ServiceSettings.load(name="demo", addresses=plan.engine)
    except SettingsError as error:
        console.print(str(error), style="red", soft_wrap=True)
        return 1
    happenings = stops()
    members = plan.members()
    console.print(f"Starting {len(members)} processes; their logs are in {plan.folder}", soft_wrap=True)
    async with Fleet(plan.folder, members, happenings.put_nowait) as fleet, aiohttp.ClientSession() as session:
        status = await _Show(plan, asking, fleet, session, console).until_stopped(happenings)
        console.print("Stopping…")
    console.print("Every process has ended.")
    return status


class _Show:
    """Shows what is registered, and tells of processes that end."""

    def __init__(
        self, plan: Plan, asking: ServiceSettings, fleet: Fleet, session: aiohttp.ClientSession, console: Console
    ) -> None:
        self._plan = plan
        self._fleet = fleet
        self._session = session
        self._console = console
        self._engine = AddressPool(asking.addresses)
        self._account = Account(asking, self._engine)
        self._shown = Overview()
        self._ready = False

    async def until_stopped(self, happenings: asyncio.Queue[str]) -> int:
        """Go on until someone stops the demo (0), or it cannot go on (1). What happens is a stop, or the end of a process, by its name."""
        deadline = asyncio.get_running_loop().time() + _START_SECONDS
        with Live(console=self._console, auto_refresh=False) as live:
            while True:
                await self._look(live)
                happened = await _next(happenings)
                if happened == STOP:
                    return 0
                if happened and not self._survives(happened):
                    return 1
                if not self._ready and asyncio.get_running_loop().time() > deadline:
                    self._console.print("The weathermap did not start in time.", style="red")
                    return 1

    async def _look(self, live: Live) -> None:
        overview = await read_overview(self._session, self._account, self._engine)
        complete = overview.instances >= self._plan.expected
        if overview.rows != self._shown.rows and (self._console.is_terminal or self._ready or complete):
            self._shown = overview
            self._draw(live, overview)
        if not self._ready and complete and await self._page_answers():
            self._ready = True
            edge = f"http://localhost:{self._plan.edge_port}/fusionweather/show?city=Berlin"
            self._console.print(f"\nOpen {self._plan.page}   (the edge: {edge})", soft_wrap=True)
            console = f"{self._plan.engine}/console"
            self._console.print(f"The console is {console}", soft_wrap=True)
            self._console.print(f"The engine is {self._plan.engine}. Ctrl-C ends everything.\n")

    def _draw(self, live: Live, overview: Overview) -> None:
        if self._console.is_terminal:
            live.update(table_of(overview), refresh=True)
        else:
            self._console.print(table_of(overview))

    def _survives(self, name: str) -> bool:
        """Tell of a process that has ended. The demo goes on without a service, but not without the engine, nor before it is ready."""
        survives = self._ready and name != ENGINE
        self._console.print(self._fleet.obituary(name), style="yellow" if survives else "red", soft_wrap=True)
        if survives:
            self._console.print(
                f"The rest goes on. To start it again:\n  {self._fleet.revival(name)}\n", soft_wrap=True
            )
        return survives

    async def _page_answers(self) -> bool:
        url = f"{self._plan.page}weathermapweb/ui/fusionweatherdata?city=Berlin"
        try:
            async with self._session.get(url, timeout=_PATIENCE) as answer:
                weather = await answer.json()
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
            return False
        return bool(weather.get("currentWeather") and weather.get("forecastWeather"))


def stops() -> asyncio.Queue[str]:
    """What happens: for now that somebody stops the demo. Whoever starts processes puts in the names of those that end."""
    happenings: asyncio.Queue[str] = asyncio.Queue()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, happenings.put_nowait, STOP)
    return happenings


async def _next(happenings: asyncio.Queue[str]) -> str:
    """What happens within a second; empty where nothing does."""
    try:
        async with asyncio.timeout(_REFRESH_SECONDS):
            return await happenings.get()
    except TimeoutError:
        return ""


def taken(ports: Mapping[int, str]) -> str | None:
    """What to say where somebody else listens on ports, given with what they are for."""
    busy = [f"{port} ({name})" for port, name in ports.items() if not _is_free(port)]
    return f"These ports are taken: {', '.join(busy)}. Free them, or choose others: see --help." if busy else None


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True

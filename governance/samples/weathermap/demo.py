"""The demo: an engine and the whole weathermap as processes, a table of what is registered, and an end that leaves nothing behind."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import aiohttp
import typer
from rich.console import Console
from rich.live import Live

from governance.samples.weathermap.processes import Fleet, Member
from governance.samples.weathermap.table import Overview, read_overview, table_of

_START_SECONDS = 60.0
_REFRESH_SECONDS = 1.0
DEFAULT_ENGINE_PORT = 30100


@dataclass(frozen=True, slots=True)
class Plan:
    """Which processes run where."""

    port: int
    edge_port: int
    web_port: int
    base_port: int
    beta: bool
    data_dir: Path
    members: list[Member] = field(default_factory=list)

    @property
    def engine(self) -> str:
        """The engine's address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def page(self) -> str:
        """The address to open."""
        return f"http://localhost:{self.web_port}/"

    @property
    def expected(self) -> int:
        """How many instances must be registered before the demo is ready."""
        return 6 if self.beta else 5

    def ports(self) -> dict[int, str]:
        """The ports that must be free, and what for."""
        extra = {30110: "engine", 30103: "engine", 30109: "engine"} if self.port == DEFAULT_ENGINE_PORT else {}
        services = {self._port(number): name for number, name in enumerate(_SERVICES) if self.beta or number != 3}
        return {
            self.port: "engine",
            **extra,
            self.edge_port: "edge-service",
            self.web_port: "weathermapweb",
            **services,
        }

    def _port(self, number: int) -> int:
        return self.base_port + number

    def build(self) -> None:
        """Name the processes, in the order in which they start."""
        extra = [] if self.port == DEFAULT_ENGINE_PORT else _NO_EXTRA_PORTS
        data = ["--data-dir", str(self.data_dir / "engine")]
        engine = [sys.executable, "-m", "registry.cli", "serve", "--port", str(self.port), *extra, *data]
        self.members.append(Member("engine", engine))
        for number, name in enumerate(_SERVICES):
            if number != 3 or self.beta:
                self.members.append(
                    self._service(f"{name}-{number}" if number == 4 else name, name, self._port(number))
                )
        self.members.append(self._service("edge-service", "edge-service", self.edge_port))
        web = self._service("weathermapweb", "weathermapweb", self.web_port)
        self.members.append(Member(web.name, web.command[:-2], {"SERVICE_ADDR": f"127.0.0.1:{self.edge_port}"}))

    def _service(self, shown: str, name: str, port: int) -> Member:
        command = [
            sys.executable,
            "-m",
            "governance.samples.weathermap",
            name,
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
        ]
        return Member(shown, [*command, "--engine", self.engine])


_SERVICES = ("weather", "forecast", "fusionweather", "weather-beta", "weather")
_NO_EXTRA_PORTS = ["--kie-port", "0", "--config-port", "0", "--monitor-port", "0"]


def demo(
    port: Annotated[int, typer.Option(help="The engine's port.")] = DEFAULT_ENGINE_PORT,
    edge_port: Annotated[int, typer.Option(help="The edge's port.")] = 3010,
    web_port: Annotated[int, typer.Option(help="The page's port.")] = 3000,
    base_port: Annotated[int, typer.Option(help="First of the five ports of the services behind the edge.")] = 13090,
    beta: Annotated[bool, typer.Option("--beta", help="Start weather-beta too, which adds the UV index.")] = False,
    data_dir: Annotated[
        Path | None, typer.Option(help="Folder for data and logs; a new one where none is given.")
    ] = None,
) -> None:
    """Start an engine and the weathermap. Ctrl-C ends every process."""
    folder = data_dir or Path(tempfile.mkdtemp(prefix="waggle-demo-"))
    plan = Plan(port, edge_port, web_port, base_port, beta, folder)
    plan.build()
    raise typer.Exit(asyncio.run(_run(plan)))


async def _run(plan: Plan) -> int:
    console = Console()
    taken = [f"{port} ({name})" for port, name in plan.ports().items() if not _is_free(port)]
    if taken:
        console.print(
            f"These ports are taken: {', '.join(taken)}. Free them, or choose others: see --help.", style="red"
        )
        return 1
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    console.print(f"Starting {len(plan.members)} processes; their logs are in {plan.data_dir}", highlight=False)
    async with Fleet(plan.data_dir, plan.members) as fleet, aiohttp.ClientSession() as session:
        stopped = asyncio.ensure_future(stop.wait())
        died = asyncio.ensure_future(fleet.first_death())
        try:
            status = await _watch(plan, session, console, stopped, died)
        finally:
            stopped.cancel()
            died.cancel()
        if not stop.is_set():
            console.print(
                fleet.obituary(died.result()) if died.done() else "The weathermap did not start in time.", style="red"
            )
        console.print("Stopping…", highlight=False)
    console.print("Every process has ended.", highlight=False)
    return status


async def _watch(
    plan: Plan,
    session: aiohttp.ClientSession,
    console: Console,
    stopped: asyncio.Task[Literal[True]],
    died: asyncio.Future[str],
) -> int:
    """Show the table until someone stops the demo (0) or a process dies (1)."""
    deadline = asyncio.get_running_loop().time() + _START_SECONDS
    shown, ready = Overview(), False
    with Live(console=console, auto_refresh=False, transient=False) as live:
        while True:
            overview = await read_overview(session, plan.engine)
            if overview.rows != shown.rows and (console.is_terminal or overview.instances >= plan.expected):
                shown = overview
                _show(live, console, shown)
            if not ready and overview.instances >= plan.expected and await _page_answers(session, plan.page):
                ready = True
                console.print(
                    f"\nOpen {plan.page}   (the edge: http://localhost:{plan.edge_port}/fusionweather/show?city=Berlin)",
                    soft_wrap=True,
                )
                console.print(f"The engine is {plan.engine}. Ctrl-C ends everything.\n")
            await asyncio.wait((stopped, died), timeout=_REFRESH_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            if stopped.done():
                return 0
            if died.done() or (not ready and asyncio.get_running_loop().time() > deadline):
                return 1


def _show(live: Live, console: Console, overview: Overview) -> None:
    if console.is_terminal:
        live.update(table_of(overview), refresh=True)
    else:
        console.print(table_of(overview))


async def _page_answers(session: aiohttp.ClientSession, page: str) -> bool:
    try:
        async with session.get(f"{page}weathermapweb/ui/fusionweatherdata?city=Berlin") as answer:
            return answer.status == 200
    except (aiohttp.ClientError, TimeoutError, OSError):
        return False


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True

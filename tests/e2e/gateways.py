"""A gateway process on free loopback ports, and servers behind it, all ended with the test."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

from aiohttp import web

from governance.gateway.gateway import Gateway
from governance.gateway.governed import Alone, Governance
from governance.gateway.sources import parse
from governance.routing.own import OwnInstance
from tests.engine import ROOT

_START_SECONDS = 30.0
_FREE_PORTS = "listen: 127.0.0.1:0\nadmin: 127.0.0.1:0\n"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class GatewayProcess:
    """One `python -m governance.gateway`. `config` is written to its file, below the lines that choose free ports."""

    def __init__(self, folder: Path, config: str) -> None:
        self.file = folder / "edge.yaml"
        self.log = folder / "edge.log"
        self.output = folder / "edge.out"
        self.process: asyncio.subprocess.Process | None = None
        self.url = self.admin = ""
        self.write(config)

    def write(self, config: str) -> None:
        """Change the file, as editors do: in one step."""
        fresh = self.file.with_suffix(".new")
        fresh.write_text(f"{_FREE_PORTS}{config}", encoding="utf-8")
        fresh.replace(self.file)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.url.rsplit(":", 1)[1])

    @property
    def pid(self) -> int:
        """The process id."""
        assert self.process is not None
        return self.process.pid

    def logged(self) -> str:
        """What it has said so far."""
        return self.log.read_text(encoding="utf-8")

    async def start(self) -> None:
        """Start it and wait for its ready line."""
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", "governance.gateway", "--config", str(self.file)),
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                cwd=ROOT,
            )
        assert self.process.stdout is not None
        async with asyncio.timeout(_START_SECONDS):
            line = (await self.process.stdout.readline()).decode()
        assert line.startswith("gateway ready http"), f"no ready line but {line!r}; the log:\n{self.logged()}"
        self.url, self.admin = line.split()[2:]

    def tell(self, number: signal.Signals) -> None:
        """Send a signal."""
        assert self.process is not None
        self.process.send_signal(number)

    async def ended(self) -> tuple[int, str]:
        """Wait for its end: the exit status, and what it printed after the ready line."""
        assert self.process is not None
        assert self.process.stdout is not None
        async with asyncio.timeout(_START_SECONDS):
            printed = (await self.process.stdout.read()).decode()
            status = await self.process.wait()
        # Python 3.11 leaves the transport to the collector, which then warns.
        self.process._transport.close()  # type: ignore[attr-defined]
        return status, printed


@contextlib.asynccontextmanager
async def running_gateway(folder: Path, config: str) -> AsyncIterator[GatewayProcess]:
    """A started gateway."""
    gateway = GatewayProcess(folder, config)
    try:
        await gateway.start()
        yield gateway
    finally:
        if gateway.process is not None and gateway.process.returncode is None:
            gateway.tell(signal.SIGKILL)
            await gateway.ended()


class GatewayInside:
    """A gateway in the process of the test, where a process of its own shows nothing more."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._gateway.addresses["listen"].rsplit(":", 1)[1])


@contextlib.asynccontextmanager
async def gateway_inside(config: str) -> AsyncIterator[GatewayInside]:
    """A gateway that obeys the rules of its configuration."""
    read = parse("test", f"{_FREE_PORTS}{config}")
    gateway = Gateway(read)
    if read.rules:
        gateway.core.governor = governance = Governance(gateway.core, OwnInstance("edge"), Alone("edge"))
        governance.update(read, {})
    async with gateway.listening():
        yield GatewayInside(gateway)


@contextlib.asynccontextmanager
async def server_of(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """A server that answers every request by the handler; its URL."""
    app = web.Application(client_max_size=2**30)
    app.router.add_route("*", "/{rest:.*}", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, auto_decompress=False)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
        yield "{}://{}:{}".format("https" if tls else "http", *runner.addresses[0][:2])
    finally:
        await runner.cleanup()


@contextlib.asynccontextmanager
async def talking(talk: Talk) -> AsyncIterator[str]:
    """A server that does with its connections what it likes; its URL."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                await talk(reader, writer)
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in tuple(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def saying(text: str) -> Handler:
    """Answers the same to all."""

    async def handle(_request: web.Request) -> web.Response:
        return web.Response(text=text)

    return handle


async def telling(request: web.Request) -> web.Response:
    """Answers what has arrived."""
    body = await request.read()
    headers = [[name, value] for name, value in request.headers.items()]
    return web.json_response(
        {"method": request.method, "target": request.raw_path, "headers": headers, "body": body.decode("latin-1")}
    )

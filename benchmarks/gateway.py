"""`python -m benchmarks.gateway`: the gateway and nginx as plain proxies before the same server. See docs/benchmarks.md.

Each proxy is one process. wrk loads them in turn, round by round; what counts is how many requests a second of processor time is good for,
the kernel's part included, since that varies less on a machine that does other things, too.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, TypeAlias

import orjson
import typer

from benchmarks import wrk
from benchmarks.machine import machine
from benchmarks.sample import LoadFailedError
from benchmarks.server import Server, free_port

_Writer: TypeAlias = Callable[[int, str], str]
"""Makes the part of nginx's configuration that serves, of its port and the URL of the server behind it."""
CONNECTIONS = 32
BODY_BYTES = 1024
_RULES = """
rules:
  servicecomb.matchGroup.all: "matches: [{apiPath: {prefix: /}}]"
  servicecomb.rateLimiting.all: "rate: 100000000"
"""
_ROUTES = """
rules:
  servicecomb.routeRule.origin: "[{precedence: 1, route: [{weight: 100, tags: {group: all}}]}]"
"""
_START_SECONDS = 20.0


@dataclass(slots=True)
class Proxy:
    """A proxy under load, and what a second of processor time was good for in each round."""

    name: str
    server: Server
    path: bytes = b"/benchmark"
    rounds: list[float] = field(default_factory=list)

    @property
    def per_core(self) -> float:
        """Requests for a second of processor time."""
        return statistics.median(self.rounds)


def missing() -> str:
    """Why nothing can be measured; empty where it can."""
    if shutil.which("nginx", path=_PATH) is None:
        return "nginx is not installed, and there is nothing to compare with: apt-get install nginx-light"
    return wrk.missing()


_PATH = "/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin"


async def measure(rounds: int, seconds: int) -> Sequence[Proxy]:
    """Load all proxies. Raises `LoadFailedError`."""
    with tempfile.TemporaryDirectory(prefix="waggle-benchmark-") as name:
        folder = Path(name)
        for part in ("origin", "kept", "plain", "straight", "routed", "ruled"):
            (folder / part).mkdir()
        async with contextlib.AsyncExitStack() as stack:
            proxies = await _proxies(stack, folder)
            checked = {one.name: await wrk.check(one.server.url, _request(one), 1, CONNECTIONS) for one in proxies}
            for _ in range(rounds):
                for one in proxies:
                    before = one.server.cpu_seconds()
                    known = checked[one.name]
                    sample = await wrk.measure(one.server.url, _request(one), seconds, known, CONNECTIONS)
                    spent = one.server.with_cpu(sample, before).cpu_us
                    one.rounds.append(1e6 / spent if spent else 0.0)
    return proxies


def _request(proxy: Proxy) -> Sequence[bytes]:
    headers = b"Host: edge\r\nUser-Agent: benchmark\r\nAccept: */*\r\n"
    return [b"GET %b HTTP/1.1\r\n%b\r\n" % (proxy.path, headers)]


async def _proxies(stack: contextlib.AsyncExitStack, folder: Path) -> Sequence[Proxy]:
    """The server behind all proxies, and before it nginx in two ways and the gateway in two."""
    origin = await stack.enter_async_context(_nginx(folder / "origin", _origin, ""))
    kept = await stack.enter_async_context(_nginx(folder / "kept", _kept, origin.url))
    plain = await stack.enter_async_context(_nginx(folder / "plain", _plain, origin.url))
    straight = await stack.enter_async_context(_gateway(folder / "straight", origin.url, ""))
    ruled = await stack.enter_async_context(_gateway(folder / "ruled", origin.url, _RULES))
    routed = await stack.enter_async_context(_gateway(folder / "routed", origin.url, _ROUTES))
    return [
        Proxy("nginx, connections to the server kept", kept),
        Proxy("nginx, as it comes", plain),
        Proxy("gateway", straight),
        Proxy("gateway, each request another", straight, b"/benchmark?number=" + wrk.NUMBER),
        Proxy("gateway, under a route rule", routed),
        Proxy("gateway, under a rule", ruled),
    ]


def _origin(port: int, _url: str) -> str:
    return f'server {{ listen 127.0.0.1:{port}; location / {{ return 200 "{"x" * BODY_BYTES}"; }} }}'


def _kept(port: int, origin: str) -> str:
    host = origin.removeprefix("http://")
    told = "".join(
        f"proxy_set_header {name} {value};"
        for name, value in {
            "Connection": '""',
            "X-Forwarded-For": "$proxy_add_x_forwarded_for",
            "X-Forwarded-Proto": "$scheme",
            "X-Forwarded-Host": "$host",
        }.items()
    )
    pool = f"upstream origin {{ server {host}; keepalive {2 * CONNECTIONS}; keepalive_requests 1000000000; }}"
    return f"{pool} server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://origin; proxy_http_version 1.1; {told} }} }}"


def _plain(port: int, origin: str) -> str:
    return f"server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass {origin}; }} }}"


@contextlib.asynccontextmanager
async def _nginx(folder: Path, write: _Writer, origin: str) -> AsyncIterator[Server]:
    """One worker of nginx."""
    port = free_port()
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    folders = "".join(f"{kind}_temp_path {folder / kind};" for kind in kinds)
    file = folder / "nginx.conf"
    file.write_text(
        f"daemon off; master_process off; worker_processes 1; pid {folder / 'pid'}; error_log {folder / 'log'};"
        f"events {{ worker_connections 1024; }} http {{ access_log off; keepalive_requests 1000000000; {folders} {write(port, origin)} }}",
        encoding="utf-8",
    )
    program = shutil.which("nginx", path=_PATH) or "nginx"
    async with _process(program, "-e", str(folder / "log"), "-c", str(file)) as process:
        await _answers(port, process)
        yield Server("nginx", f"http://127.0.0.1:{port}", "", (), process.pid)


@contextlib.asynccontextmanager
async def _gateway(folder: Path, origin: str, rules: str) -> AsyncIterator[Server]:
    port = free_port()
    file = folder / "edge.yaml"
    servers = f"{{groups: {{all: {{addresses: ['{origin}']}}}}}}"
    upstream = f"upstreams: {{origin: {servers}}}\nroutes: [{{path: /, upstream: origin}}]\n"
    listen = f"listen: 127.0.0.1:{port}\nadmin: 127.0.0.1:0\naccessLog: false\n"
    file.write_text(listen + upstream + rules, encoding="utf-8")
    async with _process(sys.executable, "-m", "governance.gateway", "--config", str(file)) as process:
        await _answers(port, process)
        yield Server("gateway", f"http://127.0.0.1:{port}", "", (), process.pid)


@contextlib.asynccontextmanager
async def _process(*command: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process that ends with the block."""
    quiet = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(*command, stdin=quiet, stdout=quiet, stderr=quiet)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _answers(port: int, process: asyncio.subprocess.Process) -> None:
    """Wait until somebody listens. Raises `LoadFailedError`."""
    try:
        async with asyncio.timeout(_START_SECONDS):
            while process.returncode is None:
                with contextlib.suppress(ConnectionError):
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                    writer.close()
                    await writer.wait_closed()
                    return
                await asyncio.sleep(0.05)
    except TimeoutError as error:
        raise LoadFailedError("a proxy does not start") from error
    raise LoadFailedError(f"a proxy has ended with status {process.returncode}")


def main(
    json: Annotated[Path | None, typer.Option(help="File to write every figure to.", dir_okay=False)] = None,
    rounds: Annotated[int, typer.Option(min=1, help="How often each proxy is loaded.")] = 5,
    seconds: Annotated[int, typer.Option(min=1, help="How long each time.")] = 4,
) -> None:
    """Tell what a second of processor time is good for, of the gateway and of nginx."""
    problem = missing()
    if problem:
        typer.secho(problem, fg="red", err=True)
        raise typer.Exit(1)
    try:
        proxies = asyncio.run(measure(rounds, seconds))
    except LoadFailedError as error:
        typer.secho(str(error), fg="red", err=True)
        raise typer.Exit(1) from error
    best = proxies[0].per_core
    for one in proxies:
        print(
            f"{one.name:42} {one.per_core:10,.0f} requests per second of processor time, {one.per_core / best:5.2f} of nginx"
        )
    if json is not None:
        figures = {one.name: one.rounds for one in proxies}
        json.write_bytes(orjson.dumps({"machine": machine(), "per_core": figures}, option=orjson.OPT_INDENT_2))


if __name__ == "__main__":
    typer.run(main)

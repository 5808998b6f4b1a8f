"""The servers under load: one at an address, or an engine that is started for it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import socket
import tempfile
from collections.abc import AsyncIterator, Collection, Coroutine
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import aiohttp

from benchmarks.sample import LoadFailedError, Sample
from tests.engine import EngineProcess

REGISTRY = "registry"
"""What a server that is a Service Center speaks."""
KIE = "config"
"""What one that is a KIE speaks."""
ACCESS = "access"
"""What an engine that is started here has: its access control may be turned on, by this password of root's."""
ROOT_PASSWORD = "Benchmark-1"  # noqa: S105  of engines that end with the benchmark

_ROOT_VARIABLE = "SC_INIT_ROOT_PASSWORD"

_VERSIONS = {REGISTRY: "/v4/default/registry/version", KIE: "/v1/health"}
_NO_CLIENTS_PORTS = (15_000, 32_000)
_TRIES = 100
_Figures = TypeVar("_Figures")
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Server:
    """A server by its address; `apis` are what it speaks, `pid` is its process, where that is ours to look at."""

    label: str
    url: str
    version: str
    apis: Collection[str]
    pid: int | None = None

    def cpu_seconds(self) -> float | None:
        """What the process has spent of the processors so far."""
        if self.pid is None:
            return None
        facts = Path(f"/proc/{self.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return (int(facts[11]) + int(facts[12])) / _TICKS

    def with_cpu(self, sample: Sample, before: float | None) -> Sample:
        """The sample with what each answer took of the process since `before`."""
        now = self.cpu_seconds()
        if now is None or before is None:
            return sample
        return replace(sample, cpu_us=(now - before) * 1e6 / sample.count)


@contextlib.asynccontextmanager
async def own_engine(**settings: object) -> AsyncIterator[EngineProcess]:
    """A `waggle serve` on a free port with a data folder that goes with it. Raises `LoadFailedError` where it does not start.

    `settings` are by the names of docs/settings.md.
    """
    with tempfile.TemporaryDirectory(prefix="waggle-benchmark-") as folder:
        engine = EngineProcess(Path(folder, "data"), **settings)
        os.environ[_ROOT_VARIABLE] = ROOT_PASSWORD
        try:
            await start(engine)
            yield engine
        finally:
            if engine.process is not None:
                await engine.kill()


async def start(engine: EngineProcess) -> None:
    """Start an engine, or start it again. Raises `LoadFailedError`."""
    try:
        await engine.start()
    except (AssertionError, TimeoutError) as error:
        raise LoadFailedError(f"the engine does not start: {error}") from error


async def until_told(measuring: Coroutine[object, object, _Figures]) -> _Figures:
    """On SIGTERM as on Ctrl-C, every process that was started is ended first."""
    task = asyncio.ensure_future(measuring)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await task


def free_port() -> int:
    """A port on which nobody listens, and which the system gives to no client meanwhile. Raises `LoadFailedError`."""
    for _ in range(_TRIES):
        port = random.randrange(*_NO_CLIENTS_PORTS)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise LoadFailedError("no port is free")


def resident_mib(pid: int) -> float:
    """The memory of a process. Raises `LoadFailedError`."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise LoadFailedError(f"process {pid} tells nothing of its memory")


@contextlib.asynccontextmanager
async def server_at(url: str, label: str) -> AsyncIterator[Server]:
    """The server at an address, or an own engine where there is none. Raises `LoadFailedError` where none answers."""
    if url:
        yield await _known(label, url, None)
        return
    async with own_engine() as engine:
        known = await _known(label, engine.url, engine.pid)
        yield replace(known, apis=(*known.apis, ACCESS))


async def _known(label: str, url: str, pid: int | None) -> Server:
    versions = {api: await _version(url + path) for api, path in _VERSIONS.items()}
    spoken = {api: version for api, version in versions.items() if version}
    if not spoken:
        raise LoadFailedError(f"no Service Center answers at {url}, and no KIE")
    return Server(label, url, next(iter(spoken.values())), tuple(spoken), pid)


async def _version(url: str) -> str:
    """What the server says of itself; empty where it does not speak the API."""
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session,
            session.get(url) as response,
        ):
            facts = await response.json(content_type=None) if response.status == 200 else {}
    except (aiohttp.ClientError, TimeoutError, ValueError):
        return ""
    return str(facts.get("version", "")) if isinstance(facts, dict) else ""

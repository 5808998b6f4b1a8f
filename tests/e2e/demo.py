"""`waggle demo` as a user starts it, on free ports, and what is left of it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.engine import ROOT, eventually

_START_SECONDS = 90.0
DAY = "2026-11-24"


@dataclass
class Demo:
    """A demo. `pids` has its processes by name once it is ready."""

    process: asyncio.subprocess.Process
    ports: Mapping[str, int]
    output: str = ""
    pids: dict[str, int] = field(default_factory=dict)

    @property
    def engine(self) -> str:
        """The engine's address."""
        return f"http://127.0.0.1:{self.ports['port']}"

    @property
    def edge(self) -> str:
        """The edge's address."""
        return f"http://127.0.0.1:{self.ports['edge-port']}"

    @property
    def page(self) -> str:
        """The page's address."""
        return f"http://127.0.0.1:{self.ports['web-port']}/"

    async def until(self, text: str) -> None:
        """Read on until the demo has said this."""
        assert self.process.stdout is not None
        async with asyncio.timeout(_START_SECONDS):
            while text not in self.output:
                line = await self.process.stdout.readline()
                assert line, f"the demo ended without saying {text!r}:\n{self.output}"
                self.output += line.decode()

    async def end(self, with_signal: signal.Signals | None = None) -> int:
        """End the demo, or wait for its own end; its exit status, when every process of it has ended."""
        if with_signal is not None and self.process.returncode is None:
            self.process.send_signal(with_signal)
        assert self.process.stdout is not None
        async with asyncio.timeout(60):
            self.output += (await self.process.stdout.read()).decode()
            status = await self.process.wait()
        self.process._transport.close()  # type: ignore[attr-defined]
        await eventually(self._has_ended, 30)
        return status

    async def _has_ended(self) -> bool:
        return not any(map(is_alive, self.pids.values()))


@contextlib.asynccontextmanager
async def started(*words: str, environ: Mapping[str, str] | None = None) -> AsyncIterator[Demo]:
    """A demo that has been started, whether it gets ready or not."""
    ports = free_ports()
    flags = [word for name, port in ports.items() for word in (f"--{name}", str(port))]
    unwanted = (
        "COLUMNS",
        "CAS_INSTANCE_VERSION",
        "SERVICECOMB_INSTANCE_PROPS",
        "WEATHERMAP_SEED",
        "LATENCY",
        "FAILURES",
    )
    inherited = {name: value for name, value in os.environ.items() if name not in unwanted}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "registry.cli", "demo", *flags, *words),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=ROOT,
        env={**inherited, "WEATHERMAP_DATE": DAY, **(environ or {})},
    )
    demo = Demo(process, ports)
    try:
        yield demo
    finally:
        await demo.end(signal.SIGKILL)


@contextlib.asynccontextmanager
async def ready(*words: str, environ: Mapping[str, str] | None = None) -> AsyncIterator[Demo]:
    """A demo that says that it can be used."""
    async with started(*words, environ=environ) as demo:
        await demo.until("Ctrl-C ends everything.")
        demo.pids = {"demo": demo.process.pid, **_children(demo.process.pid)}
        yield demo


def is_alive(pid: int) -> bool:
    """Whether a process exists."""
    return Path(f"/proc/{pid}").exists()


def free_ports() -> dict[str, int]:
    """Ports that nobody listens on: three anywhere, and the first of five in a row."""
    with contextlib.ExitStack() as held:
        single = [_bound(held, 0) for _ in range(3)]
        while True:
            base = random.randrange(20000, 30000)
            with contextlib.ExitStack() as row, contextlib.suppress(OSError):
                for number in range(5):
                    _bound(row, base + number)
                return dict(zip(("port", "edge-port", "web-port", "base-port"), (*single, base), strict=True))


def _bound(stack: contextlib.ExitStack, port: int) -> int:
    held = stack.enter_context(socket.socket())
    held.bind(("127.0.0.1", port))
    return int(held.getsockname()[1])


def _children(pid: int) -> dict[str, int]:
    """The processes that a process has started, by the port or the name on their command line."""
    found: dict[str, int] = {}
    for folder in Path("/proc").iterdir():
        with contextlib.suppress(OSError, IndexError):
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1]) if folder.name.isdigit() else 0
            if parent == pid:
                words = (folder / "cmdline").read_text().split("\0")
                name = "engine" if "registry.cli" in words else words[words.index("governance.samples.weathermap") + 1]
                found[f"{name}-2" if name in found else name] = int(folder.name)
    return found

"""A real engine for tests: the `waggle serve` process on free loopback ports, ended with the test."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import aiohttp

ROOT = Path(__file__).parent.parent
SHARED = ROOT.parent / "shared"
_START_SECONDS = 120.0
_NO_EXTRA_PORTS = {"kie_port": 0, "config_port": 0, "monitor_port": 0}


class EngineProcess:
    """One `waggle serve`. It keeps its port and data folder across `kill` and `start`."""

    def __init__(self, data_dir: Path, **settings: object) -> None:
        self.settings = {"port": 0, **_NO_EXTRA_PORTS, "data_dir": data_dir, **settings}
        self.data_dir = data_dir
        self.urls: list[str] = []
        self.process: asyncio.subprocess.Process | None = None
        self.log = data_dir.with_suffix(".log")

    @property
    def url(self) -> str:
        """The address of the main port."""
        return self.urls[0]

    @property
    def port(self) -> int:
        """The number of the main port."""
        return int(self.url.rsplit(":", 1)[1])

    @property
    def pid(self) -> int:
        """The process id."""
        assert self.process is not None
        return self.process.pid

    async def start(self) -> None:
        """Start the process and wait for its ready line."""
        flags = [word for name, value in self.settings.items() for word in _flag(name, value)]
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "registry.cli",
                "serve",
                *flags,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                cwd=ROOT,
            )
        assert self.process.stdout is not None
        async with asyncio.timeout(_START_SECONDS):
            line = (await self.process.stdout.readline()).decode()
        assert line.startswith("waggle ready http"), f"no ready line but {line!r}; the log:\n{self.log.read_text()}"
        self.urls = line.split()[2:]
        self.settings["port"] = self.port

    async def kill(self) -> None:
        """End the process as a power cut would."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> int:
        """End the process as an operator would; its exit status."""
        return await self._end(signal.SIGTERM)

    async def _end(self, with_signal: signal.Signals) -> int:
        assert self.process is not None
        if self.process.returncode is None:
            # Not by asyncio: where the process has just ended by itself, that would take its status away.
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, with_signal)
        assert self.process.stdout is not None
        async with asyncio.timeout(_START_SECONDS):
            await self.process.stdout.read()
            status = await self.process.wait()
        # Python 3.11 leaves the transport to the collector, which then warns.
        self.process._transport.close()  # type: ignore[attr-defined]
        return status


@contextlib.asynccontextmanager
async def running_engine(data_dir: Path, **settings: object) -> AsyncIterator[EngineProcess]:
    """A started engine with these settings, by the names of docs/settings.md."""
    engine = EngineProcess(data_dir, **settings)
    try:
        await engine.start()
        yield engine
    finally:
        if engine.process is not None and engine.process.returncode is None:
            await engine.kill()


class Client:
    """Calls an engine as a plain HTTP client does."""

    def __init__(self, session: aiohttp.ClientSession, url: str, domain: str = "default") -> None:
        self.session = session
        self.url = url
        self.registry = f"{url}/v4/default/registry"
        self._headers = {"X-Domain-Name": domain}

    async def call(
        self, method: str, path: str, body: object = None, expect: int | None = None, **headers: str
    ) -> tuple[int, object, aiohttp.typedefs.LooseHeaders]:
        """Status, decoded body (`None` where empty) and headers; a path without `/v…` is one of the registry's."""
        whole = path.startswith(("/v", "/registry/", "/health", "/waggle", "/metrics", "/openapi"))
        url = self.url + path if whole else self.registry + path
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.session.request(method, url, json=body, headers={**self._headers, **named}) as response:
            payload = await response.read()
            if expect is not None:
                assert response.status == expect, f"{method} {path}: {response.status} {payload[:500]!r}"
            is_json = response.content_type == "application/json" and payload
            return response.status, await response.json() if is_json else None, response.headers

    async def service(self, name: str, **fields: object) -> str:
        """Register a service; its id."""
        _, body, _ = await self.call("POST", "/microservices", {"service": {"serviceName": name, **fields}}, 200)
        return body["serviceId"]  # type: ignore[index]

    async def instance(self, service_id: str, **fields: object) -> str:
        """Register an instance; its id."""
        given = {"hostName": "host", "endpoints": ["rest://127.0.0.1:8080"], **fields}
        path = f"/microservices/{service_id}/instances"
        _, body, _ = await self.call("POST", path, {"instance": given}, 200)
        return body["instanceId"]  # type: ignore[index]

    async def find(self, name: str, consumer: str = "", app: str = "default", **query: str) -> list[dict[str, object]]:
        """The instances of a service."""
        parameters = "&".join(f"{key}={value}" for key, value in {"appId": app, "serviceName": name, **query}.items())
        headers = {"X_ConsumerId": consumer} if consumer else {}
        _, body, _ = await self.call("GET", f"/instances?{parameters}", None, 200, **headers)
        return body.get("instances", [])  # type: ignore[attr-defined, no-any-return]


@contextlib.asynccontextmanager
async def client_of(url: str, domain: str = "default") -> AsyncIterator[Client]:
    """A client with its own connections."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=120)) as session:
        yield Client(session, url, domain)


async def eventually(check: Callable[[], Awaitable[bool]], seconds: float = 60.0) -> None:
    """Ask again until the check holds; fail when it does not in time."""
    async with asyncio.timeout(seconds):
        while not await check():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.Event().wait(), 0.02)


def _flag(name: str, value: object) -> list[str]:
    flag = "--" + name.replace("_", "-")
    if isinstance(value, bool):
        return [flag if value else "--no-" + name.replace("_", "-")]
    return [flag, str(value)]

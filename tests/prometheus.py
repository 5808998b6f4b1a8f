"""A real Prometheus for tests: Debian's, with the project's own configuration at the speed of a test, ended with the test."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import signal
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from ruamel.yaml import YAML

from tests.dockerfile import DOCKER, free_port
from tests.engine import ROOT

CONFIG = DOCKER / "prometheus" / "prometheus.yml"
RULES = CONFIG.with_name("rules.yml")
_EXTRACTED = ROOT / ".venv" / "prometheus" / "usr" / "bin"
_START_SECONDS = 30.0
_TRIES = 5


def program(name: str) -> str:
    """The path of `prometheus` or `promtool`; without it the test is skipped."""
    path = shutil.which(name) or shutil.which(name, path=str(_EXTRACTED))
    if path is None:
        pytest.skip(f"PROMETHEUS IS MISSING: `make system` fetches it, or install Debian's package; {name} was not run")
    return path


class Prometheus:
    """A running Prometheus, asked over its API."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self.url = url
        self._session = session

    async def get(self, path: str, **params: str) -> Any:
        """The data of an answer. An expression that is none fails the test."""
        async with self._session.get(f"{self.url}/api/v1/{path}", params=params) as answer:
            body = await answer.json()
            assert answer.status == 200, f"{path} {params}: {body}"
            return body["data"]

    async def values(self, expression: str) -> list[float]:
        """What an expression comes to now."""
        found = await self.get("query", query=expression)
        return [float(row["value"][1]) for row in found["result"]]

    async def targets(self, job: str) -> Sequence[Mapping[str, Any]]:
        """The targets of a job."""
        found = await self.get("targets", state="active")
        return [target for target in found["activeTargets"] if target["labels"]["job"] == job]


def config_for(engine: str, change: Callable[[dict[str, Any]], None] = lambda _job: None) -> dict[str, Any]:
    """The project's configuration for an engine, every second. `change` is given the job that discovers services."""
    config: dict[str, Any] = YAML(typ="safe", pure=True).load(CONFIG.read_text(encoding="utf-8"))
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    waggle, services = config["scrape_configs"]
    waggle["static_configs"] = [{"targets": [engine.removeprefix("http://")]}]
    (found,) = services["http_sd_configs"]
    found["url"] = found["url"].replace("http://engine:30100", engine)
    found["refresh_interval"] = "1s"
    change(services)
    return config


@contextlib.asynccontextmanager
async def running_prometheus(folder: Path, config: Mapping[str, Any]) -> AsyncIterator[Prometheus]:
    """A Prometheus with this configuration and the project's rules."""
    _write(folder, config)
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session:
        process, url = await _started(folder, session)
        try:
            yield Prometheus(url, session)
        finally:
            await _ended(process)


def _write(folder: Path, config: Mapping[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / CONFIG.name).open("w", encoding="utf-8") as file:
        YAML(typ="safe", pure=True).dump(config, file)
    shutil.copy(RULES, folder)


async def _started(folder: Path, session: aiohttp.ClientSession) -> tuple[asyncio.subprocess.Process, str]:
    """It cannot choose a free port by itself: where another was faster, it ends, and the next one is tried."""
    log = folder / "prometheus.log"
    for _ in range(_TRIES):
        address = f"127.0.0.1:{free_port()}"
        with log.open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                program("prometheus"),
                f"--config.file={folder / CONFIG.name}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address={address}",
                stdout=output,
                stderr=output,
            )
        if await _is_ready(process, f"http://{address}", session):
            return process, f"http://{address}"
        await _ended(process)
    pytest.fail(f"Prometheus does not start:\n{log.read_text(errors='replace')}")


async def _is_ready(process: asyncio.subprocess.Process, url: str, session: aiohttp.ClientSession) -> bool:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_START_SECONDS):
            while process.returncode is None:
                with contextlib.suppress(aiohttp.ClientError, OSError):
                    async with session.get(f"{url}/-/ready") as answer:
                        if answer.status == 200:
                            return process.returncode is None
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(process.wait(), 0.1)
    return False


async def _ended(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGKILL)
    await process.wait()
    # Python 3.11 leaves the transport to the collector, which then warns.
    process._transport.close()  # type: ignore[attr-defined]

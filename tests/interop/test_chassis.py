"""Services on go-chassis v2.7.1, unmodified: two versions of a provider and a consumer that obeys what the engine serves."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
from pathlib import Path

import pytest

from tests.engine import running_engine
from tests.interop.programs import HERE, assert_checked, go, walk

pytestmark = pytest.mark.interop

FOLDER = HERE / "go_chassis"
CHECKS = {
    "discovery: the newest version is called",
    "configuration: a new item is there",
    "configuration: so is its change",
    "configuration: what is for the service wins",
    "configuration: without it the application's counts",
    "configuration: and its deletion",
    "route rule: everybody is sent to one version",
    "route rule: who has the header is sent to another",
    "route rule: its change is obeyed",
    "route rule: so is its deletion",
    "circuit breaker: without a setting it stays closed",
    "circuit breaker: it opens as the setting says",
    "circuit breaker: it lets a call through after its window",
    "watch: who has unregistered is not called",
}
RESTART = {
    "restart: the provider is called",
    "restart: the configuration is read",
    "restart: calls go on without the engine",
    "restart: and what was configured stays",
    "restart: a change of the configuration arrives",
    "restart: so does a new version",
}
_CHASSIS = """
servicecomb:
  registry:
    address: {engine}
    watch: true
  config:
    client:
      type: kie
      serverUri: {engine}
      refreshMode: 0
      refreshInterval: {refresh}
  protocols:
    rest:
      listenAddress: 127.0.0.1:{port}
      advertiseAddress: 127.0.0.1:{port}
  handler:
    chain:
      Consumer:
        default: router,bizkeeper-consumer,loadbalance,transport
"""
_SERVICE = """
servicecomb:
  service:
    name: {name}
    app: chassis-go
    version: {version}
"""


def _conf(folder: Path, engine: str, name: str, version: str, refresh: int = 30) -> dict[str, str]:
    """The environment of a service whose two files these are.

    It polls for configuration for `refresh` seconds, and waits as long after a failure.
    """
    folder.mkdir()
    (folder / "chassis.yaml").write_text(_CHASSIS.format(engine=engine, port=_free_port(), refresh=refresh))
    (folder / "microservice.yaml").write_text(_SERVICE.format(name=name, version=version))
    return {"CHASSIS_CONF_DIR": str(folder)}


def _free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


class _Provider:
    """One provider's process."""

    def __init__(self, program: str, conf: dict[str, str], log: Path) -> None:
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [program, "provider"], cwd=log.parent, env={**os.environ, **conf}, stdout=output, stderr=output
            )

    async def stop(self) -> None:
        """End it as an operator would: it unregisters first."""
        self.process.terminate()
        await asyncio.to_thread(self.process.wait, 20)

    def end(self) -> None:
        """End it where the test has not."""
        self.process.kill()
        self.process.wait()


async def test_go_chassis_services_obey_the_engine(tmp_path: Path) -> None:
    """go-chassis v2.7.1: registration, discovery and its watch, KIE configuration, a route rule and a circuit breaker."""
    program = await go(FOLDER, "chassischeck")
    async with running_engine(tmp_path / "data") as engine:
        with contextlib.ExitStack() as ended:
            providers = []
            for version in ("1.0.0", "2.0.0"):
                conf = _conf(tmp_path / version, engine.url, "provider", version)
                providers.append(_Provider(program, conf, tmp_path / f"{version}.log"))
                ended.callback(providers[-1].end)
            conf = _conf(tmp_path / "consumer", engine.url, "consumer", "1.0.0")
            steps = {"stop": providers[1].stop}
            outcome = await walk((program, "consumer", engine.url), tmp_path, 180, steps, conf)
    assert_checked(outcome, CHECKS)


async def test_go_chassis_services_live_through_a_restart(tmp_path: Path) -> None:
    """go-chassis v2.7.1 under an engine that is killed and started again: calls go on, and changes arrive afterwards."""
    program = await go(FOLDER, "chassischeck")
    async with running_engine(tmp_path / "data") as engine:
        with contextlib.ExitStack() as ended:

            async def provide(version: str) -> None:
                conf = _conf(tmp_path / version, engine.url, "provider", version)
                ended.callback(_Provider(program, conf, tmp_path / f"{version}.log").end)

            await provide("1.0.0")
            conf = _conf(tmp_path / "consumer", engine.url, "consumer", "1.0.0", refresh=3)
            steps = {"kill": engine.kill, "start": engine.start, "second": lambda: provide("2.0.0")}
            outcome = await walk((program, "restart", engine.url), tmp_path, 300, steps, conf)
    assert_checked(outcome, RESTART)

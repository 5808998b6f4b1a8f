"""The client libraries inside Java Chassis, Spring Cloud Huawei and go-chassis, unmodified, against a real engine.

Each program prints one line a check, `ok NAME | SAW`; the names are asserted here, so that a program that checks nothing fails.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path

import pytest

from tests.engine import running_engine

HERE = Path(__file__).parent
pytestmark = pytest.mark.interop

COMMON = {
    "unknown service has no id",
    "service gets an id",
    "same service, same id",
    "service is found by name",
    "service is read back",
    "schema is stored",
    "schema is read back",
    "properties are replaced",
    "instance gets an id",
    "heartbeat is taken",
    "heartbeat of an unknown instance is refused",
    "find sees the instance",
    "find with the revision is not modified",
    "find sees the second at once",
    "status is set",
    "watch tells of a new instance",
    "the engine lists itself",
}
JAVA = COMMON | {
    "schemas are listed",
    "properties are read back",
    "batch heartbeat is taken",
    "find has a revision",
    "instance has the service's version",
    "status is read back",
    "unregistered is gone at once",
    "find of an unknown service is refused",
    "task registers",
    "task beats",
    "task uploaded its schema",
    "discovery pulls",
    "discovery sees it",
}
GO = COMMON | {
    "heartbeat by websocket is taken",
    "find of an unknown service is told apart",
    "watch tells of the status",
    "watch tells of the properties",
    "watch tells of the deletion",
    "instance properties are replaced",
    "instances are listed",
    "batch find sees them",
    "instance is unregistered",
    "the dependency was recorded",
    "services are listed",
    "the overview is read",
    "applications are listed",
    "service is unregistered",
}


async def run(*command: str, folder: Path, seconds: float) -> tuple[int, str]:
    """Status and output of a program that is ended with the test."""
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, env=os.environ
    )
    try:
        async with asyncio.timeout(seconds):
            output, _ = await process.communicate()
    except BaseException:
        process.kill()
        await process.wait()
        raise
    return process.returncode or 0, output.decode(errors="replace")


def tool(name: str) -> str:
    """The tool's path, or a skip that says what was not tested."""
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name.upper()} IS MISSING: its client library was not run against the engine")
    return path


def checks(output: str) -> tuple[set[str], list[str]]:
    """The names of the checks that passed, and the lines of those that did not."""
    lines = [line for line in output.splitlines() if line.startswith(("ok ", "bad "))]
    good = {line[3:].split(" | ")[0] for line in lines if line.startswith("ok ")}
    return good, [line for line in lines if line.startswith("bad ")]


async def test_java_library_works_against_the_engine(tmp_path: Path) -> None:
    """service-center-client 2.8.25: all its calls, its registration, discovery and watch tasks."""
    status, output = await run(tool("mvn"), "-q", "-B", "package", folder=HERE / "java", seconds=600)
    assert status == 0, output
    async with running_engine(tmp_path / "data") as engine:
        command = (tool("java"), "-cp", "target/classes:target/lib/*", "waggle.RegistryCheck", engine.url)
        status, output = await run(*command, folder=HERE / "java", seconds=120)
    good, failed = checks(output)
    assert not failed, failed
    assert good == JAVA, output
    assert status == 0


async def test_go_library_works_against_the_engine(tmp_path: Path) -> None:
    """sc-client v0.7.0: all its calls, the websocket heartbeat and the watch."""
    status, output = await run(tool("go"), "build", "-o", "bin/registrycheck", ".", folder=HERE / "go", seconds=600)
    assert status == 0, output
    async with running_engine(tmp_path / "data") as engine:
        address = engine.url.removeprefix("http://")
        status, output = await run("bin/registrycheck", address, folder=HERE / "go", seconds=120)
    good, failed = checks(output)
    assert not failed, failed
    assert good == GO, output
    assert status == 0

"""The client libraries inside Java Chassis, Spring Cloud Huawei and go-chassis, unmodified, against a real engine.

Each program prints one line a check, `ok NAME | SAW`; the names are asserted here, so that a program that checks nothing fails.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path

import pytest

from tests.api.access import ROOT_PASSWORD, guarded_engine
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
JAVA_CONFIG = {
    "kie: nothing is there yet",
    "kie: the revision is a number",
    "kie: a text item is one property",
    "kie: a yaml item is its properties",
    "kie: a properties item is its properties",
    "kie: the same revision is not changed",
    "kie task: the first pull has it",
    "kie task: service is heard of",
    "kie task: version is heard of",
    "kie task: custom is heard of",
    "kie task: a deletion uncovers what is below",
    "config center: an item of the application",
    "config center: a yaml item is its properties",
    "config center: the most specific wins",
    "config center: the same revision is not changed",
    "config center: what others have changes nothing",
    "config center task: its own write is heard of",
}
GO_CONFIG = {
    "nothing is there yet",
    "a key is created",
    "it cannot be created twice",
    "a bad key is refused",
    "it is read by its id",
    "an unknown id is not there",
    "it is changed",
    "it is found by a prefix",
    "the same revision is no change",
    "a change ends the wait",
    "a wait without a change ends",
    "it is gone once deleted",
}

JAVA_ACCESS = {
    "off: there is no token",
    "off: a service with an account registers and beats",
    "off: it reads its configuration",
    "observe: an unknown account is told so",
    "observe: the right account has a token",
    "observe: who met the 404 goes on",
    "observe: who came before its account goes on",
    "observe: a wrong password goes on",
    "observe: nobody is locked out",
    "enforce: who has a token goes on at once",
    "enforce: it is told of changes",
    "enforce: who came before its account is refused once",
    "enforce: and has asked again by then",
    "enforce: a wrong password is refused",
    "enforce: it asks once more, and not at each call",
    "enforce: who met the 404 is refused and does not ask",
    "observe again: nobody is refused",
    "off again: nobody is refused",
    "enforce: the fourth wrong password is locked out",
    "enforce: so is the right one",
    "enforce: and nobody else",
}
GO_ACCESS = {
    "off: who has no account works",
    "off: who has one cannot work",
    "observe: who has one that is unknown cannot work",
    "observe: it can as soon as its account is there",
    "observe: who has no account works",
    "observe: a wrong password cannot work",
    "enforce: who has a token goes on at once",
    "enforce: who has no account is refused",
    "enforce: and reads nothing",
    "enforce: the library's watch carries no token, and is refused",
    "enforce: finds go on",
    "observe again: nobody is refused",
    "off again: nobody is refused",
    "enforce: the fourth wrong password is locked out",
    "enforce: so is the right one",
    "enforce: and nobody else",
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


async def test_java_config_libraries_work_against_the_engine(tmp_path: Path) -> None:
    """config-kie-client and config-center-client 2.8.25: their calls, and their tasks with changes seen live."""
    status, output = await run(tool("mvn"), "-q", "-B", "package", folder=HERE / "java", seconds=600)
    assert status == 0, output
    async with running_engine(tmp_path / "data") as engine:
        command = (tool("java"), "-cp", "target/classes:target/lib/*", "waggle.ConfigCheck", engine.url)
        status, output = await run(*command, folder=HERE / "java", seconds=240)
    good, failed = checks(output)
    assert not failed, failed
    assert good == JAVA_CONFIG, output
    assert status == 0


async def test_go_config_library_works_against_the_engine(tmp_path: Path) -> None:
    """kie-client v0.2.0: all its calls, and a change seen while it waits."""
    folder = HERE / "go_config"
    status, output = await run(tool("go"), "build", "-o", "bin/configcheck", ".", folder=folder, seconds=600)
    assert status == 0, output
    async with running_engine(tmp_path / "data") as engine:
        status, output = await run("bin/configcheck", engine.url, folder=folder, seconds=120)
    good, failed = checks(output)
    assert not failed, failed
    assert good == GO_CONFIG, output
    assert status == 0


async def test_java_services_go_through_access_control(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """service-center-client and config-kie-client 2.8.25 from off to enforce and back: early, late, wrong, locked accounts."""
    status, output = await run(tool("mvn"), "-q", "-B", "package", folder=HERE / "java", seconds=600)
    assert status == 0, output
    async with guarded_engine(tmp_path / "data", "off", monkeypatch) as (engine, _):
        command = (tool("java"), "-cp", "target/classes:target/lib/*", "waggle.AccessCheck", engine.url, ROOT_PASSWORD)
        status, output = await run(*command, folder=HERE / "java", seconds=240)
    good, failed = checks(output)
    assert not failed, failed
    assert good == JAVA_ACCESS, output
    assert status == 0


async def test_go_services_go_through_access_control(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """sc-client v0.7.0 and kie-client v0.2.0 from off to enforce and back: with an account, without, wrong, locked."""
    folder = HERE / "go_access"
    status, output = await run(tool("go"), "build", "-o", "bin/accesscheck", ".", folder=folder, seconds=600)
    assert status == 0, output
    async with guarded_engine(tmp_path / "data", "off", monkeypatch) as (engine, _):
        status, output = await run("bin/accesscheck", engine.url, ROOT_PASSWORD, folder=folder, seconds=120)
    good, failed = checks(output)
    assert not failed, failed
    assert good == GO_ACCESS, output
    assert status == 0

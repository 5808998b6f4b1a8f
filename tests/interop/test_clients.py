"""The client libraries inside Java Chassis, Spring Cloud Huawei and go-chassis, unmodified, against a real engine.

Each program prints one line a check, `ok NAME | SAW`; the names are asserted here, so that a program that checks nothing fails.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.api.access import ROOT_PASSWORD, guarded_engine
from tests.engine import running_engine
from tests.interop.programs import HERE, JAVA, assert_checked, go, java, run

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
JAVA_REGISTRY = COMMON | {
    "services are listed",
    "schemas are listed",
    "schema is replaced",
    "schemas are replaced together",
    "instances are listed",
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
GO_REGISTRY = COMMON | {
    "heartbeat by websocket is taken",
    "find of an unknown service is told apart",
    "watch tells of the status",
    "watch tells of the properties",
    "watch tells of the deletion",
    "instance properties are replaced",
    "instances are listed",
    "batch find sees them",
    "instance is unregistered",
    "the engine's own address is taken, and answers",
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
    "each label set has its own items, and no others'",
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
    "enforce: it reads Config Center",
    "enforce: who came before its account is refused once",
    "enforce: and has asked again by then",
    "enforce: a wrong password is refused",
    "enforce: it asks once more, and not at each call",
    "enforce: nor reads it Config Center",
    "enforce: who met the 404 is refused and does not ask",
    "enforce: its role may not register",
    "enforce: nor with the token that it has, once it has another role",
    "enforce: it may with a new one",
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
    "enforce: its role may not register",
    "enforce: it may once the library has renewed its token",
    "enforce: and may not with the token from before",
    "observe again: nobody is refused",
    "off again: nobody is refused",
    "enforce: the fourth wrong password is locked out",
    "enforce: so is the right one",
    "enforce: and nobody else",
}


async def test_java_library_works_against_the_engine(tmp_path: Path) -> None:
    """service-center-client 2.8.25: all its calls, its registration, discovery and watch tasks."""
    command = await java("RegistryCheck")
    async with running_engine(tmp_path / "data") as engine:
        outcome = await run(*command, engine.url, folder=JAVA, seconds=120)
    assert_checked(outcome, JAVA_REGISTRY)


async def test_go_library_works_against_the_engine(tmp_path: Path) -> None:
    """sc-client v0.7.0: all its calls, the websocket heartbeat and the watch."""
    program = await go(HERE / "go", "registrycheck")
    async with running_engine(tmp_path / "data") as engine:
        address = engine.url.removeprefix("http://")
        outcome = await run(program, address, folder=HERE / "go", seconds=120)
    assert_checked(outcome, GO_REGISTRY)


async def test_java_config_libraries_work_against_the_engine(tmp_path: Path) -> None:
    """config-kie-client and config-center-client 2.8.25: their calls, and their tasks with changes seen live."""
    command = await java("ConfigCheck")
    async with running_engine(tmp_path / "data") as engine:
        outcome = await run(*command, engine.url, folder=JAVA, seconds=240)
    assert_checked(outcome, JAVA_CONFIG)


async def test_go_config_library_works_against_the_engine(tmp_path: Path) -> None:
    """kie-client v0.2.0: all its calls, and a change seen while it waits."""
    folder = HERE / "go_config"
    program = await go(folder, "configcheck")
    async with running_engine(tmp_path / "data") as engine:
        outcome = await run(program, engine.url, folder=folder, seconds=120)
    assert_checked(outcome, GO_CONFIG)


async def test_java_services_go_through_access_control(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """service-center-client and config-kie-client 2.8.25 from off to enforce and back: early, late, wrong, locked accounts."""
    command = await java("AccessCheck")
    async with guarded_engine(tmp_path / "data", "off", monkeypatch) as (engine, _):
        outcome = await run(*command, engine.url, ROOT_PASSWORD, folder=JAVA, seconds=240)
    assert_checked(outcome, JAVA_ACCESS)


async def test_go_services_go_through_access_control(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """sc-client v0.7.0 and kie-client v0.2.0 from off to enforce and back: with an account, without, wrong, locked."""
    folder = HERE / "go_access"
    program = await go(folder, "accesscheck")
    async with guarded_engine(tmp_path / "data", "off", monkeypatch) as (engine, _):
        outcome = await run(program, engine.url, ROOT_PASSWORD, folder=folder, seconds=120)
    assert_checked(outcome, GO_ACCESS)

"""What unmodified clients send to KIE, byte for byte: as recorded, and as their source says where nothing was recorded."""

from __future__ import annotations

import asyncio
import json
import re
import socket
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from tests.api.kie import Kie
from tests.engine import EngineProcess, eventually, running_engine
from tests.raw import RawAnswer, connect

pytestmark = pytest.mark.asyncio(loop_scope="module")

RECORDED = ("spring-cloud-huawei-1.11.11.jsonl", 8)
JAVA = "User-Agent: microservice-client/1.0.0\r\nContent-Type: application/json\r\nAccept-Encoding: gzip,deflate\r\n"
GO = "User-Agent: Go-http-client/1.1\r\nAccept-Encoding: gzip\r\n"
APP = {"app": "mall", "environment": ""}
SERVICE = {**APP, "service": "cart"}
VERSION = {**SERVICE, "version": "1.0.0"}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EngineProcess]:
    """An engine for all of them, that listens on KIE's own port too."""
    data = tmp_path_factory.mktemp("engine") / "data"
    async with running_engine(data, kie_port=_free_port()) as started:
        yield started


@pytest_asyncio.fixture(loop_scope="module")
async def kie(engine: EngineProcess) -> AsyncIterator[Kie]:
    """The project that unmodified clients name; each test leaves nothing in it."""
    async with aiohttp.ClientSession() as session:
        made = Kie(session, engine.url, "default")
        yield made
        left = [row["id"] for row in (await made.ok("GET", "/kv"))["data"]]
        if left:
            await made.ok("DELETE", "/kv", {"ids": left}, 204)


def _ports(engine: EngineProcess) -> list[int]:
    ports = [int(url.rsplit(":", 1)[1]) for url in engine.urls]
    assert len(ports) == 2
    return ports


async def _sent(port: int, head: str) -> RawAnswer:
    async with connect(port) as connection:
        return await connection.exchange(
            f"{head}\r\nHost: 127.0.0.1:{port}\r\n{JAVA}Connection: Keep-Alive\r\n\r\n".encode()
        )


def _recorded(shared: Path) -> list[Mapping[str, Any]]:
    name, count = RECORDED
    lines = (shared / "recordings" / name).read_text().splitlines()
    records = [record for record in map(json.loads, lines) if record["to"] == "kie"]
    assert len(records) == count
    return records


async def test_every_recorded_poll_is_answered_as_it_was(engine: EngineProcess, kie: Kie, shared: Path) -> None:
    """At the current revision 304 when its time is over, and on every port; at any other revision the list, and at once."""
    _, revision = await kie.listed()

    async def replay(record: Mapping[str, Any], port: int) -> None:
        headers = "".join(f"{name}: {value}\r\n" for name, value in record["headers"].items())
        assert "&&revision=" in record["path"]
        current = re.sub(r"revision=\d+", f"revision={revision}", record["path"]).replace("wait=10s", "wait=300ms")
        async with connect(port) as connection:
            same = await connection.exchange(f"GET {current} HTTP/1.1\r\nHost: e\r\n{headers}\r\n".encode())
            assert (same.status, same.body.decode()) == (record["status"], record["answer"])
            old = await connection.exchange(f"GET {record['path']} HTTP/1.1\r\nHost: e\r\n{headers}\r\n".encode())
            assert (old.status, old.body) == (200, b'{"total":0,"data":[]}')
            assert old.header("X-Kie-Revision") == str(revision)

    records = _recorded(shared)
    assert {record["method"] for record in records} == {"GET"}
    await asyncio.gather(*(replay(record, port) for record in records for port in _ports(engine)))


JAVA_LINES = {
    "app": ("label=app%3Amall&label=environment%3A&&revision={}&match=exact&wait=10s", APP),
    "service": (
        "label=app%3Amall&label=service%3Acart&label=environment%3A&&revision={}&match=exact&wait=10s",
        SERVICE,
    ),
    "version": (
        "label=app%3Amall&label=service%3Acart&label=environment%3A&label=version%3A1.0.0&&revision={}&match=exact&wait=10s",
        VERSION,
    ),
    "custom": ("label=public%3A&&revision={}&wait=10s", {"public": ""}),
}


@pytest.mark.parametrize("dimension", JAVA_LINES)
async def test_a_java_client_pulls_and_is_told_of_a_change(dimension: str, engine: EngineProcess, kie: Kie) -> None:
    """The first pull is answered although it says `wait`; the next waits; the change comes with a revision that does not repeat."""
    line, labels = JAVA_LINES[dimension]
    for name, other in JAVA_LINES.items():
        await kie.create(f"of.{name}", name, other[1], value_type="yaml")
    item = await kie.create("k", "one", labels)
    for port in _ports(engine):
        first = await _sent(port, f"GET /v1/default/kie/kv?{line.format(-1)} HTTP/1.1")
        found = json.loads(first.body)
        assert first.status == 200
        assert {row["key"] for row in found["data"]} == {"k", f"of.{dimension}"}
        revision = first.header("X-Kie-Revision")
        assert revision is not None, "with this case"
        asked = asyncio.create_task(_sent(port, f"GET /v1/default/kie/kv?{line.format(revision)} HTTP/1.1"))
        await eventually(lambda: _one_waits(kie))
        await kie.update(item["id"], f"two {port}")
        told = await asked
        assert (told.status, f"two {port}".encode() in told.body) == (200, True)
        assert int(told.header("X-Kie-Revision") or 0) > int(revision)


async def _one_waits(kie: Kie) -> bool:
    async with kie.session.get(f"{kie.url.partition('/v1/')[0]}/metrics") as response:
        return "waggle_config_polls 1.0\n" in await response.text()


@pytest.mark.parametrize(
    ("query", "key"),
    [
        ("revision={}&match=exact&label=app:mall&label=environment:", "app"),
        ("revision={}&match=exact&label=app:mall&label=environment:&label=service:cart", "service"),
        ("revision={}&match=exact&label=service:cart&label=environment:&label=app:mall", "service"),
        ("revision={}&wait=30s&match=exact&label=environment:&label=app:mall", "app"),
    ],
)
async def test_a_go_client_gets_its_dimension(query: str, key: str, engine: EngineProcess, kie: Kie) -> None:
    """Labels in any order and not escaped; 200 has a number for a revision, 304 has none and leaves the client's."""
    for name, (_, labels) in JAVA_LINES.items():
        await kie.create(name, name, labels)
    for port in _ports(engine):
        async with connect(port) as connection:
            line = f"GET /v1/default/kie/kv?{query.format(-1)} HTTP/1.1\r\nHost: e\r\n{GO}\r\n"
            first = await connection.exchange(line.encode())
            assert [row["key"] for row in json.loads(first.body)["data"]] == [key]
            assert json.loads(first.body)["data"][0]["status"] == "enabled"
            revision = first.header("X-Kie-Revision") or ""
            assert revision.isdigit()
            if "wait" not in query:
                same = await connection.exchange(line.replace("revision=-1", f"revision={revision}").encode())
                assert (same.status, same.header("X-Kie-Revision")) == (304, None)


async def test_the_governance_of_service_center_writes_and_finds_its_rules(engine: EngineProcess, kie: Kie) -> None:
    """The one stock writer: parentheses and stars as they are, `revision=0`, priority -1; a conflict passes through as 409001."""
    rule = {
        "key": "servicecomb.matchGroup.scene",
        "value": "matches:\n- apiPath:\n    prefix: /login\n",
        "value_type": "text",
        "status": "enabled",
        "priority": -1,
        "labels": APP,
    }
    created = await kie.ok("POST", "/kv", rule)
    await kie.create("servicecomb.rateLimiting.scene", "rate: 10\n", APP)
    await kie.create("servicecomb.matchGroup.other", "x", {"app": "other"})
    await kie.refused(409001, "POST", "/kv", rule)
    found: dict[str, list[str]] = {}
    async with connect(engine.port) as connection:
        for key in ("beginWith(servicecomb.matchGroup.)", "wildcard(servicecomb.*.scene)"):
            line = f"GET /v1/default/kie/kv?revision=0&key={key}&label=app:mall&label=environment: HTTP/1.1\r\nHost: e\r\n{GO}\r\n"
            answer = await connection.exchange(line.encode())
            found[key] = [row["key"] for row in json.loads(answer.body)["data"]]
    assert list(found.values()) == [
        ["servicecomb.matchGroup.scene"],
        ["servicecomb.rateLimiting.scene", "servicecomb.matchGroup.scene"],
    ]
    change = {**rule, "id": created["id"], "key": "", "value": "matches: []\n"}
    assert (await kie.ok("PUT", f"/kv/{created['id']}", change))["key"] == rule["key"]
    await kie.ok("DELETE", f"/kv/{created['id']}", status=204)


async def test_a_client_checks_an_isolated_address(engine: EngineProcess) -> None:
    """`GET /v1/health` is 200 on every port, which is what brings an address back."""
    for port in _ports(engine):
        answer = await _sent(port, "GET /v1/health HTTP/1.1")
        assert answer.status == 200

"""What unmodified Java applications sent to the real Service Center, and to a monitor, byte for byte; and what its watch pushed.

Their requests to KIE are in the same files: see `test_kie_recordings.py`. They sent none to Config Center.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.engine import Client, EngineProcess
from tests.raw import RawConnection, connect

FILES = {
    "java-chassis-2.7.9.jsonl": {"service-center": 43, "monitor": 9},
    "spring-cloud-huawei-1.11.11.jsonl": {"service-center": 68, "kie": 8},
}
_CUT = 6000


def _requests(file: Path) -> Sequence[Mapping[str, Any]]:
    """All but those to KIE; none is left out without notice."""
    records = [json.loads(line) for line in file.read_text().splitlines()]
    assert Counter(record["to"] for record in records) == FILES[file.name]
    return [record for record in records if record["to"] != "kie"]


def _text(record: Mapping[str, Any]) -> str:
    body = record.get("body") or ""
    return body if isinstance(body, str) else json.dumps(body)


def _bytes(record: Mapping[str, Any], ids: Mapping[str, str]) -> bytes:
    """The request as it was sent, with this run's ids in the place of the recorded ones."""
    path, body = record["path"], _text(record)
    for recorded, ours in ids.items():
        path, body = path.replace(recorded, ours), body.replace(recorded, ours)
    headers = {name: ids.get(value, value) for name, value in record["headers"].items()}
    lines = [f"{record['method']} {path} HTTP/1.1", "Host: 127.0.0.1", *(f"{k}: {v}" for k, v in headers.items())]
    if body or record["method"] in ("POST", "PUT"):
        lines.append(f"Content-Length: {len(body.encode())}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body.encode()


def _shape(value: object) -> object:
    """Names and types of a JSON value; a list is the shape of its items."""
    if isinstance(value, dict):
        return {name: _shape(inner) for name, inner in sorted(value.items())}
    if isinstance(value, list):
        return sorted({json.dumps(_shape(inner)) for inner in value})
    return type(value).__name__


def _decoded(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return text


async def _learn_revision(connection: RawConnection, record: Mapping[str, Any], ids: dict[str, str]) -> None:
    """Recorded answers have no headers: where the client sent its revision, that is the current one of ours."""
    path, _, revision = record["path"].partition("&rev=")
    if revision and revision not in ids:
        answer = await connection.exchange(_bytes({**record, "path": path}, ids))
        ids[revision] = answer.header("X-Resource-Revision") or ""
        assert ids[revision], f"no X-Resource-Revision, with this case, on {path}"


async def _replay(connection: RawConnection, record: Mapping[str, Any], ids: dict[str, str]) -> str:
    """Send one request; what differs from the recorded answer, if anything."""
    accepts_gzip = record["headers"].pop("Accept-Encoding", None)
    await _learn_revision(connection, record, ids)
    answer = await connection.exchange(_bytes(record, ids))
    place = f"{record['method']} {record['path']} (gzip: {accepts_gzip})"
    if answer.status != record["status"]:
        return f"{place}: {answer.status} {answer.body[:200]!r}, recorded {record['status']}"
    recorded, ours = _decoded(record["answer"]), _decoded(answer.body.decode())
    if isinstance(recorded, dict) and isinstance(ours, dict):
        for name in ("instanceId", "serviceId"):
            if name in recorded and recorded[name] != ours.get(name):
                ids[recorded[name]] = str(ours.get(name))
    cut = len(record["answer"]) >= 1500
    if not cut and _shape(recorded) != _shape(ours):
        return f"{place}: {answer.body[:300]!r}, recorded {record['answer'][:300]}"
    return ""


@pytest.mark.parametrize("name", FILES)
async def test_every_recorded_request_is_answered_alike(name: str, engine: EngineProcess, shared: Path) -> None:
    """The recorded status, and an answer of the same shape, for every request, header case included."""
    records = _requests(shared / "recordings" / name)
    assert not [record["path"] for record in records if len(_text(record)) >= _CUT], "cut bodies cannot be replayed"
    ids: dict[str, str] = {}
    async with connect(engine.port) as connection:
        differences = [difference for record in records if (difference := await _replay(connection, record, ids))]
    assert not differences, "\n".join(differences)


def _masked(frame: Any, names: Mapping[str, str]) -> object:
    text = json.dumps(frame, sort_keys=True)
    for found, shown in names.items():
        text = text.replace(found, shown)
    masked = json.loads(text)
    for stamp in ("timestamp", "modTimestamp"):
        masked["instance"][stamp] = "<time>"
    return masked


async def test_the_watch_pushes_what_the_real_one_pushed(client: Client, shared: Path) -> None:
    """The recorded frames after the same steps; a forced deletion, of which the original says nothing, is told as well."""
    recorded = [json.loads(line) for line in (shared / "recordings" / "watch.jsonl").read_text().splitlines()]
    wanted = [frame["data"] for step in recorded for frame in step["frames"] if isinstance(frame["data"], dict)]
    app, name = "w-<run>".replace("<run>", "r1"), "pro-r1"
    consumer = await client.service("con-r1", appId=app, version="1.0.0")
    provider = await client.service(name, appId=app, version="1.0.0")
    await client.find(name, consumer, app)
    got: list[Any] = []
    async with client.session.ws_connect(f"{client.registry}/microservices/{consumer}/watcher") as socket:

        async def step(frames: int = 1) -> None:
            got.extend([await socket.receive_json(timeout=30) for _ in range(frames)])

        endpoints = {"hostName": "h", "endpoints": ["rest://127.0.0.1:1"]}
        first = await client.instance(provider, **endpoints, properties={"cas_lane_tag": "base"})
        await step()
        path = f"/microservices/{provider}/instances/{first}"
        await client.call("PUT", f"{path}/heartbeat", None, 200)
        await client.call("PUT", f"{path}/properties", {"properties": {"cas_lane_tag": "gray"}}, 200)
        await step()
        await client.call("PUT", f"{path}/status?value=DOWN", None, 200)
        await step()
        await client.call("DELETE", path, None, 200)
        await step()
        await client.instance(provider, instanceId=first, hostName="h", endpoints=["rest://127.0.0.1:2"])
        await step()
        second_version = await client.service(name, appId=app, version="2.0.0")
        second = await client.instance(second_version, hostName="h2", endpoints=["rest://127.0.0.1:3"])
        await step()
        await client.call("DELETE", f"/microservices/{provider}?force=1", None, 200)
        await step()
    names = {first: "<instance>", provider: "<provider>", "-r1": "-<run>"}
    theirs = {wanted[-1]["instance"]["instanceId"]: "<second>", wanted[-1]["instance"]["serviceId"]: "<other>"}
    ours = {**names, second: "<second>", second_version: "<other>"}
    assert [_masked(frame, ours) for frame in got[:-1]] == [_masked(frame, theirs) for frame in wanted]
    assert got[-1]["action"] == "DELETE"
    assert got[-1]["instance"]["instanceId"] == first


async def test_the_watch_of_an_unknown_service_says_so_and_ends(client: Client, shared: Path) -> None:
    """One text frame, then the connection is gone without a close frame, as recorded."""
    last = json.loads((shared / "recordings" / "watch.jsonl").read_text().splitlines()[-1])
    async with client.session.ws_connect(f"{client.registry}/microservices/nobody/watcher") as socket:
        message = await socket.receive(timeout=30)
        assert message.data == last["frames"][0]["data"]
        assert (await socket.receive(timeout=30)).type is aiohttp.WSMsgType.CLOSED

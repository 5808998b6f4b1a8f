"""The hot path while access control is on: answered as the long way answers, whoever asks, and no longer than a decision holds."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.api.office import Office, guarded, permission
from tests.api.test_hot_path import ROOT, hot_answers
from tests.engine import Client, EngineProcess, eventually
from tests.raw import RawConnection, connect, request

_ITEMS = "/v1/default/kie/kv"
_BEAT = f"{ROOT}/microservices/orders-id/instances/i1/heartbeat"
_FIND = f"{ROOT}/instances?appId=default&serviceName=orders"
Headers = Mapping[str, str]


def _undated(raw: bytes) -> bytes:
    raw = re.sub(rb"Date: [^\r]+", b"Date: -", raw)
    raw = re.sub(rb"X-Resource-Revision: \w+|X-Kie-Revision: \d+|\"(mod)?[tT]imestamp\":\"\d+\"", b"", raw)
    return re.sub(rb'"id":"[^"]+"|"(create|update)_(time|revision)":\d+', b"", raw)


def _requests(headers: Headers) -> Mapping[str, bytes]:
    beats = b'{"instances":[{"serviceId":"orders-id","instanceId":"i1"}]}'
    mixed = b'{"instances":[{"serviceId":"orders-id","instanceId":"i1"},{"serviceId":"other-id","instanceId":"o1"}]}'
    again = b'{"instance":{"instanceId":"i1","hostName":"host","endpoints":["rest://127.0.0.1:8080"]}}'
    post, json_type = f"{ROOT}/microservices/orders-id/instances", {"Content_Type": "application/json"}
    return {
        "beat": request("PUT", _BEAT, **headers),
        "another's beat": request("PUT", f"{ROOT}/microservices/other-id/instances/o1/heartbeat", **headers),
        "batch": request("PUT", f"{ROOT}/heartbeats", beats, **headers),
        "batch of two": request("PUT", f"{ROOT}/heartbeats", mixed, **headers),
        "find": request("GET", _FIND, **headers),
        "find as a consumer": request("GET", _FIND, X_ConsumerId="other-id", **headers),
        "register": request("POST", post, again, **json_type, **headers),
        "list": request("GET", f"{_ITEMS}?label=app:default", **headers),
        "poll": request("GET", f"{_ITEMS}?label=app:default&revision=1&wait=10ms", **headers),
    }


async def _world(client: Client, office: Office) -> Mapping[str, Headers]:
    for name, instance in (("orders", "i1"), ("other", "o1")):
        given = {"service": {"serviceName": name, "serviceId": f"{name}-id"}}
        await client.call("POST", "/microservices", given, 200, **office.root)
        made = {"instance": {"hostName": "host", "instanceId": instance, "endpoints": ["rest://127.0.0.1:8080"]}}
        await client.call("POST", f"/microservices/{name}-id/instances", made, 200, **office.root)
    for app in ("default", "other"):
        item = {"key": app, "value": "1", "labels": {"app": app}, "status": "enabled", "value_type": "text"}
        await client.call("POST", _ITEMS, item, 200, **office.root)
    gone = await office.account("gone")
    await client.call("DELETE", "/v4/accounts/gone", None, 200, **office.root)
    return {
        "none": {},
        "invalid": {"Authorization": "Bearer invalid"},
        "deleted": gone,
        "nothing": await office.account("nothing", [permission("account", "get")]),
        "own": await office.account("own", [permission("service", serviceName="orders")]),
        "reader": await office.account("reader", [permission("service", "get"), permission("config", "get", app="x")]),
        "developer": await office.account("dev"),
        "root": office.root,
    }


async def _paced(connection: RawConnection, client: Client, data: bytes) -> bytes:
    answer = await connection.exchange(data)
    await hot_answers(client)
    return _undated(answer.raw)


async def _all_answers(engine: EngineProcess, client: Client, office: Office) -> Mapping[tuple[str, str, str], bytes]:
    """Every request by everyone in every mode, three times each, those of all callers mixed on one connection."""
    callers = await _world(client, office)
    answers = {}
    for mode in ("enforce", "observe", "off", "enforce"):
        await office.switch(mode)
        async with connect(engine.port) as connection:
            for turn in range(3):
                for who, headers in callers.items():
                    for name, data in _requests(headers).items():
                        raw = await (_paced if turn else _once)(connection, client, data)
                        assert answers.setdefault((mode, who, name), raw) == raw, (mode, who, name, turn)
    return answers


async def _once(connection: RawConnection, _client: Client, data: bytes) -> bytes:
    return _undated((await connection.exchange(data)).raw)


async def test_both_ways_answer_alike_whoever_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every kind of credentials, in all modes, byte for byte; good ones are answered by the hot path."""
    found = {}
    for hot in (True, False):
        async with guarded(tmp_path / f"data-{hot}", monkeypatch, hot_path=hot) as (engine, client, office):
            found[hot] = await _all_answers(engine, client, office)
            assert (await hot_answers(client) > 300) == hot
    assert {key: raw for key, raw in found[True].items() if found[False][key] != raw} == {}
    statuses = {key[1:]: raw[9:12] for key, raw in found[True].items() if key[0] == "enforce"}
    assert statuses["own", "beat"] == statuses["root", "beat"] == b"200"
    assert statuses["own", "another's beat"] == statuses["own", "batch of two"] == b"403"
    assert statuses["none", "beat"] == statuses["deleted", "find"] == b"401"


async def test_a_remembered_answer_falls_with_what_it_was_decided_by(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mode, the scope, the account, its role, the service behind the path: from the next request on."""
    async with guarded(tmp_path / "data", monkeypatch, "enforce") as (engine, client, office):
        own = (await _world(client, office))["own"]
        async with connect(engine.port) as connection:

            async def status(headers: Headers, path: str = _BEAT) -> int:
                return (await connection.exchange(request("PUT", path, **headers))).status

            async def warm(headers: Headers, *, expect: int = 200) -> None:
                before = await hot_answers(client)
                assert [await status(headers) for _ in range(5)] == [expect] * 5
                assert expect != 200 or await hot_answers(client) > before

            await warm(own)
            await client.call("PUT", "/v4/roles/own", {"perms": [permission("service", "get")]}, 200, **office.root)
            assert await status(own) == 403
            await client.call("PUT", "/v4/roles/own", {"perms": [permission("service")]}, 200, **office.root)
            await warm(own)
            await client.call("POST", "/waggle/v1/access/keys/rotate", None, 200, **office.root)
            await warm(own)
            await client.call("DELETE", "/v4/accounts/own", None, 200, **office.root)
            assert await status(own) == 401
            await office.switch("observe")
            await warm(own)
            await office.switch("off")
            await warm(own)
            await warm({})
            await office.switch("enforce", scope={"resources": ["config"]})
            await warm({})
            await office.switch("enforce")
            assert await status({}) == 401
            assert await status(office.root) == 200


async def test_another_service_behind_the_same_path_is_decided_on_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A registration that was allowed by the service's name is not, once the id is another service's."""
    async with guarded(tmp_path / "data", monkeypatch, "enforce") as (engine, client, office):
        own = (await _world(client, office))["own"]
        data = _requests(own)["register"]
        async with connect(engine.port) as connection:
            for _ in range(4):
                assert (await connection.exchange(data)).status == 200
            await client.call("DELETE", "/microservices/orders-id?force=1", None, 200, **office.root)
            given = {"service": {"serviceName": "foreign", "serviceId": "orders-id"}}
            await client.call("POST", "/microservices", given, 200, **office.root)
            assert (await connection.exchange(data)).status == 403


@pytest.mark.parametrize("hot", [True, False], ids=["hot", "plain"])
async def test_who_waits_is_let_go_when_access_is_turned_on(
    hot: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A poll, a watch, a heartbeat socket and an event stream from before: no change is told to them any more."""
    async with guarded(tmp_path / "data", monkeypatch, "off", hot_path=hot) as (engine, client, office):
        owner = await client.service("orders")
        name = await client.instance(owner)
        socket = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
        socket["Sec-WebSocket-Key"] = "dGhlIHNhbXBsZSBub25jZQ=="
        sockets = [f"{ROOT}/microservices/{owner}/watcher", f"{ROOT}/microservices/{owner}/instances/{name}/heartbeat"]
        async with connect(engine.port) as first, connect(engine.port) as second, connect(engine.port) as stream:
            for connection, path in zip((first, second), sockets, strict=True):
                upgrade = request("GET", path, **{part.replace("-", "_"): text for part, text in socket.items()})
                connection.writer.write(upgrade)
                await connection.reader.readuntil(b"\r\n\r\n")
            stream.writer.write(request("GET", "/waggle/v1/events"))
            await stream.reader.readuntil(b": waggle\n\n")
            async with connect(engine.port) as poll:
                listed = await poll.exchange(request("GET", f"{_ITEMS}?label=app:a"))
                revision = listed.header("X-Kie-Revision")
                asked = request("GET", f"{_ITEMS}?label=app:a&revision={revision}&wait=60s")
                short = request("GET", f"{_ITEMS}?label=app:a&revision={revision}&wait=1ms")
                assert [(await poll.exchange(short)).status for _ in range(3)] == [304] * 3
                poll.writer.write(asked)

                async def waits() -> bool:
                    async with client.session.get(f"{engine.url}/metrics") as response:
                        return "\nwaggle_config_polls 1.0" in await response.text()

                await eventually(waits)
                await office.switch("observe")
                await office.open()
                await office.switch("enforce")
                item = {"key": "secret", "value": "1", "labels": {"app": "a"}}
                await client.call("POST", _ITEMS, item, 200, **office.root)
                for one in (first, second, stream, poll):
                    assert b"secret" not in await asyncio.wait_for(one.reader.read(), 15)


async def test_headers_that_nobody_read_before_hurt_nobody_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While access is off an Authorization header may be any bytes, and one who waits has sent it when access is turned on."""
    async with guarded(tmp_path / "data", monkeypatch, "off") as (engine, client, office):
        await client.service("orders", serviceId="orders-id")
        async with connect(engine.port) as stream:
            asked = request("GET", "/waggle/v1/events", Authorization="?").replace(b"?", b"\xff\xfe")
            stream.writer.write(asked)
            await stream.reader.readuntil(b": waggle\n\n")
            await office.switch("observe")
            assert await stream.closed()
        assert (await client.call("GET", "/microservices/orders-id", None, None))[0] == 200


async def test_tokens_are_not_logged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither good ones nor bad ones, whatever becomes of the request, at the chattiest level."""
    async with guarded(tmp_path / "data", monkeypatch, "enforce", log_level="debug") as (engine, client, office):
        await _world(client, office)
        async with connect(engine.port) as connection:
            for headers in (office.root, {"Authorization": "Bearer secret-of-mine"}):
                for data in _requests(headers).values():
                    await connection.exchange(data)
        await engine.stop()
        log = engine.log.read_text()
        assert log
        assert office.root["Authorization"].split()[1] not in log
        assert "secret-of-mine" not in log

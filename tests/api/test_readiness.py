"""Who would break: what the engine knows of every instance before access control is enforced. docs/access.md describes it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.api.office import READINESS, SWITCH, Office, guarded, permission
from tests.engine import Client, EngineProcess, eventually
from tests.raw import connect, request

_KIE = "/v1/default/kie/kv"
_FRAMEWORKS = {
    "chassis": ("servicecomb-java-chassis", "ServiceComb:2.7.9"),
    "spring": ("SPRING_CLOUD", "1.11.11"),
    "go": ("Go-Chassis", "2.8.0"),
    "python": ("waggle-python", "0.1.0"),
}


async def _registered(client: Client, name: str, headers: Mapping[str, str]) -> str:
    """A service with one instance, registered with these credentials; its path."""
    framework = dict(zip(("name", "version"), _FRAMEWORKS.get(name, ("", "")), strict=True))
    given = {"service": {"serviceName": name, "serviceId": f"{name}-id", "appId": "mall", "framework": framework}}
    await client.call("POST", "/microservices", given, 200, **headers)
    made = {"instance": {"hostName": "host", "instanceId": f"{name}-1", "endpoints": ["rest://10.0.0.1:1"]}}
    await client.call("POST", f"/microservices/{name}-id/instances", made, 200, **headers)
    return f"/microservices/{name}-id/instances/{name}-1"


async def _readiness(client: Client, office: Office, query: str = "") -> Mapping[str, Any]:
    _, body, _ = await client.call("GET", f"{READINESS}{query}", None, 200, **office.root)
    assert isinstance(body, dict)
    return body


def _named(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    return {row["service"]: row for row in answer["instances"]}


async def test_every_instance_is_judged_by_what_it_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without credentials, with a bad token, with a role that allows too little, and ready; what to set is told of each runtime."""
    async with guarded(tmp_path / "data", monkeypatch) as (_, client, office):
        good = await office.account("good", [permission("service", appId="mall")])
        little = await office.account("little", [permission("service", "create")])
        callers = {"chassis": {}, "spring": {"Authorization": "Bearer invalid"}, "go": little, "python": good}
        for name, headers in callers.items():
            path = await _registered(client, name, headers)
            for _ in range(5):
                await client.call("PUT", f"{path}/heartbeat", None, 200, **headers)
        answer = await _readiness(client, office)
        rows = _named(answer)
        assert (answer["mode"], answer["ready"], answer["breaking"], answer["total"]) == ("observe", False, 3, 4)
        assert [rows[name]["credentials"] for name in callers] == ["none", "invalid", "valid", "valid"]
        assert [rows[name]["breaks"] for name in callers] == [True, True, True, False]
        assert (rows["python"]["account"], rows["python"]["roles"]) == ("good", ["good"])
        assert rows["python"]["did"] == ["service:create", "service:update"]
        assert rows["python"]["lastSeen"] >= answer["observedSince"]
        assert rows["chassis"]["refused"]["none"] >= 6
        assert "role has no permissions[service:update]" in rows["go"]["why"][0]
        assert rows["go"]["roles"] == []
        logins = {name: rows[name]["login"] for name in ("chassis", "spring", "go")}
        assert logins["chassis"]["properties"]["servicecomb.credentials.rbac.enabled"] == "true"
        assert "spring_cloud_servicecomb_credentials_account_name" in logins["spring"]["variables"]
        assert 0 < logins["spring"]["withinSeconds"] <= 1200
        assert logins["go"]["withinSeconds"] is None
        assert "login" not in rows["python"]


async def test_enforcing_asks_for_confirmation_until_nobody_would_break(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """409 with the list; a role that is put right and a token that comes count at once; a part without any of them needs no word."""
    async with guarded(tmp_path / "data", monkeypatch) as (_, client, office):
        little = await office.account("little", [permission("service", "create")])
        path = await _registered(client, "python", little)
        await client.call("PUT", f"{path}/heartbeat", None, 200, **little)
        refused = await office.switch("enforce", 409, confirm=False)
        assert refused["errorCode"] == "409202"
        assert [row["instanceId"] for row in refused["breaking"]] == ["python-1"]  # type: ignore[attr-defined]
        assert (await _readiness(client, office, "?resource=config"))["ready"]
        assert (await _readiness(client, office, "?application=zoo"))["ready"]
        assert not (await _readiness(client, office, "?application=mall"))["ready"]
        assert (await client.call("GET", SWITCH, None, 200))[1]["mode"] == "observe"  # type: ignore[index]
        await client.call("PUT", "/v4/roles/little", {"perms": [permission("service")]}, 200, **office.root)
        assert (await _readiness(client, office))["ready"]
        assert (await office.switch("enforce", confirm=False))["mode"] == "enforce"


async def test_one_that_has_got_credentials_or_has_left_is_no_obstacle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an instance did before its token counts as done with it; and one that was replaced by another does not come again."""
    async with guarded(tmp_path / "data", monkeypatch) as (_, client, office):
        path = await _registered(client, "python", {})
        assert not (await _readiness(client, office))["ready"]
        good = await office.account("good", [permission("service", "create", "update")])
        await client.call("PUT", f"{path}/heartbeat", None, 200, **good)
        assert (await _readiness(client, office))["ready"]
        await client.call("PUT", "/v4/roles/good", {"perms": [permission("service", "update")]}, 200, **office.root)
        row = _named(await _readiness(client, office))["python"]
        assert (row["credentials"], row["breaks"]) == ("valid", True)
        assert "service:create" in row["why"][0], "what it did without a token needs a permission all the same"

        await client.call("PUT", "/v4/roles/good", {"perms": [permission("service")]}, 200, **office.root)
        old = {"instance": {"hostName": "host", "instanceId": "python-0", "endpoints": ["rest://10.0.0.1:1"]}}
        await client.call("POST", "/microservices/python-id/instances", old, 200, **good)
        gone = path.replace("python-1", "python-0")
        await client.call("PUT", f"{gone}/heartbeat", None, 200)
        assert (await _readiness(client, office))["breaking"] == 1
        await client.call("DELETE", gone, None, 200)
        answer = await _readiness(client, office)
        assert (answer["ready"], answer["breaking"]) == (True, 0)
        (row,) = (row for row in answer["others"] if row.get("instanceId") == "python-0")
        assert (row["credentials"], row["breaks"]) == ("none", False)


async def test_one_that_was_not_heard_is_not_ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From off, nothing is known of anyone: the switch says so."""
    async with guarded(tmp_path / "data", monkeypatch, "off") as (_, client, office):
        await _registered(client, "python", {})
        refused = await office.switch("enforce", 409, confirm=False)
        assert "has not been heard" in refused["breaking"][0]["why"][0]  # type: ignore[index]
        await office.switch("observe")
        await office.open()
        assert _named(await _readiness(client, office))["python"]["credentials"] == "unknown"


async def test_a_role_that_would_empty_a_configuration_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """KIE refuses no list, it narrows it: a client would drop what it has. So one that would see less is not ready."""
    async with guarded(tmp_path / "data", monkeypatch) as (_, client, office):
        for app in ("mall", "zoo"):
            item = {"key": app, "value": "1", "labels": {"app": app}, "status": "enabled"}
            await client.call("POST", _KIE, item, 200, **office.root)
        some = await office.account("some", [permission("config", "get", app="mall")])
        for query in ("?label=app:mall", ""):
            await client.call("GET", f"{_KIE}{query}", None, 200, **some)
            answer = await _readiness(client, office)
            row = next(
                row for row in answer["others"] if "config:get" in row["did"] and bool(row.get("app")) == bool(query)
            )
            assert row["breaks"] == (not query), row
        assert "config:get" in row["why"][0]


async def test_the_hot_path_is_counted_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By service, instance, address and reason, however it was answered; and as a metric."""
    async with guarded(tmp_path / "data", monkeypatch) as (engine, client, office):
        path = await _registered(client, "python", {})
        beat = request("PUT", f"/v4/default/registry{path}/heartbeat")
        async with connect(engine.port) as connection:
            for _ in range(50):
                assert (await connection.exchange(beat)).status == 200
        row = _named(await _readiness(client, office))["python"]
        assert (row["refused"]["none"], row["address"]) == (51, "127.0.0.1")
        assert await _metric(engine, client, 'waggle_access_refusals_total{outcome="observed",reason="none"}') == 52
        await office.switch("enforce")
        async with connect(engine.port) as connection:
            assert (await connection.exchange(beat)).status == 401
        assert await _metric(engine, client, 'waggle_access_refusals_total{outcome="enforced",reason="none"}') == 1


async def _metric(engine: EngineProcess, client: Client, name: str) -> float:
    async with client.session.get(f"{engine.url}/metrics") as response:
        lines = (await response.text()).splitlines()
    return next(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))


async def test_heartbeats_that_are_refused_end_the_lease(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An instance from before the switch stays until its lease ends; back in observe it may come again, with no restart."""
    settings = {"instance_min_interval": 1, "instance_min_times": 0}
    async with guarded(tmp_path / "data", monkeypatch, **settings) as (engine, client, office):
        path = await _registered(client, "python", {})
        short = {"interval": 1, "times": 0, "mode": "push"}
        made = {"instance": {"hostName": "h", "instanceId": "short", "healthCheck": short}}
        await client.call("POST", "/microservices/python-id/instances", made, 200)
        await office.switch("enforce")
        await engine.stop()
        await engine.start()
        client.url = engine.url
        gone = f"{path.rpartition('/')[0]}/short"

        async def left() -> bool:
            assert (await client.call("PUT", f"{gone}/heartbeat", None, None))[0] == 401
            return (await client.call("GET", gone, None, None, **office.root))[0] == 400

        await eventually(left)
        assert (await client.call("GET", path, None, None, **office.root))[0] == 200
        await office.switch("observe")
        await client.call("POST", "/microservices/python-id/instances", made, 200)

"""Who is let in, for what: every mode, kind of credentials and resource. Protocol: Service Center 14.3 and 14.7, KIE A.13."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.api.office import Office, guarded, permission
from tests.engine import Client
from tests.unit.api.test_door import PUBLIC

_KIE = "/v1/default/kie/kv"
_POLICIES = "/v1/default/gov/retry"
_OWN = "/waggle/v1/config/items"
Headers = Mapping[str, str]


def _none_token(header: Headers) -> Headers:
    """The claims of a good token, signed by nobody."""
    claims = header["Authorization"].split(".")[1]
    head = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').rstrip(b"=").decode()
    return {"Authorization": f"Bearer {head}.{claims}."}


async def _credentials(office: Office) -> Mapping[str, Headers]:
    gone = await office.account("gone")
    await office.client.call("DELETE", "/v4/accounts/gone", None, 200, **office.root)
    return {
        "none": {},
        "invalid": {"Authorization": "Bearer invalid"},
        "one word": {"Authorization": "invalid"},
        "unsigned": _none_token(office.root),
        "deleted": gone,
        "nothing allowed": await office.account("nothing", [permission("account", "get")]),
        "developer": await office.account("dev"),
        "root": office.root,
    }


_ROWS: Mapping[str, tuple[str, str]] = {
    "service": ("GET", "/microservices"),
    "find": ("GET", "/instances?appId=default&serviceName=orders"),
    "v3": ("GET", "/registry/v3/microservices"),
    "schema": ("GET", "/microservices/orders-id/schemas"),
    "overview": ("GET", "/v4/default/govern/microservices"),
    "config": ("GET", f"{_KIE}/unknown"),
    "list": ("GET", _KIE),
    "own config": ("GET", _OWN),
    "config center": ("GET", "/v3/default/configuration/items?dimensionsInfo=orders@default"),
    "policies": ("GET", _POLICIES),
    "ops": ("GET", "/v4/default/admin/alarms"),
    "dump": ("GET", "/v4/default/admin/dump"),
    "audit": ("GET", "/waggle/v1/audit"),
    "watch": ("GET", "/microservices/orders-id/watcher"),
    "beat": ("GET", "/microservices/orders-id/instances/i1/heartbeat"),
    "push": ("GET", "/v3/default/configuration/refresh/items?dimensionsInfo=orders@default"),
    "public": ("GET", "/health"),
    "version": ("GET", "/v4/default/registry/version"),
    "metrics": ("GET", "/metrics"),
}
_OPEN = ("public", "version", "metrics")


async def _statuses(client: Client, headers: Headers) -> Mapping[str, int]:
    return {name: (await client.call(*row, None, None, **headers))[0] for name, row in _ROWS.items()}


async def test_every_mode_and_credential_on_every_resource(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Off and observe answer alike, whoever asks; enforce refuses by 401 without good credentials and by 403 without permission."""
    async with guarded(tmp_path / "data", monkeypatch) as (_, client, office):
        await client.service("orders", serviceId="orders-id")
        await client.instance("orders-id", instanceId="i1")
        callers = await _credentials(office)
        await office.switch("off")
        as_before = await _statuses(client, {})
        assert {status for status in as_before.values() if status in (401, 403)} == set()
        for headers in callers.values():
            assert await _statuses(client, headers) == as_before
        await office.switch("observe")
        for headers in callers.values():
            assert await _statuses(client, headers) == as_before
        await office.switch("enforce")
        for who in ("none", "invalid", "one word", "unsigned", "deleted"):
            wanted = {name: status if name in _OPEN else 401 for name, status in as_before.items()}
            if who == "deleted":
                wanted["list"] = 200
            assert await _statuses(client, callers[who]) == wanted, who
        denied = {name: status if name in (*_OPEN, "list") else 403 for name, status in as_before.items()}
        assert await _statuses(client, callers["nothing allowed"]) == denied
        assert await _statuses(client, callers["developer"]) == as_before
        assert await _statuses(client, callers["root"]) == as_before


async def test_words_of_refusals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each protocol's own: the registry's error JSON, and KIE's 401 by status alone."""
    async with guarded(tmp_path / "data", monkeypatch, "enforce") as (_, client, office):
        nothing = await office.account("nothing", [permission("account", "get")])

        async def told(path: str, **headers: str) -> object:
            return (await client.call("GET", path, None, None, **headers))[1]

        assert await told("/microservices") == {"errorCode": "401204", "errorMessage": "No authorization header"}
        bad = await told("/microservices", Authorization="rubbish")
        assert bad == {"errorCode": "401201", "errorMessage": "Request unauthorized", "detail": "invalid auth header"}
        refused = await told("/microservices", **nothing)
        assert refused == {
            "errorCode": "403205",
            "errorMessage": "No permission(s)",
            "detail": "role has no permissions[service:get]",
        }
        unknown = await told("/microservices/unknown", **await office.account("dev"))
        assert unknown == {
            "errorCode": "401201",
            "errorMessage": "Request unauthorized",
            "detail": "no valid resouce scope",
        }
        assert (await client.call("GET", "/microservices/unknown", None, 400, **office.root))[1][
            "errorCode"
        ] == "400012"  # type: ignore[index]
        assert await told(f"{_KIE}/x") is None
        assert await told(f"{_KIE}/x", **nothing) == {
            "errorCode": "403205",
            "errorMessage": "",
            "detail": "No permission(s)",
        }
        assert await told(_KIE, **nothing) == {"total": 0, "data": []}


async def test_labels_restrict_services(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the path, the query, the consumer of the header and bodies; each of several must be allowed."""
    async with guarded(tmp_path / "data", monkeypatch, "enforce") as (_, client, office):
        own = await office.account("own", [permission("service", serviceName="orders")])

        async def status(method: str, path: str, body: object = None, **more: str) -> int:
            return (await client.call(method, path, body, None, **own, **more))[0]

        for name in ("orders", "other"):
            given = {"service": {"serviceName": name, "serviceId": f"{name}-id", "environment": "testing"}}
            await client.call("POST", "/microservices", given, 200, **office.root)
            await client.call(
                "POST",
                f"/microservices/{name}-id/instances",
                {"instance": {"hostName": "h", "instanceId": f"{name}-1"}},
                200,
                **office.root,
            )
        assert await status("GET", "/microservices/orders-id") == 200
        assert await status("GET", "/microservices/other-id") == 403
        assert await status("GET", "/instances?appId=default&serviceName=orders&env=testing") == 200
        other = "/instances?appId=default&serviceName=other&env=testing"
        assert await status("GET", other) == 403
        assert await status("GET", f"{other}&serviceId=orders-id&type=schema") == 403
        assert await status("GET", other, X_ConsumerId="orders-id") == 403
        assert await status("GET", other, X_ConsumerId="unknown") == 401
        beats = [{"serviceId": f"{name}-id", "instanceId": f"{name}-1"} for name in ("orders", "other")]
        assert await status("PUT", "/heartbeats", {"instances": beats[:1]}) == 200
        assert await status("PUT", "/heartbeats", {"instances": beats}) == 403
        assert await status("PUT", "/heartbeats", {"INSTANCES": beats}) == 403
        assert await status("POST", "/microservices", {"service": {"serviceName": "orders", "version": "2"}}) == 200
        assert await status("POST", "/microservices", {"service": {"serviceName": "third"}}) == 403
        assert await status("DELETE", "/microservices", {"serviceIds": ["orders-id", "other-id"]}) == 403
        by_id = {"instances": [{"instance": {"serviceId": "other-id", "instanceId": "other-1"}}]}
        by_name = {"services": [{"service": {"appId": "default", "serviceName": "other"}}]}
        for body in (by_id, by_name):
            assert await status("POST", "/instances/action?type=query", body) == 403
        assert (
            await status("PUT", "/instances/status", {"matches": {"properties": {"a": "b"}}, "status": "DOWN"}) == 403
        )
        assert await status("POST", "/microservices", {"service": "rubbish"}) == 401
        assert await status("GET", "/v4/default/govern/relations") == 403


async def test_lists_are_narrowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To the services that may be seen, where a name may have a `*`, and to the items that have the labels; nothing is a list, too."""
    async with guarded(tmp_path / "data", monkeypatch, "enforce") as (_, client, office):
        for name in ("orders-a", "orders-b", "other"):
            given = {"service": {"serviceName": name, "appId": name}}
            await client.call("POST", "/microservices", given, 200, **office.root)
            item = {"key": name, "value": "1", "labels": {"app": name}, "status": "enabled"}
            await client.call("POST", _KIE, item, 200, **office.root)
        some = await office.account(
            "some", [permission("service", serviceName="orders-*"), permission("config", app="orders-a")]
        )

        async def told(path: str) -> str:
            return json.dumps((await client.call("GET", path, None, 200, **some))[1])

        for path in ("/microservices", "/v4/default/govern/microservices", "/v4/default/govern/apps"):
            shown = await told(path)
            assert "orders-a" in shown
            assert "orders-b" in shown
            assert "other" not in shown
        for path in (_KIE, f"{_KIE}?wait=1s&revision=0"):
            shown = await told(path)
            assert '"total": 1' in shown
            assert "orders-a" in shown
        _, own, _ = await client.call("GET", f"{_OWN}?label=app:orders-a", None, 200, **some)
        assert own["total"] == 1  # type: ignore[index]
        assert (await client.call("GET", _OWN, None, None, **some))[0] == 403
        foreign = {"key": "new", "value": "1", "labels": {"app": "other"}}
        assert (await client.call("POST", _KIE, foreign, None, **some))[0] == 403
        assert (await client.call("PUT", _OWN, [foreign], None, **some))[0] == 403
        assert (await client.call("POST", _KIE, {**foreign, "labels": {"app": "orders-a"}}, None, **some))[0] == 200


async def test_enforcement_begins_with_a_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One resource, one application, one environment: the rest is let through and counted."""
    async with guarded(tmp_path / "data", monkeypatch) as (engine, client, office):
        await client.service("orders", serviceId="orders-id", appId="mall", environment="production")
        await client.service("other", serviceId="other-id", appId="zoo", environment="testing")

        async def refused() -> tuple[bool, ...]:
            paths = (_KIE, "/microservices/orders-id", "/microservices/other-id", f"{_KIE}?label=app:mall")
            return tuple([(await client.call("GET", path, None, None))[0] == 401 for path in paths])

        assert await refused() == (False, False, False, False)
        await office.switch("enforce", scope={"resources": ["config"]})
        assert await refused() == (True, False, False, True)
        await office.switch("enforce", scope={"applications": ["mall"]})
        assert await refused() == (False, True, False, True)
        await office.switch("enforce", scope={"environments": ["testing"]})
        assert await refused() == (False, False, True, False)
        await engine.stop()
        await engine.start()
        assert await refused() == (False, False, True, False)
        await office.switch("observe")
        assert await refused() == (False, False, False, False)


@pytest.mark.parametrize("who", ["accounts", "operators", "nobody"])
async def test_switches_of_metrics_and_descriptions(who: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who may read /metrics, /openapi.json and the dump is a setting of each."""
    settings = {"metrics_access": who, "openapi_access": who, "dump_access": who}
    wanted = {"accounts": [401, 200, 200], "operators": [401, 403, 200], "nobody": [404, 404, 404]}[who]
    async with guarded(tmp_path / "data", monkeypatch, "enforce", **settings) as (_, client, office):
        clerk = await office.account("clerk", [permission("service", "get")])
        for path in ("/metrics", "/openapi.json", "/v4/default/admin/dump"):
            found = [(await client.call("GET", path, None, None, **headers))[0] for headers in ({}, clerk, office.root)]
            assert found == wanted, path


async def test_no_route_is_open_that_should_not_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every route of the description, asked for without credentials: 401, but for those that are public."""
    async with guarded(tmp_path / "data", monkeypatch, "enforce") as (_, client, _office):
        _, described, _ = await client.call("GET", "/openapi.json", None, 200)
        asked = 0
        for path, methods in described["paths"].items():  # type: ignore[index]
            for method in methods:
                if (method.upper(), re.sub(r"{(\w+)}", r":\1", path)) in PUBLIC:
                    continue
                whole = re.sub(r"{\w+}", "default", path)
                async with client.session.request(method, f"{client.url}{whole}", allow_redirects=False) as answer:
                    assert answer.status == 401, (method, path)
                asked += 1
        assert asked > 90


@pytest.mark.parametrize("alone", ["metrics_access", "openapi_access", "dump_access"])
async def test_a_switch_is_about_its_own_page_and_nobody_means_nobody(
    alone: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`nobody` counts while access is off, too, `accounts` from observe on, `operators` where access is enforced."""
    pages = {"metrics_access": "/metrics", "openapi_access": "/openapi.json", "dump_access": "/v4/default/admin/dump"}
    others = {"metrics_access": "accounts", "openapi_access": "operators", "dump_access": "everyone"} | {
        alone: "nobody"
    }
    async with guarded(tmp_path / "data", monkeypatch, "off", **others) as (_, client, office):
        for mode, seen in (("off", (200, 200, 200)), ("observe", (401, 200, 200)), ("enforce", (401, 401, 200))):
            if mode != "off":
                await office.switch(mode)
            wanted = dict(zip(pages.values(), seen, strict=True)) | {pages[alone]: 404}
            assert {page: (await client.call("GET", page))[0] for page in pages.values()} == wanted, mode

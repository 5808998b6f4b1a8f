"""Lists of what is registered: searched and cut by the engine, with everything counted; and what the engine tells of itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.api.access import account, guarded_engine, signed_in
from tests.engine import Client, EngineProcess, client_of, running_engine

pytestmark = pytest.mark.asyncio(loop_scope="module")
SETTINGS = {"monitor_seconds": 90}
JAVA = {"framework": {"name": "servicecomb-java-chassis", "version": "2.8.0"}}


async def listed(api: Client, what: str, **query: object) -> Any:
    """An answer, in the client's domain."""
    params = {"domain": api._headers["X-Domain-Name"], **{name: str(value) for name, value in query.items()}}
    async with api.session.get(f"{api.url}/waggle/v1/{what}", params=params) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.json()


async def names(api: Client, **query: object) -> list[str]:
    return [f"{one['service']} {one['version']}" for one in (await listed(api, "services", **query))["services"]]


async def mall(api: Client) -> dict[str, str]:
    """Services to look for; their ids by name and version."""
    cart = await api.service("cart", appId="mall", version="1.0.0", environment="production", **JAVA)
    newer = await api.service("cart", appId="mall", version="1.10.0", environment="production")
    older = await api.service("cart", appId="mall", version="1.9.0", environment="production")
    stock = await api.service("stock", appId="depot", version="2.0.0", alias="Shelf")
    await api.instance(cart, hostName="a", endpoints=["rest://10.0.0.1:80"])
    await api.instance(cart, hostName="b", status="OUTOFSERVICE", endpoints=["rest://10.0.0.2:80"])
    await api.instance(newer, hostName="c", properties={"CAS_LANE_TAG": "gray"}, endpoints=["rest://10.0.0.3:80"])
    return {"cart 1.0.0": cart, "cart 1.10.0": newer, "cart 1.9.0": older, "stock 2.0.0": stock}


async def test_services_are_found_by_every_name_and_counted(api: Client) -> None:
    ids = await mall(api)
    assert await names(api) == ["stock 2.0.0", "cart 1.10.0", "cart 1.9.0", "cart 1.0.0"]
    assert await names(api, contains="SHELF") == ["stock 2.0.0"]
    assert await names(api, contains=ids["cart 1.9.0"]) == ["cart 1.9.0"]
    assert await names(api, app="depot") == await names(api, environment="") == ["stock 2.0.0"]
    assert await names(api, service="cart", version="1.9.0") == ["cart 1.9.0"]
    assert await names(api, lane="gray") == ["cart 1.10.0"]
    assert await names(api, framework="servicecomb-java-chassis") == ["cart 1.0.0"]
    assert await names(api, status="OUTOFSERVICE") == ["cart 1.0.0"]
    assert await names(api, status="NONE") == ["stock 2.0.0", "cart 1.9.0"]
    assert await names(api, status="PROTECTED") == await names(api, contains="nothing") == []
    found = await listed(api, "services", app="mall")
    assert found["sums"] == {
        "applications": 1,
        "services": 1,
        "versions": 3,
        "instances": 3,
        "protected": 0,
        "statuses": {"UP": 2, "OUTOFSERVICE": 1},
    }
    assert found["choices"]["app"] == ["depot", "mall"]
    assert found["choices"]["lane"] == ["gray"]


async def test_long_lists_are_read_in_parts(api: Client) -> None:
    await mall(api)
    whole = await names(api)
    assert [*await names(api, limit=3), *await names(api, offset=3, limit=3)] == whole
    found = await listed(api, "services", limit=0)
    assert (found["services"], found["total"]) == ([], 4)
    for query in ("limit=1001", "limit=x", "offset=-1"):
        _, answer, _ = await api.call("GET", f"/waggle/v1/services?{query}", None, 400)
        assert answer["errorCode"] == "400001"  # type: ignore[index]


async def test_an_instance_shows_its_lease_and_what_it_tells(api: Client) -> None:
    ids = await mall(api)
    cart = ids["cart 1.0.0"]
    found = await listed(api, "instances", serviceId=cart)
    assert (found["total"], found["statuses"]) == (2, {"UP": 1, "OUTOFSERVICE": 1})
    up, down = found["instances"]
    assert (up["host"], up["status"], down["host"], down["status"]) == ("a", "UP", "b", "OUTOFSERVICE")
    assert 0 < up["lease"]["left"] <= up["lease"]["seconds"] == 120
    assert (up["protected"], up["reports"], up["endpoints"]) == ("", None, ["rest://10.0.0.1:80"])
    assert up["registered"] > 1_700_000_000_000
    document = {"appId": "mall", "name": "cart", "version": "1.0.0", "serviceId": cart, "instanceId": up["instanceId"]}
    served = {"name": "Provider.cart.c.add", "qps": 5, "latency": 10, "failureRate": 0.5}
    await api.call("POST", "/v2/default/csemonitor/metric", {**document, "interfaces": [served]}, 200)
    (again,) = (await listed(api, "instances", instance=up["instanceId"]))["instances"]
    assert (again["reports"]["rate"], again["reports"]["failureRate"]) == (5, 0.5)
    (row,) = (await listed(api, "services", serviceId=cart))["services"]
    assert (row["rate"], row["reporting"], row["instances"]) == (5, 1, 2)
    assert [one["host"] for one in (await listed(api, "instances", contains="10.0.0.2:80"))["instances"]] == ["b"]
    assert [one["host"] for one in (await listed(api, "instances", lane="gray", status="UP"))["instances"]] == ["c"]
    assert (await listed(api, "instances", status="PROTECTED"))["total"] == 0


async def test_changes_are_counted_as_they_happen(api: Client) -> None:
    assert sum((await listed(api, "events/rate"))["counts"]) == 0
    await mall(api)
    found = await listed(api, "events/rate")
    assert len(found["counts"]) == 60
    assert sum(found["counts"]) >= 7, "four services and three instances"


async def test_the_engine_tells_how_it_runs(shared_engine: EngineProcess, api: Client) -> None:
    await mall(api)
    found = await listed(api, "engine")
    settings = {one["name"]: one for one in found["settings"]}
    assert (settings["monitor_seconds"]["value"], settings["monitor_seconds"]["source"]) == (90, "flag")
    assert (settings["webhook_timeout"]["written"], settings["webhook_timeout"]["source"]) == ("10.0", "default")
    assert settings["port"]["about"].startswith("Main port")
    assert found["addresses"] == {"port": shared_engine.url}
    assert found["data"]["folder"] == str(shared_engine.data_dir)
    assert found["data"]["free"] > 0
    assert found["journal"]["bytes"] > 0
    assert found["journal"]["revision"] > 0
    assert f"{api._headers['X-Domain-Name']}/default" in found["tenants"]
    assert found["tls"] is None


async def test_an_engine_that_forgets_has_no_folder(tmp_path: Path) -> None:
    async with running_engine(tmp_path / "data", storage="memory") as engine, client_of(engine.url) as api:
        assert (await listed(api, "engine"))["data"] is None


async def test_whoever_looks_sees_what_their_role_allows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with guarded_engine(tmp_path / "data", "enforce", monkeypatch) as (_, api):
        root = await signed_in(api)
        role = {
            "name": "depot",
            "perms": [{"resources": [{"type": "service", "labels": {"appId": "depot"}}], "verbs": ["get"]}],
        }
        await api.call("POST", "/v4/roles", role, 200, Authorization=root)
        for app in ("mall", "depot"):
            body = {"service": {"appId": app, "serviceName": "one", "version": "1.0.0"}}
            _, made, _ = await api.call("POST", "/microservices", body, 200, Authorization=root)
            given = {"instance": {"hostName": app, "endpoints": []}}
            path = f"/microservices/{made['serviceId']}/instances"  # type: ignore[index]
            await api.call("POST", path, given, 200, Authorization=root)
        keeper = await account(api, root, "keeper", "depot")
        _, found, _ = await api.call("GET", "/waggle/v1/services", None, 200, Authorization=keeper)
        assert [one["app"] for one in found["services"]] == found["choices"]["app"] == ["depot"]  # type: ignore[index]
        _, found, _ = await api.call("GET", "/waggle/v1/instances", None, 200, Authorization=keeper)
        assert [one["host"] for one in found["instances"]] == ["depot"]  # type: ignore[index]
        await api.call("GET", "/waggle/v1/engine", None, 403, Authorization=keeper)
        await api.call("GET", "/waggle/v1/engine", None, 200, Authorization=root)

"""Tenants see nothing of one another, and v3 is the same tenant by another path. Protocol: Service Center section 2."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.sse import event_stream
from tests.engine import Client

pytestmark = pytest.mark.asyncio(loop_scope="module")
V3 = "/registry/v3"


def _of(api: Client, domain: str, project: str = "default") -> Client:
    made = Client(api.session, api.url, domain)
    made.registry = f"{api.url}/v4/{project}/registry"
    return made


async def _names(api: Client, path: str = "/microservices", **headers: str) -> list[str]:
    _, body, _ = await api.call("GET", path, None, 200, **headers)
    return [row["serviceName"] for row in body.get("services", [])]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("domain", "project"),
    [
        ("other", "default"),
        ("DOMAIN", "default"),
        ("DOMAIN", "other"),
        ("DOMAIN%2Fdefault", "x"),
        ("d\u00f6m\u00e4ne", "default"),
    ],
)
async def test_another_domain_or_project_sees_nothing(domain: str, project: str, api: Client) -> None:
    """Not by name, by id, in lists, in overviews, as a consumer, by heartbeat, nor by deletion."""
    own = api._headers["X-Domain-Name"]
    other = _of(api, domain.replace("DOMAIN", own + "-x" if project == "default" else own), project)
    other._headers["X-Domain-Name"] = other._headers["X-Domain-Name"].encode().decode("latin-1")
    service = await api.service("cart")
    await api.instance(service, instanceId="i")
    path = f"/microservices/{service}"
    refused = [
        ("GET", path, None),
        ("GET", f"{path}/instances", None),
        ("GET", f"{path}/instances/i", None),
        ("PUT", f"{path}/instances/i/heartbeat", None),
        ("PUT", f"{path}/instances/i/status?value=DOWN", None),
        ("PUT", f"{path}/properties", {"properties": {}}),
        ("POST", f"{path}/instances", {"instance": {"hostName": "h"}}),
        ("POST", f"{path}/tags", {"tags": {}}),
        ("DELETE", f"{path}?force=1", None),
        ("GET", "/instances?appId=default&serviceName=cart", None),
        ("GET", "/existence?type=microservice&appId=default&serviceName=cart&version=0.0.1", None),
    ]
    for method, target, body in refused:
        status, answer, _ = await other.call(method, target, body)
        assert (status, answer["errorCode"]) in ((400, "400012"), (400, "400017")), target  # type: ignore[index]
    assert await _names(other) == []
    await other.call("PUT", "/instances/status", {"status": "DOWN"}, 200)
    assert [row["status"] for row in await api.find("cart")] == ["UP"]
    stranger = await other.service("stranger")
    assert (await api.call("GET", "/instances?appId=default&serviceName=cart", None, X_ConsumerId=stranger))[0] == 400


async def test_a_consumer_of_another_domain_does_not_reach_over(api: Client) -> None:
    """Even where the provider allows other applications."""
    await api.service("cart", properties={"allowCrossApp": "true"})
    other = _of(api, "beyond")
    consumer = await other.service("consumer")
    status, body, _ = await other.call("GET", "/instances?appId=default&serviceName=cart", None, X_ConsumerId=consumer)
    assert (status, body["errorCode"]) == (400, "400012")  # type: ignore[index]


async def test_the_same_identity_may_be_in_every_tenant(api: Client) -> None:
    """With ids of its own in each."""
    tenants = [_of(api, api._headers["X-Domain-Name"], project) for project in ("default", "p-1", "p%202")]
    ids = [await tenant.service("cart") for tenant in tenants]
    assert len(set(ids)) == 3
    for tenant, service in zip(tenants, ids, strict=True):
        await tenant.instance(service, instanceId="same")
        assert [row["serviceId"] for row in await tenant.find("cart")] == [service]


async def test_no_domain_is_the_default_one(default_api: Client) -> None:
    """Missing or empty."""
    await default_api.service("here")
    async with default_api.session.get(f"{default_api.registry}/microservices") as response:
        assert "here" in await response.text()
    assert await _names(default_api, X_Domain_Name="") == ["here"]


@pytest.mark.parametrize(
    ("headers", "seen"),
    [
        ({"X_Tenant_Name": "OWN"}, True),
        ({"X_Domain_Name": "OWN"}, True),
        ({"X_Tenant_Name": "OWN", "X_Domain_Name": "other"}, True),
        ({"X_Tenant_Name": "other", "X_Domain_Name": "OWN"}, False),
        ({"X_Tenant_Name": "", "X_Domain_Name": "OWN"}, True),
        ({"X_Domain_Name": ""}, False),
    ],
)
async def test_v3_takes_its_domain_from_either_header(headers: dict[str, str], seen: bool, api: Client) -> None:
    """X-Tenant-Name before X-Domain-Name; the project is `default`."""
    own = api._headers["X-Domain-Name"]
    await api.service("cart")
    asked = {"X_Domain_Name": "", **{name: value.replace("OWN", own) for name, value in headers.items()}}
    assert (await _names(api, f"{V3}/microservices", **asked) == ["cart"]) == seen


async def test_v4_does_not_read_the_tenants_header(api: Client) -> None:
    await api.service("cart")
    assert await _names(api, X_Tenant_Name="other") == ["cart"]


async def test_a_service_lives_the_same_life_under_v3(api: Client) -> None:
    """Every alias, from registration to deletion, beside v4 on the same data."""

    async def call(method: str, path: str, body: object = None, **headers: str) -> Any:
        return (await api.call(method, V3 + path, body, 200, **headers))[1]

    service = (await call("POST", "/microservices", {"service": {"serviceName": "cart", "version": "1.0"}}))[
        "serviceId"
    ]
    path = f"/microservices/{service}"
    assert (await call("GET", "/existence?type=microservice&appId=default&serviceName=cart&version=1.0"))[
        "serviceId"
    ] == service
    await call("PUT", f"{path}/properties", {"properties": {"a": "1"}})
    await call("POST", f"{path}/tags", {"tags": {"lane": "gray"}})
    await call("PUT", f"{path}/tags/lane?value=base")
    assert await call("GET", f"{path}/tags") == {"tags": {"lane": "base"}}
    await call("DELETE", f"{path}/tags/lane")
    await call("POST", f"{path}/schemas", {"schemas": [{"schemaId": "s", "schema": "x", "summary": "y"}]})
    await call("PUT", f"{path}/schemas/t", {"schema": "z"})
    assert await call("GET", f"{path}/schemas/t") == {"schema": "z"}
    assert len((await call("GET", f"{path}/schemas?withSchema=1"))["schemas"]) == 2
    await call("DELETE", f"{path}/schemas/t")
    assert (await call("POST", f"{path}/instances", {"instance": {"hostName": "h", "instanceId": "i"}})) == {
        "instanceId": "i"
    }
    await call("PUT", f"{path}/instances/i/heartbeat")
    await call("PUT", "/heartbeats", {"instances": [{"serviceId": service, "instanceId": "i"}]})
    await call("PUT", f"{path}/instances/i/status?value=DOWN")
    await call("PUT", f"{path}/instances/i/properties", {"properties": {"b": "2"}})
    found = (await call("GET", "/instances?appId=default&serviceName=cart", X_ConsumerId=service))["instances"]
    assert [(row["status"], row["properties"]) for row in found] == [("DOWN", {"b": "2"})]
    assert found == (await call("GET", f"{path}/instances"))["instances"] == await api.find("cart")
    assert (await call("GET", f"{path}/instances/i"))["instance"] == found[0]
    assert (await call("GET", f"{path}/providers"))["providers"][0]["serviceId"] == service
    assert (await call("GET", f"{path}/consumers"))["consumers"][0]["serviceId"] == service
    assert (await call("GET", path))["service"]["properties"] == {"a": "1"}
    await call("DELETE", f"{path}/instances/i")
    await call("DELETE", path)
    assert await call("DELETE", "/microservices", {"serviceIds": [service]}) != {}
    assert await call("GET", "/microservices") == {}


@pytest.mark.parametrize(
    ("method", "path"),
    [("PUT", "/instances/status"), ("POST", "/instances/action"), ("POST", "/dependencies"), ("GET", "/govern/apps")],
)
async def test_v3_lacks_what_it_lacks_in_the_original(method: str, path: str, api: Client) -> None:
    assert (await api.call(method, V3 + path, {}))[0] == 404


async def test_events_of_another_tenant_are_not_streamed(api: Client) -> None:
    """By domain and by project."""
    own = api._headers["X-Domain-Name"]
    async with event_stream(api) as events:
        await _of(api, "other").service("cart")
        await _of(api, own, "second").service("cart")
        await api.service("own")
        assert (await events.next()).data["service"]["serviceName"] == "own"
    async with event_stream(api, project="second") as events:
        await api.service("own-too")
        await _of(api, own, "second").service("stock")
        assert (await events.next()).data["service"]["serviceName"] == "stock"

"""Registering services and instances: identity, repetition, update, quotas. Protocol: Service Center sections 5.1, 5.2, 7.1, 15.1."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.api.sse import event_stream
from tests.engine import Client, client_of, running_engine

pytestmark = pytest.mark.asyncio(loop_scope="module")
SETTINGS = {"quota_services": 6, "quota_instances": 4, "quota_schemas": 3}
PLACE = {"appId": "shop", "version": "1.0.0"}
NAMED = {"serviceName": "cart", **PLACE}


async def _register(api: Client, **service: object) -> tuple[int, Any]:
    status, body, _ = await api.call("POST", "/microservices", {"service": service})
    return status, body


def _code(answer: tuple[int, Any]) -> tuple[int, str]:
    return answer[0], answer[1].get("errorCode", "")


async def _service(api: Client, service_id: str) -> Any:
    _, body, _ = await api.call("GET", f"/microservices/{service_id}", None, 200)
    return body["service"]  # type: ignore[index]


async def test_an_id_follows_from_the_identity(api: Client) -> None:
    """The same after deletion and re-creation, and the same as the original's."""
    domain = api._headers["X-Domain-Name"]
    index = f"/cse-sr/ms/indexes/{domain}/default/testing/shop/cart/1.0.0"
    for _ in range(2):
        service = await api.service("cart", **PLACE, environment="testing")
        assert service == hashlib.sha1(index.encode(), usedforsecurity=False).hexdigest()
        await api.call("DELETE", f"/microservices/{service}", None, 200)


async def test_registering_again_changes_nothing(api: Client) -> None:
    """Whatever the body says, as with the original: properties have a call of their own."""
    service = await api.service("cart", **PLACE, properties={"a": "1"})
    before = await _service(api, service)
    assert await api.service("cart", **PLACE, properties={"b": "2"}, description="new") == service
    assert await api.service("cart", **PLACE, serviceId=service) == service
    assert await _service(api, service) == before


async def test_contradictory_identities_are_refused(api: Client) -> None:
    """A given id that belongs to another service, or another id for a registered one."""
    await api.service("cart", **PLACE, serviceId="own-id", alias="trolley")
    assert _code(await _register(api, **NAMED, serviceId="other-id")) == (400, "400010")
    assert _code(await _register(api, serviceName="other", appId="shop", version="1.0.0", serviceId="own-id")) == (
        400,
        "400010",
    )
    aliased = {"serviceName": "other", "appId": "shop", "version": "1.0.0", "alias": "trolley"}
    assert await _register(api, **aliased) == (200, {"serviceId": "own-id"})
    assert _code(await _register(api, **aliased, serviceId="other-id")) == (400, "400010")


async def test_what_is_left_out_has_defaults_and_an_empty_environment_stays_empty(api: Client) -> None:
    registered = await _service(api, await api.service("bare"))
    stamps = (registered.pop("timestamp"), registered.pop("modTimestamp"))
    assert stamps[0] == stamps[1]
    assert stamps[0].isdigit()
    del registered["serviceId"]
    assert registered == {
        "appId": "default",
        "serviceName": "bare",
        "version": "0.0.1",
        "level": "BACK",
        "status": "UP",
    }


async def test_tags_and_instances_come_with_a_service(api: Client) -> None:
    """All of them, where the original loses the third; `rules`, by which it hangs, are ignored."""
    body = {
        "service": NAMED,
        "tags": {"lane": "gray"},
        "rules": [{"ruleType": "BLACK"}],
        "instances": [{"hostName": f"h{number}"} for number in range(4)],
    }
    _, answer, _ = await api.call("POST", "/microservices", body, 200)
    service = answer["serviceId"]  # type: ignore[index]
    _, tags, _ = await api.call("GET", f"/microservices/{service}/tags", None, 200)
    assert tags == {"tags": {"lane": "gray"}}
    assert {row["hostName"] for row in await api.find("cart", app="shop")} == {"h0", "h1", "h2", "h3"}
    await api.call("POST", "/microservices", {"service": NAMED, "rules": [{}]}, 200)


async def test_what_cannot_come_with_a_service_leaves_the_service(api: Client) -> None:
    """400001 for any of its tags and instances, and none of them is there."""
    body = {"service": NAMED, "tags": {"lane": "gray"}, "instances": [{"hostName": "h"}, {"hostName": " "}]}
    status, answer, _ = await api.call("POST", "/microservices", body)
    assert (status, answer["errorCode"]) == (400, "400001")  # type: ignore[index]
    assert answer["detail"].startswith("errMessages: [")  # type: ignore[index]
    service = await api.service("cart", **PLACE)
    assert (await api.call("GET", f"/microservices/{service}/tags", None, 200))[1] == {}
    assert await api.find("cart", app="shop") == []


async def test_one_service_too_many_is_refused(api: Client) -> None:
    """400100 with the numbers; another tenant has a quota of its own, and the engine itself does not count."""
    for number in range(6):
        await api.service(f"s{number}")
    status, answer = await _register(api, serviceName="s6")
    assert (status, answer["errorCode"]) == (400, "400100")
    assert answer["detail"] == "no quota to create SERVICE, max num is 6, curNum is 6, apply num is 1"
    await Client(api.session, api.url, "another").service("s6")
    await api.call("DELETE", f"/microservices/{await _id_of(api, 's0')}", None, 200)
    await api.service("s6")


async def _id_of(api: Client, name: str) -> str:
    _, body, _ = await api.call(
        "GET", f"/existence?type=microservice&appId=default&serviceName={name}&version=0.0.1", None, 200
    )
    return body["serviceId"]  # type: ignore[index, no-any-return]


async def test_one_instance_too_many_is_refused_and_a_known_one_is_not(api: Client) -> None:
    """Registering again is a heartbeat, however full it is."""
    service = await api.service("provider")
    for number in range(4):
        await api.instance(service, instanceId=f"i{number}")
    path = f"/microservices/{service}/instances"
    status, answer, _ = await api.call("POST", path, {"instance": {"hostName": "h"}})
    assert (status, answer["errorCode"]) == (400, "400100")  # type: ignore[index]
    assert "no quota to create INSTANCE, max num is 4, curNum is 4" in answer["detail"]  # type: ignore[index]
    assert await api.instance(service, instanceId="i0") == "i0"
    await api.call("DELETE", f"{path}/i0", None, 200)
    await api.instance(service)


async def test_one_schema_too_many_is_refused_wherever_it_comes_from(api: Client) -> None:
    """Uploaded: 400100; listed: 400001. A known one may be uploaded again."""
    service = await api.service("provider", schemas=["a", "b", "c"])
    path = f"/microservices/{service}/schemas"
    status, answer, _ = await api.call("PUT", f"{path}/d", {"schema": "x"})
    assert (status, answer["errorCode"]) == (400, "400100")  # type: ignore[index]
    await api.call("PUT", f"{path}/c", {"schema": "x"}, 200)
    many = [{"schemaId": name, "schema": "x", "summary": "s"} for name in "abcd"]
    assert (await api.call("POST", path, {"schemas": many}))[1]["errorCode"] == "400001"  # type: ignore[index]
    assert _code(await _register(api, serviceName="other", schemas=list("abcd"))) == (400, "400001")


async def _instance(api: Client, service: str, name: str) -> Any:
    _, body, _ = await api.call("GET", f"/microservices/{service}/instances/{name}", None, 200)
    return body["instance"]  # type: ignore[index]


async def test_an_instance_that_registers_again_is_left_as_it_is(api: Client) -> None:
    """The original's way and the default."""
    service = await api.service("provider")
    await api.instance(service, instanceId="a", endpoints=["rest://old:1"])
    before = await _instance(api, service, "a")
    assert await api.instance(service, instanceId="a", endpoints=["rest://new:1"], status="DOWN") == "a"
    assert await _instance(api, service, "a") == before


@pytest_asyncio.fixture(name="updating", loop_scope="module")
async def _updating(tmp_path: Path) -> AsyncIterator[Client]:
    async with (
        running_engine(tmp_path / "data", instance_update_on_register=True) as engine,
        client_of(engine.url) as made,
    ):
        yield made


async def test_an_instance_that_registers_again_is_updated_where_that_is_set(updating: Client) -> None:
    """`instance_update_on_register`: watchers are told once of what is new, and not at all where nothing is."""
    service = await updating.service("provider")
    async with event_stream(updating, service="provider") as events:
        await updating.instance(service, instanceId="a", endpoints=["rest://old:1"], properties={"x": "1"})
        await updating.instance(service, instanceId="a", endpoints=["rest://new:1"])
        for _ in range(3):
            await updating.instance(service, instanceId="a", endpoints=["rest://new:1"])
        await updating.instance(service, instanceId="b")
        got = [await events.next() for _ in range(3)]
    assert [(event.name, event.data["instance"]["instanceId"]) for event in got] == [
        ("instance.CREATE", "a"),
        ("instance.UPDATE", "a"),
        ("instance.CREATE", "b"),
    ]
    changed = await _instance(updating, service, "a")
    assert changed["endpoints"] == ["rest://new:1"]
    assert "properties" not in changed


async def test_an_instance_shows_what_it_was_given_with_its_leases_bounds(api: Client) -> None:
    """Raised where too eager, fixed where it would be pulled; the version is the service's; what is empty is not shown."""
    service = await api.service("provider", version="3.1")
    eager = {"mode": "push", "interval": 1, "times": 1, "port": 80, "url": "/health"}
    await api.instance(service, instanceId="eager", healthCheck=eager, version="9", properties={}, serviceId="other")
    await api.instance(service, instanceId="pulled", healthCheck={"mode": "pull", "interval": 1, "port": 80})
    await api.instance(service, instanceId="plain", dataCenterInfo={"name": "n", "region": "r", "availableZone": "a"})
    shown = [await _instance(api, service, name) for name in ("eager", "pulled", "plain")]
    assert [row["healthCheck"] for row in shown] == [
        {"mode": "push", "port": 80, "interval": 5, "times": 3, "url": "/health"},
        {"mode": "pull", "port": 80, "interval": 30, "times": 3},
        {"mode": "push", "interval": 30, "times": 3},
    ]
    assert {row["version"] for row in shown} == {"3.1"}
    assert {row["serviceId"] for row in shown} == {service}
    assert shown[2]["dataCenterInfo"] == {"name": "n", "region": "r", "availableZone": "a"}
    assert "properties" not in shown[0]


async def test_a_lease_that_its_instance_asks_for_is_kept_as_asked(api: Client) -> None:
    """Servicecomb issue 1415: an interval of 5 and 3 times were not kept."""
    service = await api.service("provider")
    await api.instance(service, instanceId="a", healthCheck={"mode": "push", "interval": 5, "times": 3})
    assert (await _instance(api, service, "a"))["healthCheck"] == {"mode": "push", "interval": 5, "times": 3}


async def test_the_operators_properties_are_on_every_instance(tmp_path: Path) -> None:
    """`instance_properties`: on registration, over the client's own, and after its properties are replaced."""
    async with running_engine(tmp_path / "data", instance_properties="site:north,lane:base") as engine:
        async with client_of(engine.url) as client:
            service = await client.service("provider")
            await client.instance(service, instanceId="a", properties={"lane": "gray", "own": "1"})
            assert (await _instance(client, service, "a"))["properties"] == {
                "lane": "base",
                "own": "1",
                "site": "north",
            }
            await client.call(
                "PUT", f"/microservices/{service}/instances/a/properties", {"properties": {"own": "2"}}, 200
            )
            assert (await _instance(client, service, "a"))["properties"] == {
                "lane": "base",
                "own": "2",
                "site": "north",
            }
        await engine.stop()
        engine.settings["instance_properties"] = "site:south"
        await engine.start()
        async with client_of(engine.url) as client:
            assert (await _instance(client, service, "a"))["properties"] == {
                "lane": "base",
                "own": "2",
                "site": "south",
            }

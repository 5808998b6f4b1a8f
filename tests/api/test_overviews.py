"""Overviews for consoles. Protocol: Service Center section 11.1."""

from __future__ import annotations

from typing import Any

import pytest
import pytest_asyncio

from tests.engine import Client

pytestmark = pytest.mark.asyncio(loop_scope="module")
SETTINGS = {"instance_properties": "site:north", "shared_services": "common"}
GOVERN = "/v4/default/govern"


async def _get(api: Client, path: str) -> Any:
    return (await api.call("GET", f"{GOVERN}/{path}", None, 200))[1]


@pytest_asyncio.fixture(name="town", loop_scope="module")
async def _town(api: Client) -> dict[str, str]:
    """A consumer of a provider that has two versions, a schema, a tag and an instance; another in an environment."""
    ids = {"consumer": await api.service("consumer", appId="shop")}
    for version in ("1.0", "2.0"):
        ids[version] = await api.service(
            "cart",
            appId="shop",
            version=version,
            schemas=["declared"],
            properties={"tier": "web", "allowCrossApp": "true"},
        )
    ids["tested"] = await api.service("cart", appId="lab", environment="testing")
    await api.instance(ids["1.0"], instanceId="i", properties={"own": "1"})
    await api.call("PUT", f"/microservices/{ids['1.0']}/schemas/uploaded", {"schema": "x", "summary": "s"}, 200)
    await api.call("POST", f"/microservices/{ids['1.0']}/tags", {"tags": {"lane": "gray"}}, 200)
    await api.find("cart", ids["consumer"], app="shop")
    return ids


def _by_id(body: Any) -> dict[str, Any]:
    return {row["microService"]["serviceId"]: row for row in body["allServicesDetail"]}


async def test_without_options_only_the_services_are_shown(api: Client, town: dict[str, str]) -> None:
    """Without their lists of schemas."""
    rows = _by_id(await _get(api, "microservices"))
    assert rows.keys() == set(town.values())
    assert {tuple(row) for row in rows.values()} == {("microService",)}
    assert "schemas" not in rows[town["1.0"]]["microService"]


async def test_options_add_what_they_name(api: Client, town: dict[str, str]) -> None:
    """Instances show only the properties that the operator sets."""
    row = _by_id(await _get(api, "microservices?options=tags,instances,schemas,dependencies,rubbish"))[town["1.0"]]
    assert row["tags"] == {"lane": "gray"}
    assert [(found["instanceId"], found["properties"]) for found in row["instances"]] == [("i", {"site": "north"})]
    assert row["schemaInfos"] == [{"schemaId": "declared"}, {"schemaId": "uploaded", "summary": "s", "schema": "x"}]
    assert [found["serviceName"] for found in row["consumers"]] == ["consumer"]
    assert "providers" not in row
    consumer = _by_id(await _get(api, "microservices?options=dependencies"))[town["consumer"]]
    assert {found["version"] for found in consumer["providers"]} == {"1.0", "2.0"}


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("appId=shop", {"consumer", "1.0", "2.0"}),
        ("serviceName=cart", {"1.0", "2.0", "tested"}),
        ("appId=shop&serviceName=cart", {"1.0", "2.0"}),
        ("env=testing", {"tested"}),
        ("property=tier:web", {"1.0", "2.0"}),
        ("property=tier:web&property=allowCrossApp:false", set()),
        ("property=tier", {"consumer", "tested"}),
        ("appId=none", set()),
    ],
)
async def test_filters_choose_services(query: str, shown: set[str], api: Client, town: dict[str, str]) -> None:
    body = await _get(api, f"microservices?{query}")
    found = set(_by_id(body)) if shown else body
    assert found == ({town[name] for name in shown} if shown else {})


async def test_count_only_counts_instances(api: Client, town: dict[str, str]) -> None:
    """In the place of the instances, zero left out; without the option nothing is counted."""
    rows = _by_id(await _get(api, "microservices?options=instances&countOnly=1"))
    assert [rows[town[name]]["statics"] for name in ("1.0", "2.0")] == [{"instances": {"count": 1}}, {"instances": {}}]
    assert "instances" not in rows[town["1.0"]]
    assert _by_id(await _get(api, "microservices?countOnly=1"))[town["1.0"]]["statics"] == {}
    status, body, _ = await api.call("GET", f"{GOVERN}/microservices?countOnly=2")
    assert (status, body["errorCode"]) == (400, "400001")  # type: ignore[index]


async def test_statistics_count_names_and_not_versions(api: Client, town: dict[str, str]) -> None:
    """Of the whole tenant whatever the filter; instances of the domain over all of its projects."""
    other = f"/v4/second/registry/microservices/{town['1.0']}"
    named = {"service": {"serviceName": "cart", "serviceId": town["1.0"]}}
    await api.call("POST", "/v4/second/registry/microservices", named, 200)
    await api.call("POST", f"{other}/instances", {"instance": {"hostName": "h"}}, 200)
    counted = {
        "services": {"count": 3, "onlineCount": 1},
        "instances": {"count": 1, "countByDomain": 2},
        "apps": {"count": 2},
    }
    assert await _get(api, "statistics") == {"statistics": counted}
    assert await _get(api, "microservices?options=statistics&appId=none") == {"statistics": counted}
    everything = await _get(api, "microservices?options=all&appId=none")
    assert everything == {"statistics": counted}
    nobody = Client(api.session, api.url, "nobody-there")
    assert await _get(nobody, "statistics") == {"statistics": {"services": {}, "instances": {}, "apps": {}}}


async def test_one_service_is_shown_with_all_of_it(api: Client, town: dict[str, str]) -> None:
    """Schemas, the instances' own properties, and its versions."""
    service = (await _get(api, f"microservices/{town['1.0']}"))["service"]
    assert service["microService"]["schemas"] == ["declared", "uploaded"]
    assert service["instances"][0]["properties"] == {"own": "1", "site": "north"}
    assert service["microServiceVersions"] == ["1.0", "2.0"]
    assert service["tags"] == {"lane": "gray"}
    assert len(service["schemaInfos"]) == 2
    status, body, _ = await api.call("GET", f"{GOVERN}/microservices/statistics")
    assert (status, body["errorCode"]) == (400, "400012")  # type: ignore[index]


async def test_applications_are_those_of_one_environment(api: Client, town: dict[str, str]) -> None:
    """Without one: those of services that have none."""
    assert await _get(api, "apps") == {"appIds": ["shop"]}
    assert await _get(api, "apps?env=testing") == {"appIds": ["lab"]}
    assert await _get(api, "apps?env=production") == {}
    assert (await api.call("GET", f"{GOVERN}/apps?env=none"))[0] == 400


async def test_relations_are_a_graph(api: Client, town: dict[str, str]) -> None:
    """Nodes in full, the far end of a line by id and name; nothing is null but what the original has so."""
    body = await _get(api, "relations")
    assert {node["id"] for node in body["nodes"]} == set(town.values())
    assert body["nodes"][0].keys() == {"id", "name", "appId", "version", "type", "color", "position"}
    lines = {(line["from"]["id"], line["to"]["id"]) for line in body["lines"]}
    assert lines == {(town["consumer"], town["1.0"]), (town["consumer"], town["2.0"])}
    assert {(line["to"]["appId"], line["to"]["version"], line["to"]["name"]) for line in body["lines"]} == {
        ("", "", "cart")
    }
    nobody = Client(api.session, api.url, "nobody-there")
    assert await _get(nobody, "relations") == {"nodes": None, "lines": None, "circles": None}


async def test_shared_services_are_shown_on_demand(default_api: Client) -> None:
    """The engine's own and those of the setting; they count in no quota and no statistics either."""
    await default_api.service("common")
    await default_api.service("usual")
    names = {
        row["microService"]["serviceName"] for row in (await _get(default_api, "microservices"))["allServicesDetail"]
    }
    assert names == {"usual"}
    shown = (await _get(default_api, "microservices?withShared=TRUE"))["allServicesDetail"]
    assert {row["microService"]["serviceName"] for row in shown} == {"usual", "common", "SERVICECENTER"}
    assert (await _get(default_api, "statistics"))["statistics"]["services"] == {"count": 1}
    _, listed, _ = await default_api.call("GET", "/microservices?withShared=1", None, 200)
    assert len(listed["services"]) == 3  # type: ignore[index]
    assert {node["name"] for node in (await _get(default_api, "relations?withShared=1"))["nodes"]} >= {"SERVICECENTER"}

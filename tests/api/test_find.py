"""Finding instances by name: what is found, by whom, filtered how, and when it is 304. Protocol: Service Center sections 7.5 and 7.6."""

from __future__ import annotations

from typing import Any

import pytest
import pytest_asyncio

from tests.engine import Client

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def _ids(api: Client, name: str, consumer: str = "", app: str = "default", **query: str) -> set[str]:
    return {str(row["instanceId"]) for row in await api.find(name, consumer, app, **query)}


async def _refused(api: Client, target: str, **headers: str) -> tuple[int, str]:
    status, body, _ = await api.call("GET", target, None, **headers)
    return status, body["errorCode"]  # type: ignore[index]


@pytest_asyncio.fixture(name="shop", loop_scope="module")
async def _shop(api: Client) -> dict[str, str]:
    """A provider in three versions, each with an instance of its version's name, and a consumer."""
    services = {"consumer": await api.service("consumer")}
    for version in ("1.0.0", "1.2.0", "2.0.0"):
        services[version] = await api.service("cart", version=version, alias="trolley")
        lane = "gray" if version == "2.0.0" else "base"
        await api.instance(services[version], instanceId=version, properties={"lane": lane, "zone": "a:b"})
    return services


@pytest.mark.parametrize("rule", ["latest", "1.0.0", "1.0.0%2B", "0.0.0.0%2B", "1.0-2.0", "rubbish", "", "0%252B"])
async def test_version_is_not_read(rule: str, api: Client, shop: dict[str, str]) -> None:
    """As with the original: clients choose for themselves."""
    assert await _ids(api, "cart", shop["consumer"], version=rule) == {"1.0.0", "1.2.0", "2.0.0"}


@pytest.mark.parametrize(
    ("rule", "found"),
    [
        ("latest", {"2.0.0"}),
        ("1.2.0", {"1.2.0"}),
        ("1.2", set()),
        ("1.2%2B", {"1.2.0", "2.0.0"}),
        ("0.0.0.0%2B", {"1.0.0", "1.2.0", "2.0.0"}),
        ("1.0.0-2.0.0", {"1.0.0", "1.2.0"}),
        ("2.0.0-1.0.0", {"1.0.0", "1.2.0"}),
        ("9", set()),
        ("", {"1.0.0", "1.2.0", "2.0.0"}),
    ],
)
async def test_filter_version_selects_by_a_rule(rule: str, found: set[str], api: Client, shop: dict[str, str]) -> None:
    """This engine's own parameter; where nothing is left the answer is an empty one and no error."""
    assert await _ids(api, "cart", shop["consumer"], filterVersion=rule, version="x") == found


async def test_filter_property_selects_by_every_pair(api: Client, shop: dict[str, str]) -> None:
    """Repeatable, and all must hold; only the first colon separates."""
    assert await _ids(api, "cart", filterProperty="lane:gray") == {"2.0.0"}
    assert await _ids(api, "cart", filterProperty="zone:a:b&filterProperty=lane:base") == {"1.0.0", "1.2.0"}
    assert await _ids(api, "cart", filterProperty="lane:base&filterProperty=lane:gray") == set()
    assert await _ids(api, "cart", filterProperty="lane:base", filterVersion="latest") == set()
    assert await _ids(api, "cart", filterProperty="none:") == set()


@pytest.mark.parametrize("rule", ["x", "1.x", "1-2-3", "32768", "1.0.0%2B%2B"])
async def test_a_filter_that_is_no_rule_is_refused(rule: str, api: Client, shop: dict[str, str]) -> None:
    assert await _refused(api, f"/instances?appId=default&serviceName=cart&filterVersion={rule}") == (400, "400001")


async def _revision(api: Client, target: str, **headers: str) -> tuple[int, object, str]:
    status, body, answered = await api.call("GET", target, None, **headers)
    return status, body, answered["X-Resource-Revision"]  # type: ignore[call-overload, index, return-value]


async def test_the_revision_follows_changes_and_no_heartbeat(api: Client, shop: dict[str, str]) -> None:
    """Equal for everyone who is shown the same; 304 with an empty body and the header as long as it holds."""
    target = "/instances?appId=default&serviceName=cart"
    path = f"/microservices/{shop['1.0.0']}/instances/1.0.0"
    _, _, first = await _revision(api, target)
    assert (await _revision(api, target, X_ConsumerId=shop["consumer"]))[2] == first
    assert await _revision(api, f"{target}&rev={first}") == (304, None, first)
    await api.call("PUT", f"{path}/heartbeat", None, 200)
    assert (await _revision(api, f"{target}&rev={first}"))[0] == 304
    seen = {first}
    for step in ("status?value=DOWN", "status?value=UP"):
        await api.call("PUT", f"{path}/{step}", None, 200)
        seen.add((await _revision(api, target))[2])
    await api.call("PUT", f"{path}/properties", {"properties": {}}, 200)
    seen.add((await _revision(api, target))[2])
    await api.call("DELETE", path, None, 200)
    status, _, last = await _revision(api, f"{target}&rev={first}")
    assert status == 200
    assert len(seen | {last}) == 5


@pytest.mark.parametrize("flag", ["noCache=1", "noCache=TRUE", "cacheOnly=true"])
async def test_a_read_past_the_cache_ignores_the_revision(flag: str, api: Client, shop: dict[str, str]) -> None:
    target = "/instances?appId=default&serviceName=cart"
    _, _, revision = await _revision(api, target)
    assert (await _revision(api, f"{target}&rev={revision}&{flag}"))[0] == 200
    assert (await _revision(api, f"{target}&rev={revision}&{flag.partition('=')[0]}=0"))[0] == 304


async def test_a_filtered_find_has_a_revision_of_its_own(api: Client, shop: dict[str, str]) -> None:
    """304 for the filter that it was given for, not for another."""
    target = "/instances?appId=default&serviceName=cart"
    _, _, gray = await _revision(api, f"{target}&filterProperty=lane:gray")
    assert (await _revision(api, f"{target}&filterProperty=lane:gray&rev={gray}"))[0] == 304
    assert (await _revision(api, f"{target}&filterProperty=lane:base&rev={gray}"))[0] == 200
    status, body, empty = await _revision(api, f"{target}&filterProperty=lane:none")
    assert (status, body) == (200, {})
    assert (await _revision(api, f"{target}&filterProperty=lane:none&rev={empty}"))[0] == 304


async def test_an_alias_is_as_good_as_the_name_unless_something_bears_it_as_a_name(
    api: Client, shop: dict[str, str]
) -> None:
    assert await _ids(api, "trolley", shop["consumer"]) == {"1.0.0", "1.2.0", "2.0.0"}
    other = await api.service("trolley")
    await api.instance(other, instanceId="itself")
    assert await _ids(api, "trolley", shop["consumer"]) == {"itself"}


async def test_any_status_is_shown(api: Client, shop: dict[str, str]) -> None:
    path = f"/microservices/{shop['1.0.0']}/instances/1.0.0/status"
    for status in ("DOWN", "STARTING", "TESTING", "OUTOFSERVICE", "UP"):
        await api.call("PUT", f"{path}?value={status}", None, 200)
        assert status in {row["status"] for row in await api.find("cart")}


async def test_tags_choose_services_that_have_all_of_them(api: Client, shop: dict[str, str]) -> None:
    """Keys, not values; a find that finds none is empty, a list of such a service is an error, one instance is unknown."""
    await api.call("POST", f"/microservices/{shop['1.0.0']}/tags", {"tags": {"old": "a", "slow": "a"}}, 200)
    await api.call("POST", f"/microservices/{shop['1.2.0']}/tags", {"tags": {"old": "b"}}, 200)
    assert await _ids(api, "cart", tags="old") == {"1.0.0", "1.2.0"}
    assert await _ids(api, "cart", tags="old,slow") == {"1.0.0"}
    assert await _ids(api, "cart", tags="none") == set()
    listed = f"/microservices/{shop['1.2.0']}/instances"
    assert await _refused(api, f"{listed}?tags=slow") == (400, "400012")
    assert await _refused(api, f"{listed}/1.2.0?tags=slow") == (400, "400017")
    await api.call("GET", f"{listed}/1.2.0?tags=old", None, 200)


async def test_the_environment_is_the_consumers_or_the_one_asked_for(api: Client) -> None:
    """None means those without one, not all."""
    for environment in ("", "testing", "production"):
        service = await api.service("cart", environment=environment)
        await api.instance(service, instanceId=environment or "none")
    tester = await api.service("tester", environment="testing")
    assert await _ids(api, "cart") == {"none"}
    assert await _ids(api, "cart", env="production") == {"production"}
    assert await _ids(api, "cart", tester, env="production") == {"testing"}
    assert await _refused(api, "/instances?appId=default&serviceName=cart&env=acceptance") == (400, "400012")


@pytest.mark.parametrize(("allowed", "seen"), [("true", True), ("TRUE", True), ("1", False), ("", False)])
async def test_another_application_is_shown_what_allows_it(allowed: str, seen: bool, api: Client) -> None:
    """The rest is left out without a word; who does not say who it is sees everything."""
    consumer = await api.service("consumer", appId="other")
    provider = await api.service("cart", properties={"allowCrossApp": allowed})
    await api.instance(provider, instanceId="a")
    assert (await _ids(api, "cart", consumer) == {"a"}) == seen
    assert await _ids(api, "cart") == {"a"}
    listed = f"/microservices/{provider}/instances"
    status, body, _ = await api.call("GET", listed, None, X_ConsumerId=consumer)
    assert status == (200 if seen else 400)
    assert seen or body["errorCode"] == "400012"  # type: ignore[index]
    await api.call("PUT", f"/microservices/{provider}/properties", {"properties": {"allowCrossApp": "true"}}, 200)
    assert await _ids(api, "cart", consumer) == {"a"}


async def test_an_unknown_consumer_is_refused_everywhere(api: Client, shop: dict[str, str]) -> None:
    for target in (
        "/instances?appId=default&serviceName=cart",
        f"/microservices/{shop['1.0.0']}/instances",
        f"/microservices/{shop['1.0.0']}/instances/1.0.0",
    ):
        assert await _refused(api, target, X_ConsumerId="nobody") == (400, "400012")


async def test_the_engine_finds_itself_for_everyone_in_the_default_tenant(default_api: Client) -> None:
    """As clients with address discovery need it; whoever asks, with or without a known consumer."""
    for consumer in ("", "nobody"):
        (found,) = await default_api.find("SERVICECENTER", consumer)
        (endpoint,) = found["endpoints"]  # type: ignore[misc]
        assert endpoint == default_api.url.replace("http", "rest") + "/"


async def _one(api: Client, path: str) -> Any:
    _, body, _ = await api.call("GET", path, None, 200)
    return body["instance"]  # type: ignore[index]


async def test_one_instance_is_found_by_its_whole_id(api: Client, shop: dict[str, str]) -> None:
    """The original takes any beginning of an id that is not ambiguous."""
    path = f"/microservices/{shop['1.0.0']}/instances"
    assert (await _one(api, f"{path}/1.0.0"))["serviceId"] == shop["1.0.0"]
    assert await _refused(api, f"{path}/1.0") == (400, "400017")
    assert await _refused(api, "/microservices/nobody/instances/1.0.0") == (400, "400012")
    _, _, revision = await _revision(api, f"{path}/1.0.0")
    assert (await _revision(api, f"{path}/1.0.0?rev={revision}"))[0] == 304

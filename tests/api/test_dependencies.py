"""Who depends on whom: recorded by finds, stated by operators, asked for from both ends. Protocol: Service Center section 8."""

from __future__ import annotations

from typing import Any

import pytest

from tests.engine import Client

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def _names(api: Client, service: str, end: str, query: str = "") -> list[str]:
    _, body, _ = await api.call("GET", f"/microservices/{service}/{end}{query}", None, 200)
    return sorted(f"{row['serviceName']} {row['version']}" for row in body.get(end, []))  # type: ignore[attr-defined]


def _rule(consumer: str, *providers: str, **more: str) -> dict[str, Any]:
    return {
        "consumer": {"appId": "default", "serviceName": consumer, "version": "0.0.1"},
        "providers": [{"serviceName": name, **more} for name in providers],
    }


async def test_a_find_records_all_versions_of_what_it_found(api: Client) -> None:
    """Those registered later too; found by alias, the real name counts; who does not say who it is depends on nothing."""
    consumer = await api.service("consumer")
    provider = await api.service("cart", version="1.0", alias="trolley")
    await api.find("trolley")
    assert await _names(api, consumer, "providers") == []
    await api.find("trolley", consumer)
    await api.service("cart", version="2.0")
    assert await _names(api, consumer, "providers") == ["cart 1.0", "cart 2.0"]
    assert await _names(api, provider, "consumers") == ["consumer 0.0.1"]


async def test_what_may_not_be_seen_or_is_not_there_is_not_recorded(api: Client) -> None:
    consumer = await api.service("consumer", appId="other")
    hidden = await api.service("cart")
    assert await api.find("cart", consumer) == []
    assert (await api.call("GET", "/instances?appId=default&serviceName=none", None, X_ConsumerId=consumer))[0] == 400
    assert await _names(api, consumer, "providers") == []
    assert await _names(api, hidden, "consumers") == []


async def test_a_list_of_one_service_records_nothing(api: Client) -> None:
    """Only finds by name do."""
    consumer, provider = await api.service("consumer"), await api.service("cart")
    await api.call("GET", f"/microservices/{provider}/instances", None, 200, X_ConsumerId=consumer)
    assert await _names(api, consumer, "providers") == []


async def test_a_service_may_be_left_out_of_its_own_list(api: Client) -> None:
    """`noSelf=1`, and that literally."""
    service, other = await api.service("itself"), await api.service("other")
    await api.find("itself", service)
    await api.find("other", service)
    assert await _names(api, service, "providers") == ["itself 0.0.1", "other 0.0.1"]
    assert await _names(api, service, "providers", "?noSelf=true") == ["itself 0.0.1", "other 0.0.1"]
    assert await _names(api, service, "providers", "?noSelf=1") == ["other 0.0.1"]
    assert await _names(api, service, "consumers", "?noSelf=1") == []
    assert await _names(api, other, "consumers", "?noSelf=1&sameDomain=1") == ["itself 0.0.1"]


async def test_a_provider_that_is_depended_on_stays_unless_forced(api: Client) -> None:
    """Its consumer goes freely, and with it what it depended on; depending on oneself does not count."""
    consumer, provider = await api.service("consumer"), await api.service("cart")
    await api.find("cart", consumer)
    await api.find("consumer", consumer)
    status, body, _ = await api.call("DELETE", f"/microservices/{provider}")
    assert (status, body["errorCode"]) == (400, "400023")  # type: ignore[index]
    await api.call("DELETE", f"/microservices/{consumer}", None, 200)
    assert await _names(api, provider, "consumers") == []
    await api.call("DELETE", f"/microservices/{provider}", None, 200)


async def test_a_provider_that_comes_back_is_depended_on_still(api: Client) -> None:
    """The original forgets; here a watcher is told at once, without a find in between."""
    consumer, provider = await api.service("consumer"), await api.service("cart")
    await api.find("cart", consumer)
    await api.call("DELETE", f"/microservices/{provider}?force=1", None, 200)
    assert await _names(api, consumer, "providers") == []
    assert await api.service("cart") == provider
    assert await _names(api, consumer, "providers") == ["cart 0.0.1"]


@pytest.mark.parametrize("end", ["providers", "consumers"])
async def test_an_unknown_service_is_refused_from_both_ends(end: str, api: Client) -> None:
    status, body, _ = await api.call("GET", f"/microservices/nobody/{end}")
    assert (status, body["errorCode"]) == (400, "400012")  # type: ignore[index]


async def test_rules_can_be_stated_added_to_and_replaced(api: Client) -> None:
    """Deprecated, and the answers say so; POST adds, PUT replaces and may leave none."""
    consumer = await api.service("consumer")
    for name in ("a", "b", "c"):
        await api.service(name)
    for method, providers, expected in (
        ("POST", ("a",), ["a"]),
        ("POST", ("b",), ["a", "b"]),
        ("PUT", ("b", "c"), ["b", "c"]),
        ("PUT", (), []),
    ):
        rules = {"dependencies": [_rule("consumer", *providers)]}
        _, _, headers = await api.call(method, "/dependencies", rules, 200)
        assert headers["Deprecation"] == 'version="v4"'  # type: ignore[call-overload, index]
        assert await _names(api, consumer, "providers") == [f"{name} 0.0.1" for name in expected]


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        (_rule("nobody", "a"), "400012"),
        (_rule("consumer"), "400001"),
        (_rule("consumer", "a", "a"), "400001"),
        (_rule("consumer", "*"), "400001"),
        (_rule("consumer", "a", version="1.0.0.0"), "400001"),
        (_rule("consumer", "a", version="1.0-"), "400001"),
        (_rule("consumer", "a", version="40000"), "400001"),
        (_rule("consumer", "a", environment="none"), "400001"),
    ],
)
async def test_a_rule_that_means_nothing_is_refused_and_none_is_taken(
    rule: dict[str, Any], code: str, api: Client
) -> None:
    """One bad rule spoils the request, the good one before it too."""
    consumer = await api.service("consumer")
    await api.service("a")
    status, body, _ = await api.call("POST", "/dependencies", {"dependencies": [_rule("consumer", "a"), rule]})
    assert (status, body["errorCode"]) == (400, code)  # type: ignore[index]
    assert await _names(api, consumer, "providers") == []


@pytest.mark.parametrize("version", ["", "latest", "1.0.0", "1.0+", "0-1.0"])
async def test_any_version_rule_of_a_provider_means_all_versions(version: str, api: Client) -> None:
    consumer = await api.service("consumer")
    await api.service("a", version="9.9")
    await api.call("POST", "/dependencies", {"dependencies": [_rule("consumer", "a", version=version)]}, 200)
    assert await _names(api, consumer, "providers") == ["a 9.9"]

"""Rules of governance are checked when they are saved: errors are refused with their place, warnings are answered."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from tests.api.kie import Kie
from tests.api.own_config import OwnConfig
from tests.engine import EngineProcess, client_of

pytestmark = pytest.mark.asyncio(loop_scope="module")
RETRY = "servicecomb.retry.orders"
ROUTE = "servicecomb.routeRule.weather"
REGEX = "- match: {headers: {type: {regex: gray}}}\n  route: [{weight: 100, tags: {version: 2.0.0}}]\n"
CHASSIS_3 = {"name": "servicecomb-java-chassis", "version": "ServiceComb:3.2.1"}
APP = {"app": "mall", "environment": ""}
GROUP = "servicecomb.matchGroup.orders"
LANES = """- precedence: 2
  match: { headers: { x_cse_canary: { exact: gray } } }
  route: [{ weight: 100, tags: { cas_lane_tag: gray } }]
- precedence: 1
  route: [{ weight: 100, tags: { cas_lane_tag: base } }]
"""
OWN_RULE = "- route: [{weight: 100, tags: {version: 1.0.0}}]"


@pytest_asyncio.fixture(loop_scope="module")
async def own(shared_engine: EngineProcess) -> AsyncIterator[OwnConfig]:
    """A client of the module's engine, in a project of its own."""
    async with aiohttp.ClientSession() as session:
        yield OwnConfig(session, shared_engine.url, f"p{uuid.uuid4().hex[:8]}")


async def test_a_rule_with_an_error_changes_nothing(own: OwnConfig) -> None:
    wrong = {"key": RETRY, "value": "maxAttempts: 2\nwaitDuration: 500ms\n"}
    detail = await own.refused(400006, "PUT", "items", body=wrong)
    assert detail == (
        f"{RETRY}: as a rule, line 2, column 1: waitDuration is '500ms', which is no duration: write 500 or 0.5S"
    )
    assert await own.values() == {}
    two = await own.refused(400006, "PUT", "items", body={"key": RETRY, "value": "maxAttempts: 0\norder: x"})
    assert two.endswith("(and 1 more)")
    assert (await own.put(RETRY, "maxAttempts: 2\nwaitDuration: 0.5S\n"))["action"] == "added"


async def test_a_rule_with_an_error_can_be_forced_and_says_so(own: OwnConfig) -> None:
    forced = await own.put(RETRY, "maxAttempts: 0", force=True)
    assert forced["action"] == "added"
    assert [(one["severity"], one["code"]) for one in forced["problems"]] == [("error", "range")]


async def test_an_import_with_a_wrong_rule_changes_nothing(own: OwnConfig) -> None:
    text = f"items:\n- key: a\n  value: b\n- key: {ROUTE}\n  value: '- route: []'\n"
    detail = await own.refused(400006, "POST", "import", body=text.encode())
    assert "as a rule, line 1, column 3: route is empty: add an item" in detail
    assert await own.values() == {}


async def test_an_import_and_its_dry_run_tell_of_rules_that_do_nothing(own: OwnConfig) -> None:
    text = "items:\n- key: a\n  value: b\n- key: servicecomb.timeLimiter.orders\n  value: '{}'\n"
    for query in ((("dry_run", "1"),), ()):
        told = {row["key"]: row.get("problems") for row in (await own.imported(text, *query))["items"]}
        assert told["a"] is None
        assert {(one["severity"], one["code"]) for one in told["servicecomb.timeLimiter.orders"]} == {
            ("warning", "no-effect"),
            ("warning", "unpaired"),
        }


async def test_a_rule_that_clients_would_take_apart_is_refused(own: OwnConfig) -> None:
    body = {"key": RETRY, "value": "maxAttempts: 2", "value_type": "yaml"}
    assert "store the item as text" in await own.refused(400006, "PUT", "items", body=body)


async def test_a_gradual_release_of_a_wrong_rule_is_refused(own: OwnConfig) -> None:
    await own.put(RETRY, "maxAttempts: 2")
    body = {"value": "maxAttempts: none", "share": 10}
    detail = await own.refused(400006, "PUT", "releases/one", ("key", RETRY), body=body)
    assert "write a whole number" in detail


async def test_warnings_name_the_registered_runtimes_that_would_misread_a_rule(
    own: OwnConfig, shared_engine: EngineProcess
) -> None:
    domain = f"d{uuid.uuid4().hex[:8]}"
    own = OwnConfig(own.session, shared_engine.url, "default", domain)
    assert "problems" not in await own.put(ROUTE, REGEX), "nobody is there who would"
    async with client_of(shared_engine.url, domain) as registry:
        service = await registry.service("old", framework=CHASSIS_3)
        assert "problems" not in await own.put(ROUTE, REGEX), "a service without an instance reads nothing"
        await registry.instance(service)
    told = (await own.put(ROUTE, REGEX))["problems"]
    assert told == [
        {
            "severity": "warning",
            "code": "misread",
            "line": 1,
            "column": 28,
            "why": "regex is not known in a route rule, so it never matches",
            "instead": "write exact or prefix",
            "runtimes": [CHASSIS_3],
        }
    ]


async def test_clients_of_kie_store_what_they_like(own: OwnConfig, shared_engine: EngineProcess) -> None:
    kie = Kie(own.session, shared_engine.url, own.project)
    await kie.ok("POST", "/kv", {"key": RETRY, "value": "maxAttempts: 0", "status": "enabled"})
    assert await own.values() == {RETRY: "maxAttempts: 0"}
    ((told, *_),) = (await own.ok("GET", "items"))["problems"].values()
    assert (told["severity"], told["code"]) == ("error", "range"), "and lists show it"


def codes(answer: Any) -> list[str]:
    """The codes of the problems of an answer."""
    return [one["code"] for one in answer.get("problems", [])]


async def test_rules_are_checked_with_those_of_their_application(own: OwnConfig) -> None:
    assert codes(await own.put(RETRY, "maxAttempts: 2", APP)) == ["unpaired"]
    await own.put(GROUP, "matches: [{method: [GET]}]", {"app": "shop", "environment": ""})
    assert codes(await own.put(RETRY, "maxAttempts: 2", APP)) == ["unpaired"], "a group of another application"
    await own.put(GROUP, "matches: [{method: [GET]}]", APP, status="disabled")
    assert codes(await own.put(RETRY, "maxAttempts: 2", APP)) == ["unpaired"], "nobody obeys a disabled one"
    assert codes(await own.put(GROUP, "matches: [{}]", {**APP, "service": "cart"})) == []
    assert codes(await own.put(RETRY, "maxAttempts: 2", APP)) == ["repeats-writes"]


async def test_the_items_of_one_request_are_checked_with_each_other(own: OwnConfig) -> None:
    group = {"key": GROUP, "value": "matches: [{method: [GET]}]", "labels": APP}
    retry = {"key": RETRY, "value": "maxAttempts: 2", "labels": APP}
    assert list(map(codes, (await own.ok("PUT", "items", body=[retry, group]))["items"])) == [[], []]
    text = f"items:\n- key: {RETRY}x\n  value: '{{}}'\n- key: {GROUP}x\n  value: 'matches: [{{method: [GET]}}]'\n"
    for query in ((("dry_run", "1"),), ()):
        assert list(map(codes, (await own.imported(text, *query))["items"])) == [[], []]


async def test_a_rule_of_its_own_for_a_service_in_lanes_is_refused(
    own: OwnConfig, shared_engine: EngineProcess
) -> None:
    domain = f"d{uuid.uuid4().hex[:8]}"
    own = OwnConfig(own.session, shared_engine.url, "default", domain)
    async with client_of(shared_engine.url, domain) as registry:
        service = await registry.service("weather", appId="mall")
        await registry.instance(service, properties={"cas_lane_tag": "base"})
        assert "no-instance" in codes(await own.put("servicecomb.globalRouteRule", LANES, APP))
        refused = await own.refused(400006, "PUT", "items", body={"key": ROUTE, "value": OWN_RULE, "labels": APP})
        assert "the service is in lanes, and a rule of its own switches them off" in refused
        assert ROUTE not in await own.values()
        text = f"items:\n- key: {ROUTE}\n  labels: {{app: mall, environment: ''}}\n  value: '{OWN_RULE}'\n"
        assert "in lanes" in await own.refused(400006, "POST", "import", ("dry_run", "1"), body=text.encode())
        elsewhere = {"key": ROUTE, "value": OWN_RULE, "labels": {"app": "shop", "environment": ""}}
        await own.ok("PUT", "items", body=elsewhere)
        forced = await own.put(ROUTE, OWN_RULE, APP, force=True)
        assert "lane" in codes(forced)
        listed = await own.ok("GET", "items", ("rules", "1"), ("key", ROUTE), ("label", "app:mall"))
        assert listed["problems"][forced["item"]["id"]][0]["code"] == "lane"
        changed = {"key": "servicecomb.globalRouteRule", "value": f"# again\n{LANES}", "labels": APP}
        refused = await own.refused(400006, "PUT", "items", body=changed)
        assert f"with {ROUTE}, line 1, column 1" in refused, "lanes that a rule switches off are none"
        await own.ok("DELETE", "items", ("key", ROUTE), ("label", "app:mall"), ("label", "environment:"))
        await own.ok("PUT", "items", body=changed)


async def test_a_gray_release_of_a_service_in_lanes_is_refused(own: OwnConfig, shared_engine: EngineProcess) -> None:
    domain = f"d{uuid.uuid4().hex[:8]}"
    own = OwnConfig(own.session, shared_engine.url, "default", domain)
    gray = OwnConfig(own.session, shared_engine.url, "default", domain)
    gray.url = f"{shared_engine.url}/waggle/v1/gray-releases/"
    body = {"service": "weather", **APP, "version": "2.0.0"}
    async with client_of(shared_engine.url, domain) as registry:
        for version in ("1.0.0", "2.0.0"):
            service = await registry.service("weather", appId="mall", version=version)
            await registry.instance(service, properties={"cas_lane_tag": "base"})
        await own.put("servicecomb.globalRouteRule", LANES, APP)
        assert "the service is in lanes" in await gray.refused(400006, "PUT", "one", body=body)
        await own.ok(
            "DELETE", "items", ("key", "servicecomb.globalRouteRule"), ("label", "app:mall"), ("label", "environment:")
        )
        assert (await gray.ok("PUT", "one", body=body))["action"] == "added"


async def test_lists_say_what_is_wrong_with_rules(own: OwnConfig) -> None:
    await own.put("timeout", "2s")
    assert "problems" not in await own.ok("GET", "items")
    wrong = await own.put(RETRY, "other: 1\nmaxAttempts: 0\norder: x\nwaitDuration: y", force=True)
    listed = await own.ok("GET", "items")
    assert list(listed["problems"]) == [wrong["item"]["id"]]
    first = listed["problems"][wrong["item"]["id"]]
    assert [(one["severity"], one["line"]) for one in first] == [("error", 2), ("error", 3), ("error", 4)]
    assert listed["total"] == 2
    rules = await own.ok("GET", "items", ("rules", "1"), ("limit", "10"))
    assert ([item["key"] for item in rules["data"]], rules["total"]) == ([RETRY], 1)
    await own.put(RETRY, "maxAttempts: 1")
    (told,) = (await own.ok("GET", "items"))["problems"].values()
    assert [one["code"] for one in told] == ["unpaired"], "a change is checked anew"
    await own.put(GROUP, "matches: [{method: [GET]}]")
    assert "problems" not in await own.ok("GET", "items"), "so is what others change"


async def test_a_gradual_release_tells_what_is_wrong_with_the_new_value(own: OwnConfig) -> None:
    await own.put("servicecomb.bulkhead.orders", "maxConcurrentCalls: 5")
    await own.put(GROUP, "matches: [{method: [GET]}]")
    key = ("key", "servicecomb.bulkhead.orders")
    started = await own.ok("PUT", "releases/one", key, body={"value": "maxConcurrentCall: 5", "share": 10})
    assert codes(started) == ["unknown-field"]
    better = await own.ok("PUT", "releases/one", key, body={"value": "maxConcurrentCalls: 6", "share": 10})
    assert "problems" not in better

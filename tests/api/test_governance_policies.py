"""Service Center's API of governance policies on the items of configuration. Protocol: Service Center section 12."""

from __future__ import annotations

import asyncio
import json
import re
import uuid
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from tests.api.kie import Kie
from tests.api.own_config import OwnConfig
from tests.engine import EngineProcess

pytestmark = pytest.mark.asyncio(loop_scope="module")
SETTINGS = {"quota_config": 25}
MALL = {"app": "mall", "environment": ""}
GROUP = {"alias": "all orders", "matches": [{"name": "m", "apiPath": {"prefix": "/orders"}, "method": ["GET"]}]}
SPECS: dict[str, tuple[str, dict[str, Any]]] = {
    "match-group": ("matchGroup", GROUP),
    "retry": ("retry", {"maxAttempts": 2, "waitDuration": "0.5S"}),
    "rate-limiting": ("rateLimiting", {"rate": 10, "limitRefreshPeriod": 1000}),
    "loadbalance": ("loadbalance", {"rule": "Random"}),
    "circuit-breaker": ("circuitBreaker", {"minimumNumberOfCalls": 10, "failureRateThreshold": 20.5}),
    "instance-isolation": ("instanceIsolation", {"minimumNumberOfCalls": 5}),
    "fault-injection": ("faultInjection", {"type": "delay", "delayTime": 100, "percentage": 50}),
    "bulkhead": ("bulkhead", {"maxConcurrentCalls": 100}),
}


class Policies:
    """Calls the governance API of one project, and sees the same items through KIE and the engine's own API."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self.project = f"p{uuid.uuid4().hex[:8]}"
        self.kie = Kie(session, url, self.project)
        self.own = OwnConfig(session, url, self.project)
        self._session = session
        self._root = f"{url}/v1/{self.project}/gov/"

    async def text(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, str]:
        """Status and body as they are."""
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self._session.request(method, self._root + path, data=data, headers=named) as response:
            return response.status, await response.text()

    async def ok(self, method: str, path: str, body: object = None, **headers: str) -> Any:
        """The body of an answer that must be 200; None where it is empty."""
        status, text = await self.text(method, path, body, **headers)
        assert status == 200, f"{method} {path}: {status} {text}"
        return json.loads(text) if text else None

    async def refused(self, code: int, method: str, path: str, body: object = None) -> str:
        """The detail of a refusal that must have this code."""
        status, text = await self.text(method, path, body)
        assert (status, json.loads(text)["errorCode"]) == (code // 1000, str(code)), f"{method} {path}: {status} {text}"
        return str(json.loads(text).get("detail", ""))

    async def create(self, kind: str, name: str, selector: dict[str, str] | None = None, **spec: object) -> str:
        """Create a policy; its id."""
        body = {"name": name, "selector": MALL if selector is None else selector, "spec": spec or SPECS[kind][1]}
        return str((await self.ok("POST", kind, body))["id"])

    async def keys(self) -> list[str]:
        """The keys of all items."""
        return sorted(await self.own.values())


@pytest_asyncio.fixture(loop_scope="module")
async def gov(shared_engine: EngineProcess) -> AsyncIterator[Policies]:
    async with aiohttp.ClientSession() as session:
        yield Policies(session, shared_engine.url)


# --- What is written


@pytest.mark.parametrize("kind", SPECS)
async def test_a_policy_is_an_item_that_clients_of_kie_read(kind: str, gov: Policies) -> None:
    """One that Java Chassis asks for by its labels, as text, enabled, with the spec as YAML."""
    name = await gov.create(kind, "orders")
    listed = await gov.kie.ok("GET", "/kv?label=app:mall&label=environment:&match=exact")
    (item,) = listed["data"]
    assert item["id"] == name
    assert item["key"] == f"servicecomb.{SPECS[kind][0]}.orders"
    assert (item["value_type"], item["status"], item["priority"], item["labels"]) == ("text", "enabled", -1, MALL)
    assert (await gov.ok("GET", f"{kind}/{name}"))["spec"] == SPECS[kind][1]


async def test_the_yaml_is_plain_and_in_order(gov: Policies) -> None:
    await gov.create("match-group", "orders", matches=[{"name": "你好", "headers": {"x": {"exact": "yes"}}}])
    assert await gov.own.values() == {
        "servicecomb.matchGroup.orders": 'alias: orders\nmatches:\n  - headers:\n      x:\n        exact: "yes"\n    name: "你好"\n'
    }


async def test_a_policy_is_shown_as_the_original_shows_it(gov: Policies) -> None:
    """The order of members, `creatTime` without its e, epoch seconds, two blanks of indentation."""
    await gov.create("match-group", "orders")
    name = await gov.create("retry", "orders", maxAttempts=3)
    item = await gov.kie.ok("GET", f"/kv/{name}")
    status, text = await gov.text("GET", f"retry/{name}")
    assert status == 200
    assert text == (
        f'{{\n  "name": "orders",\n  "id": "{name}",\n  "status": "enabled",\n  "creatTime": {item["create_time"]},\n'
        f'  "updateTime": {item["update_time"]},\n  "selector": {{\n    "app": "mall",\n    "environment": ""\n  }},\n'
        '  "kind": "retry",\n  "spec": {\n    "maxAttempts": 3\n  }\n}'
    )


async def test_a_match_group_without_a_name_is_given_one(gov: Policies) -> None:
    for _ in range(3):
        await gov.ok("POST", "match-group", {"selector": MALL, "spec": GROUP})
    keys = await gov.keys()
    assert len(keys) == 3
    assert all(re.fullmatch(r"servicecomb\.matchGroup\.scene-[0-9a-z]{4}", key) for key in keys)
    assert "has no name" in await gov.refused(400001, "POST", "retry", {"spec": SPECS["retry"][1]})


async def test_a_policy_that_is_there_already_is_a_conflict(gov: Policies) -> None:
    await gov.create("retry", "orders")
    body = {"name": "orders", "selector": MALL, "spec": {"maxAttempts": 9}}
    assert await gov.refused(409001, "POST", "retry", body) == "kv already exists"
    await gov.create("retry", "orders", {**MALL, "service": "cart"})
    assert len(await gov.ok("GET", "retry?app=mall")) == 2


async def test_a_full_quota_refuses_a_policy(gov: Policies) -> None:
    await gov.own.ok("PUT", "items", body=[{"key": f"k{number}", "value": "v"} for number in range(25)])
    await gov.refused(422001, "POST", "retry", {"name": "a", "spec": {"maxAttempts": 9}})


# --- What is refused


@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_an_unknown_kind_is_refused(method: str, gov: Policies) -> None:
    path = "mapper" if method == "POST" else "mapper/x"
    assert await gov.refused(400001, method, path, {"name": "a", "spec": {}}) == "not support kind[mapper] yet"


@pytest.mark.parametrize(
    ("kind", "spec", "why"),
    [
        ("match-group", {}, "match-group.matches in body is required"),
        ("match-group", {"matches": []}, "matches is empty: add an item"),
        ("match-group", {"matches": [{}]}, "match-group.matches.name in body is required"),
        ("match-group", {"matches": [{"name": "m", "method": ["get"]}]}, "should be one of [GET POST DELETE PUT PATCH]"),
        ("match-group", {"matches": [{"name": "m", "method": []}]}, "method in body should have at least 1 items"),
        ("match-group", {"matches": [{"name": "m", "apiPath": {}}]}, "apiPath in body should have at least 1 properties"),
        ("match-group", {**GROUP, "alias": 7}, "match-group.alias in body must be of type string"),
        ("match-group", {"matches": {"name": "m"}}, "a list is expected here"),
        ("retry", {"retryOnSame": 1}, "retry.maxAttempts in body is required"),
        ("retry", {"maxAttempts": None}, "retry.maxAttempts in body is required"),
        ("retry", None, "retry.maxAttempts in body is required"),
        ("rate-limiting", {}, "rate-limiting.rate in body is required"),
        ("loadbalance", {}, "loadbalance.rule in body is required"),
        ("circuit-breaker", {}, "circuit-breaker.minimumNumberOfCalls in body is required"),
        ("instance-isolation", {}, "instance-isolation.minimumNumberOfCalls in body is required"),
        ("fault-injection", {}, "fault-injection.percentage in body is required"),
        ("bulkhead", {}, "bulkhead.maxConcurrentCalls in body is required"),
        ("retry", {"maxAttempts": 1, "x": json.loads("[" * 80 + "]" * 80)}, "more than 50 levels deep"),
    ],
)  # fmt: skip
async def test_a_spec_that_is_none_is_refused(kind: str, spec: object, why: str, gov: Policies) -> None:
    """On creation and on change, and nothing is stored."""
    detail = await gov.refused(400001, "POST", kind, {"name": "a", "selector": MALL, "spec": spec})
    assert detail.startswith(f"illegal policy[{kind}] spec, msg: ")
    assert why in detail
    assert await gov.keys() == []
    name = await gov.create(kind, "a")
    before = await gov.own.values()
    assert await gov.refused(400001, "PUT", f"{kind}/{name}", {"spec": spec}) == detail
    assert await gov.own.values() == before


async def test_a_rule_that_runtimes_would_drop_is_refused_with_its_place_and_advice(gov: Policies) -> None:
    """Beyond the original. Who sent JSON is shown the line that would have been stored."""
    body = {"name": "orders", "selector": MALL, "spec": {"maxAttempts": 2, "waitDuration": "500ms"}}
    assert await gov.refused(400001, "POST", "retry", body) == (
        'illegal policy[retry] spec, msg: line 2, column 1 of its YAML (waitDuration: "500ms"): '
        "waitDuration is '500ms', which is no duration: write 500 or 0.5S"
    )
    assert await gov.keys() == []


async def test_a_warning_does_not_block_and_is_told(gov: Policies) -> None:
    await gov.create("match-group", "a")
    spec = {"maxAttempts": 2, "maxAttemps": 3}
    made = await gov.ok("POST", "retry", {"name": "a", "selector": MALL, "spec": spec})
    assert [(one["severity"], one["code"]) for one in made["problems"]] == [("warning", "unknown-field")]
    (shown,) = await gov.ok("GET", "retry?app=mall")
    assert shown["problems"] == made["problems"]


async def test_names_and_selectors_that_are_none_are_refused(gov: Policies) -> None:
    spec = {"minimumNumberOfCalls": 1}
    for name in ("with blank", "", "Consumer.forceOpen", "a/b"):
        await gov.refused(400001, "POST", "circuit-breaker", {"name": name, "selector": MALL, "spec": spec})
    for selector in ({"app": "with blank"}, {f"l{number}": "" for number in range(7)}, {"app": 7}, "mall"):
        await gov.refused(400001, "POST", "circuit-breaker", {"name": "a", "selector": selector, "spec": spec})
    long = {"name": "a", "selector": MALL, "spec": {"minimumNumberOfCalls": 1, "services": "x" * 131072}}
    assert "max = 131072" in await gov.refused(400001, "POST", "circuit-breaker", long)
    assert await gov.keys() == []


# --- Lists


async def test_a_list_is_of_a_kind_an_application_and_an_environment(gov: Policies) -> None:
    """No environment is the one without a name; `all` is any. Other kinds, old keys of Java and plain items are not listed."""
    await gov.create("retry", "a")
    await gov.create("retry", "b", {"app": "mall", "environment": "testing"})
    await gov.create("retry", "c", {"app": "shop", "environment": ""})
    await gov.create("loadbalance", "d")
    await gov.kie.create("servicecomb.loadbalance.a.strategy.name", "Random", MALL)
    await gov.kie.create("servicecomb.retrying", "x", MALL)

    async def names(query: str) -> list[str]:
        return sorted(row["name"] for row in await gov.ok("GET", query))

    assert await names("retry?app=mall") == ["a"]
    assert await names("retry?app=mall&environment=testing") == ["b"]
    assert await names("retry?app=mall&environment=all") == ["a", "b"]
    assert await names("retry") == ["a", "c"]
    assert await names("retry?environment=all") == ["a", "b", "c"]
    assert await names("loadbalance?environment=all") == ["d"]
    assert await gov.text("GET", "bulkhead") == (200, "[]")
    await gov.refused(400001, "GET", "retry?app=with%20blank")
    assert await gov.refused(400001, "GET", "nope") == "not support kind[nope] yet"


async def test_display_shows_match_groups_with_their_policies(gov: Policies) -> None:
    """Those of the same name and selector: with all environments, one's policies are not another's."""
    testing = {"app": "mall", "environment": "testing"}
    for selector in (MALL, testing):
        await gov.create("match-group", "orders", selector)
    await gov.create("retry", "orders")
    await gov.create("bulkhead", "orders")
    await gov.create("retry", "orders", testing, maxAttempts=9)
    await gov.create("retry", "unbound")
    await gov.create("match-group", "lonely")

    async def shown(query: str) -> list[tuple[str, str, list[str]]]:
        rows = await gov.ok("GET", f"display?{query}")
        assert all(set(row) <= {"policies", "matchGroup"} and row.get("policies") != [] for row in rows)
        groups = [(row["matchGroup"], [one["kind"] for one in row.get("policies", [])]) for row in rows]
        return sorted((group["name"], group["selector"]["environment"], kinds) for group, kinds in groups)

    assert await shown("app=mall") == [("lonely", "", []), ("orders", "", ["retry", "bulkhead"])]
    assert await shown("environment=all") == [
        ("lonely", "", []),
        ("orders", "", ["retry", "bulkhead"]),
        ("orders", "testing", ["retry"]),
    ]
    assert await shown("app=other") == []


async def test_what_others_wrote_is_listed(gov: Policies) -> None:
    """By KIE and by the engine's own API, in any YAML; what does not parse says where, and is none of the engine's failures."""
    for name in ("flow", "wrong", "broken", "list", "empty", "deep"):
        await gov.create("match-group", name)
    await gov.kie.create("servicecomb.rateLimiting.flow", "{rate: 010, services: 'a'}", MALL)
    await gov.kie.create("servicecomb.rateLimiting.broken", "rate: [1", MALL)
    await gov.kie.create("servicecomb.rateLimiting.list", "- rate", MALL)
    await gov.kie.create("servicecomb.rateLimiting.empty", "", MALL)
    await gov.kie.create("servicecomb.rateLimiting.deep", "x: " + "[" * 60 + "]" * 60, MALL)
    await gov.own.put("servicecomb.rateLimiting.wrong", "rate: 0", MALL, force=True, status="disabled")
    rows = {row["name"]: row for row in await gov.ok("GET", "rate-limiting?app=mall")}
    assert rows["flow"]["spec"] == {"rate": 8, "services": "a"}
    assert "problems" not in rows["flow"]
    assert (rows["wrong"]["spec"], rows["wrong"]["status"]) == ({"rate": 0}, "disabled")
    assert [(one["severity"], one["code"]) for one in rows["wrong"]["problems"]] == [("error", "range")]
    for name in ("broken", "list", "empty"):
        assert rows[name]["spec"] == {}
        (problem,) = rows[name]["problems"]
        assert (problem["severity"], problem["line"]) == ("error", 1)
    assert (await gov.ok("GET", f"rate-limiting/{rows['broken']['id']}"))["problems"] == rows["broken"]["problems"]
    assert rows["deep"]["spec"] == {}
    assert [one["why"] for one in rows["deep"]["problems"] if one["severity"] == "error"] == [
        "it is nested more than 50 levels deep"
    ]


# --- Changing and deleting


async def test_a_policy_is_changed_in_spec_and_status(gov: Policies) -> None:
    """The answer is empty; name and selector stay; without a status that stays, too; who waits by KIE sees it."""
    name = await gov.create("retry", "orders")
    body = {"name": "other", "selector": {"app": "x"}, "spec": {"maxAttempts": 5}, "status": "disabled"}
    assert await gov.text("PUT", f"retry/{name}", body) == (200, "")
    shown = await gov.ok("GET", f"retry/{name}")
    assert (shown["name"], shown["selector"], shown["spec"]) == ("orders", MALL, {"maxAttempts": 5})
    assert shown["status"] == "disabled"
    await gov.ok("PUT", f"retry/{name}", {"spec": {"maxAttempts": 6}})
    item = await gov.kie.ok("GET", f"/kv/{name}")
    assert (item["value"], item["status"]) == ("maxAttempts: 6\n", "disabled")
    await gov.refused(400001, "PUT", f"retry/{name}", {"spec": {"maxAttempts": 6}, "status": "on"})


async def test_a_changed_match_group_keeps_an_alias(gov: Policies) -> None:
    name = await gov.create("match-group", "orders")
    await gov.ok("PUT", f"match-group/{name}", {"spec": {"matches": [{"name": "m"}]}})
    assert (await gov.ok("GET", f"match-group/{name}"))["spec"]["alias"] == "orders"


async def test_a_change_mends_an_item_that_clients_would_take_apart(gov: Policies) -> None:
    item = await gov.kie.create("servicecomb.retry.orders", "maxAttempts: 2", MALL, value_type="yaml")
    assert (await gov.ok("GET", f"retry/{item['id']}"))["problems"][0]["code"] == "value-type"
    await gov.ok("PUT", f"retry/{item['id']}", {"spec": {"maxAttempts": 2}})
    assert (await gov.kie.ok("GET", f"/kv/{item['id']}"))["value_type"] == "text"


async def test_an_item_is_reached_as_a_policy_of_its_kind_alone(gov: Policies) -> None:
    """An id of anything else must not be changed or deleted here."""
    policy = await gov.create("retry", "orders")
    plain = (await gov.kie.create("timeout", "2s", MALL))["id"]
    for path in (f"bulkhead/{policy}", f"retry/{plain}", "retry/unknown"):
        for method in ("GET", "DELETE", "PUT"):
            body = {"spec": {"maxAttempts": 1, "maxConcurrentCalls": 1}} if method == "PUT" else None
            await gov.refused(404001, method, path, body)
    assert len(await gov.keys()) == 2


async def test_deleting_a_policy_leaves_its_group(gov: Policies) -> None:
    await gov.create("match-group", "orders")
    name = await gov.create("retry", "orders")
    assert await gov.text("DELETE", f"retry/{name}") == (200, "")
    assert await gov.keys() == ["servicecomb.matchGroup.orders"]
    await gov.refused(404001, "DELETE", f"retry/{name}")


async def test_deleting_a_match_group_deletes_its_policies_at_once(gov: Policies) -> None:
    """Those of its name and selector, whoever wrote them, in one step for everyone who waits; nothing else of that name."""
    group = await gov.create("match-group", "orders")
    await gov.create("retry", "orders")
    await gov.kie.create("servicecomb.identifierRateLimiting.orders", "{rate: 1, identifier: u}", MALL)
    await gov.create("retry", "orders", {"app": "mall", "environment": "testing"})
    await gov.create("retry", "v2.orders")
    await gov.kie.create("servicecomb.routeRule.orders", "- route: [{weight: 100, tags: {version: 1}}]", MALL)
    await gov.ok("DELETE", f"match-group/{group}", X_Waggle_Author="ann")
    left = (await gov.kie.ok("GET", "/kv"))["data"]
    assert sorted((item["key"], item["labels"]["environment"]) for item in left) == [
        ("servicecomb.retry.orders", "testing"),
        ("servicecomb.retry.v2.orders", ""),
        ("servicecomb.routeRule.orders", ""),
    ]
    url = gov.own.url.replace("/config/", "/audit")
    query = {"project": gov.project, "author": "ann"}
    async with gov.own.session.get(url, params=query) as response:
        changes = (await response.json())["changes"]
    assert [change["action"] for change in changes] == ["DELETE"] * 3
    assert len({change["at"] for change in changes}) == 1


async def test_who_waits_by_kie_is_told_at_once_and_never_of_half_a_group(gov: Policies) -> None:
    """As a Java client waits: the answer to a wait has all of a change or nothing of it."""
    asked = "/kv?label=app:mall&label=environment:&match=exact"

    async def waiting() -> asyncio.Task[Any]:
        _, _, headers = await gov.kie.call("GET", asked)
        return asyncio.create_task(gov.kie.ok("GET", f"{asked}&wait=20s&revision={headers['X-Kie-Revision']}"))

    poll = await waiting()
    group = await gov.create("match-group", "orders")
    assert [item["id"] for item in (await poll)["data"]] == [group]
    for kind in ("retry", "bulkhead", "rate-limiting"):
        await gov.create(kind, "orders")
    poll = await waiting()
    await gov.ok("DELETE", f"match-group/{group}")
    assert (await poll)["data"] == []


async def test_changes_have_an_author_and_a_history(gov: Policies) -> None:
    body = {"name": "a", "selector": MALL, "spec": {"maxAttempts": 1}}
    name = (await gov.ok("POST", "retry", body, X_Waggle_Author="ann"))["id"]
    await gov.ok("PUT", f"retry/{name}", {"spec": {"maxAttempts": 2}}, X_Waggle_Author="bob")
    query = [("key", "servicecomb.retry.a"), ("label", "app:mall"), ("label", "environment:")]
    versions = (await gov.own.ok("GET", "history", *query))["versions"]
    assert [version["author"].partition("@")[0] for version in versions] == ["bob", "ann"]


async def test_a_domain_and_a_project_have_policies_of_their_own(gov: Policies, shared_engine: EngineProcess) -> None:
    name = await gov.create("retry", "orders")
    assert await gov.ok("GET", "retry?environment=all", X_Domain_Name="other") == []
    other = Policies(gov.kie.session, shared_engine.url)
    assert await other.ok("GET", "retry?environment=all") == []
    await other.refused(404001, "DELETE", f"retry/{name}")
    body = {"name": "orders", "selector": MALL, "spec": {"maxAttempts": 7}}
    await gov.ok("POST", "retry", body, X_Domain_Name="other")
    assert (await gov.ok("GET", f"retry/{name}"))["spec"] == SPECS["retry"][1]
    status, text = await gov.text("GET", "retry", X_Domain_Name="no domain")
    assert (status, json.loads(text)["errorCode"]) == (400, "400001")

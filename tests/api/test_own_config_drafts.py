"""The engine's own API of the config centre for whoever writes items: checks before saving, trees, and whom an item is for."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from tests.api.own_config import OwnConfig
from tests.engine import EngineProcess, eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")
SETTINGS = {"quota_config": 20}
LABELS = {"app": "mall", "environment": ""}
NAMED = (("label", "app:mall"), ("label", "environment:"))


@pytest_asyncio.fixture(loop_scope="module")
async def own(shared_engine: EngineProcess) -> AsyncIterator[OwnConfig]:
    """A client of the module's engine, in a project of its own."""
    async with aiohttp.ClientSession() as session:
        yield OwnConfig(session, shared_engine.url, f"p{uuid.uuid4().hex[:8]}")


async def checked(own: OwnConfig, key: str, value: str, **members: object) -> Any:
    return await own.ok("POST", "check", body={"key": key, "value": value, "labels": LABELS, **members})


async def test_a_draft_is_checked_and_compared_without_being_stored(own: OwnConfig) -> None:
    new = await checked(own, "timeout", "2s")
    assert (new["action"], new["revision"], new["before"], new["problems"]) == ("added", 0, None, [])
    assert "+2s" in new["diff"]
    await own.refused(404001, "GET", "items/one", ("key", "timeout"), *NAMED)
    stored = (await own.put("timeout", "2s", LABELS))["item"]
    changed = await checked(own, "timeout", "3s")
    assert (changed["action"], changed["revision"]) == ("changed", stored["update_revision"])
    assert [line for line in changed["diff"] if line[0] in "+-"][2:] == ["-2s", "+3s"]
    assert (await checked(own, "timeout", "2s"))["action"] == "unchanged"
    assert (await own.ok("GET", "items/one", ("key", "timeout"), *NAMED))["value"] == "2s"


async def test_a_check_says_what_does_not_parse_and_where(own: OwnConfig) -> None:
    (broken,) = (await checked(own, "page", '{\n"a": }', value_type="json"))["problems"]
    assert (broken["severity"], broken["code"], broken["line"]) == ("error", "syntax", 2)
    found = (await checked(own, "servicecomb.retry.all", "maxAttempts: 2\n  \nmaxAtempts: 3"))["problems"]
    assert ("warning", "unknown-field", 3, 1) in [
        tuple(one[name] for name in ("severity", "code", "line", "column")) for one in found
    ]
    wrong = (await checked(own, "servicecomb.retry.all", "maxAttempts: many"))["problems"]
    assert wrong[0]["severity"] == "error"
    await own.refused(400001, "POST", "check", body={"key": "a b", "value": "1", "labels": {}})


async def test_what_somebody_else_changed_meanwhile_is_not_overwritten(own: OwnConfig) -> None:
    seen = (await own.put("a", "1", LABELS))["item"]["update_revision"]
    newer = (await own.put("a", "2", LABELS))["item"]["update_revision"]
    mine = {"key": "a", "value": "3", "labels": LABELS}
    assert str(newer) in await own.refused(409002, "PUT", "items", body={**mine, "revision": seen})
    await own.refused(409002, "PUT", "items", body={**mine, "key": "b", "revision": seen})
    await own.refused(409002, "DELETE", "items", ("key", "a"), *NAMED, ("revision", str(seen)))
    await own.refused(409002, "PUT", "items", body={**mine, "revision": 0})
    await own.ok("PUT", "items", body={**mine, "revision": newer})
    await own.ok("PUT", "items", body={**mine, "key": "b", "revision": 0})
    assert await own.values() == {"a": "3", "b": "3"}


async def test_a_list_is_searched_in_keys_values_and_labels_and_says_who(own: OwnConfig) -> None:
    await own.put("first.Timeout", "2s", LABELS)
    await own.put("second", "TIMEOUT=3", {"app": "shop"})
    await own.put("third", "none", {"app": "timeouts"})
    await own.put("fourth", "none", LABELS)
    assert set(await own.values(("contains", "timeout"))) == {"first.Timeout", "second", "third"}
    assert set(await own.values(("contains", "app=shop"))) == {"second"}
    await own.refused(400001, "GET", "items", ("contains", "x" * 129))
    page = await own.ok("GET", "items", ("limit", "2"), ("authors", "1"))
    assert sorted(page["authors"]) == sorted(item["id"] for item in page["data"])
    assert all("127.0.0.1" in author for author in page["authors"].values())
    await own.refused(400001, "GET", "items", ("authors", "1"))


async def test_the_tree_counts_labels_and_beginnings_of_keys(own: OwnConfig) -> None:
    await own.put("servicecomb.retry.all", "{}", LABELS)
    await own.put("servicecomb.retry.some", "{}", {"app": "mall"})
    await own.put("latency", "1", LABELS)
    tree = await own.ok("GET", "tree")
    assert tree["total"] == 3
    assert {"labels": LABELS, "items": 2} in tree["label_sets"]
    assert tree["prefixes"] == [{"prefix": "latency", "items": 1}, {"prefix": "servicecomb.", "items": 2}]
    below = await own.ok("GET", "tree", ("prefix", "servicecomb.retry."), ("label", "environment:"))
    assert below["prefixes"] == [{"prefix": "servicecomb.retry.all", "items": 1}]


async def _register(own: OwnConfig, name: str) -> tuple[str, str]:
    root = own.url.partition("/waggle/")[0] + f"/v4/{own.project}/registry/microservices"
    service = {"service": {"appId": "mall", "serviceName": name, "version": "1.0.0"}}
    async with own.session.post(root, json=service) as answer:
        service_id = (await answer.json())["serviceId"]
    instance = {"instance": {"hostName": "h", "endpoints": ["rest://127.0.0.1:9"], "status": "UP"}}
    async with own.session.post(f"{root}/{service_id}/instances", json=instance) as answer:
        return service_id, (await answer.json())["instanceId"]


async def test_whom_an_item_is_for(own: OwnConfig) -> None:
    (cart, instance), _ = await _register(own, "cart"), await _register(own, "order")
    of_cart = (*NAMED, ("label", "service:cart"))
    (found,) = (await own.ok("GET", "readers", *of_cart))["services"]
    assert (found["serviceId"], found["level"], found["client"]) == (cart, "service", "java")
    assert [one["instanceId"] for one in found["instances"]] == [instance]
    all_of_mall = await own.ok("GET", "readers", *NAMED)
    assert {one["service"] for one in all_of_mall["services"]} == {"cart", "order"}
    assert all_of_mall["instances"] == 2
    without_environment = await own.ok("GET", "readers", ("label", "app:mall"))
    assert without_environment["services"] == [], "nobody asks for items that lack the label environment"


async def test_who_listens_and_which_revision_each_has(own: OwnConfig) -> None:
    _, instance = await _register(own, "cart")
    item = (await own.put("latency", "1", {**LABELS, "service": "cart"}))["item"]
    labels = [("label", "app:mall"), ("label", "environment:"), ("label", "service:cart")]
    root = own.url.partition("/waggle/")[0] + f"/v1/{own.project}/kie/kv"
    query = [*labels, ("match", "exact"), ("revision", str(item["update_revision"])), ("wait", "30s")]
    headers = {"X-Waggle-Instance": instance}

    async def poll() -> int:
        async with own.session.get(root, params=query, headers=headers) as answer:
            return answer.status

    waiting = asyncio.create_task(poll())

    async def listens() -> bool:
        return bool((await own.ok("GET", "listeners", *labels))["total"] == 1)

    await eventually(listens)
    (one,) = (await own.ok("GET", "listeners"))["listeners"]
    assert (one["protocol"], one["address"], one["revision"]) == ("kie", "127.0.0.1", item["update_revision"])
    assert [found["instanceId"] for found in one["instances"]] == [instance]
    assert (await own.ok("GET", "listeners", ("label", "app:other")))["total"] == 0
    await own.put("latency", "2", {**LABELS, "service": "cart"})
    assert await waiting == 200
    assert (await own.ok("GET", "listeners"))["total"] == 0

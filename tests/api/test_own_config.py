"""The engine's own API of the config centre: items by key and labels, many at once, and values that must parse."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from tests.api.kie import Kie
from tests.api.own_config import OwnConfig
from tests.engine import EngineProcess, eventually, running_engine

pytestmark = pytest.mark.asyncio(loop_scope="module")
SETTINGS = {"quota_config": 20}
LABELS = {"app": "mall", "environment": ""}
NAMED = (("label", "app:mall"), ("label", "environment:"))


@pytest_asyncio.fixture(loop_scope="module")
async def own(shared_engine: EngineProcess) -> AsyncIterator[OwnConfig]:
    """A client of the module's engine, in a project of its own."""
    async with aiohttp.ClientSession() as session:
        yield OwnConfig(session, shared_engine.url, f"p{uuid.uuid4().hex[:8]}")


@pytest.fixture
def kie(own: OwnConfig, shared_engine: EngineProcess) -> Kie:
    """A client of KIE's API in the same project."""
    return Kie(own.session, shared_engine.url, own.project)


async def test_an_item_is_put_changed_read_and_deleted_by_key_and_labels(own: OwnConfig) -> None:
    added = await own.put("timeout", "2s", LABELS)
    assert added["action"] == "added"
    item = added["item"]
    assert (item["key"], item["value"], item["labels"]) == ("timeout", "2s", LABELS)
    assert (item["status"], item["value_type"]) == ("enabled", "text"), "unlike KIE's, a new item is enabled"
    changed = await own.put("timeout", "3s", LABELS)
    assert (changed["action"], changed["item"]["id"]) == ("changed", item["id"])
    assert changed["item"]["update_revision"] > item["update_revision"]
    again = await own.put("timeout", "3s", LABELS)
    assert again == {"action": "unchanged", "item": changed["item"]}
    assert await own.ok("GET", "items/one", ("key", "timeout"), *NAMED) == changed["item"]
    gone = await own.ok("DELETE", "items", ("key", "timeout"), *NAMED)
    assert gone == {"action": "deleted", "item": changed["item"]}
    for method, path in (("GET", "items/one"), ("DELETE", "items")):
        await own.refused(404001, method, path, ("key", "timeout"), *NAMED)


async def test_one_is_named_by_all_of_its_labels(own: OwnConfig) -> None:
    await own.put("a", "1", LABELS)
    await own.put("a", "2", {"app": "mall"})
    assert (await own.ok("GET", "items/one", ("key", "a"), ("label", "app:mall")))["value"] == "2"
    await own.refused(404001, "GET", "items/one", ("key", "a"))
    await own.refused(404001, "GET", "items/one", ("key", "A"), *NAMED)
    await own.refused(400001, "GET", "items/one", *NAMED)


async def test_what_is_left_out_stays_as_it_is(own: OwnConfig) -> None:
    first = {"value_type": "json", "status": "disabled", "priority": 3, "check": "c"}
    await own.put("a", "{}", LABELS, **first)
    item = (await own.ok("PUT", "items", body={"key": "a", "labels": LABELS, "value": "[]"}))["item"]
    assert {name: item[name] for name in first} == first
    assert item["value"] == "[]"
    item = (await own.ok("PUT", "items", body={"key": "a", "labels": LABELS, "status": "enabled"}))["item"]
    assert (item["value"], item["status"], item["priority"]) == ("[]", "enabled", 3)
    body = {"key": "a", "labels": LABELS, "value": "", "value_type": "text", "priority": 0, "check": ""}
    item = (await own.ok("PUT", "items", body=body))["item"]
    assert (item["value"], "priority" in item, "check" in item) == ("", False, False), "given empty is not left out"
    detail = await own.refused(400001, "PUT", "items", body={"key": "b", "status": "enabled"})
    assert detail == "b: a new item needs a value"


async def test_a_list_is_stored_whole_or_not_at_all(own: OwnConfig, kie: Kie) -> None:
    items = [{"key": f"k{number}", "value": str(number), "labels": LABELS} for number in range(5)]
    done = await own.ok("PUT", "items", body=items)
    assert [row["action"] for row in done["items"]] == ["added"] * 5
    revisions = [row["item"]["update_revision"] for row in done["items"]]
    assert done["revision"] == max(revisions)
    assert revisions == sorted(set(revisions))
    _, revision = await kie.listed("key=k0")
    broken = [{**items[0], "value": "new"}, {"key": "fresh", "value": "1"}, {"key": "no good", "value": "1"}]
    detail = await own.refused(400001, "PUT", "items", body=broken)
    assert detail.startswith("no good: validate failed, field: KVDoc.Key")
    assert await own.values() == {f"k{number}": str(number) for number in range(5)}
    assert (await kie.listed("key=k0"))[1] == revision, "a refusal takes no revision"
    mixed = [items[0], {**items[1], "value": "new"}, {"key": "fresh", "value": "1"}]
    done = await own.ok("PUT", "items", body=mixed)
    assert [row["action"] for row in done["items"]] == ["unchanged", "changed", "added"]
    assert (await own.ok("PUT", "items", body=[]))["items"] == []


async def test_one_key_twice_in_a_list_is_refused(own: OwnConfig) -> None:
    twice = [{"key": "a", "value": "1"}, {"key": "a", "value": "2"}]
    assert "twice" in await own.refused(400001, "PUT", "items", body=twice)
    await own.ok("PUT", "items", body=[{"key": "a", "value": "1"}, {"key": "a", "value": "2", "labels": LABELS}])


async def test_a_list_beyond_the_quota_stores_nothing(own: OwnConfig) -> None:
    items = [{"key": f"k{number}", "value": "1"} for number in range(21)]
    await own.refused(422001, "PUT", "items", body=items)
    assert await own.values() == {}
    await own.ok("PUT", "items", body=items[:20])
    await own.refused(422001, "PUT", "items", body={"key": "more", "value": "1"})
    assert (await own.put("k0", "2"))["action"] == "changed"


async def test_items_are_listed_by_labels_key_value_and_status(own: OwnConfig, kie: Kie) -> None:
    await own.put("a.one", "first", LABELS)
    await own.put("a.two", "second", {**LABELS, "service": "cart"}, status="disabled")
    await own.put("b", "third", {})
    assert set(await own.values()) == {"a.one", "a.two", "b"}
    assert set(await own.values(("label", "app:mall"))) == {"a.one", "a.two"}
    assert set(await own.values(*NAMED, ("match", "exact"))) == {"a.one"}
    assert set(await own.values(("match", "exact"))) == {"b"}
    assert set(await own.values(("key", "beginWith(a.)"))) == {"a.one", "a.two"}
    assert set(await own.values(("value", "ir"))) == {"a.one", "b"}
    assert set(await own.values(("status", "disabled"))) == {"a.two"}
    page = await own.ok("GET", "items", ("limit", "1"), ("offset", "1"))
    assert (page["total"], len(page["data"])) == (3, 1)
    listed, revision = await kie.listed()
    assert await own.ok("GET", "items") == {"revision": revision, "total": 3, "data": listed}, "the same as KIE's"
    for query in (("label", "app"), ("limit", "0"), ("key", "a b"), ("status", "on")):
        await own.refused(400001, "GET", "items", query)
    assert await own.values(("value", "http://a//b?c&d+e;")) == {}, "slashes and odd ends are nothing special here"


async def test_a_body_that_is_no_item_is_refused(own: OwnConfig) -> None:
    for body in (
        b"",
        b"{",
        b"3",
        b"[3]",
        b"null",
        b"[null]",
        b'{"key": 3}',
        b'{"key":"a","value":"1","priority":"high"}',
    ):
        await own.refused(400001, "PUT", "items", body=body)
    detail = await own.refused(400001, "PUT", "items", body={"key": "a", "value": "1", "lables": {}})
    assert "'lables'" in detail
    detail = await own.refused(400001, "PUT", "items", body=[{"key": "a", "value": "1"}, {"key": "b", "Value": "1"}])
    assert detail.startswith("[1] has no member 'Value'")
    assert await own.refused(400001, "PUT", "items", body={"value": "1"}) == "the body has no key"
    await own.refused(400001, "PUT", "items", body={"key": "a", "value": "1", "labels": {"-": "x"}})
    assert await own.values() == {}


async def test_a_value_that_does_not_parse_is_refused_unless_it_is_forced(own: OwnConfig) -> None:
    bad = {"key": "conf", "value": "a: 1\n b: 2", "value_type": "yaml"}
    detail = await own.refused(400006, "PUT", "items", body=bad)
    assert detail == "conf: as yaml, line 2, column 3: mapping values are not allowed here"
    detail = await own.refused(400006, "PUT", "items", body=[{"key": "x", "value": "1"}, bad])
    assert detail.startswith("conf: ")
    assert await own.values() == {}
    await own.ok("PUT", "items", body={**bad, "force": True})
    assert (await own.put("conf", bad["value"]))["action"] == "unchanged", "what is stored already is not looked at"
    await own.refused(400006, "PUT", "items", body={"key": "conf", "value": "c: d: e"})
    await own.put("doc", "{", value_type="text")
    detail = await own.refused(400006, "PUT", "items", body={"key": "doc", "value_type": "json"})
    assert detail.startswith("doc: as json, line 1, column 2")


async def test_a_value_is_checked_as_the_type_that_it_is_stored_with(own: OwnConfig) -> None:
    """Two change one item at once: one its type, the other its value. Each is well by itself, and together they are not."""
    for _ in range(40):
        await own.put("a", "1", value_type="text")
        answers = await asyncio.gather(
            *(
                own.call("PUT", "items", body={"key": "a", **change})
                for change in ({"value_type": "json"}, {"value": "{"})
            )
        )
        assert sorted(status for status, _ in answers) == [200, 400]
        item = await own.ok("GET", "items/one", ("key", "a"))
        assert (item["value_type"], item["value"]) in (("json", "1"), ("text", "{"))


async def test_clients_of_kie_are_woken_and_see_what_was_put(own: OwnConfig, kie: Kie) -> None:
    _, revision = await kie.listed()
    query = f"label=app:mall&label=environment:&match=exact&revision={revision}&wait=20s"
    waiting = asyncio.create_task(kie.listed(query))
    await eventually(lambda: _waits(own))
    await own.ok("PUT", "items", body=[{"key": key, "value": "1", "labels": LABELS} for key in ("a", "b")])
    async with asyncio.timeout(10):
        found, _ = await waiting
    assert {item["key"] for item in found} == {"a", "b"}, "both at once: they were one command"


async def _waits(own: OwnConfig) -> bool:
    """Whether some poll is open."""
    async with own.session.get(own.url.replace("/waggle/v1/config/", "/metrics")) as answer:
        return "waggle_config_polls 1.0" in await answer.text()


async def test_domains_and_projects_never_meet(own: OwnConfig, shared_engine: EngineProcess) -> None:
    other = OwnConfig(own.session, shared_engine.url, own.project, domain="acme")
    await own.put("a", "1")
    await other.put("a", "2")
    assert (await own.values(), await other.values()) == ({"a": "1"}, {"a": "2"})
    bad = OwnConfig(own.session, shared_engine.url, "no/project")
    await bad.refused(400001, "GET", "items")
    async with own.session.get(f"{own.url}items") as answer:
        assert answer.status == 200, "both are `default` where they are missing"


async def test_the_changes_outlive_a_kill_whole(tmp_path: Path) -> None:
    async with running_engine(tmp_path / "data") as engine, aiohttp.ClientSession() as session:
        own = OwnConfig(session, engine.url, "default")
        await own.ok("PUT", "items", body=[{"key": f"k{number}", "value": "1"} for number in range(300)])
        await engine.kill()
        await engine.start()
        assert len(await own.values()) == 300


@pytest.mark.parametrize("wanted", [False, True])
async def test_clients_of_kie_may_write_anything_unless_a_setting_says_otherwise(tmp_path: Path, wanted: bool) -> None:
    async with (
        running_engine(tmp_path / "data", config_check_values=wanted) as engine,
        aiohttp.ClientSession() as session,
    ):
        kie = Kie(session, engine.url, "default")
        bad = {"key": "bad", "value": "a: b: c", "value_type": "yaml", "status": "enabled"}
        good = await kie.create("good", "a: b", value_type="yaml")
        upload = {"data": [bad | {"key": "up"}, {"key": "fine", "value": "x"}]}
        if not wanted:
            await kie.ok("POST", "/kv", bad)
            await kie.update(good["id"], "a: b: c")
            assert (await kie.ok("POST", "/file?override=force", upload))["failure"] == []
            return
        assert "as yaml, line 1, column 5" in await kie.refused(400006, "POST", "/kv", bad)
        await kie.refused(400006, "PUT", f"/kv/{good['id']}", {"value": "a: b: c"})
        await kie.ok("PUT", f"/kv/{good['id']}", {"status": "disabled"})
        done = await kie.ok("POST", "/file?override=force", upload)
        assert [(row["key"], row["error_code"]) for row in done["failure"]] == [("up", 400006)]
        assert sorted(await kie.keys()) == ["fine", "good"]

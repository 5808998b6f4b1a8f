"""KIE's import, polling records and health over HTTP."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.api.kie import Kie

pytestmark = pytest.mark.asyncio(loop_scope="module")
SETTINGS = {"quota_config": 12}


def _item(key: str, value: str = "new", **more: object) -> dict[str, object]:
    return {"key": key, "value": value, "labels": {"app": "a"}, **more}


async def _upload(kie: Kie, mode: str, *items: object) -> tuple[list[Any], list[Any]]:
    answer = await kie.ok("POST", f"/file?override={mode}", {"metadata": {"version": "1.0"}, "data": items})
    assert set(answer) == {"success", "failure"}
    return answer["success"], answer["failure"]


def _failures(failed: list[Any]) -> list[tuple[str, int]]:
    """`error_code` is a number here, and a string everywhere else."""
    assert all(isinstance(item["error_code"], int) and item["error_message"] for item in failed)
    return [(item.get("key", ""), item["error_code"]) for item in failed]


async def test_force_replaces_value_and_status_and_no_more(kie: Kie) -> None:
    """An item without a status becomes disabled, an empty value stays as it is, type and priority too."""
    for key in ("a", "b"):
        await kie.create(key, "old", {"app": "a"}, value_type="json", priority=3)
    stored, failed = await _upload(
        kie, "force", _item("a"), None, _item("b", "", status="enabled"), _item("c", value_type="yaml")
    )
    assert failed == []
    assert [(item["key"], item["value"], item["status"]) for item in stored] == [
        ("a", "new", "disabled"),
        ("b", "old", "enabled"),
        ("c", "new", "disabled"),
    ]
    assert [(item["value_type"], item.get("priority", 0)) for item in stored] == [("json", 3), ("json", 3), ("yaml", 0)]
    assert not {"domain", "project", "label_format"} & set(stored[0])
    revisions = [item["update_revision"] for item in stored]
    assert revisions == sorted(set(revisions))
    listed, _ = await kie.listed()
    assert sorted(listed, key=lambda item: item["key"]) == stored


async def test_skip_leaves_what_is_there(kie: Kie) -> None:
    """And goes on with the next."""
    await kie.create("a", "old", {"app": "a"})
    stored, failed = await _upload(kie, "skip", _item("a"), _item("b"), _item("b"))
    assert _failures(failed) == [("a", 400004), ("b", 400004)]
    assert failed[0]["error_message"] == "skip overriding duplicate kvs"
    assert failed[0]["labels"] == {"app": "a"}
    assert [item["key"] for item in stored] == ["b"]
    assert {item["key"]: item["value"] for item in (await kie.listed())[0]} == {"a": "old", "b": "new"}


async def test_abort_ends_with_the_first_that_is_there(kie: Kie) -> None:
    """What came before stays, all after it fails with it; a broken item is no reason to end."""
    await kie.create("b", "old", {"app": "a"})
    stored, failed = await _upload(kie, "abort", _item("a"), _item("x y"), _item("b"), _item("c"), _item("d"))
    assert [item["key"] for item in stored] == ["a"]
    assert _failures(failed) == [("x y", 400001), ("b", 400005), ("c", 400005), ("d", 400005)]
    assert failed[1]["error_message"] == "stop overriding kvs after reaching the duplicate kv"
    assert sorted(await kie.keys()) == ["a", "b"]


@pytest.mark.parametrize("mode", ["force", "skip", "abort"])
async def test_a_broken_item_fails_alone(mode: str, kie: Kie) -> None:
    """Its message is the bare detail; a rule comes before the question whether it is there."""
    await kie.create("there", "old", {"app": "a"})
    stored, failed = await _upload(
        kie, mode, _item("a", status="x"), _item("there", value_type="x"), {}, _item("ok", status="enabled")
    )
    assert [item["key"] for item in stored] == ["ok"]
    assert _failures(failed) == [("a", 400001), ("there", 400001), ("", 400001)]
    assert failed[0]["error_message"] == ("validate failed, field: KVDoc.Status, rule: ^$|^(enabled|disabled)$")


async def test_the_quota_holds_for_every_item(kie: Kie) -> None:
    """422001 for those that are too many; what is there already can still be changed."""
    for number in range(12):
        await kie.create(f"k{number}", labels={"app": "a"})
    stored, failed = await _upload(kie, "force", _item("k0"), _item("new"), _item("k1"))
    assert [item["key"] for item in stored] == ["k0", "k1"]
    assert _failures(failed) == [("new", 422001)]


async def test_an_import_is_bounded(kie: Kie) -> None:
    """No more items at once than the quota: a small body cannot make a huge answer."""
    body = {"data": [{}] * 13}
    assert "quota" in await kie.refused(400001, "POST", "/file?override=skip", body)


@pytest.mark.parametrize(
    ("query", "body", "detail"),
    [
        ("", b"{", "Query parameter 'override' is required"),
        ("override=", b"{}", "Query parameter 'override' is required"),
        ("override=all", b"{}", "override must be one of force, skip, abort"),
        ("override=force", b"{", "decode request body failed: "),
        ("override=force", b"[]", "decode request body failed: "),
        ("override=force", b'{"data":{}}', "decode request body failed: "),
        ("override=force", b'{"data":[1]}', "decode request body failed: "),
        ("override=force", b'{"data":[{"key":1}]}', "decode request body failed: "),
    ],
)
async def test_what_is_no_import_is_refused(query: str, body: bytes, detail: str, kie: Kie) -> None:
    """As a whole, before anything is stored."""
    assert (await kie.refused(400001, "POST", f"/file?{query}", body)).startswith(detail)
    assert await kie.keys() == []


async def test_an_empty_import_is_answered_with_empty_lists(kie: Kie) -> None:
    """Lists, never null."""
    for body in ({}, {"data": []}, {"data": None}, {"data": [None]}):
        assert await kie.ok("POST", "/file?override=abort", body) == {"success": [], "failure": []}


async def test_an_export_of_a_list_can_be_imported_elsewhere(kie: Kie) -> None:
    """What a list answers is what an import takes, as the consoles of KIE do it: JSON or YAML."""
    for number in range(4):
        await kie.create(f"k{number}", f"line 1\nline 2: {number}\n", {"app": "a"}, value_type="yaml", priority=number)
    _, exported, _ = await kie.call("GET", "/kv")
    other = Kie(kie.session, kie.url.partition("/v1/")[0], f"{kie.project}x")
    stored, failed = await _upload(other, "abort", *exported["data"])
    assert failed == []
    own = {"id", "create_revision", "update_revision", "create_time", "update_time"}
    facts = [{name: value for name, value in item.items() if name not in own} for item in exported["data"]]
    assert [{name: value for name, value in item.items() if name not in own} for item in stored] == facts
    status, text, headers = await other.call(
        "POST",
        "/file?override=force",
        json.dumps(exported).encode(),
        Content_Type="text/yaml",
        Accept="text/yaml",
    )
    assert (status, headers["Content-Type"]) == (200, "text/yaml")
    assert text.count("key: k") == 4


# --- Track


async def test_a_list_with_a_session_is_tracked(kie: Kie) -> None:
    """One record for each revision and session; a later poll of the same takes its place."""
    await kie.create("k", labels={"app": "a"})
    _, revision = await kie.listed()
    named = {
        "X_Session_Id": "s1",
        "X_Session_Group": "g",
        "User_Agent": "agent",
        "X_Forwarded_For": "10.1.2.3, 1.1.1.1",
    }
    for _ in range(2):
        await kie.ok("GET", "/kv?label=app:a&revision=-1&wait=1s", **named)
    await kie.ok("GET", "/kv", X_Session_Id="s2", X_Real_Ip="10.9.9.9")
    tracked = await kie.ok("GET", "/track?sessionId=s1")
    (poll,) = tracked["data"]
    assert tracked["total"] == 1
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)", poll.pop("timestamp"))
    assert poll.pop("id")
    (listed,) = poll.pop("kv")
    assert listed["key"] == "k"
    assert poll == {
        "session_id": "s1",
        "session_group": "g",
        "domain": "default",
        "project": kie.project,
        "polling_data": {"revision": "-1", "wait": "1s", "labels": "app:a"},
        "revision": str(revision),
        "ip": "10.1.2.3",
        "user_agent": "agent",
        "url_path": f"GET {kie.path}/kv",
        "response_code": 200,
    }
    for query in ("ip=10.9.9.9", "sessionId=s2", f"revision={revision}&sessionId=s2"):
        assert [row["session_id"] for row in (await kie.ok("GET", f"/track?{query}"))["data"]] == ["s2"]
    assert (await kie.ok("GET", f"/track?urlPath=GET%20{kie.path}/kv&userAgent=agent&sessionGroup=other"))["total"] == 1


async def test_what_is_not_tracked(kie: Kie) -> None:
    """No session, no list, no change, another project: 404001, and reading one item with a session is harmless."""
    item = await kie.create("k")
    _, revision = await kie.listed()
    await kie.ok("GET", f"/kv/{item['id']}", X_Session_Id="s1")
    assert (await kie.call("GET", f"/kv?revision={revision}", X_Session_Id="s1"))[0] == 304
    await kie.refused(400001, "GET", "/kv?limit=0", X_Session_Id="s1")
    assert await kie.refused(404001, "GET", "/track") == "can not find any polling data"
    await kie.ok("GET", "/kv", X_Session_Id="s1")
    await kie.refused(404001, "GET", "/track?sessionId=s2")
    await Kie(kie.session, kie.url.partition("/v1/")[0], f"{kie.project}x").refused(404001, "GET", "/track")


# --- Health


async def test_health(kie: Kie) -> None:
    """The revision is text there; the count is that of all projects. `mode=liveness` says nothing but that it lives."""
    _, before, _ = await _health(kie)
    item = await kie.create("k")
    status, after, content_type = await _health(kie)
    assert (status, content_type) == (200, "application/json")
    assert set(after) == {"version", "revision", "timestamp", "total_kv_count"}
    assert after["version"] == "0.1.0"
    assert after["revision"] == str(item["update_revision"])
    assert after["total_kv_count"] == before["total_kv_count"] + 1
    assert isinstance(after["timestamp"], int)
    async with kie.session.get(f"{kie.url.partition('/v1/')[0]}/v1/health?mode=liveness") as response:
        assert (response.status, await response.read()) == (200, b"")


async def _health(kie: Kie) -> tuple[int, Any, str]:
    async with kie.session.get(f"{kie.url.partition('/v1/')[0]}/v1/health") as response:
        return response.status, await response.json(), response.content_type


async def test_metrics_count_key_values_of_each_project(kie: Kie) -> None:
    """In the name that KIE has for it."""
    await kie.create("k")
    async with kie.session.get(f"{kie.url.partition('/v1/')[0]}/metrics") as response:
        text = await response.text()
    assert f'servicecomb_kie_config_count{{domain="default",project="{kie.project}"}} 1.0\n' in text

"""KIE's key-values over HTTP: create, read, update, delete, media types, errors, and what goes over the wire byte for byte."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from tests.api.kie import JSON_TYPE, Kie
from tests.engine import EngineProcess
from tests.raw import RawAnswer, connect, request

pytestmark = pytest.mark.asyncio(loop_scope="module")
SETTINGS = {"quota_config": 40}
VALUE_TYPES = ("ini", "json", "text", "yaml", "properties", "xml")
HIDDEN = {"domain", "project", "label_format"}


# --- Create


async def test_a_created_item_is_answered_with_all_that_the_engine_adds(kie: Kie) -> None:
    """200, revisions and times as whole numbers, and none of what KIE hides."""
    item = await kie.ok("POST", "/kv", {"key": "timeout", "value": "2s", "labels": {"b": "", "a": "x"}, "priority": -1})
    text = f"default/{kie.project}/timeout/a=x::b="
    assert item["id"] == hashlib.sha256(text.encode()).hexdigest()
    assert (item["value_type"], item["status"], item["priority"]) == ("text", "disabled", -1)
    assert item["create_revision"] == item["update_revision"] > 0
    assert item["create_time"] == item["update_time"] > 1_600_000_000
    assert item["labels"] == {"a": "x", "b": ""}
    assert not HIDDEN & set(item)


async def test_what_is_empty_is_left_out(kie: Kie) -> None:
    """No labels, no priority, no check; but the value is always there."""
    item = await kie.ok("POST", "/kv", {"key": "bare", "labels": None, "priority": 0, "check": ""})
    assert item["value"] == ""
    assert not {"labels", "priority", "check"} & set(item)
    assert (await kie.ok("GET", f"/kv/{item['id']}"))["label_format"] == "none"


async def test_what_the_engine_decides_cannot_be_given(kie: Kie) -> None:
    """Id, revisions, times, domain and project of a body count for nothing."""
    own = {"id": "mine", "create_revision": 1, "update_time": 5, "domain": "other", "project": "other", "x": [1]}
    item = await kie.ok("POST", "/kv", {"key": "k", **own})
    assert item["id"] != "mine"
    assert item["create_revision"] > 1
    assert item["update_time"] > 5
    assert await kie.keys() == ["k"]


async def test_the_same_key_with_the_same_labels_is_a_conflict(kie: Kie) -> None:
    """Another case, other labels, the empty value of a label: each is another item. Deleted and created again it has its old id."""
    first = await kie.create("k", labels={"app": "a"})
    detail = await kie.refused(409001, "POST", "/kv", {"key": "k", "labels": {"app": "a"}})
    assert detail == "record already exist(kv already exists)"
    others: list[tuple[str, dict[str, str]]] = [
        ("K", {"app": "a"}),
        ("k", {}),
        ("k", {"app": ""}),
        ("k", {"app": "a", "environment": ""}),
    ]
    ids = {(await kie.create(key, labels=labels))["id"] for key, labels in others}
    assert len(ids | {first["id"]}) == 5
    await kie.ok("DELETE", f"/kv/{first['id']}", status=204)
    again = await kie.create("k", labels={"app": "a"})
    assert again["id"] == first["id"]
    assert again["create_revision"] > first["create_revision"]


async def test_a_refused_create_takes_no_revision(kie: Kie) -> None:
    """Neither a conflict nor a broken rule moves it."""
    await kie.create("k")
    _, before = await kie.listed()
    await kie.refused(409001, "POST", "/kv", {"key": "k"})
    await kie.refused(400001, "POST", "/kv", {"key": "k k"})
    assert (await kie.listed())[1] == before


@pytest.mark.parametrize("value_type", VALUE_TYPES)
async def test_every_type_takes_any_value(value_type: str, kie: Kie) -> None:
    """The value is not looked at: KIE stores what does not parse, and so does this engine unless it is told otherwise."""
    item = await kie.create("k", "{ not: [parsed", value_type=value_type)
    assert (item["value_type"], item["value"]) == (value_type, "{ not: [parsed")


async def test_texts_come_back_as_they_were(kie: Kie) -> None:
    """Every character, the control ones and those beyond the basic plane among them."""
    value = "".join(map(chr, range(1, 0x250))) + "\U0001f600 \u2028 <script>&amp;"
    item = await kie.create("k", value)
    assert item["value"] == value
    assert (await kie.ok("GET", f"/kv/{item['id']}"))["value"] == value
    assert (await kie.listed("value=%F0%9F%98%80"))[0][0]["value"] == value


def _body(**members: object) -> dict[str, object]:
    return {"key": "k", **members}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (_body(key=""), "KVDoc.Key"),
        ({}, "KVDoc.Key"),
        (_body(key="a" * 2049), "KVDoc.Key"),
        (_body(key="a b"), "KVDoc.Key"),
        (_body(key="a\n"), "KVDoc.Key"),
        (_body(key="ä"), "KVDoc.Key"),
        (_body(key="a/b"), "KVDoc.Key"),
        (_body(value="ä" * 131073), "KVDoc.Value"),
        (_body(value_type="yml"), "KVDoc.ValueType"),
        (_body(value_type="TEXT"), "KVDoc.ValueType"),
        (_body(status="on"), "KVDoc.Status"),
        (_body(check="ä"), "KVDoc.Check"),
        (_body(check="a" * 1048577), "KVDoc.Check"),
        (_body(labels={str(n): "" for n in range(7)}), "KVDoc.Labels"),
        (_body(labels={"": "x"}), "KVDoc.Labels[]"),
        (_body(labels={"a-": "x"}), "KVDoc.Labels[a-]"),
        (_body(labels={"a.": "x"}), "KVDoc.Labels[a.]"),
        (_body(labels={"a" * 33: "x"}), "KVDoc.Labels"),
        (_body(labels={"a": "x" * 161}), "KVDoc.Labels[a]"),
        (_body(labels={"a": "-x"}), "KVDoc.Labels[a]"),
        (_body(labels={"a": "x y"}), "KVDoc.Labels[a]"),
    ],
)
async def test_what_breaks_a_rule_is_named(body: dict[str, object], field: str, kie: Kie) -> None:
    """400001 in the words of the original, with the field and its rule; nothing is stored."""
    detail = await kie.refused(400001, "POST", "/kv", body)
    assert detail.startswith(f"invalid parameter(s)(validate failed, field: {field}")
    assert ", rule: " in detail
    assert await kie.keys() == []


async def test_all_that_breaks_a_rule_is_named_at_once(kie: Kie) -> None:
    """One refusal for each part, joined as the original joins them."""
    detail = await kie.refused(400001, "POST", "/kv", {"key": "a b", "status": "x", "labels": {"a b": "c d"}})
    parts = detail.removeprefix("invalid parameter(s)(").removesuffix(")").split(" | ")
    assert [part.partition("field: ")[2].partition(",")[0] for part in parts] == [
        "KVDoc.Key",
        "KVDoc.Status",
        "KVDoc.Labels[a b]",
        "KVDoc.Labels[a b]",
    ]
    assert parts[1].endswith("rule: ^$|^(enabled|disabled)$")
    assert parts[0].endswith("rule: ^[a-zA-Z0-9._:-]+$")


@pytest.mark.parametrize(
    "body",
    [
        _body(key="a" * 2048),
        _body(value="\U0001f600" * 131072),
        _body(check="a" * 1048576),
        _body(labels={str(n): "" for n in range(6)}),
        _body(labels={"a" * 32: "x" * 160, "a_": ""} | {"a-b": "x.y", "ab": "9"}) | {"labels": {"a" * 32: "x" * 160}},
        _body(labels={"a-b": "x-._y", "a1": "", "app": "A"}),
    ],
)
async def test_what_just_keeps_a_rule_is_stored(body: dict[str, Any], kie: Kie) -> None:
    """Lengths are of characters, not of bytes."""
    item = await kie.ok("POST", "/kv", body)
    stored = await kie.ok("GET", f"/kv/{item['id']}")
    assert {name: stored[name] for name in body} == body


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"text"',
        b'{"key":1}',
        b'{"key":"k","labels":{"a":1}}',
        b'{"key":"k","labels":["a"]}',
        b'{"key":"k","priority":"1"}',
        b'{"key":"k","priority":1.5}',
        b'{"key":"k","priority":99999999999999999999}',
        b'{"key":"k","value":{}}',
        b'{"key":"k","value":"\xff"}',
        b"[" * 100_000,
    ],
)
async def test_what_cannot_be_decoded_is_refused(body: bytes, kie: Kie) -> None:
    """400001 that says so, whatever is wrong with it."""
    detail = await kie.refused(400001, "POST", "/kv", body)
    assert detail.startswith("decode request body failed: ")


async def test_members_are_found_whatever_their_case(kie: Kie) -> None:
    """As Go's decoder does it; `null` is nothing."""
    item = await kie.ok("POST", "/kv", b'{"KEY":"k","Value":"v","STATUS":"enabled","value_type":null}')
    assert (item["key"], item["value"], item["status"], item["value_type"]) == ("k", "v", "enabled", "text")


async def test_the_quota_bounds_one_project(kie: Kie) -> None:
    """422001 for one too many; another project has its own; a deletion makes room."""
    for number in range(40):
        item = await kie.create(f"k{number}")
    detail = await kie.refused(422001, "POST", "/kv", {"key": "more"})
    assert detail == "quota is not enough(reached maximum allowed quota: 40)"
    await Kie(kie.session, kie.url.partition("/v1/")[0], f"{kie.project}x").create("other")
    await kie.ok("DELETE", f"/kv/{item['id']}", status=204)
    await kie.create("more")


# --- Read, update, delete


async def test_an_item_by_its_id(kie: Kie) -> None:
    """With its labels as text, without domain and project, and without a revision in the head."""
    item = await kie.create("k", labels={"b": "2", "a": "1"})
    status, found, headers = await kie.call("GET", f"/kv/{item['id']}")
    assert (status, found["label_format"]) == (200, "a=1::b=2")
    assert {**item, "label_format": "a=1::b=2"} == found
    assert "X-Kie-Revision" not in headers


async def test_an_update_changes_value_and_status_and_nothing_else(kie: Kie) -> None:
    """What the body says of key, labels, type and priority is passed over; what is empty stays as it is."""
    item = await kie.create("k", "one", {"a": "1"}, value_type="json", priority=3)
    path = f"/kv/{item['id']}"
    ignored = {"id": "x", "key": "z", "labels": {"z": "1"}, "value_type": "text", "priority": 9}
    changed = await kie.ok("PUT", path, {"value": "two", **ignored})
    expected = {**item, "value": "two", "update_revision": changed["update_revision"]}
    assert {**changed, "update_time": item["update_time"]} == expected
    assert changed["update_revision"] > item["update_revision"]
    assert not HIDDEN & set(changed)
    for body in ({"value": ""}, {"status": ""}, {}, None):
        kept = await kie.ok("PUT", path, b"null" if body is None else body)
        assert (kept["value"], kept["status"]) == ("two", "enabled")
    assert (await kie.ok("PUT", path, {"status": "disabled"}))["value"] == "two"


async def test_every_update_has_a_revision_of_its_own(kie: Kie) -> None:
    """Also one that says what is there already."""
    item = await kie.create("k", "one")
    revisions = [(await kie.update(item["id"], "one"))["update_revision"] for _ in range(3)]
    assert revisions == sorted(set(revisions))
    assert (await kie.listed())[1] == revisions[-1]


@pytest.mark.parametrize(
    ("body", "field"),
    [({"value": "x" * 131073}, "UpdateKVRequest.Value"), ({"status": "x"}, "UpdateKVRequest.Status")],
)
async def test_an_update_that_breaks_a_rule_is_refused(body: object, field: str, kie: Kie) -> None:
    item = await kie.create("k", "one")
    detail = await kie.refused(400001, "PUT", f"/kv/{item['id']}", body)
    assert detail.startswith(f"validate failed, field: {field}, rule: ")
    assert (await kie.ok("GET", f"/kv/{item['id']}"))["value"] == "one"


async def test_what_is_unknown_is_404001(kie: Kie) -> None:
    """One by one; an id longer than 64 characters is no id at all, but for a deletion it is only unknown."""
    for method, body in (("GET", None), ("PUT", {"value": "x"}), ("DELETE", None)):
        assert await kie.refused(404001, method, "/kv/nope", body) == "can not find any key value"
    for method, body, request_name in (("GET", None, "GetKVRequest"), ("PUT", {"value": "x"}, "UpdateKVRequest")):
        detail = await kie.refused(400001, method, f"/kv/{'a' * 65}", body)
        assert detail == f"validate failed, field: {request_name}.ID, rule: max = 64"
    await kie.refused(404001, "DELETE", f"/kv/{'a' * 65}")


async def test_an_item_of_another_project_is_unknown(kie: Kie) -> None:
    """Nobody sees, changes or deletes what is another project's by its id."""
    item = await kie.create("k")
    other = Kie(kie.session, kie.url.partition("/v1/")[0], f"{kie.project}x")
    await other.refused(404001, "GET", f"/kv/{item['id']}")
    await other.refused(404001, "PUT", f"/kv/{item['id']}", {"value": "x"})
    await other.refused(404001, "DELETE", f"/kv/{item['id']}")
    await other.ok("DELETE", "/kv", {"ids": [item["id"]]}, 204)
    assert await kie.keys() == ["k"]


async def test_many_are_deleted_at_once(kie: Kie) -> None:
    """204 whatever was there; ids that are unknown or come twice are no error, and where nothing goes no revision is taken."""
    ids = [(await kie.create(f"k{number}"))["id"] for number in range(4)]
    await kie.ok("DELETE", "/kv", {"ids": [*ids[:3], ids[0], "nope"]}, 204)
    assert await kie.keys() == ["k3"]
    _, revision = await kie.listed()
    for nothing in ({"ids": []}, {"ids": ["nope"]}, {"ids": None}, {}):
        await kie.ok("DELETE", "/kv", nothing, 204)
    assert (await kie.listed())[1] == revision
    for bad in (b"", b"{", b'{"ids":"x"}', b'{"ids":[1]}'):
        assert (await kie.refused(400001, "DELETE", "/kv", bad)).startswith("decode request body failed: ")


# --- The wire


def _names(answer: RawAnswer) -> set[str]:
    return {name for name, _ in answer.headers}


async def test_headers_keep_their_case_and_go_where_they_belong(shared_engine: EngineProcess, kie: Kie) -> None:
    """`X-Kie-Revision`, so spelled, on lists of 200 and nowhere else; no body and no content type on 204 and 304."""
    async with connect(shared_engine.port) as connection:
        path, typed = f"{kie.path}/kv", {"Content_Type": JSON_TYPE}
        created = await connection.exchange(request("POST", path, b'{"key":"k","value":"v"}', **typed))
        assert (created.status, created.header("Content-Type")) == (200, JSON_TYPE)
        name = json.loads(created.body)["id"]
        changed = await connection.exchange(request("PUT", f"{path}/{name}", b'{"value":"w"}', **typed))
        found = await connection.exchange(request("GET", f"{path}/{name}"))
        listed = await connection.exchange(request("GET", path))
        revision = listed.header("X-Kie-Revision")
        assert (listed.status, listed.header("Content-Type")) == (200, JSON_TYPE)
        assert revision == str(json.loads(changed.body)["update_revision"])
        same = await connection.exchange(request("GET", f"{path}?revision={revision}"))
        gone = await connection.exchange(request("DELETE", f"{path}/{name}"), no_body=True)
        empty = await connection.exchange(request("DELETE", path, b'{"ids":[]}'), no_body=True)
        for answer, status in ((same, 304), (gone, 204), (empty, 204)):
            assert (answer.status, answer.body) == (status, b"")
            assert not {"Content-Type", "X-Kie-Revision", "Transfer-Encoding"} & _names(answer)
            assert answer.header("Content-Length") in (None, "0")
        for answer in (created, changed, found, same):
            assert "X-Kie-Revision" not in _names(answer)
        assert (await connection.exchange(request("GET", path))).body == b'{"total":0,"data":[]}', "still in step"


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("", 415),
        ("application/x-www-form-urlencoded", 415),
        ("text/plain", 415),
        ("application/yaml", 415),
        (JSON_TYPE, 200),
        ("application/json;charset=UTF-8", 200),
        ("application/json; charset=utf-8", 200),
    ],
)
async def test_media_types_of_bodies(content_type: str, status: int, shared_engine: EngineProcess, kie: Kie) -> None:
    """415 in text for what is neither JSON nor YAML, on every route that reads one, before anything else is looked at."""
    named = {"Content_Type": content_type} if content_type else {}
    async with connect(shared_engine.port) as connection:
        answer = await connection.exchange(request("POST", f"{kie.path}/kv", b'{"key":"k"}', **named))
        assert answer.status == status
        if status == 415:
            assert answer.body == b"415: Unsupported Media Type"
            for method, path in (("PUT", "/kv/nope"), ("POST", "/file")):
                refused = await connection.exchange(request(method, kie.path + path, b"{}", **named))
                assert refused.status == 415
            assert await kie.keys() == []


@pytest.mark.parametrize(
    ("method", "path", "status", "text"),
    [
        ("GET", "/v1/default/kie", 404, b"404: Page Not Found"),
        ("GET", "/v1/default/kie/nope", 404, b"404: Page Not Found"),
        ("GET", "/v1/default/kie/kv/a/b", 404, b"404: Page Not Found"),
        ("GET", "/v1/default/kie/summary", 404, b"404: Page Not Found"),
        ("PUT", "/v1/default/kie/kv", 405, b"405: Method Not Allowed"),
        ("PATCH", "/v1/default/kie/kv/x", 405, b"405: Method Not Allowed"),
        ("GET", "/v1/default/kie/file", 405, b"405: Method Not Allowed"),
        ("POST", "/v1/health", 405, b"405: Method Not Allowed"),
        ("GET", "/v1/health/", 200, b'{"version":"0.1.0"'),
        ("GET", "/v1/default/kie/kv/", 200, b'{"total":'),
        ("GET", "/v1/default/kie/track/", 404, b'{"errorCode":"404001"'),
        ("GET", "/v1/default/kie/kv?key=a&", 200, b'{"total":'),
        ("GET", "/v1/default/kie/kv?&&key=a&&", 200, b'{"total":'),
        ("GET", "/v1/default/kie/kv?", 200, b'{"total":'),
        ("GET", "/v1/default/kie/kv?value=//", 200, b'{"total":'),
        ("GET", "/v1/default/kie/kv?value=" + "%C3%A4" * 128 + "&key=" + "a" * 1800, 400, b'{"errorCode":"400001"'),
        ("GET", "/v1/default/kie/kv?value=" + "%F0%9F%98%80" * 128 + "&label=a:" + "b" * 160, 200, b'{"total":'),
        ("GET", "/v1/default/kie/kv/a%2Fb", 404, b"404: Page Not Found"),
        ("GET", "/v1/-/kie/kv", 400, b'{"errorCode":"400001"'),
        ("GET", "/v1/a%20b/kie/kv", 400, b'{"errorCode":"400001"'),
        ("GET", f"/v1/{'a' * 257}/kie/kv", 400, b'{"errorCode":"400001"'),
        ("GET", f"/v1/{'a' * 256}/kie/kv", 200, b'{"total":'),
    ],
)
async def test_targets(method: str, path: str, status: int, text: bytes, shared_engine: EngineProcess) -> None:
    """A slash at the end, empty segments of the query, long queries, unknown paths and wrong methods, in KIE's own words."""
    async with connect(shared_engine.port) as connection:
        answer = await connection.exchange(request(method, path))
        assert (answer.status, answer.body[: len(text)]) == (status, text)
        if status == 405:
            assert answer.header("Allow")


async def test_a_body_above_the_bound_is_refused(kie: Kie) -> None:
    """In KIE's words, with or without a length in advance; nothing is stored."""
    large = json.dumps({"key": "k", "value": "v", "x": "x" * 2621440}).encode()
    detail = await kie.refused(400001, "POST", "/kv", large)
    assert detail == "decode request body failed: http: request body too large"

    async def pieces():  # type: ignore[no-untyped-def]
        for start in range(0, len(large), 65536):
            yield large[start : start + 65536]

    headers = {"Content-Type": JSON_TYPE}
    async with kie.session.post(f"{kie.url}/kv", data=pieces(), headers=headers) as response:
        assert (response.status, (await response.json())["detail"]) == (400, detail)
    assert await kie.keys() == []


async def test_the_domain_header_means_nothing(kie: Kie) -> None:
    """What one wrote with it another reads without."""
    await kie.ok("POST", "/kv", {"key": "k"}, X_Domain_Name="other")
    assert await kie.keys() == ["k"]
    assert (await kie.ok("GET", "/kv", X_Domain_Name="other"))["total"] == 1


async def test_a_yaml_client_is_answered_in_yaml(kie: Kie) -> None:
    """Body and answer, where the headers are exactly so; with a charset the body is read as JSON, and is none."""
    body = (
        b"key: k\nvalue: 8080\nvalue_type: text\nstatus: enabled\npriority: -2\nlabels:\n  app: mall\n  version: 1.10\n"
    )
    status, text, headers = await kie.call("POST", "/kv", body, Content_Type="text/yaml", Accept="text/yaml")
    assert (status, headers["Content-Type"]) == (200, "text/yaml")
    assert "key: k\n" in text
    assert "value: '8080'\n" in text
    (item,), _ = await kie.listed()
    assert (item["value"], item["priority"]) == ("8080", -2)
    assert item["labels"] == {"app": "mall", "version": "1.10"}
    changed = await kie.ok("PUT", f"/kv/{item['id']}", b"value: yes\n", Content_Type="text/yaml")
    assert changed["value"] == "yes"
    await kie.refused(400001, "POST", "/kv", body, Content_Type="text/yaml;charset=utf-8")


@pytest.mark.parametrize(
    "body",
    [
        b"key: [",
        b"- a\n- b\n",
        b"key: k\nkey: k\n",
        b"key: k\nlabels: text\n",
        b"key: k\npriority: high\n",
        b"? [a]\n: b\n",
        b"key: \xff\n",
        b"key: k\x01\n",
        b"[" * 50_000,
        b"a: " + b"[" * 50_000,
        b"key: k\nlabels: &a\n  x: *a\n",
        b"a: &a ['" + b"x" * 500 + b"']\nb: &b [*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c]\n",
        b"!!python/object:os.system {}\n",
    ],
)
async def test_bad_yaml_is_refused(body: bytes, kie: Kie) -> None:
    """400001 and nothing stored, quickly, whatever it tries."""
    await kie.refused(400001, "POST", "/kv", body, Content_Type="text/yaml")
    assert await kie.keys() == []


async def test_a_yaml_anchor_may_be_used(kie: Kie) -> None:
    """Aliases are followed, where the document stays of a sane size."""
    body = b"data:\n- {key: a, labels: &l {app: mall}}\n- {key: b, labels: *l}\n"
    answer = await kie.ok("POST", "/file?override=abort", body, Content_Type="text/yaml")
    assert [item["labels"] for item in answer["success"]] == [{"app": "mall"}] * 2

"""KIE's lists over HTTP: labels, keys, values, pages, order, revisions, and the order in which parameters are looked at."""

from __future__ import annotations

import pytest

from tests.api.kie import Kie
from tests.engine import EngineProcess, client_of

pytestmark = pytest.mark.asyncio(loop_scope="module")
BAD_LABEL = "label value can not be empty, label can not be duplicated, please check query parameters"
BAD_REVISION = "revision param should be formed with number greater than 0"
BAD_WAIT = "wait param should be formed with number and time unit like 5s,100ms, and less than 5m"


async def _world(kie: Kie) -> None:
    """Items of one name each, told apart by their labels."""
    for key, labels in {
        "none": {},
        "app": {"app": "mall"},
        "empty": {"app": "mall", "environment": ""},
        "service": {"app": "mall", "service": "cart", "environment": ""},
        "version": {"app": "mall", "service": "cart", "environment": "", "version": "1"},
        "public": {"public": ""},
    }.items():
        await kie.create(key, f"value of {key}", labels)


@pytest.mark.parametrize(
    ("query", "keys"),
    [
        ("", {"none", "app", "empty", "service", "version", "public"}),
        ("match=exact", {"none"}),
        ("match=other", {"none", "app", "empty", "service", "version", "public"}),
        ("label=app:mall", {"app", "empty", "service", "version"}),
        ("label=app:mall&match=exact", {"app"}),
        ("label=app:mall&label=environment:&match=exact", {"empty"}),
        ("label=app:mall&label=environment:", {"empty", "service", "version"}),
        ("label=environment:&label=service:cart&label=app:mall&match=exact", {"service"}),
        ("label=app:other&label=app:mall&match=exact", {"app"}),
        ("label=service:", set()),
        ("label=public:", {"public"}),
        ("label=nothing:x", set()),
        ("label=app%3Amall&match=exact", {"app"}),
        ("key=app", {"app"}),
        ("key=APP", {"app"}),
        ("key=ap", set()),
        ("key=beginWith(EMP)", {"empty"}),
        ("key=beginWith()", {"none", "app", "empty", "service", "version", "public"}),
        ("key=wildcard(*e*)", {"none", "empty", "service", "version"}),
        ("key=wildcard(*E)", {"none", "service"}),
        ("key=wildcard(s*v*e)", {"service"}),
        ("key=wildcard(service)", {"service"}),
        ("key=wildcard()", {"none", "app", "empty", "service", "version", "public"}),
        ("key=wildcard(*)", {"none", "app", "empty", "service", "version", "public"}),
        ("value=of+s", {"service"}),
        ("value=of%20s", {"service"}),
        ("value=OF", set()),
        ("value=.*", set()),
        ("status=disabled", set()),
        ("status=enabled&label=app:mall&key=wildcard(*v*)", {"service", "version"}),
        ("label=app:mall&label=&label=x", None),
    ],
)
async def test_what_a_list_finds(query: str, keys: set[str] | None, kie: Kie) -> None:
    """A label that is missing is not an empty one; keys are found whatever their case, values only in theirs."""
    await _world(kie)
    if keys is None:
        assert await kie.refused(400001, "GET", f"/kv?{query}") == BAD_LABEL
        return
    found, _ = await kie.listed(query)
    assert {item["key"] for item in found} == keys
    assert all(item.get("labels", {}) or item["key"] == "none" for item in found)


async def test_a_dot_is_a_dot(kie: Kie) -> None:
    """Keys are no regular expressions."""
    await kie.create("a.b")
    await kie.create("axb")
    assert await kie.keys("key=a.b") == ["a.b"]
    assert await kie.keys("key=beginWith(a.)") == ["a.b"]
    assert await kie.keys("key=wildcard(*.b)") == ["a.b"]


async def test_items_show_all_that_clients_need(kie: Kie) -> None:
    """A missing type or time makes Java's client drop the whole list; what is hidden elsewhere is hidden here."""
    await kie.create("k", labels={"a": "b"})
    (item,), _ = await kie.listed()
    assert {"id", "key", "value", "value_type", "status", "labels", "update_time", "create_revision"} <= set(item)
    assert isinstance(item["update_time"], int)
    assert not {"domain", "project", "label_format"} & set(item)


async def test_the_order_is_by_priority_and_then_the_newest_first(kie: Kie) -> None:
    """An update makes an item the newest among its equals."""
    ids = {}
    for key, priority in (("low", -1), ("a", 0), ("high", 5), ("b", 0), ("c", 0)):
        ids[key] = (await kie.create(key, priority=priority))["id"]
    assert await kie.keys() == ["high", "c", "b", "a", "low"]
    await kie.update(ids["a"], "new")
    await kie.update(ids["low"], "new")
    assert await kie.keys() == ["high", "a", "c", "b", "low"]


async def test_pages(kie: Kie) -> None:
    """`total` counts all that is found; an offset without a limit counts for nothing."""
    for number in range(7):
        await kie.create(f"k{number}", labels={"app": "x"} if number % 2 else {})

    async def page(query: str) -> tuple[int, list[str]]:
        _, body, _ = await kie.call("GET", f"/kv?{query}")
        return body["total"], [item["key"] for item in body["data"]]

    assert await page("limit=3") == (7, ["k6", "k5", "k4"])
    assert await page("limit=3&offset=3") == (7, ["k3", "k2", "k1"])
    assert await page("limit=3&offset=6") == (7, ["k0"])
    assert await page("limit=3&offset=7") == (7, [])
    assert await page("limit=1&offset=9999999999") == (7, [])
    assert (await page("offset=5"))[0] == len((await page("offset=5"))[1]) == 7
    assert await page("limit=2&label=app:x") == (3, ["k5", "k3"])
    assert await page("limit=&offset=") == await page("")


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("label=env", BAD_LABEL),
        ("label=a:b:c", BAD_LABEL),
        ("label=", BAD_LABEL),
        ("label=:x", "validate failed, field: ListKVRequest.Labels[], rule: "),
        ("label=a-:x", "validate failed, field: ListKVRequest.Labels[a-], rule: "),
        ("label=a:x%20y", "validate failed, field: ListKVRequest.Labels[a], rule: "),
        ("&".join(f"label=l{n}:" for n in range(9)), "validate failed, field: ListKVRequest.Labels, rule: max = 8"),
        ("key=" + "a" * 129, "validate failed, field: ListKVRequest.Key, rule: max = 128"),
        ("key=a%20b", "validate failed, field: ListKVRequest.Key, rule: "),
        ("key=beginwith(a)", "validate failed, field: ListKVRequest.Key, rule: "),
        ("key=beginWith(a*)", "validate failed, field: ListKVRequest.Key, rule: "),
        ("key=wildcard(a", "validate failed, field: ListKVRequest.Key, rule: "),
        ("value=" + "a" * 129, "validate failed, field: ListKVRequest.Value, rule: max = 128"),
        ("status=wrong", "validate failed, field: ListKVRequest.Status, rule: ^$|^(enabled|disabled)$"),
        ("limit=0", "invalid limit number"),
        ("limit=101", "invalid limit number"),
        ("limit=-1", "invalid limit number"),
        ("limit=x", "invalid limit number"),
        ("limit=1.0", "invalid limit number"),
        ("offset=-1", "invalid offset number"),
        ("offset=x&limit=1", "invalid offset number"),
        ("offset=9223372036854775808", "invalid offset number"),
        ("revision=x", BAD_REVISION),
        ("revision=1.5", BAD_REVISION),
        ("revision=null", BAD_REVISION),
        ("revision=9223372036854775808", BAD_REVISION),
        ("revision=%D9%A1", BAD_REVISION),
        ("wait=5", 'time: missing unit in duration "5"'),
        ("wait=wrong", 'time: invalid duration "wrong"'),
        ("wait=5d", 'time: unknown unit "d" in duration "5d"'),
        ("wait=1h2", 'time: missing unit in duration "1h2"'),
        ("wait=.s", 'time: invalid duration ".s"'),
        ("wait=9999999999h", 'time: invalid duration "9999999999h"'),
    ],
)
async def test_what_a_list_refuses(query: str, detail: str, kie: Kie) -> None:
    """400001, with the original's detail."""
    assert (await kie.refused(400001, "GET", f"/kv?{query}")).startswith(detail)


async def test_what_just_keeps_a_rule_is_answered(kie: Kie) -> None:
    """The largest of everything at once, in characters."""
    labels = "&".join(f"label={letter * 32}:{'x' * 160}" for letter in "abcdefgh")
    assert await kie.keys(f"{labels}&key={'k' * 128}&value={'%C3%A4' * 128}&limit=100&offset=0") == []


@pytest.mark.parametrize("known", ["-1", "0", "1", "+0", "00", "-9223372036854775808", "9223372036854775807"])
async def test_any_other_revision_gets_the_list(known: str, kie: Kie) -> None:
    """Older, newer, negative: whatever is not the current one, and at once, whatever `wait` says."""
    await kie.create("k")
    for query in (f"revision={known}", f"revision={known}&wait=4m", f"revision={known}&wait=10m&key=k"):
        assert await kie.keys(query.replace("+", "%2B")) == ["k"]


async def test_the_current_revision_gets_304(kie: Kie) -> None:
    """It is the domain's: a change in another project moves it too."""
    await kie.create("k")
    _, revision = await kie.listed()
    assert (await kie.call("GET", f"/kv?revision={revision}"))[:2] == (304, None)
    assert (await kie.call("GET", f"/kv?revision={revision}&label=no:x&key=k&status=disabled&limit=1"))[0] == 304
    other = Kie(kie.session, kie.url.partition("/v1/")[0], f"{kie.project}x")
    item = await other.create("elsewhere")
    assert await kie.keys(f"revision={revision}") == ["k"]
    assert (await kie.listed())[1] == item["update_revision"]
    assert (await kie.call("GET", "/kv?revision="))[0] == 200


async def test_parameters_are_looked_at_in_their_order(kie: Kie) -> None:
    """Labels and pages before `wait`, `wait` before `revision`; a key and a long wait only where it would really wait."""
    await kie.create("k")
    _, revision = await kie.listed()
    assert await kie.refused(400001, "GET", "/kv?label=x&wait=x&revision=x") == BAD_LABEL
    assert await kie.refused(400001, "GET", "/kv?limit=0&wait=x&revision=x") == "invalid limit number"
    assert (await kie.refused(400001, "GET", "/kv?wait=x&revision=x")).startswith("time: ")
    assert await kie.refused(400001, "GET", "/kv?wait=1s&revision=x") == BAD_REVISION
    waiting = "can not accept key params, when using wait"
    for query in (f"revision={revision}&wait=10m&key=k", "wait=10m&key=k", "wait=0s&key=k"):
        assert await kie.refused(400001, "GET", f"/kv?{query}") == waiting
    for query in (f"revision={revision}&wait=5m1ns", "wait=301s", "wait=1h"):
        assert await kie.refused(400003, "GET", f"/kv?{query}") == BAD_WAIT
    assert (await kie.call("GET", f"/kv?revision={revision}&key=k"))[0] == 304


async def test_revisions_grow_whatever_changes(kie: Kie) -> None:
    """Create, update, delete, many at once, an import: each moves the revision, and a list is never older than what it shows."""
    seen = [(await kie.listed())[1]]

    async def moved() -> None:
        items, revision = await kie.listed()
        assert revision > seen[-1]
        assert all(item["update_revision"] <= revision for item in items)
        seen.append(revision)

    first, second = await kie.create("a"), await kie.create("b")
    await moved()
    await kie.update(first["id"], "x")
    await moved()
    await kie.ok("DELETE", f"/kv/{first['id']}", status=204)
    await moved()
    await kie.ok("DELETE", "/kv", {"ids": [second["id"]]}, 204)
    await moved()
    await kie.ok("POST", "/file?override=force", {"data": [{"key": "c"}, {"key": "d"}]})
    await moved()


async def test_a_fresh_engine_does_not_begin_at_zero(shared_engine: EngineProcess, kie: Kie) -> None:
    """Clients that know nothing send 0, and must get a list and no 304."""
    async with client_of(shared_engine.url) as client:
        status, _, headers = await client.call("GET", f"{kie.path}/kv?revision=0")
    assert status == 200
    assert int(headers["X-Kie-Revision"]) >= 1

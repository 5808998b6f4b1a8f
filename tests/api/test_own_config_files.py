"""Items as files over HTTP: export, import, dry run, pruning; all of a file or nothing."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio

from tests.api.kie import Kie
from tests.api.own_config import OwnConfig
from tests.engine import EngineProcess

pytestmark = pytest.mark.asyncio(loop_scope="module")
SETTINGS = {"quota_config": 20}
LABELS = {"app": "mall", "environment": ""}
NAMED = (("label", "app:mall"), ("label", "environment:"))
PROPERTIES, KIE = ("format", "properties"), ("format", "kie")
DRY, PRUNE, FORCE = ("dry_run", "1"), ("prune", "1"), ("force", "1")


@pytest_asyncio.fixture(loop_scope="module")
async def own(shared_engine: EngineProcess) -> AsyncIterator[OwnConfig]:
    """A client of the module's engine, in a project of its own with three items."""
    async with aiohttp.ClientSession() as session:
        own = OwnConfig(session, shared_engine.url, f"p{uuid.uuid4().hex[:8]}")
        await own.put("timeout", "2s", LABELS)
        await own.put("conf", "a:\n  b: 1\n", {**LABELS, "service": "cart"}, value_type="yaml", priority=2)
        await own.put("other", "x", {"app": "shop"}, status="disabled")
        yield own


def _counts(done: dict[str, int]) -> tuple[int, int, int, int]:
    return done["added"], done["changed"], done["deleted"], done["unchanged"]


@pytest.mark.parametrize("form", ["yaml", "kie", "properties"])
async def test_importing_an_export_changes_nothing(own: OwnConfig, form: str) -> None:
    labels = NAMED if form == "properties" else ()
    text = await own.ok("GET", "export", ("format", form), *labels) if form != "kie" else None
    text = text if text is not None else await _raw(own, form)
    before = await own.ok("GET", "items")
    done = await own.imported(text, ("format", form), PRUNE, *labels)
    assert _counts(done) == (0, 0, 0, 1 if labels else 3)
    assert done["items"] == []
    assert await own.ok("GET", "items") == before, "the revision is the same, too"


async def _raw(own: OwnConfig, form: str, *query: tuple[str, str]) -> str:
    params = [("project", own.project), ("format", form), *query]
    async with own.session.get(f"{own.url}export", params=params) as answer:
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "text/plain; charset=UTF-8"
        assert answer.headers["Content-Disposition"] == "attachment"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        return await answer.text()


async def test_an_export_restores_into_an_empty_project(own: OwnConfig, shared_engine: EngineProcess) -> None:
    for form in ("yaml", "kie"):
        other = OwnConfig(own.session, shared_engine.url, f"p{uuid.uuid4().hex[:8]}")
        done = await other.imported(await _raw(own, form), ("format", form))
        assert _counts(done) == (3, 0, 0, 0)
        assert await _raw(other, "yaml") == await _raw(own, "yaml")


async def test_an_export_is_narrowed_by_labels_and_key(own: OwnConfig) -> None:
    text = await _raw(own, "yaml", ("label", "app:mall"))
    assert text.count("- key:") == 2
    assert "  - key: timeout\n" in await _raw(own, "yaml", ("key", "beginWith(time)"))
    assert await _raw(own, "yaml", ("label", "app:nobody")) == "items: []\n"
    assert await _raw(own, "properties", *NAMED) == "timeout=2s\n", "with exactly these labels"
    assert await _raw(own, "properties", ("label", "app:shop")) == "# disabled\nother=x\n"


async def test_kie_reads_an_export_and_an_export_of_kie_is_read(own: OwnConfig, shared_engine: EngineProcess) -> None:
    kie = Kie(own.session, shared_engine.url, f"p{uuid.uuid4().hex[:8]}")
    done = await kie.ok("POST", "/file?override=force", (await _raw(own, "kie")).encode())
    assert (len(done["success"]), done["failure"]) == (3, [])
    listed = await kie.ok("GET", "/kv")
    other = OwnConfig(own.session, shared_engine.url, kie.project)
    again = await other.ok("POST", "import", KIE, body=listed)
    assert _counts(again) == (0, 0, 0, 3), "consoles export what they listed"


async def test_a_dry_run_says_what_would_change_and_changes_nothing(own: OwnConfig) -> None:
    before = await own.ok("GET", "items")
    text = (
        "items:\n"
        '- {key: timeout, labels: {app: mall, environment: ""}, value: 3s}\n'
        "- {key: new, value: 1}\n"
        "- {key: other, labels: {app: shop}, status: disabled, value: x}\n"
    )
    done = await own.imported(text, DRY, PRUNE)
    assert await own.ok("GET", "items") == before
    assert (done["dry_run"], done["revision"], _counts(done)) == (True, before["revision"], (1, 1, 1, 1))
    assert [(row["action"], row["key"], row["labels"]) for row in done["items"]] == [
        ("changed", "timeout", LABELS),
        ("added", "new", {}),
        ("deleted", "conf", {**LABELS, "service": "cart"}),
    ]
    changed, added, deleted = done["items"]
    plain = {"value_type": "text", "status": "enabled", "priority": 0, "check": ""}
    assert (changed["before"], changed["after"]) == ({"value": "2s", **plain}, {"value": "3s", **plain})
    assert (added["before"], added["after"]) == (None, {"value": "1", **plain})
    assert (deleted["before"]["value"], deleted["before"]["priority"], deleted["after"]) == ("a:\n  b: 1\n", 2, None)
    real = await own.imported(text, PRUNE)
    assert real == {**done, "dry_run": False, "revision": real["revision"]}
    assert real["revision"] > before["revision"]
    assert await own.values() == {"timeout": "3s", "new": "1", "other": "x"}
    assert _counts(await own.imported(text, PRUNE)) == (0, 0, 0, 3)


async def test_pruning_goes_no_further_than_its_labels(own: OwnConfig) -> None:
    done = await own.imported("items: []", PRUNE, ("label", "app:mall"), ("label", "service:cart"))
    assert [row["key"] for row in done["items"]] == ["conf"]
    done = await own.imported("new=1\n", PROPERTIES, PRUNE, *NAMED)
    assert [(row["action"], row["key"]) for row in done["items"]] == [("added", "new"), ("deleted", "timeout")]
    assert set(await own.values()) == {"new", "other"}


async def test_properties_take_their_labels_from_the_request_and_leave_the_rest(own: OwnConfig) -> None:
    labels = (*NAMED, ("label", "service:cart"))
    done = await own.imported("conf = a: 2\nnew = x\\\n  y\n", PROPERTIES, *labels)
    assert _counts(done) == (1, 1, 0, 0)
    item = await own.ok("GET", "items/one", ("key", "conf"), *labels)
    assert (item["value"], item["value_type"], item["priority"]) == ("a: 2", "yaml", 2)
    assert (await own.ok("GET", "items/one", ("key", "new"), *labels))["value"] == "xy"
    detail = await own.refused(400001, "POST", "import", *NAMED, body=b"items: []")
    assert "the labels of items are in a file of the format yaml" in detail


async def test_what_is_there_may_change_stay_or_end_the_import(own: OwnConfig) -> None:
    text = "new=1\ntimeout=9s\n"
    detail = await own.refused(409001, "POST", "import", PROPERTIES, ("override", "abort"), *NAMED, body=text.encode())
    assert detail.startswith("line 2, column 1, timeout: it is there already")
    assert "new" not in await own.values()
    done = await own.imported(text, PROPERTIES, ("override", "skip"), *NAMED)
    assert _counts(done) == (1, 0, 0, 1)
    assert (await own.values())["timeout"] == "2s"
    done = await own.imported(text, PROPERTIES, ("override", "force"), *NAMED)
    assert _counts(done) == (0, 1, 0, 1)


BAD = [
    (400001, b"items:\n- key: a\n", (), "the file does not parse: line 2, column 3: the item a has no value"),
    (400001, b"items: [", (), "the file does not parse: line 1, column 9: "),
    (400001, b"items:\n- key: a b\n  value: 1\n", (), "line 2, column 3, a b: validate failed, field: KVDoc.Key"),
    (400001, b'{"data": [', (KIE,), "the file does not parse: line 1, column "),
    (400001, b"a=\\u1", (PROPERTIES,), "the file does not parse: line 1, column 3: "),
    (400001, b'items:\n- key: "\\ud800"\n  value: x\n', (), "line 2, column 3, \ufffd: validate failed"),
    (400001, b"a: \xff", (), "the file is not UTF-8 (byte 4)"),
    (400001, b"", (("format", "toml"),), "format must be one of yaml, properties, kie"),
    (400001, b"", (("override", "x"),), "override must be one of force, skip, abort"),
    (400006, b"items:\n- {key: a, value: '{', type: json}\n", (), "line 2, column 3, a: as json, line 1, column 2: "),
    (422001, b"\n".join(b"k%d=1" % number for number in range(20)), (PROPERTIES,), ""),
]


@pytest.mark.parametrize("dry", [(), (DRY,)], ids=["for real", "dry run"])
@pytest.mark.parametrize(("code", "body", "query", "said"), BAD)
async def test_a_file_with_one_mistake_changes_nothing(
    own: OwnConfig, code: int, body: bytes, query: tuple[tuple[str, str], ...], said: str, dry: tuple[tuple[str, str]]
) -> None:
    before = await own.ok("GET", "items")
    detail = await own.refused(code, "POST", "import", *query, *dry, body=body)
    assert detail.startswith(said), detail
    assert await own.ok("GET", "items") == before


async def test_half_a_character_becomes_a_whole_one(own: OwnConfig, shared_engine: EngineProcess) -> None:
    """It could be neither stored nor answered."""
    await own.imported('items:\n- {key: a, value: "x\\ud800y\\ud83d\\ude00"}\n')
    await own.imported("b=\\ud800", PROPERTIES)
    kie = Kie(own.session, shared_engine.url, own.project)
    await kie.ok("POST", "/kv", b'key: c\nvalue: "\\ud800"\n', Content_Type="text/yaml")
    values = await own.values(("match", "exact"))
    assert values == {"a": "x\ufffdy😀", "b": "\ufffd", "c": "\ufffd"}


async def test_force_stores_values_that_do_not_parse(own: OwnConfig) -> None:
    body = "items:\n- {key: a, value: '{', type: json}\n"
    assert _counts(await own.imported(body, FORCE)) == (1, 0, 0, 0)
    assert _counts(await own.imported(await _raw(own, "yaml"))) == (0, 0, 0, 4), "stored already, so not looked at"

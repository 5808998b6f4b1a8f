"""What items were and who changed them: versions, differences, rollback and the audit log."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from tests.api.kie import Kie
from tests.api.own_config import OwnConfig
from tests.engine import EngineProcess, running_engine

pytestmark = pytest.mark.asyncio(loop_scope="module")
LABELS = {"app": "mall", "environment": ""}
NAMED = (("key", "banner"), ("label", "app:mall"), ("label", "environment:"))


@pytest_asyncio.fixture(loop_scope="module")
async def own(shared_engine: EngineProcess) -> AsyncIterator[OwnConfig]:
    """A client in a project of its own that says who it is."""
    async with aiohttp.ClientSession(headers={"X-Waggle-Author": "ann"}) as session:
        yield OwnConfig(session, shared_engine.url, f"p{uuid.uuid4().hex[:8]}")


async def _audit(own: OwnConfig, **query: str) -> list[Any]:
    url = own.url.replace("/config/", "/audit")
    async with own.session.get(url, params={"project": own.project, **query}) as answer:
        assert answer.status == 200, await answer.text()
        changes: list[Any] = (await answer.json())["changes"]
        return changes


async def test_every_version_has_its_author_time_and_value(own: OwnConfig, shared_engine: EngineProcess) -> None:
    first = (await own.put("banner", "one", LABELS))["item"]
    async with aiohttp.ClientSession() as session:
        await Kie(session, shared_engine.url, own.project).update(first["id"], "two")
    await own.ok("DELETE", "items", *NAMED)
    await own.put("banner", "three", LABELS)
    versions = (await own.ok("GET", "history", *NAMED))["versions"]
    assert [row["action"] for row in versions] == ["CREATE", "DELETE", "UPDATE", "CREATE"]
    assert [row.get("item", {}).get("value") for row in versions] == ["three", None, "two", "one"]
    assert [row["author"] for row in versions] == ["ann@127.0.0.1", "ann@127.0.0.1", "127.0.0.1", "ann@127.0.0.1"]
    assert [row["revision"] for row in versions] == sorted((row["revision"] for row in versions), reverse=True)
    assert all(abs(row["at"] // 1000 - first["create_time"]) < 60 for row in versions)


async def test_a_difference_is_shown_line_by_line(own: OwnConfig) -> None:
    await own.put("banner", "a\nb\nc", LABELS)
    await own.put("banner", "a\nB\nc", LABELS, status="disabled")
    shown = await own.ok("GET", "diff", *NAMED)
    changed = [line for line in shown["diff"] if line[0] in "+-" and not line.startswith(("+++", "---"))]
    assert changed == ["-status: enabled", "+status: disabled", "-b", "+B"]
    whole = await own.ok("GET", "diff", *NAMED, ("to", str(shown["from"])))
    assert whole["from"] == 0
    assert "+a" in whole["diff"]
    same = await own.ok("GET", "diff", *NAMED, ("from", str(shown["to"])))
    assert same["diff"] == []


async def test_a_rollback_is_a_new_revision_and_can_be_taken_back(own: OwnConfig) -> None:
    one = (await own.put("banner", "{}", LABELS, value_type="json", priority=3))["item"]
    two = (await own.put("banner", "hello", LABELS, value_type="text", priority=0))["item"]
    done = await own.ok("POST", "rollback", *NAMED, ("revision", str(one["update_revision"])))
    item = await own.ok("GET", "items/one", *NAMED)
    assert (item["value"], item["value_type"], item["priority"]) == ("{}", "json", 3)
    assert item["update_revision"] == done["revision"] > two["update_revision"]
    await own.ok("POST", "rollback", *NAMED, ("revision", str(two["update_revision"])))
    assert (await own.ok("GET", "items/one", *NAMED))["value"] == "hello"


async def test_what_was_deleted_comes_back_and_what_was_not_there_goes(own: OwnConfig) -> None:
    item = (await own.put("banner", "x", LABELS))["item"]
    await own.ok("DELETE", "items", *NAMED)
    gone = (await own.ok("GET", "history", *NAMED))["versions"][0]["revision"]
    await own.ok("POST", "rollback", *NAMED, ("revision", str(item["update_revision"])))
    assert (await own.ok("GET", "items/one", *NAMED))["id"] == item["id"]
    done = await own.ok("POST", "rollback", *NAMED, ("revision", str(gone)))
    assert done["action"] == "deleted"
    await own.refused(404001, "GET", "items/one", *NAMED)


async def test_what_has_no_history_is_refused(own: OwnConfig) -> None:
    for method, path in (("GET", "history"), ("GET", "diff"), ("POST", "rollback")):
        await own.refused(404001, method, path, *NAMED)
    await own.put("banner", "x", LABELS)
    await own.refused(400001, "POST", "rollback", *NAMED)
    await own.refused(400001, "GET", "diff", *NAMED, ("from", "x"))
    await own.refused(404001, "POST", "rollback", *NAMED, ("revision", "1"))


async def test_kie_answers_the_versions_since_the_last_creation(own: OwnConfig, shared_engine: EngineProcess) -> None:
    async with aiohttp.ClientSession() as session:
        kie = Kie(session, shared_engine.url, own.project)
        await kie.ok("DELETE", f"/kv/{(await kie.create('k', 'old'))['id']}", status=204)
        name = (await kie.create("k", "1"))["id"]
        await kie.update(name, "2")
        found = await kie.ok("GET", f"/revision/{name}")
        assert ([row["value"] for row in found["data"]], found["total"]) == (["2", "1"], 2)
        assert {row["label_format"] for row in found["data"]} == {"none"}
        assert [row["value"] for row in (await kie.ok("GET", f"/revision/{name}?limit=1&offset=1"))["data"]] == ["1"]
        await kie.refused(404001, "GET", "/revision/nope")


async def test_the_audit_log_has_configuration_and_registry_in_one_stream(
    own: OwnConfig, shared_engine: EngineProcess
) -> None:
    root = f"{shared_engine.url}/v4/{own.project}/registry/microservices"
    async with own.session.post(root, json={"service": {"serviceName": "cart"}}) as answer:
        service = (await answer.json())["serviceId"]
    await own.put("banner", "x", LABELS)
    await own.ok("DELETE", "items", *NAMED)
    rows = await _audit(own)
    assert [(row["kind"], row["action"]) for row in rows] == [
        ("config", "DELETE"),
        ("config", "CREATE"),
        ("service", "CREATE"),
    ]
    assert rows[0]["key"] == rows[1]["key"] == "banner", "what is gone is called by its name"
    assert (rows[2]["serviceName"], rows[2]["record"]) == ("cart", service)
    assert {row["author"] for row in rows} == {"ann@127.0.0.1"}
    assert [row["kind"] for row in await _audit(own, kind="service")] == ["service"]
    assert [row["action"] for row in await _audit(own, contains="banner", limit="1")] == ["DELETE"]
    assert await _audit(own, author="bob") == []
    older = await _audit(own, before=str(rows[1]["revision"]))
    assert [row["kind"] for row in older] == ["service"]


async def test_history_outlives_a_killed_engine(tmp_path_factory: pytest.TempPathFactory) -> None:
    async with running_engine(tmp_path_factory.mktemp("kill") / "data") as engine, aiohttp.ClientSession() as session:
        own = OwnConfig(session, engine.url, "p")
        for value in ("1", "2", "3"):
            await own.put("banner", value, LABELS)
        before = await own.ok("GET", "history", *NAMED)
        await engine.kill()
        await engine.start()
        assert await own.ok("GET", "history", *NAMED) == before
        assert len(before["versions"]) == 3


async def test_changes_are_told_as_events_without_their_values(own: OwnConfig, shared_engine: EngineProcess) -> None:
    async with own.session.get(f"{shared_engine.url}/waggle/v1/events", params={"project": own.project}) as stream:
        await stream.content.readuntil(b"\n\n")
        await own.put("banner", "s3cret", LABELS)
        await own.ok("DELETE", "items", *NAMED)
        told = [(await stream.content.readuntil(b"\n\n")).decode() for _ in range(2)]
    assert [block.split("event: ")[1].split("\n")[0] for block in told] == ["config.CREATE", "config.DELETE"]
    assert all('"item":{"key":"banner","labels":{"app":"mall","environment":""}}' in block for block in told)
    assert "s3cret" not in "".join(told)


async def test_what_was_deleted_can_be_taken_back_after_many_restarts(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Every start leaves a wide gap in the revisions, which must not count as so many changes."""
    async with running_engine(tmp_path_factory.mktemp("again") / "data") as engine, aiohttp.ClientSession() as session:
        own = OwnConfig(session, engine.url, "default")
        await own.put("banner", "precious", LABELS)
        await own.ok("DELETE", "items", *NAMED)
        before = [(row["revision"], row["action"]) for row in await _audit(own)]
        for number in range(3):
            await engine.stop()
            await engine.start()
            await own.put("other", str(number), LABELS)
        versions = (await own.ok("GET", "history", *NAMED))["versions"]
        assert [row["action"] for row in versions] == ["DELETE", "CREATE"]
        kept = [(row["revision"], row["action"]) for row in await _audit(own)]
        assert kept[-len(before) :] == before
        await own.ok("POST", "rollback", *NAMED, ("revision", str(versions[1]["revision"])))
        assert (await own.ok("GET", "items/one", *NAMED))["value"] == "precious"


async def test_a_revision_that_is_not_there_yet_is_refused_and_one_that_changes_nothing_says_so(own: OwnConfig) -> None:
    item = (await own.put("banner", "x", LABELS))["item"]
    done = await own.ok("POST", "rollback", *NAMED, ("revision", str(item["update_revision"])))
    assert (done["action"], done["item"]) == ("unchanged", item)
    detail = await own.refused(400001, "POST", "rollback", *NAMED, ("revision", "999999999"))
    assert "there is no revision 999999999 yet" in detail
    await own.refused(400001, "GET", "diff", *NAMED, ("to", "999999999"))


async def test_the_audit_log_says_how_a_release_ended_and_what_it_gave(own: OwnConfig) -> None:
    await own.put("banner", "old", LABELS)
    for end in (("DELETE", "releases/one"), ("POST", "releases/promote")):
        await own.ok("PUT", "releases/one", *NAMED, body={"value": f"new {end[0]}", "share": 10})
        await own.ok(*end, *NAMED)
    rows = await _audit(own, kind="release")
    assert [(row["action"], row["value"]) for row in rows] == [
        ("PROMOTE", "new POST"),
        ("CREATE", "new POST"),
        ("DROP", "new DELETE"),
        ("CREATE", "new DELETE"),
    ]

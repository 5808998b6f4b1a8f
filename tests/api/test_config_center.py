"""Config Center 1.0 as its clients use it: the literal requests of Java Chassis, Spring Cloud Huawei and go-archaius on a real engine."""

from __future__ import annotations

import asyncio
from pathlib import Path

import orjson
import pytest

from tests.api.config_center import ITEMS, Center
from tests.engine import Client, EngineProcess, client_of, running_engine
from tests.raw import RawAnswer, connect, request

pytestmark = pytest.mark.asyncio(loop_scope="module")

V2_ITEMS = "/configuration/v2/items"
GO = {"User_Agent": "cse-configcenter-client/1.0.0", "X_Tenant_Name": "default"}
SUCCESS = {"Result": "Success"}


@pytest.fixture
def center(api: Client) -> Center:
    """A client in a domain of its own."""
    return Center(api)


def version_of(answer: RawAnswer) -> str:
    """The revision in an answer, which must be a text that is not empty, or Java fails on it."""
    version = orjson.loads(answer.body)["revision"]["version"]
    assert isinstance(version, str)
    assert version not in ("", "null", "default")
    return version


# --- the clients, literally


async def _poll(port: int, target: str, **headers: str) -> RawAnswer:
    async with connect(port) as connection:
        return await connection.exchange(request("GET", target, **headers))


@pytest.mark.parametrize("first", ["null", "default"], ids=["library", "old client"])
async def test_java_pulls_all_and_then_only_what_is_new(
    first: str, center: Center, shared_engine: EngineProcess
) -> None:
    """config-cc and Spring Cloud Huawei: a first pull, polls with the revision, 304 without a body until something changes."""
    headers = {"x_domain_name": center.api._headers["X-Domain-Name"], "x_environment": ""}
    headers |= {"User_Agent": "microservice-client/1.0.0", "Content_Type": "application/json"}
    target = f"{ITEMS}?dimensionsInfo={center.quoted}&revision="
    empty = await _poll(shared_engine.port, target + first, **headers)
    assert (empty.status, set(orjson.loads(empty.body))) == (200, {"revision"})
    assert (await _poll(shared_engine.port, target + version_of(empty), **headers)).status == 304

    await center.write(center.dimension, timeout="2s")
    full = await _poll(shared_engine.port, target + version_of(empty), **headers)
    assert orjson.loads(full.body) == {
        center.dimension: {"timeout": "2s"},
        "revision": {"version": version_of(full)},
    }
    assert full.header("Content-Type") == "application/json"
    same = await _poll(shared_engine.port, target + version_of(full), **headers)
    assert (same.status, same.body, same.header("Content-Type")) == (304, b"", None)
    again = await _poll(shared_engine.port, target + first, **headers)
    assert again.body == full.body


async def test_go_gets_no_revision_and_sends_a_raw_at(center: Center, shared_engine: EngineProcess) -> None:
    """go-archaius takes every member of the answer for a dimension, so a revision would become a key of the configuration."""
    await center.write("application", everyone="1")
    await center.write(f"cart@{center.app}", ours="2")
    headers = {**GO, "x_domain_name": center.api._headers["X-Domain-Name"]}
    target = f"{ITEMS}?dimensionsInfo=cart@{center.app}%231.0.0"
    for revision in ("", "&revision="):
        answer = await _poll(shared_engine.port, target + revision, **headers)
        assert answer.status == 200
        assert orjson.loads(answer.body) == {"application": {"everyone": "1"}, f"cart@{center.app}": {"ours": "2"}}
        assert "application/json" in (answer.header("Content-Type") or "")


async def test_go_writes_and_deletes_with_json_answers(center: Center) -> None:
    """Any other answer than a JSON object is an error for it."""
    written = await center.change("POST", {"dimensionsInfo": center.dimension, "items": {"a": "1", "b": "2"}})
    assert written == SUCCESS
    assert await center.seen() == {center.dimension: {"a": "1", "b": "2"}}
    deleted = await center.change("DELETE", {"dimensionsInfo": center.dimension, "keys": ["a", "nobody"]})
    assert deleted == SUCCESS
    assert await center.seen() == {center.dimension: {"b": "2"}}


async def test_the_oldest_clients_use_version_2(center: Center) -> None:
    """`api.version=v2`: the same without a project, which is `default`."""
    old = center.in_environment("", V2_ITEMS)
    await old.write(center.dimension, a="1")
    assert await center.seen() == await old.seen() == {center.dimension: {"a": "1"}}
    assert await center.revision() == await old.revision()
    await old.delete(center.dimension, "a")
    assert await center.seen() == {}


async def test_health_is_found_on_both_paths_of_the_library(shared_engine: EngineProcess) -> None:
    """It puts the path behind an address that has a project in it already."""
    for target in ("/v3/default/configuration/health", "/v3/default/v3/default/configuration/health"):
        assert (await _poll(shared_engine.port, f"{target}?mode=readiness")).status == 200


# --- dimensions


async def test_a_client_reads_its_four_levels(center: Center) -> None:
    app = center.app
    for dimension in ("application", f"cart@{app}", f"darklaunch@{app}", f"cart@{app}#1.0.0"):
        await center.write(dimension, level=dimension)
    seen = {name: {"level": name} for name in ("application", f"cart@{app}", f"darklaunch@{app}", f"cart@{app}#1.0.0")}
    assert await center.seen() == seen
    assert list(await center.seen()) == list(seen), "the least specific first"
    _, of_service = await center.get(dimension=f"cart%40{app}")
    assert set(of_service) == {"application", f"cart@{app}", f"darklaunch@{app}", "revision"}
    _, tagged = await center.get(dimension=f"{center.quoted}!blue,green")
    assert {name: tagged[name] for name in seen} == seen
    _, of_all = await center.get(dimension="application")
    assert set(of_all) == {"application", "revision"}


async def test_other_services_versions_and_domains_are_not_seen(center: Center) -> None:
    app = center.app
    await center.write(f"pay@{app}", a="1")
    await center.write(f"cart@{app}#2.0.0", a="1")
    await center.write(f"cart@other{app}", a="1")
    async with client_of(center.api.url, f"other{app}") as elsewhere:
        await Center(elsewhere).write(center.dimension, a="1")
    await center.change(
        "POST", {"dimensionsInfo": center.dimension, "items": {"a": "1"}}, path="/v3/p2/configuration/items"
    )
    assert await center.seen() == {}


@pytest.mark.parametrize("environment", ["development", "testing", "acceptance", "production"])
async def test_environments_keep_apart(environment: str, center: Center) -> None:
    inside = center.in_environment(environment)
    before = await center.revision()
    await inside.write("application", a="inside")
    await inside.write(center.dimension, a="inside")
    assert await center.seen() == {}
    assert await center.revision() == before, "nothing that is seen here has changed"
    await center.write(center.dimension, a="outside")
    assert await inside.seen() == {"application": {"a": "inside"}, center.dimension: {"a": "inside"}}
    await inside.delete(center.dimension, "a")
    assert await center.seen() == {center.dimension: {"a": "outside"}}


@pytest.mark.parametrize("environment", ["", "staging", "Production", "default"])
async def test_an_unknown_environment_is_that_of_clients_without_one(environment: str, center: Center) -> None:
    other = center.in_environment(environment)
    await other.write(center.dimension, a="1")
    _, absent, _ = await center.api.call("GET", f"{ITEMS}?dimensionsInfo={center.quoted}", None, 200)
    assert absent == {center.dimension: {"a": "1"}}


# --- revisions


async def test_the_revision_changes_when_what_is_seen_does_and_only_then(center: Center) -> None:
    app, first = center.app, await center.revision()
    await center.write(center.dimension, a="1", b="2")
    second = await center.revision()
    assert second != first
    await center.write(center.dimension, a="1")
    await center.write(center.dimension, b="2")
    await center.write(f"pay@{app}", c="3")
    assert await center.revision() == second, "the same again, and what others see, are no changes"
    await center.write(center.dimension, a="2")
    assert await center.revision() not in (first, second)
    await center.write(center.dimension, a="1")
    assert await center.revision() == second, "it is opaque, and that of what is seen"
    await center.delete(center.dimension, "a", "b")
    assert await center.revision() == first


async def test_a_revision_is_still_current_after_a_restart(tmp_path: Path) -> None:
    """The journal's revisions jump at a restart; clients of Config Center must not all pull because of that."""
    async with running_engine(tmp_path / "data") as engine, client_of(engine.url) as api:
        center = Center(api)
        for dimension in ("application", center.dimension):
            await center.write(dimension, b="2", a="1", c={"x": [1, None]})
        await center.write(center.dimension, a="changed last")
        before = await center.seen(), await center.revision()
        await engine.kill()
        await engine.start()
        assert (await center.get(before[1]))[0] == 304
        assert (await center.seen(), await center.revision()) == before


# --- writing


async def test_values_are_texts(center: Center) -> None:
    """Java casts values to text; Config Center has no other type."""
    values = {
        "text": "x",
        "number": 5,
        "real": 1.5,
        "yes": True,
        "none": None,
        "list": [1, "a"],
        "object": {"a": {"b": 2}},
        "é": "",
    }
    given = {name: value for name, value in values.items() if name.isascii()}
    await center.write(center.dimension, **given)
    assert await center.seen() == {
        center.dimension: {
            "text": "x",
            "number": "5",
            "real": "1.5",
            "yes": "true",
            "none": "null",
            "list": '[1,"a"]',
            "object": '{"a":{"b":2}}',
        }
    }


async def test_keys_may_have_signs_that_kie_has_not(center: Center) -> None:
    keys = {"cse.flow/limit": "1", "a@b#1-2:3_4": "2"}
    await center.write(center.dimension, **keys)
    assert await center.seen() == {center.dimension: keys}
    await center.delete(center.dimension, *keys)
    assert await center.seen() == {}


@pytest.mark.parametrize(
    ("items", "word"),
    [
        ({"good": "1", "bad key": "2"}, "bad key"),
        ({"good": "1", "": "2"}, "KVDoc.Key"),
        ({"good": "1", "k" * 2049: "2"}, "max = 2048"),
        ({"good": "1", "long": "v" * 131073}, "max = 131072"),
    ],
)
async def test_all_items_are_written_or_none(items: dict[str, str], word: str, center: Center) -> None:
    before = await center.revision()
    refused = await center.change("POST", {"dimensionsInfo": center.dimension, "items": items}, 400)
    assert refused["errorCode"] == "400001"
    assert word in refused["detail"]
    assert (await center.seen(), await center.revision()) == ({}, before)


@pytest.mark.parametrize(
    ("method", "body", "word"),
    [
        ("POST", {"items": {"a": "1"}}, "dimensionsInfo"),
        ("POST", {"dimensionsInfo": "cart", "items": {"a": "1"}}, "dimensionsInfo"),
        ("POST", {"dimensionsInfo": "-@mall", "items": {"a": "1"}}, "Labels[service]"),
        ("POST", {"dimensionsInfo": "cart@mall"}, "items"),
        ("POST", {"dimensionsInfo": "cart@mall", "items": ["a"]}, "items"),
        ("POST", {"dimensionsInfo": ["cart@mall"], "items": {}}, "dimensionsInfo"),
        ("POST", ["cart@mall"], "an object is expected"),
        ("DELETE", {"dimensionsInfo": "cart@mall"}, "keys"),
        ("DELETE", {"dimensionsInfo": "cart@mall", "keys": []}, "keys"),
        ("DELETE", {"dimensionsInfo": "cart@mall", "keys": "a"}, "keys"),
        ("DELETE", {"keys": ["a"]}, "dimensionsInfo"),
    ],
)
async def test_a_body_that_says_nothing_useful_is_refused(method: str, body: object, word: str, center: Center) -> None:
    refused = await center.change(method, body, 400)
    assert word in refused["detail"]


async def test_a_dimension_that_is_none_is_refused(shared_engine: EngineProcess) -> None:
    """400 with JSON, also where the request line ends as others must not."""
    bad = (
        "",
        "?revision=null",
        "?dimensionsInfo=",
        "?dimensionsInfo=cart@",
        "?dimensionsInfo=a%20b@c",
        "?dimensionsInfo=a+b@c",
    )
    bad += (
        "?dimensionsInfo=cart&",
        f"?dimensionsInfo={'a' * 256}@m",
        "?dimensionsInfo=a@b@c",
        "?dimensionsInfo=a@b%2Fc",
    )
    for query in bad:
        for path in (ITEMS, "/v3/default/configuration/refresh/items"):
            answer = await _poll(shared_engine.port, path + query)
            assert (answer.status, orjson.loads(answer.body)["errorCode"]) == (400, "400001"), query
    odd = await _poll(shared_engine.port, "/v3/no%20project/configuration/items?dimensionsInfo=cart@mall")
    assert (odd.status, b"Project" in odd.body) == (400, True)


async def test_a_body_that_is_no_json_or_too_large_is_refused(shared_engine: EngineProcess) -> None:
    async with connect(shared_engine.port) as connection:
        for body in (b"{", b"", b"null", b'{"dimensionsInfo":"a@b","items":{"a":"\xff"}}'):
            answer = await connection.exchange(request("POST", ITEMS, body))
            assert (answer.status, orjson.loads(answer.body)["errorCode"]) == (400, "400001"), body
        large = await connection.exchange(request("POST", ITEMS, b" " * 2621441))
        assert (large.status, b"request body too large" in large.body) == (400, True)


async def test_a_quota_stops_the_whole_of_a_write(tmp_path: Path) -> None:
    async with running_engine(tmp_path / "data", quota_config=3) as engine, client_of(engine.url) as api:
        center = Center(api)
        await center.write(center.dimension, a="1", b="1")
        refused = await center.change(
            "POST", {"dimensionsInfo": center.dimension, "items": {"a": "2", "c": "1", "d": "1"}}, 422
        )
        assert refused["errorCode"] == "422001"
        assert await center.seen() == {center.dimension: {"a": "1", "b": "1"}}


async def test_a_scope_is_emptied_whole_or_in_part(center: Center) -> None:
    await center.write(center.dimension, a="1", b="2", c="3")
    await center.write(f"cart@{center.app}", a="1")
    path = f"/v3/default/govern/configs/{center.quoted}"
    some = {"dimensionInfo": center.dimension, "flush": "true", "keys": ["a"]}
    assert await center.change("DELETE", some, path=path) == SUCCESS
    assert (await center.seen())[center.dimension] == {"b": "2", "c": "3"}
    assert await center.change("DELETE", None, path=path) == SUCCESS
    assert await center.seen() == {f"cart@{center.app}": {"a": "1"}}


async def test_a_filter_narrows_the_answer_and_its_revision(center: Center) -> None:
    await center.write(center.dimension, **{"servicecomb.a": "1", "cse.a": "2", "other": "3"})
    await center.write("application", other="4")
    _, body = await center.get(keyFilter="%5Eservicecomb%5C..*")
    assert body[center.dimension] == {"servicecomb.a": "1"}
    assert "application" not in body
    narrow = body["revision"]["version"]
    await center.write(center.dimension, other="5")
    assert (await center.get(narrow, keyFilter="%5Eservicecomb%5C..*"))[0] == 304
    _, two = await center.get(keyFilter="^servicecomb|^cse")
    assert set(two[center.dimension]) == {"servicecomb.a", "cse.a"}
    for unknown in ("[a-z]", "(a", "a**", "a{3}", "%5Cd", "a" * 257):
        status, refused = await center.get(keyFilter=unknown)
        assert (status, "keyFilter" in str(refused)) == (400, True), unknown


# --- many at once


async def test_no_reader_sees_half_of_a_write(center: Center) -> None:
    """Writers replace all values together; whoever reads meanwhile sees those of one write."""
    names = [f"k{number}" for number in range(20)]

    async def write(round_: int) -> None:
        await center.write(center.dimension, **dict.fromkeys(names, str(round_)))

    await write(0)
    revisions: dict[str, str] = {}

    async def read() -> None:
        for _ in range(40):
            _, body = await center.get()
            values = set(body[center.dimension].values())
            assert len(values) == 1
            value = values.pop()
            assert revisions.setdefault(body["revision"]["version"], value) == value

    await asyncio.gather(read(), read(), *(write(number) for number in range(1, 30)))
    assert len(revisions) > 1

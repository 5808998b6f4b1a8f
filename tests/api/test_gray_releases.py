"""Gray releases over HTTP: the object and its route rule are one, nothing of others is overwritten, and instances have their say."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from governance.rules.check import check
from governance.rules.routes import RouteRules
from tests.api.objects import ObjectClient
from tests.engine import EngineProcess, client_of, running_engine

pytestmark = pytest.mark.asyncio(loop_scope="module")
OBJECT = "servicecomb.x.gray.weather"
RULE = "servicecomb.routeRule.weather"
LABELS = {"app": "mall", "environment": ""}
FORCE = ("force", "1")
NAMED = (("key", OBJECT), ("label", "app:mall"), ("label", "environment:"))


@pytest_asyncio.fixture(loop_scope="module")
async def gray(shared_engine: EngineProcess) -> AsyncIterator[ObjectClient]:
    """A client in a project of its own, in which weather 1.0.0 and 2.0.0 are up."""
    async with aiohttp.ClientSession() as session:
        made = ObjectClient(
            session, shared_engine.url, "gray-releases", {"service": "weather", "app": "mall", "environment": ""}
        )
        await made.instance("weather", "1.0.0")
        await made.instance("weather", "2.0.0")
        yield made


def weights(value: str) -> dict[str, int]:
    """Weight by version of a route rule with one rule."""
    rules = check(RULE, value).rule
    assert isinstance(rules, RouteRules)
    (rule,) = rules.rules
    return {item.tags["version"]: item.weight for item in rule.route}


def outcome(answer: Any) -> list[tuple[float, list[str]]]:
    """Share and versions of what requests without a header get."""
    return [(one["share"], one["versions"]) for one in answer["outcome"][-1]["to"]]


async def test_a_release_by_share_writes_the_rule_and_says_what_comes_of_it(gray: ObjectClient) -> None:
    begun = await gray.put(version="2.0.0", reason="first")
    assert begun["action"] == "added"
    assert [(one["action"], one["key"], one["labels"]) for one in begun["changes"]] == [
        ("added", OBJECT, LABELS),
        ("added", RULE, LABELS),
    ]
    assert begun["object"]["baseline"] == ["1.0.0"], "the versions that are up beside it"
    assert weights((await gray.values())[RULE]) == {"1.0.0": 100}, "a new release begins with nothing"
    changed = await gray.put(share=30)
    assert changed["action"] == "changed"
    assert weights((await gray.values())[RULE]) == {"1.0.0": 70, "2.0.0": 30}
    assert outcome(changed) == [(70.0, ["1.0.0"]), (30.0, ["2.0.0"])]
    assert [(one["version"], one["role"], one["up"]) for one in changed["versions"]] == [
        ("1.0.0", "baseline", 1),
        ("2.0.0", "gray", 1),
    ]
    assert changed["warnings"] == []
    assert changed["object"]["reason"] == "", "the reason was that of the former share"
    assert (await gray.put(share=30))["action"] == "unchanged"
    assert weights((await gray.put(share=100))["items"][0]["value"]) == {"2.0.0": 100}


async def test_several_baseline_versions_share_the_rest(gray: ObjectClient) -> None:
    await gray.instance("weather", "1.1.0")
    answer = await gray.put(version="2.0.0", share=25)
    assert weights(answer["items"][0]["value"]) == {"1.0.0": 38, "1.1.0": 37, "2.0.0": 25}


async def test_a_release_by_content_leads_the_rest_to_the_baseline(gray: ObjectClient) -> None:
    answer = await gray.put(version="2.0.0", headers={"type": {"exact": "gray"}})
    assert [(one["headers"], one["to"][0]["versions"]) for one in answer["outcome"]] == [
        ({"type": {"exact": "gray"}}, ["2.0.0"]),
        ({}, ["1.0.0"]),
    ]
    by_share = await gray.put(share=10)
    assert "headers" not in by_share["object"], "one takes the other's place"
    by_content = await gray.put(headers={"type": {"exact": "gray"}})
    assert by_content["object"]["share"] == 0


async def test_promoting_and_rolling_back_keep_what_was_asked_for(gray: ObjectClient) -> None:
    await gray.put(version="2.0.0", share=20, maxErrorRate=2.5, maxLatency="0.5S", latency="mean", minCalls=50)
    back = await gray.put(state="rolled-back", reason="too slow")
    assert weights(back["items"][0]["value"]) == {"1.0.0": 100}
    one = back["object"]
    assert (one["share"], one["reason"], one["state"]) == (20, "too slow", "rolled-back")
    assert (one["maxErrorRate"], one["maxLatency"], one["latency"], one["minCalls"]) == (2.5, 500, "mean", 50)
    assert weights((await gray.put(state="promoted"))["items"][0]["value"]) == {"2.0.0": 100}
    again = await gray.put(share=5)
    assert again["object"]["state"] == "running", "a new share lets it run again"
    assert weights(again["items"][0]["value"]) == {"1.0.0": 95, "2.0.0": 5}


async def test_a_further_version_begins_anew(gray: ObjectClient) -> None:
    await gray.put(version="2.0.0", state="promoted")
    await gray.instance("weather", "3.0.0")
    begun = await gray.put(version="3.0.0", baseline=["2.0.0"])
    assert weights(begun["items"][0]["value"]) == {"2.0.0": 100}
    assert begun["object"]["state"] == "running"
    assert begun["warnings"] == ["version 1.0.0 is up too, and gets no requests"]


async def test_nothing_goes_to_a_version_that_nobody_runs(gray: ObjectClient) -> None:
    detail = await gray.put_refused(409003, version="3.0.0", baseline=["1.0.0"], share=10)
    assert detail == "no instance of weather 3.0.0 is up (up are 1.0.0, 2.0.0): write share 0 until one is"
    assert await gray.values() == {}, "nothing was written"
    await gray.put(version="3.0.0", baseline=["1.0.0"])
    starting = await gray.instance("weather", "3.0.0", "STARTING")
    await gray.put_refused(409003, share=10)
    await gray.put_refused(409003, headers={"a": {"exact": "b"}})
    await gray.put_refused(409003, state="promoted")
    await gray.set_status(starting, "UP")
    await gray.put(share=10)
    await gray.gone(starting)
    kept = await gray.put(maxErrorRate=5)
    assert kept["warnings"] == [
        "no instance of version 3.0.0 is up: its requests go to all others",
        "version 2.0.0 is up too, and gets no requests",
    ]
    assert (await gray.put(FORCE, share=20))["action"] == "changed"


async def test_an_unknown_service_is_a_warning(gray: ObjectClient) -> None:
    gray.names = {**gray.names, "service": "nobody", "environment": "production"}
    assert "name the versions that run now" in await gray.put_refused(400001, version="2")
    answer = await gray.put(version="2", baseline=["1"])
    assert answer["warnings"] == ["no service nobody is registered in application mall, environment production"]
    assert answer["outcome"] == []


async def test_the_end_is_refused_while_two_versions_are_up(gray: ObjectClient) -> None:
    await gray.put(version="2.0.0", state="promoted")
    detail = await gray.refused(409003, "DELETE", "/one")
    assert detail.startswith("weather runs in the versions 1.0.0, 2.0.0:")
    assert set(await gray.values()) == {OBJECT, RULE}
    assert (await gray.ok("DELETE", "/one", FORCE))["action"] == "deleted"
    assert await gray.values() == {}
    await gray.refused(404001, "DELETE", "/one", FORCE)
    await gray.refused(404001, "GET", "/one")


async def test_the_end_comes_when_the_old_instances_are_drained(gray: ObjectClient) -> None:
    gray.names = {**gray.names, "service": "drained"}
    old, _ = [await gray.instance("drained", version) for version in ("1.0.0", "2.0.0")]
    await gray.put(version="2.0.0", state="promoted")
    await gray.refused(409003, "DELETE", "/one")
    await gray.set_status(old, "OUTOFSERVICE")
    assert (await gray.ok("DELETE", "/one"))["action"] == "deleted"
    assert await gray.values() == {}


async def _statuses(gray: ObjectClient) -> dict[str, list[str]]:
    """The statuses of the instances by version."""
    path = gray.registry.replace("/registry/microservices", "/govern/microservices")
    async with gray.items.session.get(path, params={"options": "instances"}) as answer:
        rows = (await answer.json())["allServicesDetail"]
    return {row["microService"]["version"]: [one["status"] for one in row["instances"]] for row in rows}


@pytest.mark.parametrize(("state", "idle", "used"), [("promoted", "1.0.0", "2.0.0"), ("rolled-back", "2.0.0", "1.0.0")])
async def test_draining_takes_the_other_side_out_of_service(
    gray: ObjectClient, state: str, idle: str, used: str
) -> None:
    await gray.instance("weather", "3.0.0")
    await gray.put(version="2.0.0", baseline=["1.0.0"], state=state)
    drained = await gray.ok("POST", "/drain")
    assert [one["version"] for one in drained["drained"]] == [idle]
    assert await _statuses(gray) == {idle: ["OUTOFSERVICE"], used: ["UP"], "3.0.0": ["UP"]}, "a third one is not of it"
    assert {row["version"]: row["up"] for row in drained["versions"]} == {idle: 0, used: 1, "3.0.0": 1}
    assert (await gray.ok("POST", "/drain"))["drained"] == []


async def test_draining_is_refused_where_requests_may_still_come(gray: ObjectClient) -> None:
    await gray.refused(404001, "POST", "/drain")
    await gray.put(version="2.0.0", share=100)
    assert "promote it or roll it back first" in await gray.refused(409003, "POST", "/drain")
    await gray.put(state="promoted")
    await gray.items.put(RULE, "- route: [{weight: 100, tags: {version: 1.0.0}}]", LABELS)
    assert await gray.refused(409002, "POST", "/drain") == f"{RULE} was changed by hand"
    await gray.put(FORCE, state="rolled-back", baseline=["0.9"])
    assert "no instance of 0.9 is up" in await gray.refused(409003, "POST", "/drain")
    assert await _statuses(gray) == {"1.0.0": ["UP"], "2.0.0": ["UP"]}


async def test_history_and_rollback_take_object_and_rule_together(gray: ObjectClient) -> None:
    await gray.put(version="2.0.0", share=10, reason="a start")
    rule = (await gray.values())[RULE]
    await gray.put(share=90)
    await gray.ok("DELETE", "/one", FORCE)
    versions = (await gray.ok("GET", "/history"))["versions"]
    assert [row["action"] for row in versions] == ["DELETE", "UPDATE", "CREATE"]
    assert [row["object"] and row["object"]["share"] for row in versions] == [None, 90, 10]
    back = await gray.ok("POST", "/rollback", ("revision", str(versions[-1]["revision"])))
    assert (back["action"], back["object"]["share"], back["object"]["reason"]) == ("added", 10, "a start")
    assert (await gray.values())[RULE] == rule
    assert not back["drifted"]
    gone = await gray.ok("POST", "/rollback", ("revision", str(versions[0]["revision"])), FORCE)
    assert gone["action"] == "deleted"
    assert await gray.values() == {}
    assert "revision is missing" in await gray.refused(400001, "POST", "/rollback")


async def test_going_back_in_history_heeds_instances_too(gray: ObjectClient) -> None:
    made = await gray.instance("weather", "4.0.0")
    first = await gray.put(version="4.0.0", share=10)
    await gray.put(share=0)
    await gray.gone(made)
    revision = ("revision", str(first["revision"]))
    await gray.refused(409003, "POST", "/rollback", revision)
    assert (await gray.ok("POST", "/rollback", revision, FORCE))["object"]["share"] == 10


async def test_object_and_rule_are_changed_by_one_commit_and_are_in_the_audit_log(
    gray: ObjectClient, shared_engine: EngineProcess
) -> None:
    answer = await gray.put(version="2.0.0", share=1)
    query = {"project": gray.project, "kind": "config"}
    async with gray.items.session.get(f"{shared_engine.url}/waggle/v1/audit", params=query) as audit:
        changes = (await audit.json())["changes"]
    assert [(row["key"], row["revision"], row["action"]) for row in changes] == [
        (RULE, answer["at"], "CREATE"),
        (OBJECT, answer["at"] - 1, "CREATE"),
    ]
    assert len({row["at"] for row in changes}) == 1


async def test_a_quota_that_does_not_suffice_leaves_nothing(tmp_path_factory: pytest.TempPathFactory) -> None:
    async with (
        running_engine(tmp_path_factory.mktemp("few") / "data", quota_config=1) as engine,
        aiohttp.ClientSession() as session,
    ):
        gray = ObjectClient(session, engine.url, "gray-releases", {"service": "weather", "app": "mall"})
        await gray.put_refused(422001, version="2", baseline=["1"])
        assert await gray.values() == {}


async def test_a_restart_keeps_object_and_rule(tmp_path_factory: pytest.TempPathFactory) -> None:
    async with (
        running_engine(tmp_path_factory.mktemp("kept") / "data") as engine,
        aiohttp.ClientSession() as session,
    ):
        gray = ObjectClient(session, engine.url, "gray-releases", {"service": "weather", "app": "mall"})
        before = await gray.put(version="2", baseline=["1"], reason="näher")
        await engine.kill()
        await engine.start()
        after = await gray.ok("GET", "/one")
        assert {name: after[name] for name in ("object", "items", "revision")} == {
            name: before[name] for name in ("object", "items", "revision")
        }


async def test_a_rule_of_others_is_not_overwritten(gray: ObjectClient) -> None:
    theirs = "- route:\n  - {weight: 100, tags: {version: 1.5.0}}\n"
    await gray.items.put(RULE, theirs, LABELS)
    detail = await gray.put_refused(409002, version="2.0.0", share=10)
    assert detail == f"{RULE} is there already and does something else"
    assert await gray.values() == {RULE: theirs}
    forced = await gray.put(FORCE, version="2.0.0", share=10)
    assert [one["action"] for one in forced["changes"]] == ["added", "changed"]


async def test_a_rule_of_others_that_does_the_same_is_adopted(gray: ObjectClient) -> None:
    """As the console of a hosted engine might have written it."""
    text = "- {precedence: 7, route: [{weight: 20, tags: {version: 2.0.0}}, {weight: 80, tags: {version: 1.0.0}}]}"
    await gray.items.put(RULE, text, LABELS)
    (found,) = await gray.all()
    assert (found["kept"], found["revision"]) == (False, 0)
    one = found["object"]
    assert (one["service"], one["version"], one["baseline"], one["share"]) == ("weather", "2.0.0", ["1.0.0"], 20)
    adopted = await gray.put(version="2.0.0", share=20)
    assert [step["action"] for step in adopted["changes"]] == ["added", "changed"]
    (found,) = await gray.all()
    assert found["kept"]
    assert not found["drifted"]


async def test_a_rule_that_is_no_release_is_not_in_the_list(gray: ObjectClient) -> None:
    await gray.items.put(RULE, "- route: [{weight: 100, tags: {version: 1.0.0}}]", LABELS)
    await gray.items.put("servicecomb.routeRule.other", "- route: [{weight: 50, tags: {a: b}}]", LABELS)
    disabled = "- route: [{weight: 50, tags: {version: 1}}, {weight: 50, tags: {version: 2}}]"
    await gray.items.put("servicecomb.routeRule.asleep", disabled, LABELS, status="disabled")
    await gray.items.put("servicecomb.routeRule.level", "- route: [{weight: 100, tags: {version: 1}}]", {"app": "x"})
    assert await gray.all() == []


async def test_a_rule_that_was_changed_by_hand_is_shown_and_kept(gray: ObjectClient) -> None:
    await gray.put(version="2.0.0", share=10)
    await gray.items.put(RULE, "- route: [{weight: 100, tags: {version: 2.0.0}}]", LABELS)
    shown = await gray.ok("GET", "/one")
    assert shown["drifted"]
    (item,) = shown["items"]
    assert item["differs"] == "changed"
    assert "+- route: [{weight: 100, tags: {version: 2.0.0}}]" in item["diff"]
    for query in ((("expected", str(shown["revision"])),), ()):
        detail = await gray.put_refused(409002, *query, share=20)
        assert detail == f"{RULE} was changed by hand"
    back = await gray.put(FORCE, share=10)
    assert (back["drifted"], back["action"]) == (False, "changed"), "the object is the same, its rule is not"


async def test_what_is_written_in_another_way_has_not_drifted(gray: ObjectClient) -> None:
    await gray.put(version="2.0.0", share=10)
    text = "- {precedence: 9, route: [{weight: 10, tags: {version: 2.0.0}}, {weight: 90, tags: {version: 1.0.0}}]}"
    await gray.items.put(RULE, text, LABELS)
    assert not (await gray.ok("GET", "/one"))["drifted"]


@pytest.mark.parametrize("change", ["deleted", "disabled"])
async def test_a_rule_that_is_gone_or_disabled_is_a_drift(gray: ObjectClient, change: str) -> None:
    await gray.put(version="2.0.0", share=10)
    named = (("key", RULE), *NAMED[1:])
    if change == "deleted":
        await gray.items.ok("DELETE", "items", *named)
    else:
        await gray.items.ok("PUT", "items", body={"key": RULE, "labels": LABELS, "status": "disabled"})
    shown = await gray.ok("GET", "/one")
    assert (shown["drifted"], shown["items"][0]["differs"]) == (True, change.replace("deleted", "missing"))
    assert not (await gray.put(FORCE, share=10))["drifted"]


async def test_an_object_that_was_changed_by_hand_is_a_drift_of_its_rule(gray: ObjectClient) -> None:
    await gray.put(version="2.0.0", share=10)
    document = (await gray.values())[OBJECT]
    await gray.items.put(OBJECT, document.replace("share: 10", "share: 60"), LABELS)
    shown = await gray.ok("GET", "/one")
    assert (shown["object"]["share"], shown["drifted"]) == (60, True)


async def test_an_object_that_was_spoilt_by_hand_is_no_object(gray: ObjectClient) -> None:
    await gray.put(version="2.0.0", share=10)
    await gray.items.put(OBJECT, "share: [", LABELS)
    await gray.refused(404001, "GET", "/one")
    assert [one["kept"] for one in await gray.all()] == [False], "its rule is still told by its shape"
    history = (await gray.ok("GET", "/history"))["versions"]
    assert [row["object"] is None for row in history] == [True, False]
    await gray.refused(400001, "POST", "/rollback", ("revision", str(history[0]["revision"])))
    assert (await gray.ok("POST", "/rollback", ("revision", str(history[1]["revision"]))))["object"]["share"] == 10


async def test_two_writers_do_not_overwrite_each_other_unseen(gray: ObjectClient) -> None:
    assert await gray.put_refused(409002, ("expected", "1"), version="2.0.0") == f"{OBJECT} is at revision 0 now, not 1"
    first = await gray.put(("expected", "0"), version="2.0.0", share=1)
    expected = ("expected", str(first["revision"]))
    second = await gray.put(expected, share=2)
    assert "now, not" in await gray.put_refused(409002, expected, share=3)
    assert "now, not" in await gray.refused(409002, "DELETE", "/one", expected, FORCE)
    assert "a number" in await gray.put_refused(400001, ("expected", "x"), share=3)
    assert (await gray.ok("GET", "/one"))["revision"] == second["revision"]
    shares = range(1, 21)
    await asyncio.gather(*(gray.put(share=share, reason=f"r{share}") for share in shares))
    last = await gray.ok("GET", "/one")
    assert last["object"]["reason"] == f"r{last['object']['share']}", "each write is whole"
    assert not last["drifted"]


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"share": 101}, "share is 101: write a number from 0 to 100"),
        ({"share": "half"}, "share is 'half', which is not a whole number"),
        ({"share": 10, "headers": {"a": {"exact": "b"}}}, "there are a share and headers: give one of the two"),
        ({"headers": {"a": {}}}, "the header 'a' asks for nothing"),
        ({"headers": {"a": {"like": "b"}}}, "like is no operator here"),
        ({"headers": {"a": {"regex": "("}}}, "the pattern cannot be used"),
        ({"baseline": ["2.0.0"]}, "the new version is among the baseline"),
        ({"baseline": ["1.0.0", "1.0.0"]}, "a version is there twice"),
        ({"baseline": []}, "baseline is missing"),
        ({"state": "paused"}, "write running or promoted or rolled-back"),
        ({"maxLatency": "500ms"}, "write 500 or 0.5S"),
        ({"sahre": 10}, "the body has no member 'sahre', only service, app"),
        ({"service": ""}, "service is missing"),
        ({"app": 5}, "app: a string is expected"),
        ({"service": "a b", "baseline": ["1"]}, "KVDoc.Key"),
        ({"environment": "-", "baseline": ["1"]}, "KVDoc.Labels[environment]"),
        ({"reason": "x" * 20000}, "more than 16384 bytes"),
    ],
)
async def test_what_is_wrong_is_refused_with_what_to_write(
    gray: ObjectClient, members: dict[str, object], said: str
) -> None:
    assert said in await gray.put_refused(400001, **{"version": "2.0.0", **members})
    assert await gray.values() == {}


@pytest.mark.parametrize("body", [[], "text", None, 7, {}, {"service": None, "app": "mall"}])
async def test_a_body_that_names_nothing_is_refused(gray: ObjectClient, body: object) -> None:
    await gray.body_refused(body)


async def test_a_member_that_is_null_has_its_default_again(gray: ObjectClient) -> None:
    await gray.put(version="2.0.0", share=10, maxErrorRate=5, reason="why")
    again = (await gray.put(maxErrorRate=None, reason=None))["object"]
    assert "maxErrorRate" not in again
    assert (again["reason"], again["share"]) == ("", 10)
    await gray.instance("weather", "1.1.0")
    assert (await gray.put(baseline=None))["object"]["baseline"] == ["1.0.0", "1.1.0"], "those that are up"


@pytest.mark.parametrize(
    "reason", ["a\u2028b\x85c", "\x7f", "\x00", "null", "~", "a: b # c", "\U0001f525", "x\n\ty", '"', " "]
)
async def test_any_text_is_kept_as_it_is(gray: ObjectClient, reason: str) -> None:
    answer = await gray.put(version="2.0.0", reason=reason, headers={reason: {"exact": reason}})
    assert answer["object"]["reason"] == reason
    assert answer["outcome"][0]["headers"] == {reason: {"exact": reason}}
    assert (await gray.put(minCalls=7))["object"] == {**answer["object"], "minCalls": 7}
    assert not (await gray.ok("GET", "/one"))["drifted"]


@pytest.mark.parametrize("depth", [90, 300, 900])
async def test_a_body_that_is_nested_deeply_is_refused(gray: ObjectClient, depth: int) -> None:
    nested = b'{"a":' * depth + b"1" + b"}" * depth
    await gray.body_refused(b'{"service":"weather","app":"mall","version":"2","baseline":["1"],"headers":%b}' % nested)


async def test_runtimes_that_would_misread_the_rule_are_named(shared_engine: EngineProcess) -> None:
    async with aiohttp.ClientSession() as session, client_of(shared_engine.url, "mixed") as registry:
        gray = ObjectClient(session, shared_engine.url, "gray-releases", {"service": "weather", "app": "mall"})
        chassis = {"name": "servicecomb-java-chassis", "version": "ServiceComb:3.2.1"}
        path = f"/v4/{gray.project}/registry/microservices"
        service = {"serviceName": "edge", "appId": "mall", "framework": chassis}
        _, made, _ = await registry.call("POST", path, {"service": service}, 200, X_Domain_Name="default")
        owner = made["serviceId"]  # type: ignore[index]
        instance = {"hostName": "h", "endpoints": []}
        await registry.call("POST", f"{path}/{owner}/instances", {"instance": instance}, 200, X_Domain_Name="default")
        answer = await gray.put(FORCE, version="2", baseline=["1"], headers={"type": {"regex": "gray.*"}})
        assert [(one["code"], one["runtimes"]) for one in answer["problems"]] == [("misread", [chassis])]

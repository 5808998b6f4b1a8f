"""Lane groups over HTTP: one rule for all services, instances that say their lane, and what is refused."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from tests.api.lanes import BASE, GRAY, RULE, UNITS, LaneClient
from tests.engine import EngineProcess, running_engine

pytestmark = pytest.mark.asyncio(loop_scope="module")
OBJECT = "servicecomb.x.lane.lane-test"
LABELS = {"app": "mall", "environment": ""}
FORCE = ("force", "1")


@pytest_asyncio.fixture(loop_scope="module")
async def lanes(shared_engine: EngineProcess) -> AsyncIterator[LaneClient]:
    """A client in a project of its own, in which the three services of the baseline run."""
    async with aiohttp.ClientSession() as session:
        names = {"name": "lane-test", "app": "mall", "environment": ""}
        made = LaneClient(session, shared_engine.url, "lane-groups", names)
        for name in ("edge", *UNITS):
            await made.runs(name)
        yield made


async def create(lanes: LaneClient, *more: object, **members: object) -> Any:
    """The group of the guide, with its lanes."""
    return await lanes.put(gateway="edge", target="controller", lanes=[BASE, GRAY, *more], **members)


async def test_a_group_and_the_rule_of_all_services_are_written_as_one(lanes: LaneClient) -> None:
    answer = await create(lanes, on=True)
    assert (answer["action"], [one["key"] for one in answer["changes"]]) == ("added", [OBJECT, RULE])
    assert all(one["labels"] == LABELS for one in answer["changes"])
    assert set(await lanes.values()) == {OBJECT, RULE}
    assert await lanes.goes("gray") == ["gray", "base"]
    assert await lanes.goes("") == await lanes.goes("base") == await lanes.goes("red") == ["base"]


async def test_a_group_begins_without_lanes_and_without_a_rule(lanes: LaneClient) -> None:
    await lanes.put(gateway="edge", target="controller")
    assert set(await lanes.values()) == {OBJECT}
    await lanes.put(lanes=[BASE])
    assert await lanes.goes("gray") == ["base"]
    changed = await lanes.put(lanes=[BASE, GRAY])
    assert {one["key"]: one["action"] for one in changed["changes"]} == {OBJECT: "changed", RULE: "changed"}
    assert await lanes.goes("gray") == ["gray", "base"]
    switched = await lanes.put(on=True)
    assert {one["key"]: one["action"] for one in switched["changes"]} == {OBJECT: "changed", RULE: "unchanged"}


async def test_instances_say_the_lane_of_their_component(lanes: LaneClient) -> None:
    gray, untold = await lanes.runs("provider", component="provider-gray"), await lanes.runs("consumer")
    red = await lanes.runs("controller", component="controller-gray", lane="gray")
    await create(lanes)
    said = {"cas_lane_tag": "gray", "affinity-tag": "gray", "own": "kept"}
    assert await lanes.properties(gray) == {**said, "CAS_COMPONENT_NAME": "provider-gray"}
    assert (await lanes.properties(untold))["cas_lane_tag"] == "base"
    assert (await lanes.properties(red))["cas_lane_tag"] == "gray"


async def test_a_component_that_leaves_the_baseline_says_it_no_more_one_of_a_gray_lane_does(lanes: LaneClient) -> None:
    gray, consumer = await lanes.runs("provider", component="provider-gray"), await lanes.runs("consumer")
    await create(lanes)
    await lanes.put(lanes=[{**BASE, "components": ["controller", "provider"]}, {**GRAY, "components": []}])
    assert await lanes.properties(consumer) == {"own": "kept"}
    assert (await lanes.properties(gray))["cas_lane_tag"] == "gray", "without it, it would get requests of the baseline"
    assert await lanes.goes("") == ["base"]


async def test_one_answer_shows_lanes_components_and_instances(lanes: LaneClient) -> None:
    await lanes.runs("provider", component="provider-gray")
    await lanes.runs("controller", lane="gray", component="unnamed")
    await create(lanes, on=True)
    (found,) = await lanes.all()
    base, gray = found["lanes"]
    assert (base["base"], gray["base"], gray["label"]) == (True, False, "gray")
    assert gray["rules"] == GRAY["rules"]
    assert [(one["name"], len(one["instances"])) for one in base["components"]] == [(name, 1) for name in UNITS]
    components = {one["name"]: one for one in gray["components"]}
    assert [(one["named"], len(one["instances"])) for one in components.values()] == [(True, 0), (True, 1), (False, 1)]
    (instance,) = components["provider-gray"]["instances"]
    facts = {"service": "provider", "version": "2.0.0", "component": "provider-gray", "label": "gray", "status": "UP"}
    assert {name: instance[name] for name in facts} == facts
    assert found["warnings"] == ["controller-gray of lane gray has no instance"]
    assert found["object"]["on"] is True


async def test_who_says_no_lane_is_shown_since_everything_goes_there(lanes: LaneClient) -> None:
    await create(lanes)
    stray = await lanes.runs("provider", component="forgotten")
    found = await lanes.ok("GET", "/one")
    assert [one["component"] for one in found["strays"]] == ["forgotten"]
    (said,) = [line for line in found["warnings"] if "forgotten" in line]
    assert said.endswith("says no lane: it gets requests of every lane")
    await lanes.gone(stray)
    assert (await lanes.ok("GET", "/one"))["strays"] == []


async def test_an_entry_that_is_not_registered_is_a_warning(lanes: LaneClient) -> None:
    """A misspelt name would lead nothing into lanes, and say nothing."""
    made = await lanes.put(gateway="egde", target="contoller", lanes=[BASE])
    absent = [f"no service {name} is registered in application mall" for name in ("egde", "contoller")]
    assert made["warnings"] == absent


async def test_a_group_ends_with_its_rule(lanes: LaneClient) -> None:
    consumer = await lanes.runs("consumer")
    await create(lanes)
    gone = await lanes.ok("DELETE", "/one")
    assert (gone["action"], {one["key"] for one in gone["changes"]}) == ("deleted", {OBJECT, RULE})
    assert await lanes.values() == {}
    assert await lanes.properties(consumer) == {"own": "kept"}


async def test_lanes_do_not_end_while_that_would_mix_their_requests(lanes: LaneClient) -> None:
    gray = await lanes.runs("provider", component="provider-gray")
    await create(lanes)
    said = await lanes.refused(409004, "DELETE", "/one")
    assert said.startswith("provider runs in the lanes base and gray: ")
    assert await lanes.put_refused(409004, lanes=[]) == said
    await lanes.gone(gray)
    await lanes.ok("DELETE", "/one")


async def test_history_takes_back_what_was_there(lanes: LaneClient) -> None:
    first = await create(lanes, reason="first")
    await lanes.put(lanes=[BASE], reason="second")
    assert await lanes.goes("gray") == ["base"]
    versions = (await lanes.ok("GET", "/history"))["versions"]
    assert [row["object"]["reason"] for row in versions] == ["second", "first"]
    back = await lanes.ok("POST", "/rollback", ("revision", str(first["revision"])))
    assert back["object"]["reason"] == "first"
    assert await lanes.goes("gray") == ["gray", "base"]
    await lanes.ok("DELETE", "/one")
    await lanes.ok("POST", "/rollback", ("revision", str(first["revision"])))
    assert await lanes.goes("gray") == ["gray", "base"]


async def test_groups_of_an_application_share_the_rule(lanes: LaneClient) -> None:
    await create(lanes)
    other = lanes.named("other")
    second = [{"name": "base", "label": "base"}, {"name": "red", "label": "red", "components": ["stock-red"]}]
    added = await other.put(gateway="edge", target="stock", header="x_lane", lanes=second)
    assert {one["key"]: one["action"] for one in added["changes"]} == {
        "servicecomb.x.lane.other": "added",
        RULE: "changed",
    }
    assert (await lanes.goes("gray"), await lanes.goes("red", "x_lane")) == (["gray", "base"], ["red", "base"])
    assert await lanes.goes("red") == ["base"], "each group has its header"
    assert not any(one["drifted"] for one in await lanes.all())
    gone = await lanes.ok("DELETE", "/one")
    assert [(one["key"], one["action"]) for one in gone["changes"]] == [(OBJECT, "deleted"), (RULE, "changed")]
    assert await lanes.goes("red", "x_lane") == ["red", "base"]
    await other.ok("DELETE", "/one")
    assert await lanes.values() == {}


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"lanes": [{"name": "base", "label": "base"}, {"name": "g", "label": "gray"}]}, "name is 'g'"),
        ({"lanes": [{"name": "base", "label": "base"}, {"name": "g2", "label": "gray"}]}, "the label gray is that of"),
        ({"lanes": [{"name": "base", "label": "base", "components": ["consumer"]}]}, "consumer is in a lane of group"),
        ({"target": "controller"}, "group lane-test already leads what edge sends to controller"),
    ],
)
async def test_what_two_groups_cannot_both_have(lanes: LaneClient, members: dict[str, object], said: str) -> None:
    await create(lanes)
    code = 400001 if "name is" in said else 409002
    members = {"gateway": "edge", "target": "stock", **members}
    assert said in await lanes.named("other").put_refused(code, FORCE, **members)
    assert set(await lanes.values()) == {OBJECT, RULE}


async def test_a_rule_of_others_is_not_overwritten_and_a_change_by_hand_is_shown(lanes: LaneClient) -> None:
    mine = "[{route: [{weight: 100, tags: {zone: a}}]}]"
    await lanes.items.put(RULE, mine, LABELS)
    said = await lanes.put_refused(409002, gateway="edge", target="controller", lanes=[BASE])
    assert said == f"{RULE} is there already and does something else"
    await lanes.put(FORCE, gateway="edge", target="controller", lanes=[BASE, GRAY])
    await lanes.items.put(RULE, mine, LABELS)
    (found,) = await lanes.all()
    assert (found["drifted"], [one["differs"] for one in found["items"]]) == (True, ["changed"])
    assert await lanes.put_refused(409002, lanes=[BASE]) == f"{RULE} was changed by hand"
    assert await lanes.refused(409002, "DELETE", "/one") == f"{RULE} was changed by hand"
    await lanes.put(FORCE)
    assert await lanes.goes("gray") == ["gray", "base"]


@pytest.mark.parametrize(
    ("framework", "said"),
    [
        (("servicecomb-java-chassis", "ServiceComb:2.7.9"), "Java Chassis does from 2.8.14 on"),
        (("springCloud", "1.11.4-2021.0.x"), "Spring Cloud Huawei does from 1.11.5 on"),
        (("Go-Chassis", "2.7.1"), "would answer 503"),
    ],
)
async def test_a_runtime_that_cannot_follow_lanes_is_refused(
    lanes: LaneClient, framework: tuple[str, str], said: str
) -> None:
    await lanes.runs("provider", component="old", framework=framework)
    members = [{**BASE, "components": [*UNITS, "old"]}]
    refusal = await lanes.put_refused(409004, gateway="edge", target="controller", lanes=members)
    assert refusal.startswith("provider cannot follow lanes: ")
    assert refusal.endswith(said)
    forced = await lanes.put(FORCE, gateway="edge", target="controller", lanes=members)
    assert f"{refusal}" in forced["warnings"]


@pytest.mark.parametrize(
    "framework",
    [("springCloud", "1.11.11-2021.0.x"), ("servicecomb-java-chassis", "ServiceComb:3.1.0"), ("waggle-python", "0.1")],
)
async def test_runtimes_that_follow_lanes_are_taken(lanes: LaneClient, framework: tuple[str, str]) -> None:
    await lanes.runs("provider", component="new", framework=framework)
    members = [{**BASE, "components": [*UNITS, "new"]}]
    assert (await lanes.put(gateway="edge", target="controller", lanes=members))["warnings"] == []


async def test_of_a_framework_that_nobody_knows_there_is_a_warning(lanes: LaneClient) -> None:
    await lanes.runs("provider", component="own", framework=("homemade", "1"))
    made = await lanes.put(gateway="edge", target="controller", lanes=[{**BASE, "components": [*UNITS, "own"]}])
    assert made["warnings"] == ["nobody knows whether the runtime of provider follows lanes"]


async def test_a_service_in_lanes_has_no_gray_release_and_the_other_way_round(lanes: LaneClient) -> None:
    gray = lanes.beside("gray-releases", {**LABELS, "service": "provider"})
    await gray.put(version="3.0.0", baseline=["1.0.0"])
    said = await lanes.put_refused(409004, gateway="edge", target="controller", lanes=[BASE])
    assert said.startswith("provider has a route rule of its own, as by a gray release")
    await gray.ok("DELETE", "/one")
    await create(lanes)
    said = await gray.put_refused(409004, version="3.0.0", baseline=["1.0.0"])
    assert said.startswith("provider is in the lanes of group lane-test")
    outside = lanes.beside("gray-releases", {**LABELS, "service": "stock"})
    await outside.put(version="3.0.0", baseline=["1.0.0"])


async def test_the_engine_says_which_header_new_groups_have_and_how_many_there_may_be(tmp_path: Path) -> None:
    async with (
        running_engine(tmp_path / "data", lane_header="x_lane", quota_lane_groups=2) as engine,
        aiohttp.ClientSession() as session,
    ):
        lanes = LaneClient(session, engine.url, "lane-groups", {"name": "one", "app": "mall", "environment": ""})
        made = await lanes.put(gateway="edge", target="controller", lanes=[BASE, GRAY])
        assert made["object"]["header"] == "x_lane"
        assert (await lanes.goes("gray", "x_lane"), await lanes.goes("gray")) == (["gray", "base"], ["base"])
        assert (await lanes.put(on=True))["object"]["header"] == "x_lane"
        second = await lanes.named("two").put(gateway="edge", target="stock", header="x_cse_canary")
        assert second["object"]["header"] == "x_cse_canary"
        said = await lanes.named("three").put_refused(422001, gateway="edge", target="sales")
        assert said == "reached maximum allowed lane groups: 2"
        await lanes.put(on=False)
        elsewhere = lanes.beside("lane-groups", {"name": "three", "app": "other", "environment": ""})
        await elsewhere.put(gateway="edge", target="controller")


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"lanes": [GRAY]}, "begin with the label base"),
        ({"lanes": [BASE, GRAY, {**GRAY, "name": "two", "components": []}]}, "the label gray is there twice"),
        ({"lanes": [BASE, {**GRAY, "components": ["consumer"]}]}, "the component consumer is there twice"),
        ({"lanes": [BASE, GRAY], "routing": "share"}, "the weights of the lanes add up to 0"),
        ({"lanes": [{**BASE, "rules": GRAY["rules"]}]}, "the baseline gets what no rule leads elsewhere"),
        ({"lanes": [BASE, {**GRAY, "label": "Gray"}]}, "label is 'Gray'"),
        ({"lanes": [BASE, {**GRAY, "rules": [{"header": "type", "condition": "regex", "value": "("}]}]}, "pattern"),
        ({"lanes": [BASE], "on": True}, "there is no gray lane to lead requests to"),
        ({"header": "X-Lane"}, "header is 'X-Lane'"),
        ({"description": "x" * 129}, "write 128 characters at most"),
        ({"name": "a"}, "name is 'a'"),
        ({"name": "9lives"}, "name is '9lives'"),
        ({"target": ""}, "target is empty"),
        ({"share": 1}, "the body has no member 'share'"),
    ],
)
async def test_what_is_wrong_is_refused(lanes: LaneClient, members: dict[str, object], said: str) -> None:
    assert said in await lanes.put_refused(400001, **{"gateway": "edge", "target": "controller", **members})
    assert await lanes.values() == {}


async def test_two_writers_do_not_undo_each_other(lanes: LaneClient) -> None:
    first = await create(lanes)
    await lanes.put(on=True)
    await lanes.put_refused(409002, ("expected", str(first["revision"])), reason="x")
    await lanes.put_refused(409002, ("expected", "0"), reason="x")


async def test_the_lane_api_of_servicestage_builds_the_group_of_the_guide(lanes: LaneClient) -> None:
    gateway = {"name": "edge", "target_services": [{"host": "controller"}]}
    status, group = await lanes.ask("POST", "", {"name": "lane-test", "description": "d", "gateways": [gateway]})
    assert (status, group["app"], group["environment"], group["swimlanes"]) == (200, "mall", "", [])
    path = f"/{group['id']}"
    await lanes.ask("POST", f"{path}/swimlane", {"name": "base", "tag": "base", "type": "BASE"})
    status, group = await lanes.ask("POST", f"{path}/swimlane", {"name": "gray", "tag": "gray", "type": "GRAY"})
    assert (status, [one["tag"] for one in group["swimlanes"]]) == (200, ["base", "gray"])
    rule = {"type": "HEADER", "key": "Type", "condition": "PREFIX", "value": "gray"}
    routed = {"id": group["swimlanes"][1]["id"], "rule_match_mode": "ALL", "rules": [rule]}
    status, group = await lanes.ask("PUT", f"{path}/route", {"gray_release_type": "CONTENT", "swimlanes": [routed]})
    assert (status, group["route_status"]) == (200, "DISABLED")
    status, group = await lanes.ask("PUT", f"{path}/route-status", {"route_status": "ENABLE"})
    assert (status, group["route_status"]) == (200, "ENABLE")
    one = (await lanes.ok("GET", "/one"))["object"]
    assert (one["on"], one["lanes"][1]["match"]) == (True, "all")
    assert one["lanes"][1]["rules"] == [{"header": "type", "condition": "prefix", "value": "gray"}]
    assert await lanes.goes("gray") == ["gray", "base"]
    assert await lanes.ask("GET", "") == (200, {"swimlane_groups": [group]})
    assert await lanes.ask("GET", path) == (200, group)
    weights = [{"id": lane["id"], "weight": share} for lane, share in zip(group["swimlanes"], (80, 20), strict=True)]
    status, group = await lanes.ask("PUT", f"{path}/route", {"gray_release_type": "WEIGHT", "swimlanes": weights})
    assert (status, [lane["weight"] for lane in group["swimlanes"]]) == (200, [80, 20])
    status, group = await lanes.ask("PUT", f"{path}/route", {"gray_release_type": "CONTENT", "swimlanes": []})
    await lanes.ask("PUT", f"{path}/route-status", {"route_status": "DISABLED"})
    status, group = await lanes.ask("DELETE", f"{path}/swimlane/{group['swimlanes'][1]['id']}")
    assert (status, [one["tag"] for one in group["swimlanes"]]) == (200, ["base"])
    assert (await lanes.ask("DELETE", path))[0] == 204
    assert await lanes.values() == {}
    assert (await lanes.ask("GET", path))[0] == 404


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "", []),
        ("POST", "", {"name": "lane-test", "gateways": []}),
        ("POST", "", {"name": "lane-test", "gateways": "edge"}),
        (
            "POST",
            "",
            {"name": "lane-test", "gateways": [{"name": "edge", "target_services": [{"hosts": "controller"}]}]},
        ),
        ("POST", "", {"name": 1, "gateways": [{"name": "edge", "target_services": [{"host": "controller"}]}]}),
        ("POST", "/{id}/swimlane", {"name": "gray", "tag": "gray", "type": "GREEN"}),
        ("POST", "/{id}/swimlane", {"name": "gray", "tag": "base", "type": "GRAY"}),
        ("POST", "/{id}/swimlane", {"name": "gray", "tag": "gray", "type": "BASE"}),
        ("POST", "/{id}/swimlane", {"name": "gray", "type": "GRAY"}),
        ("PUT", "/{id}/route", {"gray_release_type": "OTHER"}),
        ("PUT", "/{id}/route", {"gray_release_type": "WEIGHT", "swimlanes": []}),
        ("PUT", "/{id}/route", {"gray_release_type": "CONTENT", "swimlanes": {}}),
        ("PUT", "/{id}/route-status", {"route_status": True}),
        ("PUT", "/{id}/route-status", {"route_status": "ENABLE"}),
    ],
)
async def test_the_lane_api_refuses_what_is_wrong(lanes: LaneClient, method: str, path: str, body: object) -> None:
    await lanes.put(gateway="edge", target="stock", lanes=[BASE])
    (group,) = (await lanes.ask("GET", ""))[1]["swimlane_groups"]
    before = await lanes.values()
    status, said = await lanes.ask(method, path.replace("{id}", group["id"]), body)
    assert (status, said["errorCode"]) == (400, "400001"), said
    assert await lanes.values() == before
    for unknown in ("/x", f"/{group['id']}x", f"/{group['id']}/swimlane/x"):
        assert (await lanes.ask("DELETE", unknown))[0] == 404

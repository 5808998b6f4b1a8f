"""Degradations over HTTP: all forms that runtimes know are written, changed and removed as one."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio

from governance.rules.check import check
from governance.rules.legacy import Setting
from governance.rules.marker import MatchGroup, Request
from governance.rules.policies import FaultInjection
from governance.rules.selection import OwnService, applied
from tests.api.kie import Kie
from tests.api.objects import ObjectClient
from tests.engine import EngineProcess

pytestmark = pytest.mark.asyncio(loop_scope="module")
OBJECT = "servicecomb.x.degrade.fusion.forecast"
FORCE_KEY = "servicecomb.fallback.Consumer.forecast.force"
POLICY_KEY = "servicecomb.fallbackpolicy.Consumer.forecast.policy"
MARKER, FAULT = (f"servicecomb.{kind}.degrade-forecast" for kind in ("matchGroup", "faultInjection"))
ABORTS = {
    f"servicecomb.governance.Consumer.forecast.policy.fault.protocols.{protocol}.abort.{name}"
    for protocol in ("rest", "highway")
    for name in ("percent", "httpStatus")
}
ALL = {OBJECT, FORCE_KEY, POLICY_KEY, MARKER, FAULT, *ABORTS}
LABELS = {"app": "mall", "environment": "", "service": "fusion"}
NAMED = tuple(("label", f"{name}:{value}") for name, value in LABELS.items())
FORCE = ("force", "1")


@pytest_asyncio.fixture(loop_scope="module")
async def degrades(shared_engine: EngineProcess) -> AsyncIterator[ObjectClient]:
    """A client in a project of its own, in which fusion and forecast run."""
    async with aiohttp.ClientSession() as session:
        names = {"consumer": "fusion", "target": "forecast", "app": "mall", "environment": ""}
        made = ObjectClient(session, shared_engine.url, "degrades", names)
        await made.instance("fusion", "1.0.0")
        await made.instance("forecast", "1.0.0")
        yield made


def setting(values: dict[str, str], key: str) -> object:
    """What an older key says."""
    found = check(key, values[key]).rule
    assert isinstance(found, Setting)
    return found.value


def fault_for(values: dict[str, str], name: str, path: str, service: str) -> FaultInjection | None:
    """The fault that Spring Cloud Huawei would give a call, by the marker and policy of a name."""
    group = check(f"servicecomb.matchGroup.{name}", values[f"servicecomb.matchGroup.{name}"]).rule
    policy = check(f"servicecomb.faultInjection.{name}", values[f"servicecomb.faultInjection.{name}"]).rule
    assert isinstance(group, MatchGroup)
    assert isinstance(policy, FaultInjection)
    return applied([policy], {name: group}, Request(path=path, service_name=service), OwnService("fusion"))


async def test_all_forms_are_written_at_the_level_of_the_consumer(degrades: ObjectClient) -> None:
    answer = await degrades.put()
    assert answer["action"] == "added"
    assert {one["key"] for one in answer["changes"]} == ALL
    assert all(one["labels"] == LABELS for one in answer["changes"])
    assert answer["warnings"] == []
    values = await degrades.values()
    assert set(values) == ALL
    assert (setting(values, FORCE_KEY), setting(values, POLICY_KEY)) == (True, "returnnull")
    assert {key.rpartition(".")[2]: setting(values, key) for key in ABORTS} == {"percent": 100, "httpStatus": 500}
    fault = fault_for(values, "degrade-forecast", "/any", "forecast")
    assert fault is not None
    assert all(fault.fires(call) for call in range(1, 10))
    assert (fault.type, fault.fallback_type) == ("abort", "ReturnNull")
    assert fault_for(values, "degrade-forecast", "/any", "weather") is None, "other callees are untouched"


async def test_an_error_instead_of_nothing_is_an_error_in_all_forms(degrades: ObjectClient) -> None:
    await degrades.put(policy="ThrowException", errorCode=503)
    values = await degrades.values()
    assert setting(values, POLICY_KEY) == "throwexception"
    assert {setting(values, key) for key in ABORTS} == {100, 503}
    fault = fault_for(values, "degrade-forecast", "/", "forecast")
    assert fault is not None
    assert (fault.fallback_type, fault.error_code) == ("ThrowException", 503)


async def test_it_ends_as_one(degrades: ObjectClient) -> None:
    await degrades.put()
    await degrades.items.put("latency", "1", LABELS)
    gone = await degrades.ok("DELETE", "/one")
    assert {one["key"] for one in gone["changes"]} == ALL
    assert await degrades.values() == {"latency": "1"}, "what is not its own stays"
    await degrades.refused(404001, "GET", "/one")


async def test_an_operation_is_degraded_alone(degrades: ObjectClient) -> None:
    """Spring Cloud Huawei knows no operations: without a path, that form would degrade the whole service."""
    degrades.names = {**degrades.names, "target": "forecast.weather.show"}
    without = {one["key"] for one in (await degrades.put())["changes"]}
    begin = "servicecomb.governance.Consumer.forecast.schemas.weather.operations.show.policy.fault.protocols.rest"
    assert f"{begin}.abort.percent" in without
    assert "servicecomb.fallback.Consumer.forecast.weather.show.force" in without
    assert not any("matchGroup" in key for key in without)
    changed = await degrades.put(path="/forecast/show")
    added = {one["key"] for one in changed["changes"] if one["action"] == "added"}
    name = "degrade-forecast.weather.show"
    assert added == {f"servicecomb.matchGroup.{name}", f"servicecomb.faultInjection.{name}"}
    values = await degrades.values()
    assert fault_for(values, name, "/forecast/show/7", "forecast") is not None
    assert fault_for(values, name, "/forecast", "forecast") is None
    back = await degrades.put(path=None)
    deleted = {one["key"] for one in back["changes"] if one["action"] == "deleted"}
    assert deleted == added, "a form that is no longer written is removed"
    assert not added & set(await degrades.values())


async def test_an_operation_and_its_service_are_two_degradations(degrades: ObjectClient) -> None:
    await degrades.put()
    service = degrades.names
    degrades.names = {**service, "target": "forecast.weather.show"}
    await degrades.put(policy="throwexception")
    assert [one["object"]["target"] for one in await degrades.all()] == ["forecast", "forecast.weather.show"]
    await degrades.ok("DELETE", "/one")
    assert set(await degrades.values()) == ALL


async def test_history_takes_back_what_has_ended(degrades: ObjectClient) -> None:
    first = await degrades.put(reason="night")
    await degrades.ok("DELETE", "/one")
    versions = (await degrades.ok("GET", "/history"))["versions"]
    assert [row["action"] for row in versions] == ["DELETE", "CREATE"]
    back = await degrades.ok("POST", "/rollback", ("revision", str(first["revision"])))
    assert back["object"]["reason"] == "night"
    assert set(await degrades.values()) == ALL
    assert (await degrades.ok("POST", "/rollback", ("revision", str(versions[0]["revision"]))))["action"] == "deleted"
    assert await degrades.values() == {}


async def test_what_is_not_registered_is_a_warning(degrades: ObjectClient) -> None:
    degrades.names = {**degrades.names, "consumer": "nobody", "target": "nothing.s.o"}
    assert (await degrades.put())["warnings"] == [
        "no service nobody is registered in application mall",
        "no service nothing is registered in application mall",
    ]


async def test_the_keys_of_a_hosted_console_are_adopted(degrades: ObjectClient) -> None:
    await degrades.items.put(FORCE_KEY, "true", LABELS)
    await degrades.items.put(POLICY_KEY, "ReturnNull", LABELS)
    (found,) = await degrades.all()
    one = found["object"]
    assert (found["kept"], one["consumer"], one["target"], one["policy"]) == (False, "fusion", "forecast", "returnnull")
    assert {item["key"] for item in found["items"] if item["differs"] == "missing"} == {MARKER, FAULT, *ABORTS}
    assert "does something else" in await degrades.put_refused(409002, policy="throwexception")
    answer = await degrades.put()
    assert {one["key"]: one["action"] for one in answer["changes"]}[FORCE_KEY] == "unchanged"
    (found,) = await degrades.all()
    assert (found["kept"], found["drifted"]) == (True, False)


async def test_keys_that_degrade_nothing_are_not_in_the_list(degrades: ObjectClient) -> None:
    await degrades.items.put(FORCE_KEY, "false", LABELS)
    await degrades.items.put(POLICY_KEY, "returnnull", LABELS)
    await degrades.items.put("servicecomb.fallback.Consumer.weather.force", "true", LABELS)
    await degrades.items.put("servicecomb.fallback.Consumer.force", "true", {"app": "mall"})
    assert await degrades.all() == []


async def test_an_item_that_was_changed_by_hand_is_shown_and_kept(degrades: ObjectClient) -> None:
    await degrades.put()
    await degrades.items.put(FORCE_KEY, "false", LABELS)
    await degrades.items.ok("DELETE", "items", ("key", FAULT), *NAMED)
    (found,) = await degrades.all()
    assert {item["key"]: item["differs"] for item in found["items"] if item["differs"]} == {
        FORCE_KEY: "changed",
        FAULT: "missing",
    }
    said = f"{FORCE_KEY} was changed by hand"
    assert await degrades.put_refused(409002, policy="throwexception") == said
    assert await degrades.refused(409002, "DELETE", "/one") == said
    assert (await degrades.values())[FORCE_KEY] == "false"
    assert not (await degrades.put(FORCE))["drifted"]
    await degrades.items.put(FORCE_KEY, "false", LABELS)
    await degrades.ok("DELETE", "/one", FORCE)
    assert await degrades.values() == {}


async def test_a_form_that_is_no_longer_written_is_kept_where_it_was_changed(degrades: ObjectClient) -> None:
    degrades.names = {**degrades.names, "target": "forecast.weather.show"}
    await degrades.put(path="/forecast")
    marker = "servicecomb.matchGroup.degrade-forecast.weather.show"
    await degrades.items.put(marker, "matches: [{serviceName: other}]", LABELS)
    assert await degrades.put_refused(409002, path=None) == f"{marker} was changed by hand"
    await degrades.put(FORCE, path=None)
    assert marker not in await degrades.values()


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"policy": "nothing"}, "write returnnull or throwexception or fromcache"),
        ({"errorCode": 99}, "write a number from 200 to 600"),
        ({"path": "/x"}, "a path is for an operation"),
        ({"target": "a.b.c", "path": "x"}, "begin it with /"),
        ({"target": ""}, "target is missing"),
        ({"consumer": "a b"}, "KVDoc.Key"),
        ({"share": 1}, "the body has no member 'share'"),
    ],
)
async def test_what_is_wrong_is_refused(degrades: ObjectClient, members: dict[str, object], said: str) -> None:
    assert said in await degrades.put_refused(400001, **members)
    assert await degrades.values() == {}


async def test_an_unmodified_client_of_kie_reads_every_form(
    degrades: ObjectClient, shared_engine: EngineProcess
) -> None:
    await degrades.put()
    kie = Kie(degrades.items.session, shared_engine.url, degrades.project)
    query = "&".join(f"label={name}:{value}" for name, value in LABELS.items())
    found = await kie.ok("GET", f"/kv?{query}&match=exact")
    items = {row["key"]: row for row in found["data"]}
    assert set(items) == ALL
    assert {row["status"] for row in items.values()} == {"enabled"}
    assert {row["value_type"] for row in items.values()} == {"text"}

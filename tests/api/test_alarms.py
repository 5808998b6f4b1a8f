"""Alarms over HTTP: raised by rules on instances, calls, quotas and the engine; acknowledged, silenced, and found again after a restart."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.api.alarmed import Alarmed
from tests.api.sse import event_stream
from tests.engine import Client, client_of, running_engine

pytestmark = pytest.mark.asyncio(loop_scope="module")
SETTINGS = {"alarm_seconds": 0.05}


@pytest.fixture
def alarmed(api: Client) -> Alarmed:
    """The module's engine in a domain of its own."""
    return Alarmed(api)


async def test_a_service_whose_last_instance_goes_is_missed_until_there_is_one(alarmed: Alarmed) -> None:
    """On the list, on the event stream and on Service Center's own list; then among those that are over."""
    async with event_stream(alarmed.api, kind="alarm", service="cart") as events:
        alarm = await alarmed.lonely("cart")
        event = await events.next()
        assert (event.name, event.data["alarm"]["id"]) == ("alarm.RAISE", alarm)
        row = (await alarmed.raised())[alarm]
        assert (row["severity"], row["value"], row["threshold"], row["silenced"]) == ("critical", 0, 1, None)
        assert row["source"] == {"app": "default", "service": "cart"}
        assert row["message"] == "instances-up of default/cart is 0, below 1"
        _, listed, _ = await alarmed.api.call("GET", "/v4/default/admin/alarms", None, 200)
        wanted = {"status": "ACTIVATED", "id": alarm, "fields": {"detail": row["message"]}}
        assert wanted in listed["alarms"]  # type: ignore[index]
        await alarmed.api.instance(await alarmed.api.service("cart", version="2.0"))
        assert (await events.next()).name == "alarm.CLEAR"
    found = await alarmed.ask("GET", state="over", rule="no-instances")
    assert (found["alarms"], [one["whyCleared"] for one in found["over"]]) == ([], ["it is right again"])
    _, listed, _ = await alarmed.api.call("GET", "/v4/default/admin/alarms", None, 200)
    assert {**wanted, "status": "CLEARED"} in listed["alarms"]  # type: ignore[index]


async def test_a_service_that_is_deleted_is_missed_no_more(alarmed: Alarmed) -> None:
    alarm = await alarmed.lonely("cart")
    service = await alarmed.api.service("cart")
    await alarmed.api.call("DELETE", f"/microservices/{service}?force=1", None, 200)
    await alarmed.until(alarm, there=False)


async def test_instances_that_are_lost_are_counted_by_version(alarmed: Alarmed) -> None:
    """Two of three of one version, while the other is whole."""
    await alarmed.rule("instances-lost", for_=0, per="version")
    for version in ("1.0", "2.0"):
        service = await alarmed.api.service("cart", version=version)
        for number in range(3):
            await alarmed.api.instance(
                service, instanceId=f"{alarmed.domain}-{version}-{number}", hostName=f"h{number}"
            )
    await alarmed.looked_at()
    await alarmed.api.call(
        "PUT", f"/microservices/{service}/instances/{alarmed.domain}-2.0-1/status?value=DOWN", None, 200
    )
    await alarmed.api.call("DELETE", f"/microservices/{service}/instances/{alarmed.domain}-2.0-2", None, 200)
    row = await alarmed.until("instances-lost//default/cart/2.0")
    assert row["value"] == pytest.approx(66.7, abs=0.1)
    assert set(await alarmed.raised()) == {"instances-lost//default/cart/2.0"}


async def test_what_services_upload_raises_alarms_by_service_and_interface(alarmed: Alarmed) -> None:
    await alarmed.rule("failing", for_=0)
    await alarmed.rule("slow-show", metric="p99", per="interface", interface="*show", raise_=100, severity="warning")
    await alarmed.rule("many-threads", metric="threads", per="instance", raise_=10)
    interfaces = [
        {"name": "Provider.weather.w.show", "qps": 5, "latency": 10, "failureRate": 0.5, "l99": 300},
        {"name": "Provider.weather.w.hide", "qps": 5, "latency": 10, "failureRate": 0, "l99": 300},
    ]
    given = {"appId": "mall", "name": "weather", "version": "1.0", "serviceId": "s", "instanceId": "i"}
    document = {**given, "thread": 30, "interfaces": interfaces}
    await alarmed.api.call("POST", "/v2/default/csemonitor/metric?service=weather", document, 200)
    await alarmed.until("failing//mall/weather")
    await alarmed.until("many-threads//mall/weather/1.0/i")
    row = await alarmed.until("slow-show//mall/weather/1.0/i/Provider.weather.w.show")
    assert (row["severity"], row["value"]) == ("warning", 300)
    assert len(await alarmed.raised()) == 3
    found = await alarmed.ask("GET", severity="major", service="weather")
    assert {one["rule"] for one in found["alarms"]} == {"failing", "many-threads"}
    assert found["counts"] == {"critical": 0, "major": 2, "minor": 0, "warning": 1}


async def test_the_engine_belongs_to_the_default_tenant(default_api: Client, alarmed: Alarmed) -> None:
    engine = Alarmed(default_api)
    await engine.rule("connections", raise_=0, clear=0, for_=0, severity="warning")
    row = await engine.until("connections")
    assert row["source"] == {}
    await engine.ask("DELETE", "/rules", name="connections")
    await engine.until("connections", there=False)
    await alarmed.ask("PUT", "/rules", {"name": "connections", "metric": "connections", "raise": 0}, 400)
    assert "connections" not in {rule["name"] for rule in (await alarmed.ask("GET", "/rules"))["rules"]}


async def test_rules_are_changed_over_the_built_in_ones_and_taken_back(alarmed: Alarmed) -> None:
    """Each change is a version, and in the audit log with its author."""
    built_in = {rule["name"]: rule for rule in (await alarmed.ask("GET", "/rules"))["rules"]}
    assert built_in["no-instances"]["raise"] == 1
    assert not any(rule["written"] for rule in built_in.values())
    changed = await alarmed.rule("no-instances", raise_=3, severity="major")
    assert (changed["raise"], changed["clear"], changed["for"], changed["severity"]) == (3, 3, 30, "major")
    first = changed["revision"]
    assert not (await alarmed.rule("no-instances", enabled=False))["enabled"]
    back = await alarmed.ask("POST", "/rules/rollback", name="no-instances", revision=str(first))
    assert (back["rule"]["enabled"], back["rule"]["raise"]) == (True, 3)
    assert (await alarmed.ask("DELETE", "/rules", name="no-instances"))["rule"]["written"] is False
    versions = (await alarmed.ask("GET", "/rules/history", name="no-instances"))["versions"]
    assert [one["rule"] and one["rule"]["enabled"] for one in versions] == [None, True, False, True]
    params = {"domain": alarmed.domain, "kind": "alarm-rule"}
    async with alarmed.api.session.get(f"{alarmed.api.url}/waggle/v1/audit", params=params) as answer:
        rows = (await answer.json())["changes"]
    assert [row["action"] for row in rows] == ["DELETE", "UPDATE", "UPDATE", "CREATE"]
    assert {row["author"] for row in rows} == {"127.0.0.1"}


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("PUT", "/rules", [], 400),
        ("PUT", "/rules", {"name": "x", "metric": "p99"}, 400),
        ("PUT", "/rules", {"name": "x", "metric": "reported"}, 400),
        ("PUT", "/rules", {"name": "GrayRelease", "metric": "p99", "raise": 1}, 400),
        ("DELETE", "/rules?name=no-instances", None, 404),
        ("DELETE", "/rules", None, 400),
        ("GET", "/rules/history?name=none", None, 404),
        ("PUT", "/acknowledgement?id=none", {}, 404),
        ("DELETE", "/acknowledgement?id=none", None, 404),
        ("DELETE", "?id=none", None, 404),
        ("GET", "?state=none", None, 400),
        ("GET", "?severity=none", None, 400),
        ("GET", "?limit=0", None, 400),
        ("PUT", "/silences", {"alarm": "", "seconds": 1}, 400),
        ("PUT", "/silences", {"alarm": "x", "seconds": 0}, 400),
        ("PUT", "/silences", {"alarm": "x", "seconds": 10**8}, 400),
        ("PUT", "/silences", {"alarm": "[x", "seconds": 10}, 400),
        ("PUT", "/silences", {"alarm": "x", "hours": 10}, 400),
        ("DELETE", "/silences?id=none", None, 404),
        ("PUT", "/webhooks", {"name": "x"}, 400),
        ("PUT", "/webhooks", {"name": "x", "url": "ftp://x"}, 400),
        ("PUT", "/webhooks", {"name": "x", "url": "http://user:pass@x/"}, 400),
        ("PUT", "/webhooks", {"name": "x", "url": "http://x/", "severity": "awful"}, 400),
        ("PUT", "/webhooks", {"name": "x", "url": "http://x/", "enabled": 1}, 400),
        ("DELETE", "/webhooks?name=none", None, 404),
        ("POST", "/webhooks/test?name=none", None, 404),
    ],
)
async def test_what_cannot_be_is_refused(method: str, path: str, body: object, status: int, alarmed: Alarmed) -> None:
    place, _, query = path.partition("?")
    await alarmed.ask(method, place, body, status, **dict(pair.split("=") for pair in query.split("&") if pair))


async def test_an_alarm_is_acknowledged_until_it_is_over(alarmed: Alarmed) -> None:
    alarm = await alarmed.lonely("cart")
    await alarmed.ask("PUT", "/acknowledgement", {"note": "looking", "seconds": 600}, id=alarm)
    row = (await alarmed.raised())[alarm]
    assert (row["told"], row["silenced"]["by"], row["silenced"]["note"]) == (False, "127.0.0.1", "looking")
    await alarmed.ask("DELETE", "/acknowledgement", id=alarm)
    assert (await alarmed.raised())[alarm]["told"]
    await alarmed.ask("PUT", "/acknowledgement", {}, id=alarm)
    await alarmed.api.instance(await alarmed.api.service("cart"))
    await alarmed.until(alarm, there=False)
    assert (await alarmed.ask("GET", "/silences"))["silences"] == []


async def test_alarms_are_silenced_by_pattern_and_dismissed(alarmed: Alarmed) -> None:
    """Neither is over by it while it is wrong."""
    silence = await alarmed.ask("PUT", "/silences", {"alarm": "no-instances/*", "seconds": 60})
    alarm = await alarmed.lonely("cart")
    assert (await alarmed.raised())[alarm]["silenced"]["id"] == silence["id"]
    await alarmed.ask("DELETE", "/silences", id=silence["id"])
    row = (await alarmed.raised())[alarm]
    assert row["told"]
    await alarmed.ask("DELETE", id=alarm)
    assert (await alarmed.until(alarm))["since"] >= row["since"]
    over = (await alarmed.ask("GET", state="over", rule="no-instances"))["over"]
    assert [one["whyCleared"] for one in over] == ["127.0.0.1 dismissed it"]


async def test_a_rule_that_is_switched_off_ends_its_alarms(alarmed: Alarmed) -> None:
    alarm = await alarmed.lonely("cart")
    await alarmed.rule("no-instances", enabled=False)
    await alarmed.until(alarm, there=False)
    assert (await alarmed.ask("GET", state="over"))["over"][0]["whyCleared"] == "its rule is over"


async def test_another_tenant_sees_and_changes_nothing(alarmed: Alarmed, api: Client, shared_engine: object) -> None:
    alarm = await alarmed.lonely("cart")
    async with client_of(api.url, f"{alarmed.domain}x") as client:
        other = Alarmed(client)
        assert await other.raised() == {}
        await other.ask("PUT", "/acknowledgement", {}, 404, id=alarm)
        await other.ask("DELETE", "", None, 404, id=alarm)
        assert not any(rule["written"] for rule in (await other.ask("GET", "/rules"))["rules"])
        _, listed, _ = await client.call("GET", "/v4/default/admin/alarms", None, 200)
        assert alarm not in str(listed)
    assert alarm in await alarmed.raised()


async def test_services_of_the_default_tenant_are_its_own_though_the_engine_is_everybody_s(
    default_api: Client, alarmed: Alarmed
) -> None:
    """Service Center's list has the engine's alarms for all, and the default tenant is where those are."""
    default = Alarmed(default_api)
    alarm = await default.lonely("secret-project")
    await default.rule("connections", raise_=0, clear=0, for_=0)
    await default.until("connections")
    _, listed, _ = await alarmed.api.call("GET", "/v4/default/admin/alarms", None, 200)
    assert "connections" in {one["id"] for one in listed["alarms"]}
    assert "secret-project" not in str(listed)
    await alarmed.api.call("DELETE", "/v4/default/admin/alarms", None, 200)
    assert alarm in await default.raised()
    for rule in ("connections", "no-instances"):
        await default.ask("DELETE", "/rules", name=rule)


async def test_a_restart_keeps_rules_and_silences_and_finds_alarms_anew(tmp_path: Path) -> None:
    """Also that of a service whose instances were gone before: the journal knows that there were some."""
    async with running_engine(tmp_path / "data", **SETTINGS) as engine:
        async with client_of(engine.url) as client:
            alarmed = Alarmed(client)
            alarm = await alarmed.lonely("cart")
            await alarmed.ask("PUT", "/acknowledgement", {"note": "looking"}, id=alarm)
            await alarmed.ask("PUT", "/silences", {"alarm": "slow/*", "seconds": 600})
            await alarmed.ask("PUT", "/webhooks", {"name": "w", "url": "http://127.0.0.1:1/x", "secret": "key"})
        await engine.kill()
        await engine.start()
        async with client_of(engine.url) as client:
            alarmed = Alarmed(client)
            row = await alarmed.until(alarm)
            assert row["silenced"]["note"] == "looking"
            assert len((await alarmed.ask("GET", "/silences"))["silences"]) == 2
            (hook,) = (await alarmed.ask("GET", "/webhooks"))["webhooks"]
            assert (hook["name"], hook["signed"]) == ("w", True)


async def test_quotas_are_kept(tmp_path: Path) -> None:
    quotas = {"quota_alarm_rules": 1, "quota_silences": 1, "quota_webhooks": 1}
    async with running_engine(tmp_path / "data", **quotas) as engine, client_of(engine.url) as client:
        alarmed = Alarmed(client)
        for number, expect in ((1, 200), (1, 200), (2, 400)):
            await alarmed.ask("PUT", "/rules", {"name": f"r{number}", "metric": "p99", "raise": 1}, expect)
            await alarmed.ask("PUT", "/silences", {"alarm": f"s{number}", "seconds": 60}, expect)
            await alarmed.ask("PUT", "/webhooks", {"name": f"w{number}", "url": "http://x/"}, expect)

"""Data for dashboards over HTTP: what unmodified clients upload is taken as it is, and read back as sums, series, calls and live."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.api.access import account, guarded_engine, signed_in
from tests.api.sse import Events
from tests.engine import SHARED, Client, EngineProcess

pytestmark = pytest.mark.asyncio(loop_scope="module")
RECORDED = SHARED / "recordings" / "java-chassis-2.7.9.jsonl"
IDS = {"serviceId": "s", "instanceId": "i"}
SETTINGS = {"monitor_interfaces": 5, "monitor_listeners": 2}


class Board:
    """Uploads to the project `default` of a domain of its own, and reads there."""

    def __init__(self, api: Client) -> None:
        self.api = api
        self.domain = str(api._headers["X-Domain-Name"])

    async def upload(self, expect: int = 200, /, **members: object) -> Any:
        """Send a document."""
        given = {"appId": "mall", "name": "weather", "version": "1.0.0", **IDS, "interfaces": [], **members}
        path = "/v2/default/csemonitor/metric?service=weather"
        return (await self.api.call("POST", path, given, expect))[1]

    async def read(self, what: str, **query: str) -> Any:
        """The rows of an answer."""
        params = {"domain": self.domain, **query}
        url = f"{self.api.url}/waggle/v1/monitor/{what}"
        async with self.api.session.get(url, params=params) as answer:
            body = await answer.json()
            assert answer.status == 200, body
            return body.get({"services": "applications", "series": "points"}.get(what, what))


@pytest.fixture
def board(api: Client) -> Board:
    """The module's engine in a domain of its own."""
    return Board(api)


def served(name: str, rate: float, latency: float = 10, **members: object) -> dict[str, object]:
    """An interface of a document."""
    return {"name": name, "qps": rate, "latency": latency, **members}


@pytest.mark.skipif(
    not RECORDED.exists(), reason="../shared/recordings is not there: uploads of real clients are not tried"
)
async def test_what_java_chassis_sent_is_taken_byte_for_byte(shared_engine: EngineProcess, api: Client) -> None:
    sent = [one for line in RECORDED.read_text().splitlines() if (one := json.loads(line))["to"] == "monitor"]
    assert len(sent) > 5
    for one in sent:
        url = shared_engine.url + one["path"]
        headers = {**one["headers"], "X-Domain-Name": str(api._headers["X-Domain-Name"])}
        async with api.session.post(url, data=one["body"].encode(), headers=headers) as answer:
            assert (answer.status, await answer.read()) == (200, b"{}"), one
    board = Board(api)
    (app,) = await board.read("services")
    assert [row["service"] for row in app["services"]] == ["forecast", "fusionweather", "weather"]
    assert app["cpu"] < 100, "the first sample of a Java process is absurd"
    calls = {(row["consumer"]["service"], row["provider"]["service"]) for row in await board.read("calls")}
    assert calls == {("fusionweather", "weather"), ("fusionweather", "forecast")}


async def test_documents_of_an_instance_merge_and_the_newest_of_a_name_counts(board: Board) -> None:
    await board.upload(interfaces=[served("Provider.weather.w.a", 1), served("Provider.weather.w.b", 2)])
    await board.upload(interfaces=[served("Provider.weather.w.b", 4), served("Provider.limit-all", 100)])
    rows = await board.read("interfaces")
    assert {row["interface"]: row["rate"] for row in rows} == {
        "Provider.weather.w.a": 1,
        "Provider.weather.w.b": 4,
        "Provider.limit-all": 100,
    }
    (app,) = await board.read("services")
    assert app["rate"] == 5, "calls that a rule counts are counted by their interfaces already"


async def test_the_live_stream_tells_what_is_and_what_comes(board: Board) -> None:
    await board.upload(interfaces=[served("Provider.weather.w.a", 1)])
    url, timeout = f"{board.api.url}/waggle/v1/monitor/live", aiohttp.ClientTimeout(total=30)
    async with board.api.session.get(url, params={"domain": board.domain}, timeout=timeout) as stream:
        assert await stream.content.readline() == b": waggle\n"
        events = Events(stream)
        assert [row["rate"] for row in (await events.next()).data["services"]] == [1]
        await board.upload(interfaces=[served("Provider.weather.w.a", 3)])
        await events.until(lambda event: event.name == "monitor" and event.data["services"][0]["rate"] == 3)


@pytest.mark.parametrize(
    "members",
    [
        {"serviceId": ""},
        {"instanceId": None},
        {"instanceId": "a b"},
        {"name": "no name"},
        {"version": "one"},
        {"cpu": "high"},
        {"threadCount": True},
        {"memory": []},
        {"interfaces": {}},
        {"interfaces": ["Provider.weather.w.a"]},
        {"interfaces": [served("Provider.weather.w.a", 1), {"qps": 1}]},
        {"interfaces": [served("", 1)]},
        {"interfaces": [served("x" * 513, 1)]},
        {"interfaces": [served("Provider.weather.w.a", 1, latency="fast")]},
        {"interfaces": [served("Provider.weather.w.a", 1, circuitBreakerOpen=1)]},
        {"calls": [{"service": "forecast", "version": ""}]},
    ],
    ids=str,
)
async def test_a_document_that_is_none_is_refused_and_changes_nothing(board: Board, members: dict[str, object]) -> None:
    await board.upload(interfaces=[served("Provider.weather.w.a", 7)])
    before = await board.read("services")
    answer = await board.upload(400, **members)
    assert answer["errorCode"] == "400001"
    assert len(answer["detail"]) > 10
    assert await board.read("services") == before


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"', b"{}", b'{"appId":"mall"}', b"\xff"])
async def test_a_body_that_is_no_document_is_refused(api: Client, body: bytes) -> None:
    for path in ("/v2/default/csemonitor/metric", "/csemonitor/v1/metric"):
        async with api.session.post(api.url + path, data=body) as answer:
            assert (answer.status, (await answer.json())["errorCode"]) == (400, "400001")


async def test_numbers_as_clients_write_them(board: Board) -> None:
    """NaN and Infinity as texts, null, huge and negative ones, names of Go; and nothing of it makes an answer that is no JSON."""
    odd = {"l99": "NaN", "failureRate": "Infinity", "total": None, "failure": -3, "l5": 1e300, "desc": None}
    await board.upload(
        thread=2**70,
        cpu=4,
        memory={"heapAlloc": 1e300, "heapSys": -1},
        interfaces=[served("Provider.weather.w.a", 1e300, **odd)],
    )
    (one,) = await board.read("instances")
    assert (one["cpu"], one["memoryLimit"], one["threads"] > 1000) == (None, 0, True)
    (row,) = await board.read("interfaces")
    assert (row["p99"], row["failureRate"], row["total"], row["failures"]) == (0, 0, 0, 0)
    assert (row["rate"], row["p5"]) == (1e9, 1e9)


async def test_what_is_registered_counts_before_what_a_document_says(board: Board, api: Client) -> None:
    service = await api.service("orders", appId="mall", version="2.0.0", environment="testing")
    name = await api.instance(service, properties={"CAS_LANE_TAG": "gray"})
    await api.instance(service, endpoints=["rest://127.0.0.1:8081"])
    await board.upload(serviceId=service, instanceId=name, name="liar", threadCount=7)
    (app,) = await board.read("services", environment="testing")
    (one,) = app["services"]
    (version,) = one["versions"]
    assert (one["service"], version["version"], version["lanes"]) == ("orders", "2.0.0", ["gray"])
    assert (version["reporting"], version["registered"], version["threads"]) == (1, 2, 7)
    (instance,) = await board.read("instances", service="orders")
    assert (instance["instanceId"], instance["lane"], instance["status"]) == (name, "gray", "UP")
    assert await board.read("services", service="other") == []


async def test_calls_are_known_from_documents_and_from_outcomes_and_count_once(board: Board, api: Client) -> None:
    """What a consumer uploads counts; its report of outcomes does where it uploads nothing of that service."""
    shop = await api.service("shop", appId="mall", version="1.0.0")
    name = await api.instance(shop, properties={"cas_lane_tag": "gray"})
    await api.service("weather", appId="mall", version="3.0.0")
    report = {"serviceId": shop, "instanceId": name, "run": "r", "number": 1}
    row = {
        "version": "3.0.0",
        "calls": 60,
        "failures": 6,
        "milliseconds": 600,
        "latencies": [{"bucket": 27, "calls": 60}],
    }
    outcomes = [{"service": service, **row} for service in ("weather", "stock")]
    url = f"/waggle/v1/outcomes?domain={board.domain}"
    await api.call("POST", url, {**report, "outcomes": outcomes}, 200)

    async def told() -> set[tuple[str, str, str, float, float]]:
        rows = await board.read("calls")
        assert {(one["consumer"]["service"], one["consumer"]["version"]) for one in rows} <= {("shop", "1.0.0")}
        facts = ((one["provider"], one) for one in rows)
        return {(to["service"], to["version"], one["lane"], one["rate"], one["failureRate"]) for to, one in facts}

    assert await told() == {("weather", "3.0.0", "gray", 1, 0.1), ("stock", "3.0.0", "gray", 1, 0.1)}
    ids = {"serviceId": shop, "instanceId": name}
    await board.upload(**ids, interfaces=[served("Consumer.weather.w.show", 5)])
    assert await told() == {("weather", "3.0.0", "gray", 5, 0), ("stock", "3.0.0", "gray", 1, 0.1)}
    versions = [{"service": "weather", "version": f"{n}.0.0", "qps": n, "failureRate": 0.5} for n in (1, 2)]
    await board.upload(**ids, interfaces=[served("Consumer.weather.w.show", 3)], calls=versions)
    assert await told() == {
        ("weather", "1.0.0", "gray", 1, 0.5),
        ("weather", "2.0.0", "gray", 2, 0.5),
        ("stock", "3.0.0", "gray", 1, 0.1),
    }


async def test_a_series_is_of_a_service_an_instance_or_an_interface(board: Board) -> None:
    name = "Provider.weather.w.a"
    for instance in ("i", "j"):
        await board.upload(instanceId=instance, interfaces=[served(name, 2, l90=9), served("Provider.weather.w.b", 1)])
    whole = (await board.read("series", service="weather"))[-1]
    assert (whole["rate"], whole["instances"]) == (6, 2)
    assert (await board.read("series", instance="i"))[-1]["rate"] == 3
    one = (await board.read("series", instance="i", interface=name))[-1]
    assert (one["rate"], one["p90"]) == (2, 9)
    assert (await board.read("series", service="weather", interface=name))[-1]["rate"] == 4
    assert await board.read("series", service="nobody") == []
    _, answer, _ = await board.api.call("GET", "/waggle/v1/monitor/series", None, 400)
    assert answer["errorCode"] == "400001"  # type: ignore[index]


async def test_what_there_is_no_room_for_is_counted(board: Board) -> None:
    lost = 'waggle_monitor_lost_total{kind="interface"}'

    async def metric() -> float:
        async with board.api.session.get(f"{board.api.url}/metrics") as answer:
            rows = dict(line.rsplit(" ", 1) for line in (await answer.text()).splitlines() if line.startswith("waggle"))
        return float(rows[lost])

    before = await metric()
    await board.upload(interfaces=[served(f"Provider.weather.w.{number}", 1) for number in range(7)])
    assert await metric() == before + 2
    assert len(await board.read("interfaces")) == 5


async def test_live_streams_have_a_bound(board: Board) -> None:
    url, params = f"{board.api.url}/waggle/v1/monitor/live", {"domain": board.domain}
    session = board.api.session
    async with session.get(url, params=params) as first, session.get(url, params=params) as second:
        for stream in (first, second):
            assert await stream.content.readline() == b": waggle\n"
        async with session.get(url, params=params) as refused:
            assert (refused.status, (await refused.json())["errorCode"]) == (400, "400100")


async def test_tenants_do_not_see_each_other(board: Board) -> None:
    await board.upload(interfaces=[served("Provider.weather.w.a", 1), served("Consumer.forecast.f.b", 1)])
    for what in ("services", "instances", "interfaces", "calls"):
        assert await board.read(what) != []
        assert await board.read(what, domain="another") == []
        assert await board.read(what, project="another") == []


async def test_with_access_control_uploads_and_lists_are_the_role_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """cse-collector, which has no token, is let in by a setting; what is read is not."""
    async with guarded_engine(tmp_path / "d", "enforce", monkeypatch) as (_, client):
        root = await signed_in(client)
        labels = {"appId": "mall", "serviceName": "weather", "environment": ""}
        perms = [{"resources": [{"type": "service", "labels": labels}], "verbs": ["get", "update"]}]
        await client.call("POST", "/v4/roles", {"name": "weatherer", "perms": perms}, 200, Authorization=root)
        mine = await account(client, root, "weatherer", "weatherer")
        given = {"appId": "mall", "version": "1.0.0", **IDS}
        for header, name, expect in (
            (mine, "weather", 200),
            (mine, "orders", 403),
            ("", "weather", 401),
            (root, "orders", 200),
        ):
            headers = {"Authorization": header} if header else {}
            document = {**given, "name": name, "instanceId": name}
            await client.call("POST", "/v2/default/csemonitor/metric", document, expect, **headers)
        for header, names in ((mine, {"weather"}), (root, {"weather", "orders"})):
            _, body, _ = await client.call("GET", "/waggle/v1/monitor/instances", None, 200, Authorization=header)
            assert {row["service"] for row in body["instances"]} == names  # type: ignore[index]
        await client.call("GET", "/waggle/v1/monitor/live", None, 403, Authorization=mine)
    async with guarded_engine(tmp_path / "e", "enforce", monkeypatch, monitor_access="everyone") as (_, client):
        url = client.url + "/csemonitor/v1/metric"
        async with client.session.post(url, json={**given, "name": "weather"}) as answer:
            assert answer.status == 200, await answer.text()
        await client.call("GET", "/waggle/v1/monitor/instances", None, 401)

"""Data for dashboards over HTTP: what unmodified clients upload is taken as it is, and read back as sums, series, calls and live."""

from __future__ import annotations

import json
from typing import Any

import aiohttp
import pytest

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

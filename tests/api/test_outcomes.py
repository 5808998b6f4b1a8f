"""What consumers report of their calls over HTTP: a release that breaks its bound goes back by itself, once, and says why."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from governance.rules.latencies import bucket_of
from tests.api.objects import ObjectClient
from tests.engine import EngineProcess

pytestmark = pytest.mark.asyncio(loop_scope="module")
OBJECT = "servicecomb.x.gray.weather"
RULE = "servicecomb.routeRule.weather"


class Consumer:
    """A registered consumer of weather that reports, and the release of weather."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self.session = session
        self.url = url
        names = {"service": "weather", "app": "mall", "environment": ""}
        self.gray = ObjectClient(session, url, "gray-releases", names)
        self.ids: dict[str, str] = {}
        self.numbers = itertools.count(1)

    async def register(self) -> None:
        for version in ("1.0.0", "2.0.0"):
            await self.gray.instance("weather", version)
        path = await self.gray.instance("shop", "1.0.0")
        *_, owner, _, name = path.split("/")
        self.ids = {"serviceId": owner, "instanceId": name, "run": "first"}

    def report(self, calls: int, failures: int = 0, /, *, took: int = 5, **members: Any) -> dict[str, Any]:
        """The next report, of calls to the new version that took so many milliseconds."""
        row = {
            "service": "weather",
            "version": "2.0.0",
            "calls": calls,
            "failures": failures,
            "milliseconds": calls * took,
            "latencies": [{"bucket": bucket_of(took), "calls": calls}],
        }
        return {**self.ids, "number": next(self.numbers), "outcomes": [{**row, **members}]}

    async def send(self, body: object) -> tuple[int, Any]:
        query = {"domain": "default", "project": self.gray.project}
        async with self.session.post(f"{self.url}/waggle/v1/outcomes", params=query, json=body) as answer:
            return answer.status, await answer.json()

    async def tell(self, body: object) -> tuple[bool, list[str]]:
        """Whether a report counted, and what was rolled back."""
        status, answer = await self.send(body)
        assert status == 200, answer
        return answer["counted"], answer["rolledBack"]

    async def now(self) -> Any:
        """The release as it is."""
        return (await self.gray.ok("GET", "/one"))["object"]

    async def alarms(self) -> dict[str, tuple[str, str]]:
        """Status and detail of the alarms of this project's releases, by service."""
        async with self.session.get(f"{self.url}/v4/{self.gray.project}/admin/alarms") as answer:
            rows = (await answer.json()).get("alarms", [])
        begin = f"GrayRelease/default/{self.gray.project}//mall/"
        return {
            row["id"].removeprefix(begin): (row["status"], row["fields"]["detail"])
            for row in rows
            if row["id"].startswith(begin)
        }


@pytest_asyncio.fixture(loop_scope="module")
async def shop(shared_engine: EngineProcess) -> AsyncIterator[Consumer]:
    """A consumer in a project of its own, in which half of weather's requests go to 2.0.0 under a bound of 5 %."""
    async with aiohttp.ClientSession() as session:
        made = Consumer(session, shared_engine.url)
        await made.register()
        await made.gray.put(version="2.0.0", share=50, maxErrorRate=5)
        yield made


async def test_a_release_that_breaks_its_bound_goes_back_by_itself_and_says_why(shop: Consumer) -> None:
    assert await shop.tell(shop.report(19, 19)) == (True, []), "fewer than 20 calls"
    assert (await shop.now())["state"] == "running"
    counted, back = await shop.tell(shop.report(61, 11))
    assert (counted, back) == (True, ["weather"])
    one = await shop.now()
    assert (one["state"], one["share"]) == ("rolled-back", 50)
    assert one["reason"].startswith("error rate 37.5 % of 80 calls in ")
    assert one["reason"].endswith(" s is above 5 %")
    values = await shop.gray.values()
    assert "1.0.0" in values[RULE]
    assert "2.0.0" not in values[RULE]


async def test_history_audit_log_alarm_and_metrics_tell_of_it(shop: Consumer) -> None:
    await shop.tell(shop.report(40, 40))
    reason = (await shop.now())["reason"]
    newest = (await shop.gray.ok("GET", "/history"))["versions"][0]
    assert (newest["author"], newest["object"]["reason"]) == ("waggle", reason)
    query = {"project": shop.gray.project, "author": "waggle"}
    async with shop.session.get(f"{shop.url}/waggle/v1/audit", params=query) as answer:
        assert {row["key"] for row in (await answer.json())["changes"]} == {OBJECT, RULE}
    assert (await shop.alarms())["weather"] == ("ACTIVATED", reason)
    async with shop.session.get(f"{shop.url}/metrics") as answer:
        counts = dict(line.rsplit(" ", 1) for line in (await answer.text()).splitlines() if line.startswith("waggle_"))
    assert float(counts["waggle_gray_rollbacks_total"]) >= 1
    assert float(counts["waggle_outcome_calls_total"]) >= 40
    assert float(counts["waggle_outcome_versions"]) >= 1
    assert float(counts['waggle_outcome_reports_total{kind="new"}']) >= 1


async def test_what_was_told_of_each_version_is_shown(shop: Consumer) -> None:
    await shop.tell(shop.report(100, 3, took=100))
    await shop.tell(shop.report(50, version="1.0.0", took=20))
    old, new = (await shop.gray.ok("GET", "/one"))["versions"]
    assert (old["version"], old["calls"], old["errorRate"], old["mean"]) == ("1.0.0", 50, 0, 20)
    assert (new["version"], new["calls"], new["errorRate"], new["mean"]) == ("2.0.0", 100, 3, 100)
    assert new["p99"] == pytest.approx(100, rel=0.1)
    await shop.gray.put(share=30)
    await shop.tell(shop.report(1))
    _, new = (await shop.gray.ok("GET", "/one"))["versions"]
    assert new["calls"] == 1, "since it was changed last"


async def test_the_event_stream_tells_of_it(shop: Consumer) -> None:
    query = {"project": shop.gray.project, "service": "weather"}
    async with shop.session.get(f"{shop.url}/waggle/v1/events", params=query) as stream:
        await stream.content.readline()
        await shop.tell(shop.report(40, 40))
        async with asyncio.timeout(10):
            while (await stream.content.readline()) != b"event: gray.ROLLBACK\n":
                pass
            data = json.loads((await stream.content.readline()).removeprefix(b"data: "))
    assert (data["key"], data["reason"]) == (OBJECT, (await shop.now())["reason"])
    assert (data["service"]["serviceName"], data["service"]["version"]) == ("weather", "2.0.0")


async def test_a_report_that_is_sent_again_counts_once(shop: Consumer) -> None:
    report = shop.report(15, 15)
    assert await shop.tell(report) == (True, [])
    for _ in range(5):
        assert await shop.tell(report) == (False, [])
    assert (await shop.now())["state"] == "running"
    assert await shop.tell({**report, "run": "second"}) == (True, ["weather"]), "another process, other calls"


async def test_reports_of_several_consumers_are_summed(shop: Consumer) -> None:
    path = await shop.gray.instance("cart", "1.0.0")
    *_, owner, _, name = path.split("/")
    other = {"serviceId": owner, "instanceId": name}
    assert await shop.tell(shop.report(12, 1)) == (True, [])
    assert await shop.tell({**shop.report(12, 1), **other}) == (True, ["weather"])


async def test_it_goes_back_once_and_runs_again_with_a_new_share(shop: Consumer) -> None:
    assert await shop.tell(shop.report(50, 50)) == (True, ["weather"])
    revision = (await shop.gray.ok("GET", "/one"))["revision"]
    assert await shop.tell(shop.report(50, 50)) == (True, []), "calls that were under way"
    assert (await shop.gray.ok("GET", "/one"))["revision"] == revision
    again = (await shop.gray.put(share=10))["object"]
    assert (again["state"], again["reason"], again["maxErrorRate"]) == ("running", "", 5)
    assert (await shop.alarms())["weather"][0] == "CLEARED"
    assert await shop.tell(shop.report(50, 0)) == (True, []), "what was before counts no more"
    assert (await shop.now())["state"] == "running"
    assert await shop.tell(shop.report(50, 50)) == (True, ["weather"]), "and it is judged again"


async def test_two_reports_at_once_roll_back_once(shop: Consumer) -> None:
    reports = [shop.report(50, 50) for _ in range(8)]
    told = await asyncio.gather(*map(shop.tell, reports))
    assert sorted(back for _, back in told) == [[]] * 7 + [["weather"]]
    authors = [row["author"] for row in (await shop.gray.ok("GET", "/history"))["versions"]]
    assert authors.count("waggle") == 1


async def test_a_latency_is_judged(shop: Consumer) -> None:
    await shop.gray.put(maxErrorRate=None, maxLatency=200)
    assert await shop.tell(shop.report(100, 100, took=50)) == (True, []), "errors are no matter here"
    assert await shop.tell(shop.report(2, took=900)) == (True, ["weather"])
    reason = (await shop.now())["reason"]
    assert reason.startswith("99th percentile of the latency ")
    assert reason.endswith(" s is above 200 ms")


@pytest.mark.parametrize(
    "members",
    [{"maxErrorRate": None}, {"share": 0}, {"state": "promoted"}, {"state": "rolled-back", "reason": "by hand"}],
    ids=str,
)
async def test_without_a_bound_or_a_share_nothing_is_judged(shop: Consumer, members: dict[str, Any]) -> None:
    before = (await shop.gray.put(**members))["object"]
    assert await shop.tell(shop.report(100, 100)) == (True, [])
    assert await shop.now() == before


async def test_other_versions_and_services_are_not_judged(shop: Consumer) -> None:
    for members in ({"version": "1.0.0"}, {"version": "3.0.0"}, {"service": "cart"}):
        assert await shop.tell(shop.report(100, 100, **members)) == (True, [])
    assert (await shop.now())["state"] == "running"


async def test_where_the_old_version_is_gone_there_is_nothing_to_go_back_to(shop: Consumer) -> None:
    await shop.gray.instance("weather", "1.1.0")
    old = (await shop.gray.put(version="2.0.0", baseline=["0.9.0"], share=50))["object"]
    assert await shop.tell(shop.report(100, 100)) == (True, [])
    assert await shop.now() == old
    status, detail = (await shop.alarms())["weather"]
    assert status == "ACTIVATED"
    assert detail.startswith("error rate 100 % of 100 calls in ")
    assert detail.endswith(", and it cannot be rolled back: no instance of 0.9.0 is up")


async def test_a_rule_that_somebody_changed_by_hand_is_left_alone(shop: Consumer) -> None:
    labels = {"app": "mall", "environment": ""}
    by_hand = "[{precedence: 1, route: [{weight: 100, tags: {version: 2.0.0}}]}]"
    await shop.gray.items.put(RULE, by_hand, labels)
    assert await shop.tell(shop.report(100, 100)) == (True, [])
    assert (await shop.gray.values())[RULE] == by_hand
    assert (await shop.alarms())["weather"][1].endswith(f"cannot be rolled back: {RULE} was changed by hand")
    assert (await shop.gray.put(("force", "1"), share=20))["action"] == "changed"
    assert (await shop.alarms())["weather"][0] == "CLEARED"


async def test_only_registered_instances_are_believed(shop: Consumer) -> None:
    for members in ({"instanceId": "nobody"}, {"serviceId": "nothing"}):
        status, answer = await shop.send({**shop.report(100, 100), **members})
        assert (status, answer["errorCode"]) == (400, "400017")
    query = {"domain": "default", "project": "elsewhere"}
    async with shop.session.post(f"{shop.url}/waggle/v1/outcomes", params=query, json=shop.report(100, 100)) as answer:
        assert (await answer.json())["errorCode"] == "400017", "of another tenant"
    assert (await shop.now())["state"] == "running"


@pytest.mark.parametrize(
    "members",
    [
        {"failures": 31},
        {"failures": -1},
        {"calls": 0},
        {"calls": 10**7},
        {"calls": "30"},
        {"latencies": []},
        {"latencies": [{"bucket": 3, "calls": 29}]},
        {"latencies": [{"bucket": 3, "calls": 15}, {"bucket": 3, "calls": 15}]},
        {"latencies": [{"bucket": 1000, "calls": 30}]},
        {"latencies": [None]},
        {"version": "latest"},
        {"service": ""},
        {"milliseconds": 2**40},
    ],
    ids=str,
)
async def test_a_report_that_cannot_be_is_refused_and_counts_nothing(shop: Consumer, members: dict[str, Any]) -> None:
    status, answer = await shop.send(shop.report(30, 30, **members))
    assert (status, answer["errorCode"]) == (400, "400001"), answer
    assert (await shop.now())["state"] == "running"
    assert await shop.tell(shop.report(20, 20)) == (True, ["weather"]), "the next one counts"


@pytest.mark.parametrize("members", [{"number": 0}, {"number": None}, {"run": ""}, {"outcomes": []}, {"outcomes": 1}])
async def test_a_report_needs_its_parts(shop: Consumer, members: dict[str, Any]) -> None:
    status, answer = await shop.send({**shop.report(30, 30), **members})
    assert (status, answer["errorCode"]) == (400, "400001"), answer


async def test_many_rows_are_refused(shop: Consumer) -> None:
    report = shop.report(1)
    status, answer = await shop.send({**report, "outcomes": report["outcomes"] * 101})
    assert (status, answer["errorCode"]) == (400, "400001"), answer

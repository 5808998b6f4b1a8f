"""`POST /waggle/v1/governance/explain`: what is registered and configured meets a request; drafts are tried and not stored."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from tests.api.own_config import OwnConfig
from tests.engine import Client, EngineProcess, client_of

pytestmark = pytest.mark.asyncio(loop_scope="module")
APP = {"app": "weathermap", "environment": ""}
ROUTE = "servicecomb.routeRule.weather"
GRAY = """- precedence: 2
  match: { headers: { type: { exact: gray } } }
  route: [{ weight: 20, tags: { version: 0.0.3 } }, { weight: 80, tags: { version: 0.0.2 } }]
- precedence: 1
  route: [{ weight: 100, tags: { version: 0.0.2 } }]
"""
EVERY = "matches: [{apiPath: {prefix: /}, method: [GET]}]"
CHASSIS = {"name": "servicecomb-java-chassis", "version": "ServiceComb:2.8.20"}


class Map:
    """The weathermap's services in a domain of their own, and the questions about them."""

    def __init__(self, own: OwnConfig, registry: Client, domain: str) -> None:
        self.own = own
        self.registry = registry
        self._query = {"domain": domain, "project": "default"}
        self._url = own.url.replace("config/", "governance/explain")

    async def register(self, name: str, version: str, **fields: object) -> str:
        """A service with an instance; the service's id."""
        given = {"appId": "weathermap", "framework": CHASSIS, **fields}
        service = await self.registry.service(name, version=version, **given)
        await self.registry.instance(service)
        return service

    async def ask(self, body: object) -> tuple[int, Any]:
        """Status and answer."""
        async with self.own.session.post(self._url, params=self._query, data=json.dumps(body)) as response:
            return response.status, await response.json()

    async def explained(self, **body: object) -> Any:
        """What becomes of a request from fusionweather to weather."""
        status, answer = await self.ask({"service": "weather", "consumer": "fusionweather", **body})
        assert status == 200, answer
        return answer


@pytest_asyncio.fixture(loop_scope="module")
async def weathermap(shared_engine: EngineProcess) -> AsyncIterator[Map]:
    """Two versions of weather, and who calls it."""
    domain = f"d{uuid.uuid4().hex[:8]}"
    async with aiohttp.ClientSession() as session, client_of(shared_engine.url, domain) as registry:
        found = Map(OwnConfig(session, shared_engine.url, "default", domain), registry, domain)
        await found.register("weather", "0.0.2")
        await found.register("weather", "0.0.3")
        await found.register("fusionweather", "0.0.1", properties={"team": "a"})
        yield found


def shares(answer: Any) -> list[tuple[float, list[str]]]:
    """Shares with the versions that they go to."""
    return [
        (one["share"], [instance["version"] for instance in one["instances"]]) for one in answer["routing"]["outcomes"]
    ]


def verdicts(rules: list[Any]) -> list[tuple[str, str, str]]:
    """Kind, name and verdict."""
    return [(one["kind"], one["name"], one["verdict"]) for one in rules]


async def test_a_request_is_explained_from_what_is_registered_and_configured(weathermap: Map) -> None:
    own = weathermap.own
    route = await own.put(ROUTE, GRAY, APP)
    await own.put("servicecomb.matchGroup.every", EVERY, APP)
    await own.put("servicecomb.retry.every", "maxAttempts: 2", APP)
    await own.put("servicecomb.rateLimiting.every", "rate: 10", {**APP, "service": "weather", "version": "0.0.3"})
    await own.put("servicecomb.retry.elsewhere", "{}", {**APP, "service": "weather"})
    gray = await weathermap.explained(headers={"Type": "gray"}, path="/show")
    assert shares(gray) == [(20.0, ["0.0.3"]), (80.0, ["0.0.2"])]
    assert verdicts(gray["routing"]["rules"]) == [
        ("routeRule", "weather", "applies"),
        ("routeRule", "weather", "skipped"),
    ]
    first = gray["routing"]["rules"][0]
    assert first["item"] == {
        "key": ROUTE,
        "labels": APP,
        "revision": route["item"]["update_revision"],
        "draft": False,
    }
    assert (first["line"], first["does"]) == (1, "precedence 2: 20 % version=0.0.3, 80 % version=0.0.2")
    assert shares(await weathermap.explained()) == [(100.0, ["0.0.2"])]
    assert verdicts(gray["consumer"]["rules"]) == [("retry", "every", "applies")], (
        "weather's items are not fusionweather's"
    )
    facts = {name: gray["consumer"][name] for name in ("app", "service", "version", "client", "registered")}
    assert facts == {
        "app": "weathermap", "service": "fusionweather", "version": "0.0.1", "client": "java", "registered": True,
    }  # fmt: skip
    assert [(one["versions"], verdicts(one["rules"])) for one in gray["providers"]] == [
        (["0.0.3"], [("rateLimiting", "every", "applies")]),
        (["0.0.2"], []),
    ]
    assert (await weathermap.explained(method="POST"))["consumer"]["rules"][0]["why"].endswith(
        "the method is POST, asked for is GET"
    )


async def test_a_draft_is_laid_over_what_is_there_and_not_stored(weathermap: Map) -> None:
    await weathermap.own.put(ROUTE, GRAY, APP)
    draft = {"key": ROUTE, "value": "- route: [{weight: 100, tags: {version: 0.0.3}}]"}
    tried = await weathermap.explained(drafts=[draft])
    assert shares(tried) == [(100.0, ["0.0.3"])]
    assert tried["routing"]["rules"][0]["item"] == {"key": ROUTE, "labels": APP, "revision": None, "draft": True}
    assert tried["drafts"] == [{"key": ROUTE, "labels": APP, "problems": []}]
    narrower = {**draft, "labels": {"service": "fusionweather"}}
    assert shares(await weathermap.explained(drafts=[narrower])) == [(100.0, ["0.0.3"])], "it hides the application's"
    others = {**draft, "labels": {"service": "forecast"}}
    assert shares(await weathermap.explained(drafts=[others])) == [(100.0, ["0.0.2"])], "fusionweather does not read it"
    assert (await weathermap.own.values())[ROUTE] == GRAY


async def test_a_wrong_draft_is_told_with_its_place_and_counts_as_missing(weathermap: Map) -> None:
    await weathermap.own.put(ROUTE, GRAY, APP)
    await weathermap.own.put("servicecomb.matchGroup.every", EVERY, APP)
    answer = await weathermap.explained(
        drafts=[
            {"key": "servicecomb.retry.every", "value": "maxAttempts: 1\nwaitDuration: 5ms"},
            {"key": ROUTE, "value": "- route: [{weight: 100, tags: {version: 9}}]"},
        ]
    )
    assert [(one["verdict"], one["why"]) for one in answer["consumer"]["rules"]] == [
        ("wrong", "line 2, column 1: waitDuration is '5ms', which is no duration: write 5 or 0.005S")
    ]
    told = [(one["severity"], one["code"], one["line"]) for draft in answer["drafts"] for one in draft["problems"]]
    assert told == [("error", "duration", 2), ("warning", "no-instance", 1)]


async def test_a_draft_of_no_rule_is_told(weathermap: Map) -> None:
    draft = {"key": "servcecomb.routeRule.weather", "value": "- route: [{weight: 100, tags: {version: 0.0.3}}]"}
    ((told,),) = [one["problems"] for one in (await weathermap.explained(drafts=[draft]))["drafts"]]
    assert (told["severity"], told["code"]) == ("warning", "key")
    assert told["why"] == "servcecomb.routeRule.weather is the key of no rule"


async def test_only_instances_that_are_up_are_counted(weathermap: Map) -> None:
    service = await weathermap.register("weather", "0.0.4")
    (one,) = await weathermap.registry.find("weather", app="weathermap", filterVersion="0.0.4")
    assert len(shares(await weathermap.explained())[0][1]) == 3
    path = f"/microservices/{service}/instances/{one['instanceId']}/status?value=DOWN"
    await weathermap.registry.call("PUT", path, None, 200)
    answer = await weathermap.explained()
    assert (answer["routing"]["away"], [versions for _, versions in shares(answer)]) == (1, [["0.0.2", "0.0.3"]])


async def test_the_access_list_knows_what_the_consumer_has_registered(weathermap: Map) -> None:
    white = "servicecomb.publicKey.accessControl.white.team."
    labels = {**APP, "service": "weather"}
    for part, value in {"category": "property", "propertyName": "team", "rule": "a"}.items():
        await weathermap.own.put(white + part, value, labels)
    assert (await weathermap.explained())["providers"][0]["notes"] == ["the access list lets it pass: white: team is a"]
    stranger = (await weathermap.ask({"service": "weather", "consumer": "stranger"}))[1]
    assert stranger["consumer"]["registered"] is False
    assert stranger["providers"][0]["notes"] == ["the access list refuses it: nothing is known of the consumer"]


async def test_rules_that_the_consumer_does_not_read_are_told(weathermap: Map) -> None:
    await weathermap.own.put(ROUTE, GRAY, {"app": "weathermap"})
    warnings = (await weathermap.explained())["consumer"]["warnings"]
    assert [(one["keys"], "lacks the label environment" in one["text"]) for one in warnings] == [([ROUTE], True)]


async def test_the_application_is_found_unless_there_are_several(weathermap: Map) -> None:
    assert (await weathermap.explained())["app"] == "weathermap"
    await weathermap.register("weather", "1.0", appId="other", environment="testing")
    status, refused = await weathermap.ask({"service": "weather", "consumer": "fusionweather"})
    assert (status, refused["detail"]) == (400, "app: weather is in several applications: other, weathermap")
    assert (await weathermap.explained(app="weathermap"))["environment"] == ""
    other = await weathermap.explained(app="other")
    assert (other["environment"], other["consumer"]["registered"]) == ("testing", False)
    across = await weathermap.explained(app="other", environment="testing", consumer_app="weathermap")
    assert across["consumer"]["app"] == "weathermap"
    assert (await weathermap.explained(environment="testing"))["app"] == "other"


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({}, "invalid value '' does not match rule"),
        ([], "an object is expected"),
        ({"service": "a", "consumer": "b", "operation": "x"}, "operation: schema.operation is expected"),
        ({"service": "a", "consumer": "b", "client": "perl"}, "client must be one of java"),
        ({"service": "a", "consumer": "b", "drafts": [{"value": "x"}]}, "does not match rule"),
        ({"service": "a", "consumer": "b", "drafts": [{"key": "no good"}]}, "KVDoc.Key"),
        ({"service": "a", "consumer": "b", "drafts": "x"}, "a list of objects is expected"),
        ({"service": "a:b", "consumer": "b"}, "Labels[service]"),
    ],
)
async def test_what_makes_no_sense_is_refused(weathermap: Map, body: object, detail: str) -> None:
    status, answer = await weathermap.ask(body)
    assert (status, answer["errorCode"]) == (400, "400001")
    assert detail in answer["detail"]


async def test_a_version_that_is_not_registered_has_the_runtime_of_the_newest(weathermap: Map) -> None:
    await weathermap.own.put("servicecomb.matchGroup.every", EVERY, APP)
    await weathermap.own.put("servicecomb.faultInjection.every", "percentage: 1", APP)
    planned = (await weathermap.explained(consumer_version="9"))["consumer"]
    assert (planned["version"], planned["registered"]) == ("9", False)
    assert [(one["verdict"], "2.8.20" in one["why"]) for one in planned["rules"]] == [("skipped", True)]


async def test_nobody_knows_the_services_and_that_is_an_answer(weathermap: Map) -> None:
    status, answer = await weathermap.ask({"service": "nosuch", "consumer": "nobody"})
    assert (status, answer["app"], answer["routing"]["outcomes"], answer["routing"]["why"]) == (
        200,
        "default",
        [],
        "no instance is up",
    )

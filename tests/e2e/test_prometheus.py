"""The real Prometheus beside the weathermap: it finds the services, scrapes them, and its rules and the dashboard come to numbers."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import pytest
import pytest_asyncio

from tests.api.access import ROOT_PASSWORD, guarded_engine, signed_in
from tests.dockerfile import DOCKER
from tests.e2e.demo import Demo, ready
from tests.engine import Client, client_of, eventually
from tests.prometheus import Prometheus, config_for, program, running_prometheus

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(not Path("/proc").is_dir(), reason="NO /proc: the demo's processes cannot be counted"),
]
DASHBOARD = DOCKER / "grafana" / "dashboards" / "waggle.json"
_WORDS = frozenset(("and", "or", "unless", "bool", "on", "ignoring", "group_left", "group_right"))
_PATIENCE = 60.0
_BREAKER = {
    "servicecomb.matchGroup.all": "matches:\n  - apiPath: {prefix: /}\n",
    "servicecomb.circuitBreaker.all": "minimumNumberOfCalls: 100\n",
}


class World(NamedTuple):
    """The weathermap with somebody who calls it, and a Prometheus that has seen some of that."""

    demo: Demo
    prometheus: Prometheus


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """All tests only look."""
    program("prometheus")
    folder = tmp_path_factory.mktemp("prometheus")
    async with ready(environ={"WAGGLE_MONITOR_METRICS": "interface"}) as demo, client_of(demo.engine) as client:
        await _prepared(client)
        async with calling(demo.edge), running_prometheus(folder, config_for(demo.engine)) as prometheus:
            await eventually(lambda: _has_seen_calls(prometheus), _PATIENCE)
            yield World(demo, prometheus)


async def _prepared(client: Client) -> None:
    """A breaker to look at, and a service that tells the engine of itself."""
    labels = {"app": "weathermap", "environment": ""}
    items = [{"key": key, "value": text, "labels": labels} for key, text in _BREAKER.items()]
    await client.call("PUT", "/waggle/v1/config/items", items, 200)
    told = {"appId": "mall", "name": "cart", "version": "1.0.0", "serviceId": "s", "instanceId": "i"}
    document = {**told, "interfaces": [{"name": "Provider.cart.cart.get", "qps": 1}]}
    await client.call("POST", "/v2/default/csemonitor/metric", document, 200)


@contextlib.asynccontextmanager
async def calling(edge: str) -> AsyncIterator[None]:
    """Somebody looks at the weather all the time."""

    async def look() -> None:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
            while True:
                with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                    async with session.get(f"{edge}/fusionweather/show", params={"city": "Berlin"}) as answer:
                        await answer.read()
                await asyncio.sleep(0.05)

    looking = asyncio.create_task(look())
    try:
        yield
    finally:
        looking.cancel()
        await asyncio.wait((looking,))


async def _has_seen_calls(prometheus: Prometheus) -> bool:
    """Rates need two scrapes with calls between them, of everyone, and rules an evaluation after that."""
    counted = await prometheus.values("service:http_server_requests:rate1m > 0")
    routed = await prometheus.values("route:gateway_requests:rate1m > 0")
    breakers = await prometheus.values("servicecomb_circuitBreaker_state")
    return len(counted) == 3 and bool(routed and breakers)


async def test_it_finds_every_instance_and_scrapes_it(world: World) -> None:
    async def all_up() -> bool:
        found = await world.prometheus.targets("services")
        return len(found) == 5 and all(target["health"] == "up" for target in found)

    await eventually(all_up, _PATIENCE)
    found = await world.prometheus.targets("services")
    shown = sorted((target["labels"]["service"], target["labels"]["version"]) for target in found)
    assert shown == [
        ("edge-service", "0.0.1"),
        ("forecast", "0.0.2"),
        ("fusionweather", "0.0.2"),
        ("weather", "0.0.2"),
        ("weather", "0.0.2"),
    ]
    assert {target["labels"]["app"] for target in found} == {"weathermap"}
    assert len({target["labels"]["instance_id"] for target in found}) == 5
    (engine,) = await world.prometheus.targets("waggle")
    assert engine["health"] == "up"


async def test_every_recording_rule_comes_to_a_number(world: World) -> None:
    names = {rule["name"] for rule in await _rules(world.prometheus) if rule["type"] == "recording"}
    assert len(names) > 5
    missing = set(names)

    async def all_are_numbers() -> bool:
        for name in tuple(missing):
            values = await world.prometheus.values(name)
            if values and all(map(math.isfinite, values)):
                missing.discard(name)
        return not missing

    with contextlib.suppress(TimeoutError):
        await eventually(all_are_numbers, _PATIENCE)
    assert not missing, "these come to no number"
    assert all(value > 0 for value in await world.prometheus.values("service:http_server_requests_seconds:p99_1m"))
    assert all(
        0 <= value <= 1 for value in await world.prometheus.values("service:http_server_requests_errors:ratio1m")
    )


async def test_every_rule_is_in_order_and_nothing_of_the_engine_fires(world: World) -> None:
    """A service may be slow on a busy machine; the engine is up, stores changes and has room."""
    rules = await _rules(world.prometheus)
    assert {rule["name"]: rule.get("lastError") for rule in rules if rule["health"] != "ok"} == {}
    firing = {rule["name"] for rule in rules if rule.get("state") == "firing"}
    assert firing <= {"ServiceIsSlow", "WaggleIsLate"}


async def _rules(prometheus: Prometheus) -> list[Any]:
    return [rule for group in (await prometheus.get("rules"))["groups"] for rule in group["rules"]]


async def test_calls_are_seen_from_both_sides(world: World) -> None:
    """Of the consumer and of the provider, which Prometheus scrapes apart."""
    made = 'sum(service_client:http_client_requests:rate1m{service="fusionweather", client_name="weather"}) > 0'
    answered = 'sum(service:http_server_requests:rate1m{service="weather"}) > 0'
    for expression in (made, answered):
        await eventually(lambda asked=expression: _is_true(world.prometheus, asked), _PATIENCE)  # type: ignore[misc]
    uris = await world.prometheus.get("label/uri/values")
    assert "/fusionweather/show" in uris, "the pattern of a path, not UNKNOWN"


async def _is_true(prometheus: Prometheus, expression: str) -> bool:
    return bool(await prometheus.values(expression))


async def test_every_expression_of_the_dashboard_and_the_rules_is_of_metrics_that_are_there(world: World) -> None:
    known = set(await world.prometheus.get("label/__name__/values")) | {"ALERTS"}
    expressions = [*_dashboard_expressions(), *(rule["query"] for rule in await _rules(world.prometheus))]
    assert len(expressions) > 40
    for expression in expressions:
        await world.prometheus.get("query", query=expression)
        names = _names(expression)
        assert names, expression
        assert names <= known, f"{expression} is of {names - known}"


def _dashboard_expressions() -> Iterator[str]:
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            yield _filled(target["expr"])
    yield from (_filled(one["expr"]) for one in dashboard["annotations"]["list"])
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            yield re.sub(r"label_values\((.*), \w+\)", r"\1", variable["definition"])


def _filled(expression: str) -> str:
    """The expression as Grafana sends it."""
    return re.sub(r"\$(?!__)\w+", ".*", expression.replace("$__rate_interval", "10s"))


def _names(expression: str) -> set[str]:
    """The metrics that an expression is of."""
    bare = re.sub(r"\{[^}]*\}|\[[^]]*\]|\b(?:by|without|on|ignoring)\s*\([^)]*\)", " ", expression)
    found = re.findall(r"[A-Za-z_:][\w:]*(?!\s*\()\b", bare)
    return {name for name in found if name not in _WORDS and not re.search(rf"\b{name}\s*\(", bare)}


async def test_with_access_control_it_signs_in_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine's own /metrics stands for a service's."""
    program("prometheus")
    async with guarded_engine(tmp_path / "data", "enforce", monkeypatch) as (engine, client):
        root = await signed_in(client)
        given = {"service": {"serviceName": "cart", "appId": "shop"}}
        _, body, _ = await client.call("POST", "/microservices", given, 200, Authorization=root)
        one = {
            "hostName": "h",
            "endpoints": ["rest://127.0.0.1:1"],
            "properties": {"prometheus.port": str(engine.port)},
        }
        path = f"/microservices/{body['serviceId']}/instances"  # type: ignore[index]
        await client.call("POST", path, {"instance": one}, 200, Authorization=root)

        def signing_in(job: dict[str, Any]) -> None:
            token_url = f"{engine.url}/waggle/v1/access/oauth2/token"
            job["http_sd_configs"][0]["oauth2"] = {
                "client_id": "root",
                "client_secret": ROOT_PASSWORD,
                "token_url": token_url,
            }

        async with running_prometheus(tmp_path / "prometheus", config_for(engine.url, signing_in)) as prometheus:

            async def scraped() -> bool:
                found = await prometheus.targets("services")
                return [(one["labels"]["service"], one["health"]) for one in found] == [("cart", "up")]

            await eventually(scraped, _PATIENCE)

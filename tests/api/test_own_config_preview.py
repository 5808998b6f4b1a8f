"""A preview shows what a client gets: it is compared with what clients read over the wire and make of it."""

from __future__ import annotations

import random
import uuid
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from governance.rules.flatten import flatten
from governance.rules.parsing import ParseError
from tests.api.kie import Kie
from tests.api.own_config import OwnConfig
from tests.engine import EngineProcess

pytestmark = pytest.mark.asyncio(loop_scope="module")
PLACE = {"app": "mall", "service": "cart", "version": "1.0.0"}
ASKED = tuple(PLACE.items())
TYPED = [
    ("text", "plain"),
    ("text", "other"),
    ("yaml", "a: {b: 1}\nx: yes\n"),
    ("yaml", "a: {b: 2}\n"),
    ("yaml", "not: a: mapping"),
    ("properties", "a.b=3\nx=4"),
    ("json", '{"a": 1}'),
]


@pytest_asyncio.fixture(loop_scope="module")
async def own(shared_engine: EngineProcess) -> AsyncIterator[OwnConfig]:
    """A client of the module's engine, in a project of its own."""
    async with aiohttp.ClientSession() as session:
        yield OwnConfig(session, shared_engine.url, f"p{uuid.uuid4().hex[:8]}")


def _places(environment: str) -> list[dict[str, str]]:
    labels = {"environment": environment}
    sets = []
    for name, value in PLACE.items():
        labels = {**labels, name: value}
        sets.append(labels)
    return sets


async def _read(kie: Kie, labels: dict[str, str], exact: bool = True) -> list[dict[str, Any]]:
    """What a list answers, as clients ask for it."""
    asked = "&".join(f"label={name}%3A{value}" for name, value in labels.items())
    return (await kie.listed(f"{asked}&&revision=-1{'&match=exact' if exact else ''}"))[0]


async def _as_java(kie: Kie, environment: str) -> dict[str, str]:
    """Java Chassis from 2.8.15 on. Protocol: section C.1."""
    merged: dict[str, str] = {}
    levels = [await _read(kie, labels) for labels in _places(environment)] + [
        await _read(kie, {"public": ""}, exact=False)
    ]
    for items in levels:
        for item in sorted(items, key=lambda item: item["update_time"]):
            if item["status"] != "enabled":
                continue
            try:
                merged |= flatten(item["key"], item["value"], item["value_type"])
            except ParseError:
                continue
    return merged


async def _as_go(kie: Kie, environment: str) -> dict[str, str]:
    """go-chassis. Protocol: section C.4."""
    levels = [await _read(kie, labels) for labels in _places(environment)[:2]]
    return {item["key"]: item["value"] for items in levels for item in items if item["status"] == "enabled"}


async def _as_config_center(kie: Kie, environment: str) -> dict[str, str]:
    """Java Chassis on Config Center. Protocol: sections B.3 and C.2."""
    url = kie.url.replace(kie.path, f"/v3/{kie.project}/configuration/items")
    asked = {"dimensionsInfo": "cart@mall#1.0.0"}
    async with kie.session.get(url, params=asked, headers={"x-environment": environment}) as answer:
        found = await answer.json()
    levels = ("application", "cart@mall", "darklaunch@mall", "cart@mall#1.0.0")
    return {key: value for level in levels for key, value in found.get(level, {}).items()}


async def _shown(own: OwnConfig, kind: str, environment: str) -> dict[str, str]:
    found = await own.ok("GET", "preview", *ASKED, ("client", kind), ("environment", environment))
    return {row["key"]: row["value"] for row in found["properties"]}


@pytest.mark.parametrize("seed", range(4))
async def test_a_preview_is_what_the_client_makes_of_what_it_reads(
    own: OwnConfig, seed: int, shared_engine: EngineProcess
) -> None:
    chance = random.Random(seed)
    dark = {"app": "mall", "service": "darklaunch", "environment": ""}
    sets = [
        *_places(""),
        *_places("production"),
        {"environment": ""},
        dark,
        {"public": ""},
        {"public": "", "app": "shop"},
        {"app": "mall"},
    ]
    for number in range(30):
        value_type, value = chance.choice(TYPED)
        labels, status = chance.choice(sets), chance.choice(["enabled", "enabled", "disabled"])
        key = chance.choice(["a.b", "x", f"k{number}"])
        await own.put(key, value, labels, value_type=value_type, status=status, priority=number % 3, force=True)
    kie = Kie(own.session, shared_engine.url, own.project)
    for environment in ("", "production"):
        java = await _as_java(kie, environment)
        assert java, f"seed {seed}"
        assert await _shown(own, "java", environment) == java, f"seed {seed}"
        assert await _shown(own, "go", environment) == await _as_go(kie, environment), f"seed {seed}"
        center = await _as_config_center(kie, environment)
        assert center, f"seed {seed}"
        assert await _shown(own, "config-center", environment) == center, f"seed {seed}"


async def test_a_preview_names_the_source_of_a_key_and_what_it_hides(own: OwnConfig) -> None:
    app, service = {"app": "mall", "environment": ""}, {"app": "mall", "environment": "", "service": "cart"}
    low = (await own.put("a.b", "1", app))["item"]
    high = (await own.put("conf", "a: {b: 2}", service, value_type="yaml"))["item"]
    off = (await own.put("off", "1", app, status="disabled"))["item"]
    found = await own.ok("GET", "preview", *ASKED)
    assert found["revision"] == off["update_revision"]
    assert found["client"] == {
        **PLACE,
        "kind": "java",
        "environment": "",
        "instance": "",
        "label": {"public": ""},
    }
    assert [(level["name"], level["labels"], level["exact"], level["items"]) for level in found["levels"]] == [
        ("app", [app], True, 2),
        ("service", [service], True, 1),
        ("version", [{**service, "version": "1.0.0"}], True, 0),
        ("custom", [{"public": ""}], False, 0),
    ]
    source = {"level": "service", "id": high["id"], "key": "conf", "value_type": "yaml", "labels": service}
    hidden = {"level": "app", "id": low["id"], "key": "a.b", "value_type": "text", "labels": app}
    assert found["properties"] == [
        {
            "key": "a.b",
            "value": "2",
            "source": {**source, "revision": high["update_revision"]},
            "shadows": [{"value": "1", **hidden, "revision": low["update_revision"]}],
        }
    ]
    assert found["warnings"] == [
        {"kind": "disabled", "text": "it is disabled", "labels": app, "keys": ["off"], "items": 1}
    ]


async def test_an_instance_of_a_gradual_release_sees_its_value(own: OwnConfig, shared_engine: EngineProcess) -> None:
    registry = f"{shared_engine.url}/v4/{own.project}/registry/microservices"
    service = {"serviceName": "cart", "appId": "mall", "version": "1.0.0"}
    async with own.session.post(registry, json={"service": service}) as answer:
        service_id = (await answer.json())["serviceId"]
    instances = []
    for port in (1, 2):
        instance = {"hostName": "h", "endpoints": [f"rest://10.0.0.{port}:80"]}
        async with own.session.post(f"{registry}/{service_id}/instances", json={"instance": instance}) as answer:
            instances.append((await answer.json())["instanceId"])
    await own.put("a", "old", {"app": "mall", "environment": ""})
    named = (("key", "a"), ("label", "app:mall"), ("label", "environment:"))
    await own.ok("PUT", "releases/one", *named, body={"value": "new", "instances": instances[:1]})
    for instance_id, wanted in zip(instances, ("new", "old"), strict=True):
        found = await own.ok("GET", "preview", *ASKED, ("instance", instance_id))
        assert [row["value"] for row in found["properties"]] == [wanted]
        assert [warning["kind"] for warning in found["warnings"]] == ["gradual-release"]
    detail = await own.refused(404001, "GET", "preview", *ASKED, ("instance", "gone"))
    assert detail == "no instance gone of cart in mall is registered"


async def test_many_items_make_one_warning_that_names_a_few(own: OwnConfig) -> None:
    await own.ok(
        "PUT", "items", body=[{"key": f"k{number:02}", "value": "1", "labels": {"app": "mall"}} for number in range(30)]
    )
    (warning,) = (await own.ok("GET", "preview", *ASKED))["warnings"]
    assert (warning["kind"], warning["items"], len(warning["keys"])) == ("not-asked-for", 30, 20)


async def test_the_custom_label_and_the_kind_are_parameters(own: OwnConfig) -> None:
    await own.put("a", "1", {"zone": "north"})
    assert (await own.ok("GET", "preview", *ASKED, ("label", "zone:north")))["properties"][0]["value"] == "1"
    assert (await own.ok("GET", "preview", *ASKED, ("label", "zone:north"), ("client", "go")))["properties"] == []
    center = await own.ok("GET", "preview", *ASKED, ("client", "config-center"))
    names = [level["name"] for level in center["levels"]]
    assert names == ["application", "cart@mall", "darklaunch@mall", "cart@mall#1.0.0"]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ([("service", "cart")], "the parameter app is missing"),
        ([("app", "mall")], "the parameter service is missing"),
        ([*ASKED, ("client", "rust")], "client must be one of java, java-2.7, go, go-2.7, config-center, python"),
        ([*ASKED, ("label", "a:1"), ("label", "b:2")], "a client has one custom label"),
        ([*ASKED, ("label", "a")], "label value"),
        ([("app", "a b"), ("service", "cart")], "validate failed"),
    ],
)
async def test_a_client_that_cannot_be_is_refused(own: OwnConfig, query: list[tuple[str, str]], said: str) -> None:
    assert (await own.refused(400001, "GET", "preview", *query)).startswith(said)

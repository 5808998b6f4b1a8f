"""One store, two views: what KIE's clients write is seen by Config Center's, and the other way round."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from typing import Any

import pytest

from tests.api.config_center import Center
from tests.engine import Client, EngineProcess, eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Both:
    """A client of both protocols in a project of its own; KIE knows no domain but `default`."""

    def __init__(self, api: Client, environment: str = "") -> None:
        self.api = api
        self.center = Center(api, "", environment)
        self.project = self.center.app
        self.center.path = f"/v3/{self.project}/configuration/items"
        self.kie = f"/v1/{self.project}/kie/kv"
        self.environment = environment

    def labels(self, **more: str) -> dict[str, str]:
        """Labels of the client's application, as KIE's Java clients ask for them."""
        return {"app": self.center.app, "environment": self.environment, **more}

    async def create(self, key: str, value: str, labels: Mapping[str, str], **more: object) -> Any:
        """Create an enabled key-value over KIE's API."""
        document = {"key": key, "value": value, "labels": labels, "status": "enabled", **more}
        _, created, _ = await self.api.call("POST", self.kie, document, 200)
        return created

    async def update(self, document: Mapping[str, Any], **changes: str) -> None:
        """Change a key-value over KIE's API."""
        await self.api.call("PUT", f"{self.kie}/{document['id']}", changes, 200)

    async def listed(self, labels: Mapping[str, str], query: str = "") -> list[Any]:
        """The key-values that KIE lists for exactly these labels."""
        asked = "".join(f"&label={name}:{value}" for name, value in labels.items())
        _, body, _ = await self.api.call("GET", f"{self.kie}?match=exact{asked}{query}", None, 200)
        return body["data"]  # type: ignore[index, no-any-return]


@pytest.fixture
def both(default_api: Client) -> Both:
    """A client of both in the default environment."""
    return Both(default_api)


# --- from KIE to Config Center


async def test_the_levels_of_kie_are_those_of_config_center(both: Both) -> None:
    app = both.center.app
    await both.create("k", "application", both.labels())
    await both.create("k", "service", both.labels(service="cart"))
    await both.create("k", "version", both.labels(service="cart", version="1.0.0"))
    await both.create("k", "dark", both.labels(service="darklaunch"))
    assert await both.center.seen() == {
        "application": {"k": "application"},
        f"cart@{app}": {"k": "service"},
        f"darklaunch@{app}": {"k": "dark"},
        f"cart@{app}#1.0.0": {"k": "version"},
    }


async def test_an_applications_own_level_lies_over_that_of_everyone(both: Both) -> None:
    await both.create("everyone", "1", {"environment": ""})
    await both.create("both", "everyone's", {"environment": ""})
    await both.create("both", "the application's", both.labels())
    assert await both.center.seen() == {"application": {"everyone": "1", "both": "the application's"}}
    other = Center(both.api, both.center.path)
    assert await other.seen() == {"application": {"everyone": "1", "both": "everyone's"}}
    _, for_all = await other.get(dimension="application")
    assert for_all["application"] == {"everyone": "1", "both": "everyone's"}


async def test_only_enabled_items_with_exactly_these_labels_are_seen(both: Both) -> None:
    app = both.center.app
    hidden = await both.create("disabled", "1", both.labels(), status="disabled")
    await both.create("custom", "1", {"public": ""})
    await both.create("more", "1", both.labels(public=""))
    await both.create("none", "1", {"app": app})
    await both.create("other", "1", {"app": app, "environment": "production"})
    await both.create("staging", "1", {"app": app, "environment": "staging"})
    await both.create("unlabelled", "1", {})
    before = await both.center.revision()
    assert await both.center.seen() == {}
    await both.update(hidden, value="2")
    assert await both.center.revision() == before
    await both.update(hidden, status="enabled")
    assert await both.center.seen() == {"application": {"disabled": "2"}}
    production = both.center.in_environment("production")
    assert await production.seen() == {"application": {"other": "1"}}


async def test_items_with_a_type_are_flattened_as_java_clients_of_kie_do_it(both: Both) -> None:
    labels = both.labels(service="cart")
    await both.create("dropped", "server:\n  port: 8080\n  open: yes\n", labels, value_type="yaml")
    await both.create("dropped.too", "a = 1\nb: 2\n", labels, value_type="properties")
    for kind in ("text", "json", "ini", "xml"):
        await both.create(kind, "a: 1", labels, value_type=kind)
    flat = {"server.port": "8080", "server.open": "true", "a": "1", "b": "2"}
    assert (await both.center.seen())[f"cart@{both.center.app}"] == flat | dict.fromkeys(
        ("text", "json", "ini", "xml"), "a: 1"
    )


async def test_the_latest_change_wins_where_two_items_have_the_same_property(both: Both) -> None:
    first = await both.create("first", "a: 1", both.labels(), value_type="yaml", priority=9)
    await both.create("a", "2", both.labels())
    assert await both.center.seen() == {"application": {"a": "2"}}
    await both.update(first, value="a: 3")
    assert await both.center.seen() == {"application": {"a": "3"}}


async def test_what_does_not_parse_is_left_out_and_logged_once(both: Both, shared_engine: EngineProcess) -> None:
    bad = await both.create("broken.yaml", "a: 1\nb: [s3cret", both.labels(), value_type="yaml")
    await both.create("fine", "1", both.labels())

    def logged() -> list[Any]:
        lines = [json.loads(line) for line in shared_engine.log.read_text().splitlines() if "broken.yaml" in line]
        return [line for line in lines if line["event"] == "config.unreadable"]

    for _ in range(3):
        assert await both.center.seen() == {"application": {"fine": "1"}}
        assert len(logged()) == 1
    await both.create("another", "1", both.labels())
    await both.center.seen()
    assert len(logged()) == 1, "it has not changed, so there is nothing new to say"
    (line,) = logged()
    assert (line["level"], line["type"], line["labels"]["app"]) == ("warning", "yaml", both.center.app)
    assert line["error"].startswith("line 2, column")
    assert "s3cret" not in str(line), "values may be secret"
    await both.update(bad, value="a: 2")
    assert (await both.center.seen())["application"]["a"] == "2"


async def test_a_large_text_is_read_while_others_are_served(both: Both, default_api: Client) -> None:
    """120,000 characters of YAML take a second or more; they are parsed aside, once for all who wait."""
    text = "\n".join(f"key{number}:\n  sub: value {number}\n  n: {number}" for number in range(3300))
    await both.create("large", text, both.labels(), value_type="yaml")
    started = time.perf_counter()
    pulls = [asyncio.ensure_future(both.center.seen()) for _ in range(5)]
    slowest, answered = 0.0, 0
    while not all(pull.done() for pull in pulls):
        begun = time.perf_counter()
        await default_api.call("GET", "/version", None, 200)
        slowest, answered = max(slowest, time.perf_counter() - begun), answered + 1
    took = time.perf_counter() - started
    seen = [pull.result() for pull in pulls]
    assert [len(one["application"]) for one in seen] == [6600] * 5
    assert answered > 3
    assert slowest < took / 2, "nobody waits for all of it"


# --- from Config Center to KIE


async def test_kie_sees_what_config_center_writes(both: Both) -> None:
    app = both.center.app
    places = {
        "application": {"environment": ""},
        f"cart@{app}": both.labels(service="cart"),
        f"darklaunch@{app}": both.labels(service="darklaunch"),
        f"cart@{app}#1.0.0": both.labels(service="cart", version="1.0.0"),
    }
    for dimension, labels in places.items():
        await both.center.write(dimension, k=dimension)
        (item,) = await both.listed(labels)
        assert (item["key"], item["value"], item["value_type"]) == ("k", dimension, "text")
        assert (item["status"], item["labels"]) == ("enabled", labels)
    await both.center.delete(f"cart@{app}", "k")
    assert await both.listed(places[f"cart@{app}"]) == []
    assert set(await both.center.seen()) == set(places) - {f"cart@{app}"}


async def test_an_environment_is_a_label(default_api: Client) -> None:
    both = Both(default_api, "testing")
    await both.center.write(f"cart@{both.center.app}", k="1")
    (item,) = await both.listed(both.labels(service="cart"))
    assert item["labels"]["environment"] == "testing"


async def test_writing_over_an_item_of_kie_keeps_what_config_center_does_not_know(both: Both) -> None:
    labels = both.labels(service="cart")
    await both.create("k", "a: 1", labels, value_type="yaml", priority=-1, check="rule", status="disabled")
    await both.center.write(f"cart@{both.center.app}", k="2")
    (item,) = await both.listed(labels)
    assert (item["value"], item["value_type"], item["status"]) == ("2", "text", "enabled")
    assert (item["priority"], item["check"]) == (-1, "rule")


async def test_what_is_disabled_is_not_config_centers_to_delete(both: Both) -> None:
    labels = both.labels(service="cart")
    await both.create("k", "1", labels, status="disabled")
    await both.center.delete(f"cart@{both.center.app}", "k")
    path = f"/v3/{both.project}/govern/configs/cart%40{both.center.app}"
    await both.center.change("DELETE", {"keys": []}, path=path)
    assert [item["key"] for item in await both.listed(labels)] == ["k"]


async def test_many_items_are_one_write_for_those_who_poll_kie(both: Both) -> None:
    """A poller of the labels is woken, and what it gets is all of the write; who waits for other labels is left alone."""
    labels = both.labels(service="cart")
    await both.create("old", "1", labels)
    _, _, headers = await both.api.call("GET", both.kie, None, 200)
    query = f"&revision={headers['X-Kie-Revision']}&wait=30s"  # type: ignore[index]
    wanted = (labels, both.labels(service="cart", version="1.0.0"))
    polls = [asyncio.ensure_future(both.listed(these, query)) for these in wanted]

    async def waiting() -> bool:
        async with both.api.session.get(both.api.url + "/metrics") as metrics:
            return "waggle_config_polls 2.0" in (await metrics.text()).splitlines()

    await eventually(waiting)
    await both.center.write(f"cart@{both.center.app}", **{f"k{number}": "new" for number in range(50)})
    assert len(await asyncio.wait_for(polls[0], 20)) == 51
    assert not polls[1].done()
    polls[1].cancel()
    await asyncio.wait(polls)

"""Events are followed and searched by the same filters, and nobody is sent what they may not read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.api.access import account
from tests.api.alarmed import Alarmed
from tests.api.office import guarded, permission
from tests.api.sse import event_stream
from tests.engine import Client

pytestmark = pytest.mark.asyncio(loop_scope="module")
SETTINGS = {"alarm_seconds": 0.05}
RULE = {"key": "servicecomb.retry.slow", "value": "maxAttempts: 2\n", "labels": {"app": "mall", "service": "cart"}}
PLAIN = {"key": "colour", "value": "secret-blue", "labels": {"app": "mall"}}


async def _search(api: Client, expect: int = 200, authorization: str = "", **query: str) -> Any:
    params = {"domain": str(api._headers["X-Domain-Name"]), **query}
    headers = {"Authorization": authorization} if authorization else {}
    async with api.session.get(f"{api.url}/waggle/v1/audit", params=params, headers=headers) as answer:
        assert answer.status == expect, await answer.text()
        return await answer.json()


async def _items(api: Client, *items: dict[str, Any]) -> None:
    """Write items of the configuration in the client's domain."""
    params = {"domain": str(api._headers["X-Domain-Name"])}
    body = [{**item, "status": "enabled"} for item in items]
    async with api.session.put(f"{api.url}/waggle/v1/config/items", params=params, json=body) as answer:
        assert answer.status == 200, await answer.text()


async def test_changes_and_alarms_are_one_list_by_kind_service_text_and_time(api: Client) -> None:
    alarm = await Alarmed(api).lonely("cart")
    await _items(api, RULE, PLAIN)
    rows = (await _search(api))["changes"]
    kinds = [row["kind"] for row in rows]
    assert {"service", "instance", "config", "alarm", "alarm-rule"} <= set(kinds)
    assert [row["alarm"]["id"] for row in rows if row["kind"] == "alarm" and "no-inst" in str(row)] == [alarm]
    places = [tuple(map(int, row["id"].split("."))) for row in rows]
    assert places == sorted(places, reverse=True), "the newest first"
    times = [row["at"] for row in rows]

    async def found(**query: str) -> list[str]:
        return [row["kind"] for row in (await _search(api, **query))["changes"]]

    assert await found(kind="rule") == ["config"]
    assert await found(kind="config") == ["config", "config"]
    assert await found(contains="colour") == ["config"]
    assert await found(kind="alarm", contains="no-instances") == ["alarm"]
    assert {"service", "instance", "alarm", "config"} == set(await found(service="cart"))
    assert await found(author="nobody-is-called-so") == []
    assert await found(since=str(max(times) + 1)) == []
    assert await found(until=str(min(times))) == []
    assert "secret-blue" not in str(rows)


async def test_pages_go_back_and_forth_without_a_gap(api: Client) -> None:
    """Across changes and alarms."""
    await Alarmed(api).lonely("cart")
    await _items(api, RULE, PLAIN)
    whole = [row["id"] for row in (await _search(api))["changes"]]
    paged, before = [], ""
    while page := (found := await _search(api, limit="2", **({"before": before} if before else {})))["changes"]:
        paged += [row["id"] for row in page]
        before = str(found["before"])
    assert paged == whole
    middle = whole[len(whole) // 2]
    assert [row["id"] for row in (await _search(api, after=middle))["changes"]] == whole[: len(whole) // 2]


@pytest.mark.parametrize("query", [{"kind": "none"}, {"before": "x"}, {"since": "x"}, {"since": "2", "until": "1"}])
async def test_filters_that_mean_nothing_are_refused(query: dict[str, str], api: Client) -> None:
    await _search(api, 400, **query)


async def test_the_stream_is_narrowed_and_says_who_did_it(api: Client) -> None:
    async with event_stream(api, kind="rule,schema") as events:
        service = await api.service("cart")
        await _items(api, PLAIN, RULE)
        await api.call("PUT", f"/microservices/{service}/schemas/s", {"schema": "x", "summary": "sum"}, 200)
        first, second = await events.next(), await events.next()
    assert (first.name, first.data["item"]["key"], first.data["author"]) == ("config.CREATE", RULE["key"], "127.0.0.1")
    assert (second.name, second.data["record"]) == ("schema.CREATE", f"{service}/s")


async def test_nobody_is_sent_what_they_may_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An account with a permission on services alone, one on the configuration, too, and root. It counts from the next event on."""
    async with guarded(tmp_path / "data", monkeypatch, "enforce") as (_, client, office):
        services = await office.account("services", [permission("service", "get")])
        readers = await office.account("readers", [permission("service", "get"), permission("config", "get")])
        url = f"{client.url}/waggle/v1/events"
        streams = [await client.session.get(url, headers=who) for who in (services, readers, office.root)]
        await client.call("POST", "/v1/default/kie/kv", {**PLAIN, "status": "enabled"}, 200, **office.root)
        await account(client, office.root["Authorization"], "late")
        await client.call("POST", "/microservices", {"service": {"serviceName": "end"}}, 200, **office.root)
        got = [await _names(stream) for stream in streams]
        for stream in streams:
            stream.close()
        assert got[0] == ["service.CREATE"]
        assert got[1] == ["config.CREATE", "service.CREATE"]
        assert got[2] == ["config.CREATE", "account.CREATE", "service.CREATE"]
        looker = await office.account("looker", [permission("ops", "get"), permission("service", "get")])
        rows = (await _search(client, 200, looker["Authorization"]))["changes"]
        assert {row["kind"] for row in rows} == {"service", "instance"}, "the engine's own among them"
        await _search(client, 403, services["Authorization"])


async def _names(stream: Any) -> list[str]:
    """The events up to the service that comes last, none of which tells an author to who may not know."""
    names: list[str] = []
    while "service.CREATE" not in names:
        line = (await stream.content.readline()).decode()
        if line.startswith("event: "):
            names.append(line.removeprefix("event: ").strip())
    return names

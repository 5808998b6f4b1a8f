"""/metrics: what it counts, that any scraper reads it, and that clients cannot blow it up. Protocol: Service Center section 13."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.api.sse import event_stream
from tests.engine import Client, EngineProcess, eventually
from tests.raw import connect, request

pytestmark = pytest.mark.asyncio(loop_scope="module")
Labels = Mapping[str, str]


async def _samples(api: Client) -> list[tuple[str, Labels, float]]:
    async with api.session.get(f"{api.url}/metrics") as response:
        assert response.status == 200
        assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        text = await response.text()
    return [
        (sample.name, sample.labels, sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    ]


async def _value(client: Client, name: str, /, **labels: str) -> float:
    """The sum of what has these labels."""
    rows = await _samples(client)
    return sum(value for found, has, value in rows if found == name and labels.items() <= has.items())


async def test_names_are_of_known_families_and_values_are_numbers(api: Client) -> None:
    """The originals' where the meaning is theirs, the engine's own, and the process's."""
    await api.instance(await api.service("cart"))
    rows = await _samples(api)
    assert len(rows) > 60
    families = ("service_center_", "servicecomb_kie_", "waggle_", "process_")
    assert [name for name, _, _ in rows if not name.startswith(families)] == []
    assert not [row for row in rows if math.isnan(row[2]) or row[2] < 0]


async def test_requests_are_counted_by_what_they_were_and_how_they_ended(api: Client) -> None:
    """Handlers of one name in two modules are two; what was refused succeeded in being answered."""
    own = api._headers["X-Domain-Name"]
    service = await api.service("cart")
    await api.instance(service)
    await api.call("GET", "/microservices/nobody")
    total, good = "service_center_http_request_total", "service_center_http_success_total"
    for name in (total, good):
        assert await _value(api, name, domain=own, api="services.register", method="POST", code="200") == 1
        assert await _value(api, name, domain=own, api="instances.register", code="200") == 1
        assert await _value(api, name, domain=own, api="services.get", method="GET", code="400") == 1
        assert await _value(api, name, domain=own) == 3
    assert await _value(api, "service_center_http_request_durations_seconds_count", api="services.register") >= 1


async def test_what_the_hot_path_answers_is_counted_apart(shared_engine: EngineProcess, api: Client) -> None:
    service = await api.service("cart")
    name = await api.instance(service)
    target = f"/v4/default/registry/microservices/{service}/instances/{name}/heartbeat"
    before = await _value(api, "waggle_hot_path_requests_total", api="heartbeat")
    async with connect(shared_engine.port) as connection:

        async def is_counted() -> bool:
            asked = request("PUT", target, X_Domain_Name=api._headers["X-Domain-Name"])
            assert (await connection.exchange(asked)).status == 200
            return await _value(api, "waggle_hot_path_requests_total", api="heartbeat") > before

        await eventually(is_counted)


async def test_what_is_registered_is_counted_by_tenant_and_framework(api: Client) -> None:
    """The engine itself left out."""
    own = api._headers["X-Domain-Name"]
    spring = await api.service("a", framework={"name": "springCloud", "version": "1.11"})
    await api.service("b")
    for _ in range(3):
        await api.instance(spring)
    await api.call("PUT", f"/microservices/{spring}/schemas/s", {"schema": "x"}, 200)
    services, instances = "service_center_db_service_total", "service_center_db_instance_total"
    assert (
        await _value(api, services, domain=own, project="default", framework="springCloud", frameworkVersion="1.11")
        == 1
    )
    assert await _value(api, services, domain=own, framework="UNKNOWN") == 1
    assert await _value(api, instances, domain=own) == 3
    assert await _value(api, "service_center_db_schema_total", domain=own) == 1
    assert await _value(api, services, domain="default") == 0
    assert await _value(api, "service_center_db_sc_total") == 1


async def test_leases_watchers_and_streams_are_counted_while_they_last(api: Client) -> None:
    consumer = await api.service("consumer")
    leases, watches, streams = "waggle_leases", "service_center_notify_subscriber_total", "waggle_event_streams"
    before = [await _value(api, name) for name in (leases, watches, streams)]
    name = await api.instance(consumer)
    async with (
        api.session.ws_connect(f"{api.registry}/microservices/{consumer}/watcher", headers=api._headers),
        event_stream(api),
    ):
        now = [await _value(api, name) for name in (leases, watches, streams)]
        assert now == [number + 1 for number in before]
    await api.call("DELETE", f"/microservices/{consumer}/instances/{name}", None, 200)

    async def all_are_gone() -> bool:
        await api.service("event")
        await api.call("PUT", f"/microservices/{consumer}/properties", {"properties": {}}, 200)
        return [await _value(api, name) for name in (leases, watches, streams)] == before

    await eventually(all_are_gone)


async def test_the_journal_is_counted(api: Client) -> None:
    commits, events, revision = "waggle_journal_commits_total", "waggle_journal_events_total", "waggle_journal_revision"
    before = [await _value(api, name) for name in (commits, events, revision, "waggle_journal_commit_seconds_count")]
    await api.service("cart")
    after = [await _value(api, name) for name in (commits, events, revision, "waggle_journal_commit_seconds_count")]
    assert all(now > then for now, then in zip(after, before, strict=True))
    assert await _value(api, "waggle_journal_bytes") > 0
    assert await _value(api, "waggle_journal_failures_total") == 0


async def test_what_is_no_http_is_counted_and_not_logged(shared_engine: EngineProcess, api: Client) -> None:
    """A scanner must not fill the disk."""
    before = await _value(api, "waggle_requests_unreadable_total")
    for rubbish in (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x00\r\n\r\n"):
        async with connect(shared_engine.port) as connection:
            connection.writer.write(rubbish)
            assert await connection.closed()
    assert await _value(api, "waggle_requests_unreadable_total") == before + 3
    assert "Traceback" not in shared_engine.log.read_text()


async def test_clients_cannot_make_series_without_bound(api: Client) -> None:
    """A hundred domains have series of their own, all others share one, and no name is long."""
    await api.call("GET", "/microservices", None, 400, X_Domain_Name="x" * 4000)
    for number in range(150):
        await api.call("GET", "/microservices", None, 200, X_Domain_Name=f"many-{number}")
    rows = await _samples(api)
    domains = {labels["domain"] for name, labels, _ in rows if name == "service_center_http_request_total"}
    assert len(domains) <= 101
    assert "other" in domains
    assert max(map(len, domains)) == 64


async def test_scraping_takes_compression(api: Client) -> None:
    """As scrapers ask for it."""
    async with api.session.get(f"{api.url}/metrics", headers={"Accept-Encoding": "gzip"}) as response:
        assert response.headers["Content-Encoding"] == "gzip"
        assert "waggle_leases" in await response.text()

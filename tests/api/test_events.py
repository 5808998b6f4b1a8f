"""The event stream: everything that happens, in order, and resumed without a loss where that can be."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.api.sse import Event, Events, event_stream
from tests.engine import Client, EngineProcess, client_of, eventually, running_engine

pytestmark = pytest.mark.asyncio(loop_scope="module")
SETTINGS = {"stream_max": 5}


def _shown(event: Event) -> tuple[str, str]:
    instance = event.data.get("instance", {}).get("instanceId", "")
    return event.name, instance or event.data["service"]["serviceName"]


async def _next(events: Events, number: int) -> list[tuple[str, str]]:
    return [_shown(await events.next()) for _ in range(number)]


async def test_services_and_instances_are_told_as_they_change(api: Client) -> None:
    """With the revision as the id, the time in milliseconds, the service's facts and the whole instance."""
    async with event_stream(api) as events:
        service = await api.service("cart", appId="shop", version="1.0")
        await api.instance(service, instanceId="i")
        await api.call("PUT", f"/microservices/{service}/properties", {"properties": {"a": "1"}}, 200)
        await api.call("DELETE", f"/microservices/{service}?force=1", None, 200)
        got = [await events.next() for _ in range(5)]
    assert [_shown(event) for event in got] == [
        ("service.CREATE", "cart"),
        ("instance.CREATE", "i"),
        ("service.UPDATE", "cart"),
        ("instance.DELETE", "i"),
        ("service.DELETE", "cart"),
    ]
    ids = [int(event.id) for event in got]
    assert ids == sorted(set(ids)) == [event.data["revision"] for event in got]
    facts = {"environment": "", "appId": "shop", "serviceName": "cart", "version": "1.0", "serviceId": service}
    assert all(event.data["service"] == facts for event in got)
    assert got[1].data["instance"]["endpoints"] == ["rest://127.0.0.1:8080"]
    assert got[0].data["at"] > 1_600_000_000_000
    assert got[0].data["tenant"] == f"{api._headers['X-Domain-Name']}/default"


async def test_a_stream_can_be_narrowed_to_a_service(api: Client) -> None:
    async with event_stream(api, service="wanted") as events:
        await api.instance(await api.service("other"))
        await api.instance(await api.service("wanted"), instanceId="i")
        assert await _next(events, 2) == [("service.CREATE", "wanted"), ("instance.CREATE", "i")]


async def test_who_reconnects_misses_and_repeats_nothing(api: Client) -> None:
    """By Last-Event-ID as browsers send it, or by `after`."""
    service = await api.service("cart")
    async with event_stream(api) as events:
        await api.instance(service, instanceId="seen")
        last = (await events.next()).id
    for name in ("missed", "missed-too"):
        await api.instance(service, instanceId=name)
    expected = [("instance.CREATE", "missed"), ("instance.CREATE", "missed-too"), ("instance.CREATE", "new")]
    async with event_stream(api, last) as events:
        await api.instance(service, instanceId="new")
        assert await _next(events, 3) == expected
    async with event_stream(api, after=last) as events:
        assert await _next(events, 3) == expected


@pytest.mark.parametrize("after", ["x", "-1", "1.", "1.2.3", "9" * 19, "\u0661"])
async def test_an_id_that_is_none_is_refused(after: str, api: Client) -> None:
    async with api.session.get(f"{api.url}/waggle/v1/events", params={"after": after}) as response:
        assert (response.status, (await response.json())["errorCode"]) == (400, "400001")


async def test_where_a_loss_is_possible_the_stream_says_so(tmp_path: Path) -> None:
    """After a restart for a client that is behind; not for one that had seen everything."""
    async with running_engine(tmp_path / "data") as engine:
        async with client_of(engine.url) as client, event_stream(client) as events:
            service = await client.service("cart")
            first = (await events.next()).id
            await client.instance(service, instanceId="i")
            last = (await events.next()).id
        await engine.kill()
        await engine.start()
        async with client_of(engine.url) as client:
            async with event_stream(client, first) as events:
                gap = await events.next()
                assert (gap.name, gap.data["kind"], gap.data["action"]) == ("stream.GAP", "stream", "GAP")
            async with event_stream(client, gap.id, service="after-the-gap") as events:
                await client.service("after-the-gap")
                assert await _next(events, 1) == [("service.CREATE", "after-the-gap")]
            async with event_stream(client, last, service="cart") as events:
                await client.instance(service, instanceId="j")
                assert await _next(events, 1) == [("instance.CREATE", "j")]


async def test_more_than_is_remembered_is_a_gap(api: Client) -> None:
    """10,000 events; what is left of them follows the gap."""
    async with event_stream(api) as events:
        await api.service("first")
        first = (await events.next()).id
    many = {"service": {"serviceName": "cart"}, "instances": [{"hostName": f"h{number}"} for number in range(500)]}
    await api.call("POST", "/microservices", many, 200)
    async with event_stream(api, first) as events:
        assert (await events.next()).name == "service.CREATE"
    for number in range(20):
        await api.call("PUT", "/instances/status", {"status": "UP" if number % 2 else "DOWN"}, 200)
    async with event_stream(api, first) as events:
        gap = await events.next()
        got = [await events.next() for _ in range(10_000)]
    assert gap.name == "stream.GAP"
    assert {event.name for event in got} == {"instance.UPDATE"}
    assert int(got[0].id) == int(gap.id) + 1


async def test_one_stream_too_many_is_refused(api: Client, shared_engine: EngineProcess) -> None:
    """`stream_max`; a stream whose client leaves makes room at once, though nothing happens that it could be told of."""
    url = f"{api.url}/waggle/v1/events"
    opened = [await api.session.get(url) for _ in range(5)]
    async with api.session.get(url) as response:
        assert (response.status, (await response.json())["errorCode"]) == (400, "400100")
    for response in opened:
        response.close()

    async def there_is_room() -> bool:
        async with api.session.get(url) as response:
            return response.status == 200

    await eventually(there_is_room)


async def test_streams_end_when_the_engine_stops(tmp_path: Path) -> None:
    """Cleanly, so that clients reconnect elsewhere at once; the engine does not wait for them."""
    async with (
        running_engine(tmp_path / "data") as engine,
        client_of(engine.url) as client,
        event_stream(client) as events,
    ):
        stopping = asyncio.create_task(engine.stop())
        with pytest.raises(EOFError):
            await events.until(lambda _event: False)
        assert await stopping == 0

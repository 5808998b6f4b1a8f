"""What a service tells of itself: calls by interface and version, bounded; breakers; and nothing that fails hurts anybody."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from governance.invocation.invocation import Invocation, LocalReply, Reply
from governance.invocation.live import LiveRules
from governance.invocation.measures import Measure
from governance.rules.marker import Request
from governance.rules.selection import OwnService
from governance.sdk import ServiceSettings
from governance.sdk.addresses import AddressPool
from governance.sdk.calls import Answer, EngineCall, EngineUnavailableError
from governance.sdk.monitor import Document, Tally, Uploads
from governance.sdk.monitor.tally import MOST_INTERFACES
from tests.unit.sdk.fakes import Time

UNHURRIED = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""The machine may be busy."""
SETTINGS = ServiceSettings(name="weather", app="map", version="2.0.0", host_name="h")


class State:
    """The state of a breaker."""

    def __init__(self, state: str) -> None:
        self._state = state

    def measures(self) -> Iterable[Measure]:
        """As breakers tell it."""
        return [Measure("state", name == self._state, {"state": name}) for name in ("open", "closed", "half_open")]


class _Target:
    instance_id, service, version = "i", "forecast", "0.0.2"
    properties = data_center = {}  # type: ignore[var-annotated]  # noqa: RUF012  nobody changes it


def call(path: str = "/", **facts: object) -> Invocation:
    """A call; on the way out `service` is the callee."""
    request = Request(path=path, method="GET", headers={}, queries={})
    return Invocation(request=request, **{"service": "", **facts})  # type: ignore[arg-type]


async def passes(tally: Tally, time: Time, one: Invocation, status: int = 200, *, out: bool = False) -> None:
    """Let a call through that takes 20 ms; status 0 is an error."""

    async def proceed(_one: Invocation) -> Reply:
        time.now += 0.02
        if not status:
            raise ConnectionError
        return LocalReply(status)

    stage = tally.called() if out else tally.provided()
    if status:
        await stage(one, proceed)
    else:
        with pytest.raises(ConnectionError):
            await stage(one, proceed)


def made(tally: Tally, time: Time, **states: State) -> dict[str, dict[str, object]]:
    """The interfaces of the next document by name."""
    processors = {f"servicecomb.{name.replace('__', '.')}": state for name, state in states.items()}
    document = Document(SETTINGS, "i", tally, lambda: iter(processors.items()), time.clock).make("s")
    rows = document["interfaces"]
    assert isinstance(rows, list)
    return {row["name"]: row for row in rows}


async def test_what_is_served_is_named_by_operation_else_by_pattern_else_by_the_service() -> None:
    time = Time()
    tally = Tally("weather", "map", time.clock)
    await passes(tally, time, call(schema="weather", operation="show"))
    await passes(tally, time, call("/cities/7", pattern="/cities/{id}"), 503)
    await passes(tally, time, call("/anything/else"), 429)
    time.now += 10 - 0.06
    rows = made(tally, time)
    assert {name: (row["qps"], row["failure"]) for name, row in rows.items()} == {
        "Provider.weather.weather.show": (0.1, 0),
        "Provider.GET /cities/{id}": (0.1, 1),
        "Provider.weather": (0.1, 0),
    }
    assert rows["Provider.weather"]["semaphoreRejected"] == 1
    assert rows["Provider.weather.weather.show"]["latency"] == pytest.approx(20)
    assert rows["Provider.weather.weather.show"]["l99"] == pytest.approx(20, rel=0.1)


async def test_calls_are_told_by_service_and_by_version_and_each_counts_once() -> None:
    time = Time()
    tally = Tally("weather", "map", time.clock)
    await passes(tally, time, call(service="forecast", target=_Target()), out=True)
    await passes(tally, time, call(service="forecast", target=_Target()), 0, out=True)
    await passes(tally, time, call(service="forecast", app="other", target=_Target()), out=True)
    time.now += 9.94
    interfaces, versions = tally.take()
    assert [(row["name"], row["total"], row["failure"]) for row in interfaces] == [
        ("Consumer.forecast", 2, 1),
        ("Consumer.other:forecast", 1, 0),
    ]
    assert [(row["service"], row["version"], row["qps"], row["failureRate"]) for row in versions] == [
        ("forecast", "0.0.2", 0.2, 0.5),
        ("other:forecast", "0.0.2", 0.1, 0),
    ]
    idle, _ = tally.take()
    assert [row["total"] for row in idle] == [0, 0], "they stay, and begin anew"
    for _ in range(40):
        tally.take()
    assert tally.take() == ([], [])


class _Engine:
    """An engine that answers what it is told to; an account and a client of it."""

    headers = {"X-Domain-Name": "default"}  # noqa: RUF012  nobody changes it
    session = None

    def __init__(self, *answers: int) -> None:
        self.answers = list(answers)
        self.asked: list[EngineCall] = []
        self.account = self

    async def answer_to(self, _session: object, pool: AddressPool, asked: EngineCall) -> Answer:
        """The next status; 0: nobody answers."""
        self.asked.append(asked)
        status = self.answers.pop(0)
        if not status:
            raise EngineUnavailableError(f"no answer from {pool.addresses}")
        return Answer(status, {}, "")


async def test_documents_go_on_whatever_becomes_of_them(caplog: pytest.LogCaptureFixture) -> None:
    """At once and at each interval; after a refusal in a minute. It is told once that they do not arrive."""
    time, engine = Time(), _Engine(200, 0, 503, 404, 200, 0)
    rules = LiveRules(OwnService("weather", "2.0.0"))
    uploads = Uploads(SETTINGS, engine, "i", rules, time.clock)  # type: ignore[arg-type]
    running = asyncio.create_task(uploads.run("s", time.pause))
    await time.until_someone_pauses()
    await time.pass_(100)
    running.cancel()
    await asyncio.wait((running,))
    assert time.pauses == [10, 10, 10, 60, 10, 10]
    assert {(one.method, one.path, *one.query) for one in engine.asked} == {
        ("POST", "/v2/default/csemonitor/metric", ("service", "weather"))
    }
    assert ["monitor.not_uploaded" in one.getMessage() for one in caplog.records] == [True, True]


@UNHURRIED
@given(st.lists(st.sampled_from([f"/{number}" for number in range(3 * MOST_INTERFACES)]), max_size=400))
def test_interfaces_are_bounded_and_no_call_is_lost(patterns: list[str]) -> None:
    time = Time()
    tally = Tally("weather", "map", time.clock)
    for pattern in patterns:
        tally.count((f"Provider.GET {pattern}", "", "", "200"), 0.01)
        tally.count((f"Consumer.s{pattern}", f"s{pattern}", "1.0", "200"), 0.01)
    interfaces, versions = tally.take()
    assert len(interfaces) <= MOST_INTERFACES + 2
    assert len(versions) <= 100
    assert sum(int(str(row["total"])) for row in interfaces) == 2 * len(patterns)


async def test_an_open_breaker_is_told_at_its_interface_or_by_its_rule() -> None:
    time = Time()
    tally = Tally("weather", "map", time.clock)
    await passes(tally, time, call(service="forecast", target=_Target()), out=True)
    rows = made(
        tally,
        time,
        bizkeeper__Consumer__forecast=State("open"),
        circuitBreaker__all=State("closed"),
        instanceIsolation__slow__forecast=State("open"),
        rateLimiting__some=State("open"),
    )
    assert {name: row["circuitBreakerOpen"] for name, row in rows.items()} == {
        "Consumer.forecast": True,
        "Provider.all": False,
        "Consumer.slow": True,
    }


async def test_the_document_says_who_tells_and_what_the_process_takes() -> None:
    time = Time()
    document = Document(SETTINGS, "i", Tally("weather", "map", time.clock), lambda: iter(()), time.clock)
    time.now += 10
    told = document.make("s")
    identity = {"appId": "map", "name": "weather", "version": "2.0.0", "environment": "", "instance": "h"}
    assert {**identity, "serviceId": "s", "instanceId": "i"}.items() <= told.items()
    assert 0 <= float(str(told["cpu"])) <= 100
    assert int(str(told["threadCount"])) >= 1
    assert told["uptime"] == 10_000
    assert isinstance(told["memory"], dict)
    assert told["memory"]["heapUsed"] > 1_000_000

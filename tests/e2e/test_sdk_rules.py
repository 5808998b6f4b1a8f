"""Several services under rules with a real engine: the context over three hops, who may call, and what the metrics say."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import zlib
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import TypeAlias

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from governance.sdk import Microservice, context, governed
from tests.api.own_config import OwnConfig
from tests.e2e.sdk import Place, settings, soon
from tests.engine import EngineProcess, eventually, running_engine

Handler: TypeAlias = Callable[[Microservice, web.Request], Awaitable[web.StreamResponse]]
Items: TypeAlias = Mapping[str, tuple[str, str]]
"""Values and their types by key."""
_BY_NAME = {"category": "property", "propertyName": "serviceName"}
ALL = "matches: [{apiPath: {prefix: /}}]"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def process(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EngineProcess]:
    """One engine for the tests of this module that leave it alone."""
    async with running_engine(tmp_path_factory.mktemp("engine") / "data") as started:
        yield started


@pytest.fixture
def place(process: EngineProcess, request: pytest.FixtureRequest) -> Place:
    """The engine, and a project of this test's own."""
    return Place(process.url, project=f"p{zlib.crc32(request.node.name.encode())}")


@contextlib.asynccontextmanager
async def service(name: str, place: Place, handler: Handler, **given: object) -> AsyncIterator[Microservice]:
    """A registered service that answers behind its rules."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        endpoint = f"127.0.0.1:{listener.getsockname()[1]}"
        async with Microservice(settings(name, place, endpoints=endpoint, **given), pause=soon) as made:

            async def answer(request: web.Request) -> web.StreamResponse:
                return await handler(made, request)

            app = web.Application(middlewares=[governed(made.inbound)])
            app.router.add_route("*", "/{path:.*}", answer)
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
            await runner.setup()
            try:
                await web.SockSite(runner, listener).start()
                yield made
            finally:
                await runner.cleanup()


async def here(_service: Microservice, request: web.Request) -> web.StreamResponse:
    """Says what came along, and how it was written."""
    names = ("x-cse-context", "x-invocation-context", "x_cse_canary", "x-cse-canary")
    sent = {name: request.headers[name] for name in names}
    return web.json_response({"context": dict(context.current()), "headers": sent})


async def through_a_task(service: Microservice, _request: web.Request) -> web.StreamResponse:
    """Calls on from a task of its own."""

    async def call() -> object:
        async with service.http.get("cse://cart/") as answer:
            return await answer.json()

    return web.json_response(await asyncio.create_task(call()))


async def through_a_thread(service: Microservice, _request: web.Request) -> web.StreamResponse:
    """Calls on with what a thread has found in the context."""

    def look() -> str:
        return context.current()["user"]

    with context.having(seen=await asyncio.to_thread(look)):
        async with service.http.get("cse://shop/") as answer:
            return web.json_response(await answer.json())


async def test_the_context_goes_over_three_hops_in_the_headers_of_both_frameworks(place: Place) -> None:
    async with (
        service("cart", place, here),
        service("shop", place, through_a_task),
        service("web", place, through_a_thread) as entry,
        aiohttp.ClientSession() as session,
    ):
        address = entry.settings.endpoints[0].replace("rest://", "http://")
        headers = {"x-cse-context": '{"user":"Zoë","x-cse-src-microservice":"gate"}', "x-cse-canary": "gray"}
        async with session.get(address, headers=headers) as answer:
            assert answer.status == 200
            found = await answer.json()
    assert found["context"] == {
        "user": "Zoë",
        "seen": "Zoë",
        "x_cse_canary": "gray",
        "x-cse-src-microservice": "shop",
        "x-microservice-name": "shop",
    }
    assert json.loads(found["headers"]["x-cse-context"]) == found["context"]
    assert context.read({"x-invocation-context": found["headers"]["x-invocation-context"]}) == found["context"]
    assert found["headers"]["x_cse_canary"] == found["headers"]["x-cse-canary"] == "gray"


async def yes(_service: Microservice, _request: web.Request) -> web.StreamResponse:
    """Answers."""
    return web.Response(text="yes")


async def status_of(caller: Microservice, url: str = "cse://cart/") -> int:
    """The status that a call gets."""
    async with caller.http.get(url) as answer:
        return answer.status


@contextlib.asynccontextmanager
async def caller(name: str, place: Place, **given: object) -> AsyncIterator[Microservice]:
    """A registered service that only calls."""
    async with Microservice(settings(name, place, **given), pause=soon) as made:
        yield made


def java(**rules: str) -> Items:
    """Lists of names of services in the form of Java Chassis: a key for each part."""
    forms = {colour: f"servicecomb.publicKey.accessControl.{colour}.a" for colour in rules}
    return {
        f"{forms[colour]}.{part}": (text, "text")
        for colour, rule in rules.items()
        for part, text in {**_BY_NAME, "rule": rule}.items()
    }


def spring(**rules: str) -> Items:
    """Such lists in the form of Spring Cloud Huawei: an item of YAML, since its keys are no names of items."""
    lists = {colour: [{**_BY_NAME, "rule": rule}] for colour, rule in rules.items()}
    return {"access.yaml": (json.dumps({"spring.cloud.servicecomb.webmvc.public-key.access-control": lists}), "yaml")}


@pytest.mark.parametrize(
    ("items", "signs", "lets_in"),
    [
        (java(white="web"), "web", True),
        (java(white="other*"), "web", False),
        (java(black="*eb"), "web", False),
        (java(white="*", black="evil"), "web", True),
        (spring(white="web"), "web", True),
        (spring(black="w*"), "web", False),
        (spring(white="*", black="evil"), "web", True),
    ],
)
async def test_a_list_lets_in_whom_it_names_by_their_signature(
    place: Place, items: Items, signs: str, lets_in: bool
) -> None:
    async with (
        service("cart", place, yes) as provider,
        caller(signs, place, sign_calls=True) as known,
        caller("nobody", place) as unknown,
    ):
        assert [await status_of(one) for one in (known, unknown)] == [200, 200], "without a list"
        await listed(place, provider, items)
        assert [await status_of(one) for one in (known, unknown)] == [200 if lets_in else 403, 403]
        async with aiohttp.ClientSession() as session:
            claim = {"x-cse-context": json.dumps({"x-cse-src-microservice": signs, "x-microservice-name": signs})}
            address = provider.settings.endpoints[0].replace("rest://", "http://")
            async with session.get(address, headers=claim) as answer:
                assert (answer.status, await answer.json()) == (403, {"message": "UNAUTHORIZED BY WHITE BLACK"})


async def listed(place: Place, provider: Microservice, items: Items) -> None:
    """Store lists, and wait until the provider obeys them."""
    labels = {"app": "shop", "environment": "", "service": "cart"}
    async with aiohttp.ClientSession() as session:
        own = OwnConfig(session, place.url, place.project)
        for key, (text, value_type) in items.items():
            await own.put(key, text, labels, value_type=value_type)

    async def obeyed() -> bool:
        access = provider.rules.book.access
        return [bool(access.white), bool(access.black)] == [word in str(items) for word in ("white", "black")]

    await eventually(obeyed)


async def test_lists_hold_while_the_engine_is_away_and_when_it_is_back(tmp_path: Path) -> None:
    async with running_engine(tmp_path / "data") as engine:
        place = Place(engine.url)
        async with (
            service("cart", place, yes) as provider,
            caller("web", place, sign_calls=True) as known,
            caller("late", place, sign_calls=True) as late,
            caller("nobody", place) as unknown,
        ):
            await listed(place, provider, java(white="*"))
            await late.instances("cart")
            assert [await status_of(one) for one in (known, unknown)] == [200, 403]
            await engine.kill()
            assert await status_of(known) == 200, "who has proved itself is known without the engine"
            assert await status_of(unknown) == 403
            assert await status_of(late) == 403, "who has not cannot"
            await engine.start()

            async def let_in() -> bool:
                return await status_of(late) == 200

            await eventually(let_in)
            assert [await status_of(one) for one in (known, late, unknown)] == [200, 200, 403]


CONSUMER = {
    "matchGroup.all": ALL,
    "retry.all": "{maxAttempts: 1, waitDuration: 1}",
    "faultInjection.all": "{type: delay, percentage: 0}",
    "instanceIsolation.all": "{}",
    "instanceBulkhead.all": "{maxConcurrentCalls: 10}",
    "timeLimiter.all": "{timeoutDuration: 20000}",
    "fallbackpolicy.Consumer.cart.policy": "throwexception",
    "loadbalance.filter.isolation.enabled": "true",
    "flowcontrol.Consumer.qps.limit.cart": "1000",
}
PROVIDER = {
    "matchGroup.all": ALL,
    "rateLimiting.all": "{rate: 3, limitRefreshPeriod: 60000}",
    "identifierRateLimiting.all": "{rate: 100, identifier: user}",
    "circuitBreaker.all": "{minimumNumberOfCalls: 100}",
    "bulkhead.all": "{maxConcurrentCalls: 10}",
    "flowcontrol.Provider.qps.global.limit": "1000",
}
Samples: TypeAlias = Mapping[str, Mapping[str, float]]
"""By name: values by the state's key, with the other label after a blank."""


def samples(service: Microservice) -> Samples:
    """What Prometheus reads of the rules of a service."""
    found: dict[str, dict[str, float]] = defaultdict(dict)
    for family in text_string_to_metric_families(generate_latest(service.metrics).decode()):
        for sample in family.samples if family.name.startswith("servicecomb_") else ():
            others = [text for label, text in sample.labels.items() if label != "name"]
            key = " ".join([sample.labels["name"], *others])
            assert key not in found[sample.name], "one series twice, and Prometheus takes nothing"
            found[sample.name.removeprefix("servicecomb_")][key] = sample.value
    return found


async def test_metrics_tell_what_each_rule_of_a_consumer_and_a_provider_has_done(place: Place) -> None:
    async with service("cart", place, yes) as provider, caller("web", place) as consumer:
        consumer.rules.update({f"servicecomb.{key}": text for key, text in CONSUMER.items()})
        provider.rules.update({f"servicecomb.{key}": text for key, text in PROVIDER.items()})
        async with consumer.http.get("cse://cart/", headers={"user": "tom"}) as answer:
            assert answer.status == 200
        assert [await status_of(consumer) for _ in range(3)] == [200, 200, 429]
        _tell_of_the_consumer(samples(consumer), provider.instance_id)
        _tell_of_the_provider(samples(provider))


def _tell_of_the_consumer(found: Samples, instance: str) -> None:
    policy, one = "servicecomb.{}.all", f"servicecomb.{{}}.all.cart.{instance}"
    assert found["retry_calls"][f"{policy.format('retry')} successful_without_retry"] == 4
    assert found["faultInjection_calls"][f"{policy.format('faultInjection')} passed"] == 4
    assert found["timeLimiter_calls"][f"{policy.format('timeLimiter')} successful"] == 4
    isolation = one.format("instanceIsolation")
    assert found["instanceIsolation_state"][f"{isolation} closed"] == 1
    assert found["instanceIsolation_failure_rate"][isolation] == -1
    assert found["instanceIsolation_not_permitted_calls"][f"{isolation} not_permitted"] == 0
    bulkhead = one.format("instanceBulkhead")
    assert found["instanceBulkhead_available_concurrent_calls"][bulkhead] == 10
    assert found["instanceBulkhead_max_allowed_concurrent_calls"][bulkhead] == 10
    assert found["bizkeeper_calls"]["servicecomb.bizkeeper.Consumer.cart successful"] == 4
    assert found["isolation_isolated"][f"servicecomb.isolation.cart.{instance}"] == 0
    assert found["flowcontrol_available_permissions"]["servicecomb.flowcontrol.Consumer.qps.limit.cart"] <= 1000


def _tell_of_the_provider(found: Samples) -> None:
    limiter = "servicecomb.rateLimiting.all"
    assert found["rateLimiting_available_permissions"][limiter] == 0
    assert found["rateLimiting_waiting_threads"][limiter] == 0
    assert found["identifierRateLimiting_available_permissions"]["servicecomb.identifierRateLimiting.all.tom"] <= 100
    breaker = "servicecomb.circuitBreaker.all"
    assert found["circuitBreaker_calls"][f"{breaker} successful"] == 3
    assert found["circuitBreaker_state"][f"{breaker} closed"] == 1
    assert found["circuitBreaker_buffered_calls"][f"{breaker} successful"] == 3
    assert found["circuitBreaker_slow_calls"][f"{breaker} successful"] == 0
    assert found["circuitBreaker_failure_rate"][breaker] == -1
    assert found["circuitBreaker_slow_call_rate"][breaker] == -1
    assert found["circuitBreaker_not_permitted_calls"][f"{breaker} not_permitted"] == 0
    bulkhead = "servicecomb.bulkhead.all"
    assert found["bulkhead_available_concurrent_calls"][bulkhead] == 10
    assert found["bulkhead_max_allowed_concurrent_calls"][bulkhead] == 10


async def test_no_caller_can_spoil_the_metrics(place: Place) -> None:
    """A part of a state's key is a header, and a header may be long, or no text at all."""
    bad = [b"x" * 3000 + b"1", b"x" * 3000 + b"2", b"\xff\xfe", b"\xff\xfd", b'"}\\n x 1', "Zoë".encode()]
    async with service("cart", place, yes) as provider:
        provider.rules.update({f"servicecomb.{key}": text for key, text in PROVIDER.items() if "rateL" not in key})
        port = int(provider.settings.endpoints[0].rsplit(":", 1)[1])
        for user in bad:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET / HTTP/1.1\r\nHost: cart\r\nConnection: close\r\nuser: " + user + b"\r\n\r\n")
            assert (await reader.read()).startswith(b"HTTP/1.1 200 ")
            writer.close()
            await writer.wait_closed()
        names = set(samples(provider)["identifierRateLimiting_available_permissions"])
    assert len(names) == len(bad)
    assert max(map(len, names)) < 250

"""The SDK while its engine is killed, frozen, emptied, replaced or not there: calls go on, and everything finds its way back."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import AsyncIterator
from pathlib import Path

from governance.sdk import Microservice
from tests.e2e.sdk import Consumer, Place, consumer, provider, settings, soon
from tests.engine import EngineProcess, client_of, eventually, running_engine
from tests.unit.sdk.servers import black_hole


@contextlib.asynccontextmanager
async def calling(me: Consumer, url: str) -> AsyncIterator[list[str]]:
    """Someone calls all the time; no call may fail. The answers so far."""
    answers: list[str] = []
    stop = asyncio.Event()

    async def go_on() -> None:
        while not stop.is_set():
            answers.append(await me.call(url))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), 0.01)

    async with asyncio.TaskGroup() as group:
        group.create_task(go_on())
        yield answers
        stop.set()
    assert answers


async def registered(engine: EngineProcess, name: str) -> list[object]:
    """The ids of a service's instances, as anyone sees them."""
    async with client_of(engine.url) as client:
        status, body, _ = await client.call("GET", f"/instances?appId=shop&serviceName={name}")
        return [each["instanceId"] for each in body.get("instances", [])] if status == 200 else []  # type: ignore[attr-defined]


async def becomes(engine: EngineProcess, name: str, ids: list[str]) -> None:
    """Wait until these are the instances of a service."""

    async def so() -> bool:
        return await registered(engine, name) == ids

    await eventually(so)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


async def test_an_engine_that_is_killed_and_started_is_hardly_noticed(engine: EngineProcess) -> None:
    async with provider("cart", Place(engine.url)), consumer(Place(engine.url), heartbeat_interval=30) as me:
        me.listen("cart")
        assert await me.told() == ["cart-1"]
        await me.watching()
        async with calling(me, "cse://cart/"):
            await engine.kill()
            assert await me.call("cse://cart/") == "cart-1", "the last known list is used while the engine is away"
            await engine.start()
            await me.watching()
            assert await registered(engine, "cart") == ["cart-1"]
            async with provider("cart", Place(engine.url), instance_id="cart-2"):
                assert await me.told() == ["cart-1", "cart-2"], "pushes have come back"
            assert await me.told() == ["cart-1"]
        assert [] not in me.lists


async def test_what_happens_while_the_watch_is_down_is_known_when_it_is_back(engine: EngineProcess) -> None:
    async with provider("cart", Place(engine.url)), consumer(Place(engine.url)) as me, client_of(engine.url) as client:
        me.listen("cart")
        assert await me.told() == ["cart-1"]
        await me.watching()
        # Nothing of the consumer runs between the restart and the registration.
        await engine.kill()
        await engine.start()
        service = await client.service("cart", appId="shop", version="0.0.1")
        await client.instance(service, instanceId="meanwhile")
        assert await me.told() == ["cart-1", "meanwhile"]


async def test_an_engine_that_has_lost_everything_gets_it_back_and_no_list_is_ever_empty(tmp_path: Path) -> None:
    async with running_engine(tmp_path / "data", storage="memory") as engine:
        place = Place(engine.url)
        async with provider("cart", place, heartbeat_interval=2), consumer(place, pull_interval=0.05) as me:
            me.listen("cart")
            assert await me.told() == ["cart-1"]
            await me.watching()
            async with calling(me, "cse://cart/"):
                await engine.kill()
                await engine.start()
                await becomes(engine, "consumer", [me.service.instance_id])
                await becomes(engine, "cart", ["cart-1"])
                await me.watching()
                async with provider("cart", place, instance_id="cart-2"):
                    while me.lists[-1] != ["cart-1", "cart-2"]:
                        await me.told()
            assert [] not in me.lists


async def test_a_service_that_the_engine_no_longer_knows_comes_back_at_once(engine: EngineProcess) -> None:
    """Its watch is told so; the next heartbeat would be in half a minute."""
    async with consumer(Place(engine.url), heartbeat_interval=30) as me, client_of(engine.url) as client:
        await me.watching()
        await client.call("DELETE", f"/microservices/{me.service.service_id}?force=1", expect=200)
        await engine.kill()
        await engine.start()
        await becomes(engine, "consumer", [me.service.instance_id])


async def test_an_instance_that_was_taken_out_comes_back_under_its_id(engine: EngineProcess) -> None:
    async with provider("cart", Place(engine.url)) as service, client_of(engine.url) as client:
        await client.call("DELETE", f"/microservices/{service.service_id}/instances/cart-1", expect=200)
        await becomes(engine, "cart", ["cart-1"])


async def test_of_two_engines_one_may_be_dead_from_the_start(engine: EngineProcess) -> None:
    place = Place(f"http://127.0.0.1:{free_port()},{engine.url}")
    for name in ("cart-1", "cart-2", "cart-3"):
        async with provider("cart", place, instance_id=name), consumer(place) as me:
            await me.watching()
            assert await me.call("cse://cart/") == name


async def test_services_move_to_the_other_engine_when_theirs_dies(tmp_path: Path) -> None:
    """The two share nothing, so everything is registered again."""
    async with running_engine(tmp_path / "one") as one, running_engine(tmp_path / "two") as two:
        place = Place(f"{one.url},{two.url}")
        async with provider("cart", place, instance_id="a"), consumer(place, instance_id="a") as me:
            me.listen("cart")
            assert await me.told() == ["a"]
            theirs, other = (one, two) if await registered(one, "cart") else (two, one)
            assert await registered(other, "cart") == [], "one engine is stayed with"
            async with calling(me, "cse://cart/"):
                await theirs.kill()
                await becomes(other, "cart", ["a"])
                await becomes(other, "consumer", ["a"])
                await me.watching()
            assert me.lists == [["a"]]


async def test_an_address_that_swallows_everything_does_not_stop_the_heartbeats(engine: EngineProcess) -> None:
    async with black_hole() as hole:
        for start in ("cart-1", "cart-2"):
            place = Place(f"{hole},{engine.url}")
            quick = {"request_timeout": 0.3, "heartbeat_timeout": 0.3, "instance_id": start}
            async with provider("cart", place, **quick) as service, client_of(engine.url) as client:
                await client.call("DELETE", f"/microservices/{service.service_id}/instances/{start}", expect=200)
                await becomes(engine, "cart", [start])


async def test_a_frozen_engine_stops_nobody(engine: EngineProcess) -> None:
    quick = {"request_timeout": 0.3, "heartbeat_timeout": 0.3}
    async with provider("cart", Place(engine.url), **quick), consumer(Place(engine.url), **quick) as me:
        me.listen("cart")
        assert await me.told() == ["cart-1"]
        await me.watching()
        os.kill(engine.pid, signal.SIGSTOP)
        try:
            async with calling(me, "cse://cart/") as answers:
                beaten = len(answers) + 50
                await eventually(lambda: _more(answers, beaten))
        finally:
            os.kill(engine.pid, signal.SIGCONT)
        async with provider("cart", Place(engine.url), instance_id="cart-2"):
            while me.lists[-1] != ["cart-1", "cart-2"]:
                await me.told()


async def _more(answers: list[str], number: int) -> bool:
    return len(answers) > number


async def test_a_service_starts_before_its_engine(tmp_path: Path) -> None:
    port = free_port()
    known = settings("cart", Place(f"http://127.0.0.1:{port}"), register_timeout=None, endpoints="127.0.0.1:1")
    async with Microservice(known, pause=soon) as service, running_engine(tmp_path / "data", port=port) as engine:
        await service.ready()
        assert await registered(engine, "cart") == [service.instance_id]


async def test_leaving_a_dead_engine_takes_no_longer_than_its_timeout(engine: EngineProcess) -> None:
    loop = asyncio.get_running_loop()
    async with provider("cart", Place(engine.url), request_timeout=0.5):
        os.kill(engine.pid, signal.SIGSTOP)
        begun = loop.time()
    try:
        assert loop.time() - begun < 5
    finally:
        os.kill(engine.pid, signal.SIGCONT)

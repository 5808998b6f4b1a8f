"""The SDK against a real engine: registering, finding, calling, being told, leaving."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import statistics
import subprocess
import zlib
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from governance.sdk import (
    EngineUnavailableError,
    Heartbeats,
    Microservice,
    NoInstanceError,
    ServiceSettings,
)
from tests.e2e.sdk import Consumer, Place, answering, consumer, provider, settings
from tests.engine import Client, EngineProcess, client_of, eventually, running_engine


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def process(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EngineProcess]:
    """One engine for the tests of this module."""
    async with running_engine(tmp_path_factory.mktemp("engine") / "data") as started:
        yield started


@pytest.fixture
def engine(process: EngineProcess, request: pytest.FixtureRequest) -> Place:
    """The engine, and a domain of this test's own."""
    return Place(process.url, f"d{zlib.crc32(request.node.name.encode())}")


@pytest_asyncio.fixture
async def client(engine: Place) -> AsyncIterator[Client]:
    """A plain client in the test's domain."""
    async with client_of(engine.url, engine.domain) as made:
        yield made


async def test_a_service_is_registered_as_its_settings_say_and_gone_when_it_leaves(
    engine: Place, client: Client, tmp_path: Path
) -> None:
    file = tmp_path / "microservice.yaml"
    file.write_text(
        """
        servicecomb:
          service: {application: shop, name: cart, version: 1.2.0, environment: testing, properties: {team: red}}
          instance: {properties: {cas_lane_tag: base}}
          datacenter: {name: dc, region: north, availableZone: n1}
          rest: {address: 127.0.0.1:8080}
        """
    )
    environ = {
        "PAAS_CSE_SC_ENDPOINT": engine.url,
        "WAGGLE_CONFIG_CACHE": str(tmp_path),
        "servicecomb_config_client_tenantName": engine.domain,
        "SERVICECOMB_INSTANCE_PROPS": "cas_lane_tag:gray,affinity-tag:gray",
    }
    known = ServiceSettings.load(file, environ, schemas={"cart": "openapi: 3.0.0"}, register_timeout=20)
    async with Microservice(known) as service:
        _, found, _ = await client.call("GET", f"/microservices/{service.service_id}", expect=200)
        registered = found["service"]  # type: ignore[index]
        assert (registered["appId"], registered["version"], registered["environment"]) == ("shop", "1.2.0", "testing")
        assert registered["properties"] == {"team": "red"}
        _, schema, _ = await client.call("GET", f"/microservices/{service.service_id}/schemas/cart", expect=200)
        assert schema == {"schema": "openapi: 3.0.0"}
        (instance,) = await client.find("cart", app="shop", env="testing")
        assert instance["instanceId"] == service.instance_id
        assert instance["endpoints"] == ["rest://127.0.0.1:8080"]
        assert instance["properties"] == {"cas_lane_tag": "gray", "affinity-tag": "gray"}
        assert instance["dataCenterInfo"] == {"name": "dc", "region": "north", "availableZone": "n1"}
        assert instance["healthCheck"] == {"mode": "push", "interval": 30, "times": 3}
    assert await client.find("cart", app="shop", env="testing") == [], "gone at once, not when its lease ends"


async def test_a_consumer_calls_a_provider_by_name(engine: Place) -> None:
    async with provider("cart", engine), consumer(engine) as me:
        assert await me.call("cse://cart/any/path?q=1") == "cart-1"
        assert await me.call("cse://shop:cart/") == "cart-1"
        assert await me.call("http://cart/") == "cart-1"
        with pytest.raises(NoInstanceError, match="no instance of till: the engine knows none"):
            await me.call("cse://till/")


async def test_calls_go_round_and_pass_over_who_is_not_up_or_not_there(engine: Place) -> None:
    async with (
        provider("cart", engine, instance_id="one"),
        provider("cart", engine, instance_id="two") as two,
        consumer(engine) as me,
    ):
        me.listen("cart")
        assert await me.told() == ["one", "two"]
        assert Counter([await me.call("cse://cart/") for _ in range(10)]) == {"one": 5, "two": 5}
        await two.set_status("OUTOFSERVICE")
        await eventually(lambda: _only(me, "one"))
        await two.set_status("UP")
        await eventually(lambda: _not_only(me, "one"))
        async with Microservice(settings("cart", engine, instance_id="refuses", endpoints="127.0.0.1:1")):
            while "refuses" not in await me.told():
                pass
            assert Counter([await me.call("cse://cart/") for _ in range(12)]).keys() == {"one", "two"}
            async with me.service.http.post("cse://cart/", json={}) as answer:
                assert answer.status == 200


async def _only(me: Consumer, name: str) -> bool:
    return {await me.call("cse://cart/") for _ in range(4)} == {name}


async def _not_only(me: Consumer, name: str) -> bool:
    return not await _only(me, name)


async def test_changes_are_pushed_within_milliseconds(engine: Place, client: Client) -> None:
    service = await client.service("cart", appId="shop")
    async with consumer(engine) as me:
        me.listen("cart")
        await me.watching()
        await client.instance(service, instanceId="first")
        while await me.told() != ["first"]:
            pass
        loop, delays = asyncio.get_running_loop(), []
        for number in range(20):
            begun = loop.time()
            await client.instance(service, instanceId=f"x{number:02}")
            assert (await me.told())[-1] == f"x{number:02}"
            await client.call("DELETE", f"/microservices/{service}/instances/x{number:02}", expect=200)
            assert await me.told() == ["first"], "deletions are told too"
            delays.append((loop.time() - begun) / 2)
        assert statistics.median(delays) < 0.1, f"register or delete, and know of it: {sorted(delays)}"


async def test_a_provider_that_comes_later_is_found_soon(engine: Place) -> None:
    async with consumer(engine, watch=False) as me:
        with pytest.raises(NoInstanceError):
            await me.call("cse://cart/")
        async with provider("cart", engine):
            await eventually(lambda: _answers(me, "cart-1"), 5)


async def _answers(me: Consumer, text: str) -> bool:
    with contextlib.suppress(NoInstanceError, aiohttp.ClientError):
        return await me.call("cse://cart/") == text
    return False


async def test_without_pushes_pulling_is_enough(engine: Place) -> None:
    async with provider("cart", engine), consumer(engine, watch=False, pull_interval=0.1) as me:
        me.listen("cart")
        assert await me.told() == ["cart-1"]
        async with provider("cart", engine, instance_id="cart-2"):
            assert await me.told() == ["cart-1", "cart-2"]
        assert await me.told() == ["cart-1"]
        assert not me.service.watching


async def test_finding_tells_the_engine_who_depends_on_whom(engine: Place, client: Client) -> None:
    async with provider("cart", engine), consumer(engine) as me:
        await me.call("cse://cart/")

        async def known() -> bool:
            _, body, _ = await client.call("GET", f"/microservices/{me.service.service_id}/providers", expect=200)
            return [each["serviceName"] for each in body.get("providers", [])] == ["cart"]  # type: ignore[attr-defined]

        await eventually(known)


async def test_the_services_of_a_process_share_their_heartbeats(engine: Place, client: Client) -> None:
    heartbeats = Heartbeats()
    async with contextlib.AsyncExitStack() as stack:
        for number in range(5):
            known = settings(f"service-{number}", engine, watch=False)
            await stack.enter_async_context(Microservice(known, heartbeats=heartbeats))
        before = await _heartbeat_calls(client)

        async def beaten() -> bool:
            return (await _heartbeat_calls(client))[1] >= before[1] + 4

        await eventually(beaten)
        single, _ = await _heartbeat_calls(client)
        assert single - before[0] <= 1, "five services, one call an interval"


async def _heartbeat_calls(client: Client) -> tuple[float, float]:
    async with client.session.get(f"{client.url}/metrics") as answer:
        lines = (await answer.text()).splitlines()
    found = [line for line in lines if line.startswith("service_center_http_request_total{") and 'method="PUT"' in line]
    batch = [line for line in found if 'heartbeats"' in line]
    single = [line for line in found if 'heartbeat"' in line]
    return tuple(sum(float(line.rsplit(" ", 1)[1]) for line in lines) for lines in (single, batch))  # type: ignore[return-value]


async def test_unregistering_leaves_the_rest_of_the_service_alone(engine: Place, client: Client) -> None:
    async with provider("cart", engine), consumer(engine) as me:
        await me.service.unregister()
        assert await client.find("consumer", app="shop") == []
        assert await me.call("cse://cart/") == "cart-1"
        await me.service.unregister()


async def test_the_same_id_in_a_new_process_brings_its_new_endpoint(engine: Place, client: Client) -> None:
    former = await client.service("cart", appId="shop")
    await client.instance(former, instanceId="cart-1", endpoints=["rest://127.0.0.1:1"], properties={"old": "yes"})
    async with provider("cart", engine) as service, consumer(engine) as me:
        (instance,) = await client.find("cart", app="shop")
        assert instance["endpoints"] == list(service.settings.endpoints)
        assert await me.call("cse://cart/") == "cart-1"


async def test_a_service_that_cannot_register_in_time_says_why() -> None:
    with pytest.raises(
        EngineUnavailableError, match=r"cart is not registered after 0\.3 s: no answer from the engine at http://127"
    ):
        async with Microservice(settings("cart", Place("http://127.0.0.1:1"), register_timeout=0.3)):
            pytest.fail("the block was entered")


async def test_an_error_in_the_block_unregisters_too(engine: Place, client: Client) -> None:
    async def fail() -> None:
        async with provider("cart", engine):
            assert len(await client.find("cart", app="shop")) == 1
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await client.find("cart", app="shop") == []


async def test_over_tls_with_a_certificate_of_its_own(tmp_path: Path) -> None:
    _certificates(tmp_path)
    pem = {name: str(tmp_path / f"{name}.pem") for name in ("ca", "engine", "service")}
    async with running_engine(tmp_path / "data", tls_cert=pem["engine"], tls_client_ca=pem["ca"]) as engine:
        assert engine.url.startswith("https://")
        async with (
            consumer(Place(engine.url), tls_ca=pem["ca"], tls_cert=pem["service"]) as me,
            answering("plain") as endpoint,
            Microservice(
                settings("cart", Place(engine.url), endpoints=endpoint, tls_ca=pem["ca"], tls_cert=pem["service"])
            ),
        ):
            me.listen("cart")
            assert await me.told()
            await me.watching()
            assert await me.call("cse://cart/") == "plain", "the engine's TLS is not that of the services"
        with pytest.raises(EngineUnavailableError, match="certificate"):
            async with Microservice(settings("cart", Place(engine.url), register_timeout=2)):
                pass


def _certificates(folder: Path) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("OPENSSL IS MISSING: install Debian's package openssl; TLS of the SDK was not tested")
    for name, subject in (("ca", "/CN=ca"), ("engine", "/CN=engine"), ("service", "/CN=service")):
        signed = [] if name == "ca" else ["-CA", "ca.pem", "-CAkey", "ca.key"]
        use = "basicConstraints=critical,CA:TRUE" if name == "ca" else "subjectAltName=IP:127.0.0.1"
        where = ["-keyout", f"{name}.key", "-out", f"{name}.pem", "-days", "1", "-subj", subject, "-addext", use]
        command = [
            openssl,
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            *where,
            *signed,
        ]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
        if name != "ca":
            pem = folder / f"{name}.pem"
            pem.write_text(pem.read_text() + (folder / f"{name}.key").read_text())

"""The engine's protocol as calls: failing over, and answers that are not what was asked for."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from governance.sdk import EngineError, EngineUnavailableError, ServiceSettings, SettingsError
from governance.sdk.addresses import AddressPool, is_healthy
from governance.sdk.calls import tls_context
from governance.sdk.client import CenterClient
from tests.unit.sdk.servers import nobody, serving


@contextlib.asynccontextmanager
async def client_of(*addresses: str, **settings: object) -> AsyncIterator[CenterClient]:
    known = ServiceSettings(name="cart", addresses=addresses, **settings)  # type: ignore[arg-type]
    async with aiohttp.ClientSession() as session:
        client = CenterClient(known, AddressPool(known.addresses))
        client.open_with(session)
        yield client


async def found(request: web.Request) -> web.Response:
    return web.json_response({"serviceId": f"from {request.url.port}"})


def failing(status: int, text: str = "") -> object:
    async def fail(_request: web.Request) -> web.Response:
        return web.Response(status=status, text=text, content_type="application/json" if "{" in text else "text/plain")

    return fail


async def test_what_is_sent() -> None:
    asked: list[web.Request] = []

    async def remember(request: web.Request) -> web.Response:
        asked.append(request)
        return web.json_response({"instances": []}, headers={"X-Resource-Revision": "r7"})

    async with (
        serving(remember) as address,
        client_of(address, project="p", domain="acme", environment="testing") as client,
    ):
        answer = await client.find("me", "shop", "cart", "r6")
        await client.find("", "shop", "cart", "")
    assert (answer.status, answer.revision) == (200, "r7")
    assert asked[0].path == "/v4/p/registry/instances"
    assert dict(asked[0].query) == {"appId": "shop", "serviceName": "cart", "version": "0+", "rev": "r6"}
    assert asked[0].headers["X-ConsumerId"] == "me"
    assert asked[0].headers["X-Domain-Name"] == "acme"
    assert asked[1].query["env"] == "testing", "without an id the environment is said"


async def test_an_address_that_refuses_is_passed_over() -> None:
    async with serving(found) as alive:
        with nobody() as dead:
            async with client_of(dead, alive) as client:
                assert await client.service_id() == f"from {alive.rsplit(':', 1)[1]}"
                assert client.pool.order()[0] == alive


async def test_an_address_that_never_answers_costs_one_timeout() -> None:
    asked: list[web.Request] = []
    over = asyncio.Event()

    async def silent(request: web.Request) -> web.Response:
        asked.append(request)
        await over.wait()
        return web.Response()

    async with (
        serving(silent) as hole,
        serving(found) as alive,
        client_of(hole, alive, heartbeat_timeout=0.2) as client,
    ):
        loop = asyncio.get_running_loop()
        begun = loop.time()
        await client.heartbeat("s", "i")
        assert 0.15 < loop.time() - begun < 3
        await client.heartbeat("s", "i")
        assert len(asked) == 1, "the next call does not go there"
        over.set()


@pytest.mark.parametrize("status", [500, 502, 503])
async def test_an_address_that_cannot_is_passed_over(status: int) -> None:
    async with (
        serving(failing(status)) as ill,  # type: ignore[arg-type]
        serving(found) as well,
        client_of(ill, well) as client,
    ):
        assert await client.register_service({}) == f"from {well.rsplit(':', 1)[1]}"


async def test_where_none_can_the_answer_is_told() -> None:
    async with serving(failing(503, '{"errorCode":"500011","errorMessage":"busy","detail":"later"}')) as ill:  # type: ignore[arg-type]
        with nobody() as dead:
            async with client_of(ill, dead) as client:
                with pytest.raises(EngineError, match="the engine answered 503 500011 busy: later") as caught:
                    await client.register_service({})
    assert (caught.value.status, caught.value.code, caught.value.detail) == (503, "500011", "later")


async def test_where_nobody_answers_the_addresses_are_told() -> None:
    with nobody() as one, nobody() as two:
        async with client_of(one, two) as client:
            with pytest.raises(
                EngineUnavailableError, match=f"no answer from the engine at {one}, {two}: Cannot connect"
            ):
                await client.heartbeat("s", "i")


@pytest.mark.parametrize("text", ["<html>", "[]", "{}", '{"serviceId":7}', ""])
async def test_an_address_that_is_no_engine_is_told(text: str) -> None:
    async with serving(failing(200, text)) as address, client_of(address) as client:  # type: ignore[arg-type]
        with pytest.raises(EngineError, match="is this address an engine"):
            await client.register_service({})


async def test_many_heartbeats_are_several_calls() -> None:
    sizes: list[int] = []

    async def renew(request: web.Request) -> web.Response:
        rows = (await request.json())["instances"]
        sizes.append(len(rows))
        rows[0]["errMessage"] = "gone"
        return web.json_response({"instances": rows})

    async with serving(renew) as address, client_of(address) as client:
        unknown = await client.heartbeats([("s", f"i{number}") for number in range(1200)])
    assert sizes == [500, 500, 200]
    assert unknown == {("s", "i0"), ("s", "i500"), ("s", "i1000")}


async def test_health_is_readiness_or_an_open_port() -> None:
    async with aiohttp.ClientSession() as session:
        for status, healthy in ((200, True), (503, False), (404, True)):
            async with serving(failing(status)) as address:  # type: ignore[arg-type]
                assert await is_healthy(session, address, "default") is healthy
        with nobody() as dead:
            assert await is_healthy(session, dead, "default") is False


def test_tls_files_that_cannot_be_used_are_told(tmp_path) -> None:  # type: ignore[no-untyped-def]
    assert tls_context(ServiceSettings(name="c")) is True, "the system's authorities"
    with pytest.raises(SettingsError, match=r"tls_ca, tls_cert, tls_key: .*No such file.* \(.*none\.pem\)"):
        tls_context(ServiceSettings(name="c", tls_ca=str(tmp_path / "none.pem")))
    (tmp_path / "bad.pem").write_text("-----BEGIN CERTIFICATE-----\n")
    with pytest.raises(SettingsError, match="tls_ca, tls_cert, tls_key") as caught:
        tls_context(ServiceSettings(name="c", tls_cert=str(tmp_path / "bad.pem")))
    assert isinstance(caught.value.__cause__, ssl.SSLError)

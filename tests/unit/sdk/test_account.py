"""Logging in: when a service asks for a token, and what becomes of it with each answer of the engine."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import orjson
import pytest
from aiohttp import web
from pydantic import SecretStr

from governance.sdk import Configuration, EngineError, Microservice, ServiceSettings
from governance.sdk.account import Account
from governance.sdk.addresses import AddressPool
from governance.sdk.client import CenterClient
from tests.engine import eventually
from tests.unit.sdk.fakes import Time
from tests.unit.sdk.servers import nobody, serving

PASSWORD = "Sesame-0pen!"
_WALL = 1_700_000_000.0


def refusal(status: int, code: str) -> tuple[int, object]:
    return status, {"errorCode": code, "errorMessage": "no", "detail": ""}


class Engine:
    """An engine with accounts. `token` is its answer to a login where it is not a new token; `refuses` whether old tokens are refused."""

    def __init__(self) -> None:
        self.token: tuple[int, object] | None = None
        self.enforces = False
        self.life = 12 * 3600.0
        self.valid = ""
        self.logins: list[object] = []
        self.seen: list[str] = []
        self.asked = asyncio.Event()
        self.answers = asyncio.Event()
        self.answers.set()
        self._numbers = itertools.count(1)

    async def handle(self, request: web.Request) -> web.Response:
        if request.path == "/v4/token":
            self.logins.append(await request.json())
            self.asked.set()
            await self.answers.wait()
            status, body = self.token or (200, {"token": self._made()})
            return web.json_response(body, status=status)
        sent = request.headers.get("Authorization", "")
        self.seen.append(sent)
        if self.enforces and sent != f"Bearer {self.valid}":
            return web.Response(status=401)
        return web.json_response({"serviceId": "s1"})

    def _made(self) -> str:
        claims = orjson.dumps({"account": "cart", "exp": _WALL + self.life, "n": next(self._numbers)})
        self.valid = f"e30.{base64.urlsafe_b64encode(claims).decode().rstrip('=')}.c2ln"
        return self.valid


class Service:
    """A client of that engine, whose clock stands still."""

    def __init__(self, client: CenterClient, time: Time) -> None:
        self.client = client
        self.time = time

    async def calls(self, times: int = 1) -> None:
        for _ in range(times):
            await self.client.service_id()


@contextlib.asynccontextmanager
async def a_service(*addresses: str, **settings: object) -> AsyncIterator[Service]:
    given: dict[str, object] = {"account_name": "cart", "account_password": PASSWORD, **settings}
    known, time = ServiceSettings(name="cart", addresses=addresses, **given), Time()  # type: ignore[arg-type]
    pool = AddressPool(known.addresses)
    account = Account(known, pool, time.clock, lambda: _WALL + time.now - 1000, environ={"SECRET": PASSWORD})
    async with aiohttp.ClientSession() as session:
        client = CenterClient(known, pool, account)
        client.open_with(session)
        yield Service(client, time)


async def test_one_login_serves_all_calls() -> None:
    engine = Engine()
    async with serving(engine.handle) as address, a_service(address) as service:
        await service.calls(3)
    assert engine.logins == [{"name": "cart", "password": PASSWORD}]
    assert engine.seen == [f"Bearer {engine.valid}"] * 3


async def test_without_an_account_nothing_is_asked_for() -> None:
    engine = Engine()
    engine.enforces = True
    async with serving(engine.handle) as address:
        for settings in ({"account_name": "", "account_password": ""}, {"account_enabled": False}):
            async with a_service(address, **settings) as service:
                with pytest.raises(EngineError, match="401"):
                    await service.client.service("s")
    assert (engine.logins, engine.seen) == ([], ["", ""])


async def test_calls_at_once_share_one_login() -> None:
    engine = Engine()
    engine.answers.clear()
    engine.asked.clear()
    async with serving(engine.handle) as address, a_service(address) as service:
        calls = [asyncio.create_task(service.calls()) for _ in range(20)]
        await asyncio.wait_for(engine.asked.wait(), 10)
        engine.answers.set()
        await asyncio.gather(*calls)
    assert len(engine.logins) == 1
    assert engine.seen == [f"Bearer {engine.valid}"] * 20


@pytest.mark.parametrize("life", [900.0, 12 * 3600.0])
async def test_a_token_is_renewed_before_it_ends_and_not_much_earlier(life: float) -> None:
    engine = Engine()
    engine.life = life
    async with serving(engine.handle) as address, a_service(address) as service:
        await service.calls()
        await service.time.pass_(0.69 * life)
        await service.calls()
        assert len(engine.logins) == 1
        await service.time.pass_(0.22 * life)
        await service.calls()
    assert len(engine.logins) == 2


@pytest.mark.parametrize("token", ["T", "a.b.c", "a.W10.c", "a.e30.c", "e30.eyJleHAiOjF9.c"])
async def test_a_token_that_does_not_say_its_end_has_the_usual_life(token: str) -> None:
    engine = Engine()
    engine.token = (200, {"token": token})
    async with serving(engine.handle) as address, a_service(address) as service:
        await service.calls()
        await service.time.pass_(8 * 3600)
        await service.calls()
        assert len(engine.logins) == 1
        await service.time.pass_(3 * 3600)
        await service.calls()
    assert len(engine.logins) == 2
    assert set(engine.seen) == {f"Bearer {token}"}


async def test_while_a_token_is_renewed_others_go_on_with_the_old_one() -> None:
    engine = Engine()
    async with serving(engine.handle) as address, a_service(address) as service:
        await service.calls()
        old = engine.valid
        await service.time.pass_(11 * 3600)
        engine.answers.clear()
        engine.asked.clear()
        renewing = asyncio.create_task(service.calls())
        await asyncio.wait_for(engine.asked.wait(), 10)
        try:
            async with asyncio.timeout(10):
                await service.calls()
            assert engine.seen[1:] == [f"Bearer {old}"]
        finally:
            engine.answers.set()
        await renewing
    assert engine.seen[2:] == [f"Bearer {engine.valid}"]
    assert engine.valid != old


async def test_a_refused_token_is_renewed_and_the_call_made_again() -> None:
    engine = Engine()
    engine.enforces = True
    async with serving(engine.handle) as address, a_service(address) as service:
        await service.calls()
        engine.valid = "what another engine has signed"
        assert await service.client.service("s") == {}
    assert len(engine.logins) == 2
    assert engine.seen[-1] == f"Bearer {engine.valid}"


async def test_a_new_token_that_is_refused_is_no_reason_to_log_in_at_each_call() -> None:
    async def refuse(request: web.Request) -> web.Response:
        return await engine.handle(request) if request.path == "/v4/token" else web.Response(status=401)

    engine = Engine()
    async with serving(refuse) as address, a_service(address) as service:
        for _ in range(10):
            with pytest.raises(EngineError, match="401"):
                await service.client.service("s")
        assert len(engine.logins) == 2
        await service.time.pass_(60)
        with pytest.raises(EngineError, match="401"):
            await service.client.service("s")
    assert len(engine.logins) == 3


async def test_where_access_is_off_it_is_asked_again_each_minute(caplog: pytest.LogCaptureFixture) -> None:
    engine = Engine()
    engine.token = (404, "404 page not found")
    async with serving(engine.handle) as address, a_service(address) as service:
        await service.calls(5)
        await service.time.pass_(59)
        await service.calls(5)
        assert (len(engine.logins), set(engine.seen)) == (1, {""})
        await service.time.pass_(1)
        engine.token = None
        await service.calls()
    assert len(engine.logins) == 2
    assert engine.seen[-1] == f"Bearer {engine.valid}"
    assert not [record for record in caplog.records if record.levelname != "INFO"]


@pytest.mark.parametrize("before", [(404, "404 page not found"), refusal(401, "401302"), (503, {}), (200, {})])
async def test_when_calls_are_refused_from_one_moment_on_it_logs_in_at_once(before: tuple[int, object]) -> None:
    engine = Engine()
    engine.token = before
    async with serving(engine.handle) as address, a_service(address) as service:
        await service.calls()
        engine.token, engine.enforces = None, True
        assert await service.client.service("s") == {}
    assert len(engine.logins) == 2


async def test_a_password_refused_while_access_is_half_open_is_tried_each_minute() -> None:
    engine = Engine()
    engine.token = refusal(401, "401302")
    async with serving(engine.handle) as address, a_service(address) as service:
        for _ in range(10):
            await service.calls(3)
            await service.time.pass_(60)
    assert len(engine.logins) == 10
    assert set(engine.seen) == {""}


@pytest.mark.parametrize("answer", [refusal(401, "401202"), refusal(403, "403201"), (401, "")])
async def test_a_wrong_password_is_tried_so_seldom_that_it_locks_nobody_and_told_once(
    answer: tuple[int, object], caplog: pytest.LogCaptureFixture
) -> None:
    engine = Engine()
    engine.token, engine.enforces = answer, True
    async with serving(engine.handle) as address, a_service(address) as service:
        for _ in range(4 * 60 * 60 // 5):
            with pytest.raises(EngineError, match="401"):
                await service.client.service("s")
            await service.time.pass_(5)
        # In four hours: two at the beginning, then one each sixteen minutes; the engine forgives one each fifteen.
        assert len(engine.logins) == 2 + 14
        engine.token = None
        await service.time.pass_(16 * 60)
        assert await service.client.service("s") == {}
    told = [record.getMessage() for record in caplog.records if "account.refused" in record.getMessage()]
    assert len(told) == 1
    assert f"{answer[0]}" in told[0]


async def test_a_right_password_lets_a_later_refusal_be_the_first_again() -> None:
    engine = Engine()
    async with serving(engine.handle) as address, a_service(address) as service:
        for _ in range(3):
            engine.token = refusal(401, "401202")
            await service.calls()
            engine.token = None
            await service.time.pass_(60)
            await service.calls()
            await service.time.pass_(11 * 3600)
    assert len(engine.logins) == 6


async def test_a_token_for_years_is_renewed_each_day_all_the_same() -> None:
    engine = Engine()
    engine.life = 10 * 365 * 24 * 3600.0
    async with serving(engine.handle) as address, a_service(address) as service:
        await service.calls()
        await service.time.pass_(22 * 3600)
        await service.calls()
    assert len(engine.logins) == 2


async def test_an_engine_that_cannot_say_is_asked_again_after_a_while() -> None:
    engine = Engine()
    engine.token = (500, {})
    async with serving(engine.handle) as address, a_service(address) as service:
        await service.calls(3)
        assert len(engine.logins) == 1
        await service.time.pass_(10)
        engine.token = (429, {})
        await service.calls(3)
        assert len(engine.logins) == 2
        await service.time.pass_(59)
        await service.calls()
        assert len(engine.logins) == 2
        await service.time.pass_(1)
        engine.token = None
        await service.calls()
    assert (len(engine.logins), engine.seen[-1]) == (3, f"Bearer {engine.valid}")


async def test_a_renewal_that_fails_keeps_the_token() -> None:
    engine = Engine()
    async with serving(engine.handle) as address, a_service(address) as service:
        await service.calls()
        await service.time.pass_(11 * 3600)
        for answer in (refusal(401, "401202"), (404, ""), (500, {})):
            engine.token = answer
            await service.calls()
            await service.time.pass_(60)
    assert len(engine.logins) == 4
    assert set(engine.seen) == {f"Bearer {engine.valid}"}


async def test_the_login_goes_to_the_address_that_answers() -> None:
    engine = Engine()
    async with serving(engine.handle) as alive:
        with nobody() as dead:
            async with a_service(dead, alive) as service:
                await service.calls()
    assert engine.seen == [f"Bearer {engine.valid}"]


async def test_a_password_by_reference_is_read_at_each_login(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    engine, secret = Engine(), tmp_path / "password"
    async with serving(engine.handle) as address, a_service(address, account_password=f"${{file:{secret}}}") as service:
        await service.calls()
        assert (engine.logins, engine.seen) == ([], [""])
        assert f"{secret}" in caplog.text
        secret.write_text("first\n")
        await service.time.pass_(10)
        await service.calls()
        secret.write_text("second")
        await service.time.pass_(11 * 3600)
        await service.calls()
    assert [login["password"] for login in engine.logins] == ["first", "second"]  # type: ignore[index]
    by_variable = {"account_password": "${env:SECRET}"}
    async with serving(engine.handle) as address, a_service(address, **by_variable) as service:
        await service.calls()
    assert engine.logins[-1] == {"name": "cart", "password": PASSWORD}


async def test_everything_that_a_service_asks_carries_its_one_token() -> None:
    """Registration, heartbeats, finds, the watch and the configuration, whatever comes first."""
    engine, seen = Engine(), set()

    async def handle(request: web.Request) -> web.StreamResponse:
        if request.path == "/v4/token":
            return await engine.handle(request)
        sort = request.path.removeprefix("/v4/default/registry").split("/")[-1]
        seen.add(sort)
        assert request.headers["Authorization"] == f"Bearer {engine.valid}", request.path
        if sort == "watcher":
            socket = web.WebSocketResponse()
            await socket.prepare(request)
            await socket.receive()
            return socket
        body = {"serviceId": "s1", "instanceId": "i1", "instances": [], "schemas": [], "data": []}
        return web.json_response(body, headers={"X-Kie-Revision": "1", "X-Resource-Revision": "1"})

    wanted = {"existence", "instances", "heartbeat", "watcher", "kv"}
    async with serving(handle) as address:
        settings = ServiceSettings(
            name="cart",
            addresses=(address,),
            account_name="cart",
            account_password=SecretStr(PASSWORD),
            config_cache="",
        )
        async with Microservice(settings) as service:
            await service.instances("weather")
            await eventually(lambda: _has(seen, wanted))
        async with Configuration(settings) as config:
            await config.ready()
    assert len(engine.logins) == 2, "one for the service, one for the configuration alone"


def test_services_of_one_process_beat_in_their_own_names() -> None:
    known = {"name": "cart", "addresses": ("http://127.0.0.1:1",)}
    first, second, third = (
        CenterClient(ServiceSettings(**known, **more), AddressPool(known["addresses"]))  # type: ignore[arg-type]
        for more in (
            {},
            {"account_name": "cart", "account_password": "-"},
            {"account_name": "cart", "account_password": "-"},
        )
    )
    assert first.scope != second.scope == third.scope, "clients of one scope beat in one call"


async def test_neither_password_nor_token_is_ever_shown(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    engine = Engine()
    async with serving(engine.handle) as address, a_service(address) as service:
        await service.calls()
        await service.time.pass_(11 * 3600)
        for answer in (refusal(401, "401202"), (500, {"detail": "?"}), (404, ""), None):
            engine.token = answer
            await service.calls()
            await service.time.pass_(60)
        shown = repr(service.client._settings) + str(service.client._settings.model_dump())
    with nobody() as dead:
        async with a_service(dead) as service:
            with pytest.raises(Exception, match="no answer") as caught:
                await service.calls()
    assert "account.refused" in caplog.text
    for text in (caplog.text, shown, repr(caught.value)):
        assert PASSWORD not in text
        assert engine.valid not in text


async def _has(seen: set[str], wanted: set[str]) -> bool:
    return wanted <= seen

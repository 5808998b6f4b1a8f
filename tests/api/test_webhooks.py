"""Webhooks against a real receiver: signed, tried again, in order; one that hangs or redirects holds up nobody."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from tests.api.alarmed import Alarmed
from tests.engine import Client, EngineProcess, client_of, eventually, running_engine

pytestmark = pytest.mark.asyncio(loop_scope="module")
SETTINGS = {"alarm_seconds": 0.05, "webhook_retry_seconds": 0.02, "webhook_timeout": 2, "webhook_queue": 3}
KEY = "the key of the tests"


class Receiver:
    """Takes messages. `answers` are the statuses of the next ones, 0 for none at all; after them it takes everything."""

    def __init__(self) -> None:
        self.got: list[tuple[Mapping[str, str], Any]] = []
        self.answers: list[int] = []
        self.released = asyncio.Event()
        self.url = ""

    async def take(self, request: web.Request) -> web.Response:
        """One message."""
        body = await request.read()
        self.got.append((dict(request.headers), json.loads(body) if body else None))
        _check_signature(request.headers, body)
        status = self.answers.pop(0) if self.answers else 200
        if not status:
            await self.released.wait()
            return web.Response(status=500)
        return web.Response(status=status, headers={"Location": f"{self.url}/elsewhere"})

    @property
    def told(self) -> list[tuple[str, str]]:
        """What has come: the event, and the rule."""
        return [(body["event"], body.get("alarm", {}).get("rule", "")) for _, body in self.got]


def _check_signature(headers: Mapping[str, str], body: bytes) -> None:
    """As docs/alarms.md says, where it is signed."""
    if "X-Waggle-Signature" in headers:
        stamp = headers["X-Waggle-Timestamp"]
        wanted = hmac.new(KEY.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
        assert headers["X-Waggle-Signature"] == f"sha256={wanted}"
        assert abs(int(stamp) - time.time()) < 60


@pytest_asyncio.fixture(loop_scope="module")
async def receiver() -> AsyncIterator[Receiver]:
    """A receiver on a free port."""
    made = Receiver()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", made.take)
    runner = web.AppRunner(application, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield made
    made.released.set()
    await runner.cleanup()


@pytest.fixture
def alarmed(api: Client) -> Alarmed:
    """The module's engine in a domain of its own."""
    return Alarmed(api)


async def _hook(alarmed: Alarmed, url: str, name: str = "w", **members: object) -> Any:
    return await alarmed.ask("PUT", "/webhooks", {"name": name, "url": url, **members})


async def _raise(alarmed: Alarmed, rule: str, severity: str = "major") -> None:
    """An alarm of a rule that is always broken."""
    await alarmed.rule(rule, metric="quota-services", raise_=-1, severity=severity)
    await alarmed.until(rule)


async def _end(alarmed: Alarmed, rule: str) -> None:
    await alarmed.ask("DELETE", "/rules", name=rule)
    await alarmed.until(rule, there=False)


async def _until(receiver: Receiver, told: list[tuple[str, str]]) -> None:
    """Wait until so much has come, and see that it is that."""

    async def enough() -> bool:
        return len(receiver.got) >= len(told)

    await eventually(enough)
    assert receiver.told == told


async def _state(alarmed: Alarmed, name: str = "w") -> Any:
    return next(row for row in (await alarmed.ask("GET", "/webhooks"))["webhooks"] if row["name"] == name)


async def test_an_alarm_is_told_and_that_it_is_over_signed_and_once(alarmed: Alarmed, receiver: Receiver) -> None:
    await _hook(alarmed, f"{receiver.url}/hook?token=abc", secret=KEY)
    await _raise(alarmed, "bad", "critical")
    await _end(alarmed, "bad")
    await _until(receiver, [("raised", "bad"), ("resolved", "bad")])
    (headers, raised), (other, resolved) = receiver.got
    assert headers["X-Waggle-Delivery"] != other["X-Waggle-Delivery"]
    assert "X-Waggle-Signature" in headers
    assert (raised["version"], raised["tenant"]) == (1, f"{alarmed.domain}/default")
    assert (raised["alarm"]["severity"], raised["alarm"]["clearedAt"]) == ("critical", 0)
    assert resolved["alarm"]["clearedAt"] >= resolved["alarm"]["since"]


async def test_what_fails_is_sent_again_under_one_id_and_before_the_next(alarmed: Alarmed, receiver: Receiver) -> None:
    receiver.answers = [500, 503, 429]
    await _hook(alarmed, receiver.url)
    await _raise(alarmed, "bad")
    await _end(alarmed, "bad")
    await _until(receiver, [("raised", "bad")] * 4 + [("resolved", "bad")])
    ids = [headers["X-Waggle-Delivery"] for headers, _ in receiver.got]
    assert len(set(ids[:4])) == 1
    assert ids[4] != ids[0]
    assert "X-Waggle-Signature" not in receiver.got[0][0], "it has no key"


async def test_a_redirect_is_not_followed_and_not_repeated(alarmed: Alarmed, receiver: Receiver) -> None:
    """Nor is what the receiver says is wrong with the request."""
    receiver.answers = [307, 404]
    await _hook(alarmed, receiver.url)
    answer = await alarmed.ask("POST", "/webhooks/test", name="w")
    assert answer == {"delivered": False, "status": 307, "error": "it redirects, which is not followed"}
    await _raise(alarmed, "bad")
    await _end(alarmed, "bad")
    await _until(receiver, [("test", ""), ("raised", "bad"), ("resolved", "bad")])

    async def settled() -> bool:
        row = await _state(alarmed)
        return (row["lost"], row["delivered"], row["lastStatus"]) == (1, 1, 200)

    await eventually(settled)


async def test_a_webhook_that_hangs_slows_neither_the_engine_nor_the_others(
    alarmed: Alarmed, receiver: Receiver
) -> None:
    """Its queue is bounded: the oldest messages give way."""
    receiver.answers = [0] * 100
    await _hook(alarmed, receiver.url, "hangs")
    quick = Receiver()
    server = web.Server(quick.take)  # type: ignore[arg-type]
    runner = web.ServerRunner(server)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        await _hook(alarmed, f"http://127.0.0.1:{runner.addresses[0][1]}", "quick")
        for number in range(6):
            await _raise(alarmed, f"bad-{number}")
        await _until(quick, [("raised", f"bad-{number}") for number in range(6)])
    finally:
        await runner.cleanup()
    state = await _state(alarmed, "hangs")
    assert (state["waiting"], state["delivered"]) == (3, 0)
    assert state["lost"] == 3


async def _hangs(alarmed: Alarmed, receiver: Receiver) -> None:
    """A webhook that has one message, and another that waits."""
    receiver.answers = [0] * 100
    await _hook(alarmed, receiver.url)
    for number in range(2):
        await _raise(alarmed, f"bad-{number}")
    await _told(receiver, "bad-0")


async def _told(receiver: Receiver, rule: str) -> None:
    async def there() -> bool:
        return ("raised", rule) in receiver.told

    await eventually(there)


async def test_a_webhook_that_is_deleted_leaves_nothing_for_the_next_of_its_name(
    alarmed: Alarmed, receiver: Receiver
) -> None:
    await _hangs(alarmed, receiver)
    await alarmed.ask("DELETE", "/webhooks", name="w")
    receiver.answers = []
    fresh = await _hook(alarmed, receiver.url)
    assert (fresh["waiting"], fresh["delivered"], fresh["lost"]) == (0, 0, 0)
    await _raise(alarmed, "bad-2")
    await _told(receiver, "bad-2")
    assert ("raised", "bad-1") not in receiver.told


async def test_a_webhook_that_is_switched_off_gets_nothing_of_what_waits(alarmed: Alarmed, receiver: Receiver) -> None:
    await _hangs(alarmed, receiver)
    await _hook(alarmed, receiver.url, enabled=False)
    receiver.released.set()

    async def nothing_waits() -> bool:
        return bool((await _state(alarmed))["waiting"] == 0)

    await eventually(nothing_waits)
    assert ("raised", "bad-1") not in receiver.told


async def test_only_what_is_severe_enough_and_silenced_by_nobody_is_told(alarmed: Alarmed, receiver: Receiver) -> None:
    """What is still raised when its silence ends is told then."""
    await _hook(alarmed, receiver.url, severity="major")
    silence = await alarmed.ask("PUT", "/silences", {"alarm": "quiet*", "seconds": 60})
    for rule, severity in (("quiet", "critical"), ("small", "minor"), ("bad", "major")):
        await _raise(alarmed, rule, severity)
    await _until(receiver, [("raised", "bad")])
    await alarmed.ask("DELETE", "/silences", id=silence["id"])
    await _until(receiver, [("raised", "bad"), ("raised", "quiet")])
    await _hook(alarmed, receiver.url, enabled=False)
    await _end(alarmed, "bad")
    assert (await _state(alarmed))["waiting"] == 0
    assert len(receiver.got) == 2


async def test_neither_the_key_nor_the_path_is_shown_logged_or_in_the_audit_log(
    alarmed: Alarmed, receiver: Receiver, shared_engine: EngineProcess
) -> None:
    token, key = "t0ken-in-the-path", "n0body-sees-this"
    made = await _hook(alarmed, f"{receiver.url}/{token}", secret=key)
    assert made["url"] == f"{receiver.url}/…"
    await alarmed.ask("PUT", "/webhooks", {"name": "w", "url": "http://127.0.0.1:1/" + token})
    await alarmed.ask("POST", "/webhooks/test", name="w")
    await _raise(alarmed, "bad")
    shown = [json.dumps(await alarmed.ask("GET", "/webhooks"))]
    for path in (f"/waggle/v1/audit?domain={alarmed.domain}", "/v4/default/admin/dump?options=all", "/metrics"):
        async with alarmed.api.session.get(alarmed.api.url + path) as answer:
            shown.append(await answer.text())
    shown.append(shared_engine.log.read_text())
    assert "alarm-webhook" in shown[1]
    assert not any(secret in text for text in shown for secret in (token, key))


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",
        "2852039166",
        "0xa9fea9fe",
        "0251.0376.0251.0376",
        "[::ffff:169.254.169.254]",
        "[::ffff:a9fe:a9fe]",
        "[64:ff9b::a9fe:a9fe]",
        "[fe80::1]",
        "[fd00:ec2::254]",
        "100.100.100.200",
        "0",
        "[::]",
        "224.0.0.1",
    ],
)
async def test_addresses_of_the_machine_s_credentials_are_refused_however_they_are_written(
    host: str, alarmed: Alarmed
) -> None:
    await _hook(alarmed, f"http://{host}:1/latest/meta-data")
    answer = await alarmed.ask("POST", "/webhooks/test", name="w")
    assert (answer["delivered"], answer["status"]) == (False, 0)
    assert answer["error"].startswith(("refused address: ", "InvalidUrl")), answer


async def test_a_setting_allows_networks(tmp_path: Path) -> None:
    """Those and no others. Nothing listens there."""
    async with (
        running_engine(tmp_path / "data", webhook_allow="169.254.7.0/24", webhook_timeout=0.5) as engine,
        client_of(engine.url) as client,
    ):
        alarmed = Alarmed(client)
        await _hook(alarmed, "http://169.254.7.1:1/")
        answer = await alarmed.ask("POST", "/webhooks/test", name="w")
        assert not answer["error"].startswith("refused address"), answer
        await _hook(alarmed, "http://169.254.8.1:1/")
        answer = await alarmed.ask("POST", "/webhooks/test", name="w")
        assert answer["error"].startswith("refused address"), answer

"""A service with an account while access control is turned on, and keys are made anew, under it: real engine, real tokens."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest
from pydantic import SecretStr

from governance.sdk import EngineError, Microservice
from tests.api.access import PASSWORD
from tests.api.office import READINESS, SWITCH, Office, guarded
from tests.e2e.sdk import Place, consumer, provider
from tests.engine import Client, eventually

_KIE = "/v1/default/kie/kv"


def _account(name: str, password: str = PASSWORD) -> dict[str, object]:
    return {"account_name": name, "account_password": SecretStr(password)}


async def _is_kept(client: Client, office: Office, service: Microservice) -> bool:
    """Whether the engine knows the instance, and has heard it with a token that is good."""
    _, shown, _ = await client.call("GET", READINESS, None, 200, **office.root)
    rows: list[Mapping[str, object]] = shown["instances"]  # type: ignore[index]
    return any(
        row["instanceId"] == service.instance_id and row["credentials"] == "valid" and not row["breaks"] for row in rows
    )


async def test_a_service_that_met_access_off_goes_on_when_it_is_enforced_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It was told 404, and is not given the minute until it asks again: a refused call is enough, and nothing of it fails."""
    async with guarded(tmp_path / "data", monkeypatch, "off") as (engine, client, office):
        place = Place(engine.url)
        async with provider("cart", place, **_account("shop")), consumer(place, **_account("shop")) as caller:
            await caller.watching()
            await office.switch("observe")
            await office.open()
            await office.account("shop")
            await office.switch("enforce")
            await caller.service.set_status("UP")
            await eventually(lambda: _is_kept(client, office, caller.service))
            assert await caller.call("cse://cart/") == "cart-1"
            await _hears_of_changes(client, office, caller.service)
            await caller.watching()
            caller.listen("cart")
            async with provider("cart", place, instance_id="cart-2", **_account("shop")):
                await eventually(lambda: _knows(caller.service, 2))
        assert "service.forgotten" not in caplog.text
        assert PASSWORD not in caplog.text


async def test_new_keys_take_nobody_s_token_away_and_a_deleted_account_s_services_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with guarded(tmp_path / "data", monkeypatch, "enforce") as (engine, client, office):
        await office.account("shop")
        async with provider("cart", Place(engine.url), **_account("shop")) as service:
            for _ in range(2):
                await client.call("POST", f"{SWITCH}/keys/rotate", None, 200, **office.root)
                await service.set_status("UP")
            await engine.stop()
            await engine.start()
            await service.set_status("UP")
            await client.call("DELETE", "/v4/accounts/shop", None, 200, **office.root)
            with pytest.raises(EngineError, match="401 401206"):
                await service.set_status("UP")


async def test_a_service_with_a_wrong_password_is_offline_after_its_lease_and_back_when_access_is_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with guarded(tmp_path / "data", monkeypatch, instance_ttl=1) as (engine, client, office):
        await office.account("shop")
        right, wrong = _account("shop"), _account("shop", "Complicated3!")
        async with provider("cart", Place(engine.url), **right), provider("late", Place(engine.url), **wrong) as late:
            await office.switch("enforce")
            await eventually(lambda: _are(client, office, late=0, cart=1))
            await office.switch("off")
            await eventually(lambda: _are(client, office, late=1, cart=1))
        assert late.instance_id == "late-1"
        told = [record.getMessage() for record in caplog.records if "account.refused" in record.getMessage()]
        assert [text.rpartition("error=")[2] for text in told] == ["'401 401302'", "'401 401202'"]


async def _are(client: Client, office: Office, **numbers: int) -> bool:
    for name, number in numbers.items():
        path = f"/instances?appId=shop&serviceName={name}&version=0%2B"
        status, body, _ = await client.call("GET", path, None, None, **office.root)
        assert status == 200, body
        if len(body.get("instances", [])) != number:  # type: ignore[attr-defined]
            return False
    return True


async def _hears_of_changes(client: Client, office: Office, service: Microservice) -> None:
    heard = asyncio.Event()
    service.config.on_change(lambda _changes: heard.set(), "orders.")
    item = {"key": "orders.limit", "value": "7", "status": "enabled", "labels": {"app": "shop", "environment": ""}}
    await client.call("POST", _KIE, item, 200, **office.root)
    async with asyncio.timeout(20):
        await heard.wait()
    assert service.config["orders.limit"] == "7"


async def _knows(service: Microservice, number: int) -> bool:
    return len(await service.instances("cart")) == number

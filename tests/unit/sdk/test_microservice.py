"""A service before, during and after its block; its life with an engine is in tests/e2e."""

from __future__ import annotations

import pytest

from governance.sdk import Microservice, NoInstanceError, ServiceSettings
from governance.sdk.client import NotRunningError
from tests.unit.sdk.fakes import Time
from tests.unit.sdk.servers import nobody


async def test_a_service_that_is_not_running_says_so() -> None:
    service = Microservice(ServiceSettings(name="c"))
    assert service.service_id == ""
    assert len(service.instance_id) == 32
    assert not service.watching
    service.on_change("cart", lambda _: None)
    await service.set_status("STARTING")
    with pytest.raises(NotRunningError, match="use it inside `async with Microservice"):
        await service.instances("cart")
    with pytest.raises(NotRunningError):
        async with service.http.get("http://127.0.0.1/"):
            pass


async def test_a_service_starts_and_ends_without_an_engine() -> None:
    with nobody() as dead:
        service = Microservice(ServiceSettings(name="c", addresses=dead), pause=Time().pause)  # type: ignore[arg-type]
        async with service:
            with pytest.raises(NoInstanceError, match="no answer from the engine"):
                async with service.http.get("cse://cart/"):
                    pass
        with pytest.raises(RuntimeError, match="lives once"):
            await service.__aenter__()


async def test_two_processes_have_two_ids() -> None:
    assert Microservice(ServiceSettings(name="c")).instance_id != Microservice(ServiceSettings(name="c")).instance_id
    assert Microservice(ServiceSettings(name="c", instance_id="mine")).instance_id == "mine"

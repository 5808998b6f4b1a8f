"""Membership: registering, being forgotten, changing status, leaving."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from governance.sdk.calls import EngineError
from governance.sdk.heartbeat import Heartbeats
from governance.sdk.membership import Membership
from governance.sdk.settings import DataCenter, ServiceSettings
from tests.unit.sdk.fakes import AWAY, FORGOTTEN, Engine, Time, running, settle


class Service:
    """A service on its way into the registry. `companions` has the ids that its companion was started with."""

    def __init__(self, **settings: object) -> None:
        self.time = Time()
        self.engine = Engine()
        self.companions: list[str] = []
        given = {"name": "cart", "app": "shop", "endpoints": "127.0.0.1:80", "host_name": "host", **settings}
        self.settings = ServiceSettings(**given)  # type: ignore[arg-type]
        name, heartbeats = self.settings.instance_id or "i1", Heartbeats(self.time.clock)
        self.membership = Membership(self.engine, self.settings, name, heartbeats, self.time.clock)  # type: ignore[arg-type]

    async def _beside(self, service_id: str) -> None:
        self.companions.append(service_id)
        await asyncio.Event().wait()

    @contextlib.asynccontextmanager
    async def lives(self) -> AsyncIterator[None]:
        async with running(self.membership.run(self._beside, self.time.pause)):
            yield


async def test_what_is_registered() -> None:
    service = Service(
        version="1.2",
        environment="testing",
        description="keeps",
        service_properties={"a": "b"},
        schemas={"api": "openapi: 3.0.0", "old": "same"},
        instance_properties={"cas_lane_tag": "gray"},
        data_center=DataCenter(name="d", region="r", zone="z"),
        heartbeat_interval=10,
    )
    same = "0967115f2813a3541eaef77de9d9d5773f1c0c04314b0bbfe4ff3b3b1c55b5d5"
    service.engine.says |= {"service_id": None, "schema_summaries": {"old": same, "gone": "x"}}
    async with service.lives():
        assert service.membership.ready.is_set()
    (document,) = service.engine.calls_of("register_service")[0]
    assert document["framework"]["name"] == "waggle-python"
    assert {name: document[name] for name in ("appId", "serviceName", "version", "environment", "properties")} == {
        "appId": "shop",
        "serviceName": "cart",
        "version": "1.2",
        "environment": "testing",
        "properties": {"a": "b"},
    }
    assert document["schemas"] == ["api", "old"]
    assert [call[1] for call in service.engine.calls_of("upload_schema")] == ["api"], "only what differs is uploaded"
    assert service.engine.calls_of("register_instance") == [
        (
            "s1",
            {
                "instanceId": "i1",
                "hostName": "host",
                "endpoints": ["rest://127.0.0.1:80"],
                "status": "UP",
                "properties": {"cas_lane_tag": "gray"},
                "healthCheck": {"mode": "push", "interval": 10, "times": 3},
                "dataCenterInfo": {"name": "d", "region": "r", "availableZone": "z"},
            },
        )
    ]
    assert service.engine.calls_of("set_service_properties") == []


async def test_a_service_that_exists_gets_its_properties() -> None:
    service = Service(service_properties={"a": "b"})
    async with service.lives():
        assert service.engine.calls_of("register_service") == []
        assert service.engine.calls_of("set_service_properties") == [("s1", {"a": "b"})]


async def test_registering_is_tried_again_with_growing_pauses() -> None:
    service = Service()
    service.engine.says["service_id"] = AWAY
    async with service.lives():
        await service.time.pass_(120)
        assert service.time.pauses[:7] == [1, 2, 4, 8, 10, 10, 10]
        assert service.membership.trouble == "no answer from the engine"
        assert not service.membership.ready.is_set()
        service.engine.says["service_id"] = "s1"
        await service.time.pass_(30)
        assert service.membership.ready.is_set()
        assert service.companions == ["s1"]


async def test_a_forgotten_instance_registers_again_under_its_id() -> None:
    service = Service()
    async with service.lives():
        service.engine.says["heartbeat"] = FORGOTTEN
        await service.time.pass_(29)
        assert len(service.engine.calls_of("register_instance")) == 1
        await service.time.pass_(1)
        assert len(service.engine.calls_of("register_instance")) == 2, "at once, not at the next interval"
        assert {call[1]["instanceId"] for call in service.engine.calls_of("register_instance")} == {"i1"}
        assert service.companions == ["s1", "s1"], "the watch begins again"


async def test_an_engine_that_forgets_again_and_again_is_not_stormed() -> None:
    service = Service()
    service.engine.says["heartbeat"] = FORGOTTEN
    async with service.lives():
        await service.time.pass_(600)
        assert len(service.engine.calls_of("register_instance")) < 80
        service.engine.says.clear()
        await service.time.pass_(120)
        registered = len(service.engine.calls_of("register_instance"))
        service.engine.says["heartbeat"] = FORGOTTEN
        await service.time.pass_(30)
        assert len(service.engine.calls_of("register_instance")) > registered, "after a calm minute, at once again"


async def test_being_forgotten_is_noticed_once() -> None:
    service = Service()
    service.membership.forget()
    async with service.lives():
        assert len(service.engine.calls_of("register_instance")) == 1, "who is not registered cannot be forgotten"
        service.membership.forget()
        service.membership.forget()
        await settle()
        assert len(service.engine.calls_of("register_instance")) == 2


async def test_a_status_stays_when_the_instance_is_registered_again() -> None:
    service = Service(status="STARTING")
    async with service.lives():
        await service.membership.set_status("UP")
        assert service.engine.calls_of("set_status") == [("s1", "i1", "UP")]
        service.membership.forget()
        await settle()
    assert [call[1]["status"] for call in service.engine.calls_of("register_instance")] == ["STARTING", "UP"]


async def test_a_status_that_comes_before_the_registration_goes_with_it() -> None:
    service = Service()
    await service.membership.set_status("OUTOFSERVICE")
    async with service.lives():
        assert service.engine.calls_of("set_status") == []
    assert service.engine.calls_of("register_instance")[0][1]["status"] == "OUTOFSERVICE"


async def test_a_status_that_is_refused_is_told_and_a_forgotten_instance_is_registered_with_it() -> None:
    service = Service()
    async with service.lives():
        service.engine.says["set_status"] = EngineError(400, "400001", "no", "")
        with pytest.raises(EngineError):
            await service.membership.set_status("DOWN")
        service.engine.says["set_status"] = FORGOTTEN
        await service.membership.set_status("TESTING")
        await settle()
    assert service.engine.calls_of("register_instance")[-1][1]["status"] == "TESTING"


async def test_what_a_former_process_left_under_the_same_id_is_replaced() -> None:
    service = Service(instance_id="fixed")
    former = {"endpoints": ["rest://127.0.0.1:79"], "hostName": "host", "status": "UP", "properties": {"engine": "x"}}
    service.engine.says["instance"] = former
    async with service.lives():
        order = [call[0] for call in service.engine.calls if "instance" in call[0]]
        assert order == ["instance", "unregister_instance", "register_instance"]


async def test_what_agrees_is_left_alone() -> None:
    service = Service(instance_id="fixed")
    service.engine.says["instance"] = {
        "endpoints": ["rest://127.0.0.1:80"],
        "hostName": "host",
        "status": "UP",
        "properties": {"added": "by the engine"},
    }
    async with service.lives():
        service.membership.forget()
        await settle()
        assert service.engine.calls_of("unregister_instance") == []
        assert len(service.engine.calls_of("instance")) == 1, "only a new process can meet a former one"


async def test_leaving_unregisters() -> None:
    service = Service()
    async with service.lives():
        pass
    await service.membership.leave()
    await service.membership.leave()
    assert service.engine.calls_of("unregister_instance") == [("s1", "i1")], "once"


async def test_who_was_never_registered_does_not_unregister() -> None:
    service = Service()
    service.engine.says["service_id"] = AWAY
    async with service.lives():
        pass
    await service.membership.leave()
    assert service.engine.calls_of("unregister_instance") == []


async def test_leaving_unregisters_also_when_the_answer_to_the_registration_never_came() -> None:
    service = Service()

    async def never(*_: object) -> str:
        await asyncio.Event().wait()
        raise AssertionError

    service.engine.register_instance = never  # type: ignore[method-assign, assignment]
    async with service.lives():
        assert not service.membership.ready.is_set()
    await service.membership.leave()
    assert service.engine.calls_of("unregister_instance") == [("s1", "i1")]


@pytest.mark.parametrize(("error", "told"), [(FORGOTTEN, False), (AWAY, True), (EngineError(500, "", "", ""), True)])
async def test_leaving_does_not_fail(error: Exception, told: bool, caplog: pytest.LogCaptureFixture) -> None:
    service = Service()
    async with service.lives():
        pass
    service.engine.says["unregister_instance"] = error
    await service.membership.leave()
    assert ("service.not_unregistered" in caplog.text) is told

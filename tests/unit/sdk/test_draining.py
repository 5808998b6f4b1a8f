"""The end of a service's work, step by step; a real one is ended under load in tests/e2e/governance."""

from __future__ import annotations

import asyncio

import pytest

from governance.sdk import Heartbeats, Microservice, ServiceSettings
from governance.sdk.client import NotRunningError
from governance.sdk.draining import Draining
from governance.sdk.membership import Membership
from governance.sdk.server.gate import Gate
from tests.unit.sdk.fakes import AWAY, GONE, Engine, Time, running, settle

_SETTINGS = {"name": "c", "host_name": "host", "drain_wait": 15, "drain_timeout": 10}


class Leaving:
    """A registered instance whose time a test lets pass."""

    def __init__(self, **given: object) -> None:
        settings = ServiceSettings(**{**_SETTINGS, **given})  # type: ignore[arg-type]
        self.time, self.engine, self.gate = Time(), Engine(), Gate()
        self.membership = Membership(
            self.engine,  # type: ignore[arg-type]
            settings,
            "i1",
            Heartbeats(self.time.clock),
            self.time.clock,
        )
        self.draining = Draining(self.membership, self.gate, settings, self.time.clock, self.time.pause)

    @property
    def statuses(self) -> list[str]:
        """What the engine was told."""
        return [call[2] for call in self.engine.calls_of("set_status")]

    async def companion(self, _service_id: str) -> None:
        """Nothing is done beside."""

    def registered(self) -> object:
        """The instance is registered for as long as the block lasts."""
        return running(self.membership.run(self.companion, self.time.pause))


async def test_it_is_down_for_a_while_before_it_refuses() -> None:
    leaving = Leaving()
    async with leaving.registered():  # type: ignore[attr-defined]
        end = asyncio.create_task(leaving.draining.run())
        await leaving.time.pass_(14.9)
        assert (leaving.statuses, leaving.gate.closed, end.done()) == (["DOWN"], False, False)
        await leaving.time.pass_(0.2)
        assert leaving.gate.closed
        await end
        await leaving.draining.run()
    assert leaving.statuses == ["DOWN"], "the second time there is nothing left to do"


async def test_two_who_ask_wait_for_one_end() -> None:
    leaving = Leaving()
    async with leaving.registered():  # type: ignore[attr-defined]
        with leaving.gate.passed():
            ends = [asyncio.create_task(leaving.draining.run()) for _ in range(2)]
            await leaving.time.pass_(20)
            assert leaving.gate.inside == 1
            assert [end.done() for end in ends] == [False, False]
        await asyncio.gather(*ends)
    assert leaving.statuses == ["DOWN"]


async def test_an_end_that_was_given_up_can_be_asked_for_again() -> None:
    leaving = Leaving()
    async with leaving.registered():  # type: ignore[attr-defined]
        first = asyncio.create_task(leaving.draining.run())
        await settle()
        first.cancel()
        await settle()
        assert not leaving.gate.closed
        again = asyncio.create_task(leaving.draining.run())
        await leaving.time.pass_(16)
        await again
    assert leaving.gate.closed


async def test_what_has_no_end_is_not_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    leaving = Leaving(drain_wait=0, drain_timeout=0)
    with leaving.gate.passed():
        await leaving.draining.run()
        assert leaving.gate.inside == 1
    assert "service.not_drained" in caplog.text


async def test_who_is_not_registered_does_not_wait() -> None:
    leaving = Leaving()
    await leaving.draining.run()
    assert leaving.gate.closed
    assert leaving.time.pauses == []


@pytest.mark.parametrize("trouble", [AWAY, GONE])
async def test_an_engine_that_is_away_is_told_when_it_is_back(trouble: Exception) -> None:
    leaving = Leaving()
    leaving.engine.says["set_status"] = trouble
    async with leaving.registered():  # type: ignore[attr-defined]
        end = asyncio.create_task(leaving.draining.run())
        await leaving.time.pass_(5)
        leaving.engine.says.clear()
        await leaving.time.pass_(1)
        told = len(leaving.statuses)
        await leaving.time.pass_(14)
        assert not leaving.gate.closed, "callers have their time from the moment that they can know"
        await leaving.time.pass_(1)
        await end
    assert len(leaving.statuses) == told


async def test_an_engine_that_stays_away_is_not_waited_for_longer_than_callers_would_be() -> None:
    leaving = Leaving()
    leaving.engine.says["set_status"] = AWAY
    async with leaving.registered():  # type: ignore[attr-defined]
        end = asyncio.create_task(leaving.draining.run())
        await leaving.time.pass_(15.1)
        await end
    assert len(leaving.statuses) == 16


async def test_a_service_that_is_not_running_cannot_leave() -> None:
    with pytest.raises(NotRunningError):
        await Microservice(ServiceSettings(name="c")).drain()

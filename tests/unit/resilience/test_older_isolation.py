"""The older isolation puts an instance aside that fails, and tries one of those again from time to time."""

from __future__ import annotations

import asyncio

import pytest

from governance.invocation.invocation import Invocation, LocalReply, Reply
from governance.invocation.live import LiveRules
from governance.resilience.instance_health import HealthRule, InstanceHealth
from governance.resilience.older_isolation import OlderIsolationStage
from tests.unit.resilience.consuming import Refusing, Time, calling, now_obeying, obeying
from tests.unit.resilience.limited import Callee, Instance, measured

ON = {"loadbalance__filter__isolation__enabled": "true"}
A, B = Instance("a", "forecast"), Instance("b", "forecast")


class Isolating:
    """A stage with its rules and its time."""

    def __init__(self, **items: object) -> None:
        self.rules: LiveRules = obeying(**items)
        self.time = Time()
        self.stage = OlderIsolationStage(self.rules, clock=self.time)

    async def calls(self, target: Instance, *answers: int | BaseException) -> list[Reply | BaseException]:
        """What these calls of an instance bring, one after the other."""
        brought: list[Reply | BaseException] = []
        for answer in answers:
            brought += await asyncio.gather(self.stage(self._to(target), Callee(answer)), return_exceptions=True)
        return brought

    def aside(self, target: Instance) -> bool:
        """Whether an instance is put aside."""
        return self.stage.isolated(self._to(target), target)

    @staticmethod
    def _to(target: Instance) -> Invocation:
        invocation = calling(target.service)
        invocation.target = target
        return invocation


async def test_five_failures_in_a_row_put_an_instance_aside_and_no_other() -> None:
    this = Isolating(**ON)
    await this.calls(A, 503, 490, 408, ConnectionRefusedError())
    assert not this.aside(A)
    await this.calls(B, 503, 503, 503, 503, 200, 503)
    await this.calls(A, TimeoutError())
    assert (this.aside(A), this.aside(B)) == (True, False)
    assert not this.aside(Instance("a", "weather")), "another service's"


@pytest.mark.parametrize(
    "items",
    [
        {},
        {"loadbalance__filter__isolation__enabled": "false"},
        {**ON, "loadbalance__isolation__enabled": "false"},
        {**ON, "loadbalance__forecast__isolation__enabled": "false"},
        {**ON, "loadbalance__isolation__continuousFailureThreshold": 0},
        {**ON, "loadbalance__isolation__continuousFailureThreshold": -1},
    ],
)
async def test_it_is_off_unless_it_is_switched_on(items: dict[str, object]) -> None:
    this = Isolating(**items)
    await this.calls(A, *[503] * 20)
    assert not this.aside(A)


async def test_replies_pass_on_and_errors_of_the_business_and_refusals_count_for_nothing() -> None:
    this = Isolating(**ON)
    assert [getattr(one, "status", one) for one in await this.calls(A, 200, 404, 503)] == [200, 404, 503]
    await this.calls(A, *[500] * 20)
    for _ in range(20):
        await this.stage(this._to(A), Refusing(503, "instanceBulkhead"))
    assert not this.aside(A)
    for _ in range(5):
        await this.stage(this._to(A), Refusing(504, "timeLimiter"))
    assert this.aside(A), "it was called, and was too slow"


async def test_a_share_of_errors_puts_aside_once_there_are_enough_calls() -> None:
    this = Isolating(
        **ON,
        loadbalance__isolation__errorThresholdPercentage=50,
        loadbalance__isolation__enableRequestThreshold=4,
    )
    await this.calls(A, 503, 200, 503)
    assert not this.aside(A)
    await this.calls(A, 200)
    assert this.aside(A)


async def test_after_a_minute_one_of_all_is_tried_and_a_success_brings_it_back() -> None:
    this = Isolating(**ON)
    await this.calls(A, *[503] * 5)
    await this.calls(B, *[503] * 5)
    this.time.now += 60
    assert (this.aside(A), this.aside(B)) == (True, True)
    this.time.now += 0.001
    assert (this.aside(A), this.aside(B)) == (False, False), "a trial is due"
    trial = asyncio.Event()
    seen = list[bool]()

    async def watched(_: Invocation) -> Reply:
        seen.extend([this.aside(A), this.aside(B)])
        trial.set()
        return LocalReply(200)

    await this.stage(this._to(A), watched)
    assert seen == [True, True], "one trial at a time"
    assert (this.aside(A), this.aside(B)) == (False, False)
    await this.calls(B, 503)
    assert this.aside(B), "its trial has failed"
    this.time.now += 61
    assert not this.aside(B)


async def test_a_trial_that_is_cancelled_makes_room_for_another() -> None:
    this = Isolating(**ON)
    await this.calls(A, *[503] * 5)
    this.time.now += 61
    begun = asyncio.Event()

    async def endless(_: Invocation) -> Reply:
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError

    task = asyncio.create_task(this.stage(this._to(A), endless))
    await begun.wait()
    assert this.aside(A)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not this.aside(A)


async def test_a_trial_without_end_keeps_others_out_for_a_minute_only() -> None:
    this = Isolating(**ON)
    await this.calls(A, *[503] * 5)
    await this.calls(B, *[503] * 5)
    this.time.now += 61
    begun, end = asyncio.Event(), asyncio.Event()

    async def slow(_: Invocation) -> Reply:
        begun.set()
        await end.wait()
        return LocalReply(200)

    task = asyncio.create_task(this.stage(this._to(A), slow))
    await begun.wait()
    assert this.aside(B)
    this.time.now += 60.5
    assert not this.aside(B)
    end.set()
    await task


async def test_what_was_put_aside_is_back_when_the_keys_go_or_change() -> None:
    this = Isolating(**ON)
    await this.calls(A, *[503] * 5)
    now_obeying(this.rules, **ON, retry__all="maxAttempts: 1")
    assert this.aside(A)
    now_obeying(this.rules, **ON, loadbalance__isolation__continuousFailureThreshold=6)
    assert not this.aside(A)
    await this.calls(A, *[503] * 6)
    assert this.aside(A)
    now_obeying(this.rules)
    assert not this.aside(A)
    assert [*this.rules.processors()] == []


async def test_health_is_measured() -> None:
    this = Isolating(**ON)
    await this.calls(A, 200, *[503] * 5)
    found = measured(this.rules, "servicecomb.isolation.forecast.a")
    assert found == {"calls{successful}": 1, "calls{failed}": 5, "isolated": 1}


def test_an_instance_is_aside_for_some_seconds_at_least() -> None:
    health = InstanceHealth(HealthRule(in_a_row=2, min_isolation=3))
    for _ in range(2):
        health.record(10, failed=True)
    health.record(11, failed=False)
    assert health.is_aside(13)
    assert not health.is_aside(13.1)


def test_without_recovery_at_once_the_share_of_its_minute_must_fall_first() -> None:
    for at_once, aside in ((True, False), (False, True)):
        health = InstanceHealth(HealthRule(error_threshold=50, request_threshold=4, recovers_at_once=at_once))
        for _ in range(4):
            health.record(100, failed=True)
        health.record(105, failed=False)
        assert health.is_aside(110) is aside
    for _ in range(3):
        health.record(111, failed=False)
    assert health.is_aside(112), "four of eight are half of them"
    health.record(113, failed=False)
    assert not health.is_aside(114)


def test_failures_of_another_minute_count_no_more_and_who_is_not_called_is_gone() -> None:
    health = InstanceHealth(HealthRule(error_threshold=50, request_threshold=4, in_a_row=0))
    for _ in range(3):
        health.record(100, failed=True)
    health.record(161, failed=True)
    assert not health.is_aside(161)
    assert not health.is_gone(461)
    assert health.is_gone(461.1)

"""Degradation: something else is given where a call fails or must not be made, and nothing is called while that is so."""

from __future__ import annotations

import asyncio
import logging

import pytest

from governance.invocation.chain import Stage, chained
from governance.invocation.invocation import Invocation, LocalReply, Reply
from governance.invocation.live import LiveRules
from governance.resilience.fallback import FallbackStage
from governance.resilience.fault import FaultInjectionStage
from governance.resilience.flow_control import FlowControlStage
from governance.resilience.older import Side
from governance.resilience.retry import RetryStage
from tests.unit.resilience.consuming import OPERATION, Refusing, Time, calling, now_obeying, obeying
from tests.unit.resilience.limited import Busy, Callee, measured

BLANK = {"fallbackpolicy__Consumer__forecast__policy": "ReturnNull"}
BREAKING = {**BLANK, "circuitBreaker__Consumer__forecast__requestVolumeThreshold": 3}


def fallback(
    rules: LiveRules, side: Side = "Consumer", time: Time | None = None, discarded: list[Reply] | None = None
) -> FallbackStage:
    """The stage; what it keeps is marked."""
    let_go = [] if discarded is None else discarded

    async def keep(reply: Reply) -> Reply:
        return LocalReply(reply.status, "kept")

    return FallbackStage(rules, side, keep=keep, discard=let_go.append, clock=time or Time())


def said(reply: Reply) -> tuple[int, str]:
    """The status of a reply, and who made it."""
    return reply.status, getattr(reply, "by", "")


async def test_forced_it_gives_nothing_and_calls_nobody_until_the_key_is_deleted() -> None:
    rules, callee = obeying(fallback__Consumer__forecast__force="true", **BLANK), Callee()
    stage = fallback(rules)
    for _ in range(5):
        reply = await stage(calling(), callee)
        assert (said(reply), getattr(reply, "text", None)) == ((200, "fallback"), "")
    assert callee.calls == 0
    assert (await stage(calling("weather"), callee)).status == 200
    assert callee.calls == 1, "other services are called"
    now_obeying(
        rules, fallback__Consumer__forecast__force="true", fallback__Consumer__forecast__enabled="false", **BLANK
    )
    assert said(await stage(calling(), callee)) == (200, "fallback"), "force does not ask whether fallbacks are enabled"
    now_obeying(rules, **BLANK)
    await stage(calling(), callee)
    assert callee.calls == 2, "the next call is a real one"


async def test_forced_with_throwexception_it_refuses() -> None:
    cases: tuple[tuple[Side, str, int], ...] = (
        ("Consumer", "throwException", 490),
        ("Provider", "THROWEXCEPTION", 590),
    )
    for side, policy, status in cases:
        service = "forecast" if side == "Consumer" else "fusionweather"
        rules = obeying(
            **{f"fallback.{side}.{service}.force": "true", f"fallbackpolicy.{side}.{service}.policy": policy}
        )
        callee = Callee()
        assert said(await fallback(rules, side)(calling(), callee)) == (status, "fallback")
        assert callee.calls == 0


async def test_of_keys_the_operations_counts_before_the_services_and_that_before_the_one_for_all() -> None:
    rules = obeying(
        **{
            "fallback.Consumer.force": "false",
            "fallback.Consumer.forecast.force": "true",
            "fallback.Consumer.forecast.weather.show.force": "false",
            "fallbackpolicy.Consumer.policy": "returnnull",
        }
    )
    for callee, calls in ((OPERATION, 1), (("forecast", "weather", "other"), 0), (("weather",), 1)):
        called = Callee()
        await fallback(rules)(calling(*callee), called)
        assert called.calls == calls, callee


async def test_without_a_key_for_the_callee_there_is_no_breaker() -> None:
    rules, callee = obeying(**{f"circuitBreaker.{name}.requestVolumeThreshold": 1 for name in _ELSEWHERE}), Callee()
    callee.answers = [503] * 50
    for _ in range(50):
        assert (await fallback(rules)(calling(), callee)).status == 503
    assert callee.calls == 50
    assert [*rules.processors()] == []


_ELSEWHERE = ("Consumer.weather", "Consumer.forecast.a.b", "Provider.forecast", "Provider")


@pytest.mark.parametrize("answer", [ConnectionRefusedError(), TimeoutError(), 490, 502, 503, 504])
async def test_a_consumer_that_finds_nobody_gets_the_fallback(answer: int | BaseException) -> None:
    assert said(await fallback(obeying(**BLANK))(calling(), Callee(answer))) == (200, "fallback")


@pytest.mark.parametrize("status", [200, 400, 404, 409, 429, 500, 501, 590])
async def test_an_answer_of_the_business_is_no_failure(status: int) -> None:
    assert said(await fallback(obeying(**BLANK))(calling(), Callee(status))) == (status, "")


async def test_on_the_providers_side_errors_and_590_are_failures() -> None:
    rules = obeying(fallbackpolicy__Provider__policy="returnnull")
    for answer, status in ((ValueError(), 200), (590, 200), (503, 503), (490, 490)):
        assert (await fallback(rules, "Provider")(calling(), Callee(answer))).status == status


async def test_a_reply_that_is_replaced_is_let_go() -> None:
    discarded: list[Reply] = []
    rules = obeying(**BLANK, retry__all="{maxAttempts: 1, failAfterMaxAttempts: true}")
    stage = fallback(rules, discarded=discarded)
    await stage(calling(), Callee(504))
    retry = RetryStage(rules, retriable=lambda _: False, pause=Time().pause)
    assert said(await chained([stage, retry], Callee(502, 503))(calling())) == (200, "fallback")
    assert [reply.status for reply in discarded] == [504, 503], "the one that an error brings along, too"


async def test_a_degraded_service_is_not_chosen_not_limited_and_not_repeated() -> None:
    degraded = {
        "fallback__Consumer__forecast__force": "true",
        "fallbackpolicy__Consumer__forecast__policy": "throwexception",
    }
    rules = obeying(
        **degraded,
        flowcontrol__Consumer__qps__limit__ANY=1,
        retry__all="{maxAttempts: 3, retryOnResponseStatus: [490]}",
    )
    callee = Callee()
    stages: list[Stage] = [
        fallback(rules),
        FlowControlStage(rules, "Consumer", clock=Time()),
        RetryStage(rules, retriable=lambda _: True, pause=Time().pause),
        FaultInjectionStage(rules),
    ]
    call = chained(stages, callee)
    assert [said(await call(calling())) for _ in range(3)] == [(490, "fallback")] * 3
    assert callee.calls == 0
    assert [said(await call(calling("weather"))) for _ in range(2)] == [(200, ""), (429, "flowControl")]


async def test_once_open_nothing_is_called_and_one_trial_closes_it_again() -> None:
    rules, time = obeying(**BREAKING), Time()
    stage, callee = fallback(rules, time=time), Callee(*[ConnectionRefusedError()] * 4)
    for _ in range(10):
        assert said(await stage(calling(), callee)) == (200, "fallback")
    assert callee.calls == 3
    assert measured(rules, "servicecomb.bizkeeper.Consumer.forecast")["state{open}"] == 1
    time.now += 15
    assert said(await stage(calling(), callee)) == (200, "fallback"), "the trial fails"
    assert said(await stage(calling(), callee)) == (200, "fallback")
    assert callee.calls == 4
    time.now += 15
    assert said(await stage(calling(), callee)) == (200, "")
    assert said(await stage(calling(), callee)) == (200, "")
    assert callee.calls == 6
    assert measured(rules, "servicecomb.bizkeeper.Consumer.forecast") == {
        "calls{successful}": 2,
        "calls{failed}": 4,
        "not.permitted.calls": 8,
        "fallbacks": 12,
        "failure.rate": -1,
        "state{open}": 0,
        "state{closed}": 1,
    }


async def test_each_operation_has_a_breaker_of_its_own() -> None:
    stage, callee = fallback(obeying(**BREAKING)), Callee(*[503] * 3)
    for _ in range(4):
        await stage(calling(*OPERATION), callee)
    assert callee.calls == 3
    await stage(calling("forecast", "weather", "list"), callee)
    assert callee.calls == 4


async def test_without_a_fallback_an_open_breaker_refuses() -> None:
    items = {**BREAKING, "fallback__Consumer__forecast__enabled": "false"}
    stage, callee = fallback(obeying(**items)), Callee(503, 503, ConnectionRefusedError("gone"))
    assert [(await stage(calling(), callee)).status for _ in range(2)] == [503, 503]
    with pytest.raises(ConnectionRefusedError, match="gone"):
        await stage(calling(), callee)
    reply = await stage(calling(), callee)
    assert (said(reply), getattr(reply, "text", "")) == ((490, "fallback"), "the circuit breaker is open")
    assert callee.calls == 3


async def test_without_a_policy_the_call_is_as_it_came_and_that_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    stage = fallback(obeying(isolation__Consumer__forecast__timeout__enabled="true"))
    for _ in range(3):
        assert said(await stage(calling(), Callee(503))) == (503, "")
        with pytest.raises(ConnectionRefusedError):
            await stage(calling(), Callee(ConnectionRefusedError()))
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 1
    assert "servicecomb.bizkeeper.Consumer.forecast" in told[0]


async def test_an_unknown_policy_is_told_once_and_does_nothing(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    stage = fallback(obeying(fallbackpolicy__Consumer__forecast__policy="returnzero"))
    for _ in range(3):
        assert said(await stage(calling(), Callee(503))) == (503, "")
    assert len(caplog.records) == 1


async def test_fromcache_gives_the_last_good_reply_of_the_same_operation() -> None:
    stage = fallback(obeying(fallbackpolicy__Consumer__forecast__policy="fromcache"))
    assert said(await stage(calling(*OPERATION), Callee(503))) == (200, "fallback"), "there is none yet"
    for answer in (200, 404, 503, 203, 500, ConnectionRefusedError()):
        last = await stage(calling(*OPERATION), Callee(answer))
    assert (last.status, getattr(last, "text", "")) == (203, "kept")
    nothing = await stage(calling(*OPERATION), Refusing(200, "faultInjection"))
    assert said(nothing) == (200, "faultInjection"), "what no callee has said is not kept"
    assert getattr(await stage(calling(*OPERATION), Callee(503)), "text", "") == "kept"
    other = await stage(calling("forecast", "weather", "list"), Callee(503))
    assert said(other) == (200, "fallback"), "another operation has its own"


async def test_without_a_way_to_keep_replies_fromcache_gives_nothing() -> None:
    stage = FallbackStage(obeying(fallbackpolicy__Consumer__policy="fromcache"), "Consumer", clock=Time())
    assert said(await stage(calling(), Callee())) == (200, "")
    assert said(await stage(calling(), Callee(503))) == (200, "fallback")


async def test_a_call_that_takes_too_long_is_cancelled() -> None:
    busy = Busy()
    timeout = {"isolation.Consumer.timeout.enabled": "true", "isolation.Consumer.timeoutInMilliseconds": 5}
    assert said(await fallback(obeying(**timeout, **BLANK))(calling(), busy)) == (200, "fallback")
    assert (busy.running, busy.most, busy.ended) == (0, 1, 0)
    assert said(await fallback(obeying(**timeout))(calling(), busy)) == (490, "fallback"), "there is no answer to give"
    in_time = await fallback(obeying(**timeout))(calling(), Callee(201))
    assert said(in_time) == (201, "")


async def test_a_timeout_of_the_call_itself_is_not_taken_for_this_one() -> None:
    timeout = {"isolation.Consumer.timeout.enabled": "true"}
    with pytest.raises(TimeoutError, match="its own"):
        await fallback(obeying(**timeout))(calling(), Callee(TimeoutError("its own")))


async def test_more_calls_at_once_than_allowed_get_the_fallback() -> None:
    busy, rules = Busy(), obeying(**BLANK, isolation__Consumer__forecast__maxConcurrentRequests=2)
    stage = fallback(rules)
    calls = [asyncio.create_task(stage(calling(), busy)) for _ in range(5)]
    done, _ = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
    assert len(done) == 3
    assert {said(call.result()) for call in done} == {(200, "fallback")}
    busy.end(2)
    await asyncio.gather(*calls)
    assert busy.most == 2
    busy.end()
    assert said(await stage(calling(), busy)) == (200, ""), "their places are free again"


async def test_who_is_cancelled_frees_its_place_and_its_trial() -> None:
    items = {**BREAKING, "isolation__Consumer__forecast__maxConcurrentRequests": 1}
    time = Time()
    stage = fallback(obeying(**items), time=time)
    for _ in range(3):
        await stage(calling(), Callee(503))
    time.now += 15
    await _cancelled(stage)
    callee = Callee()
    assert said(await stage(calling(), callee)) == (200, ""), "this one is the trial"
    await _cancelled(stage)
    assert said(await stage(calling(), callee)) == (200, "")
    assert callee.calls == 2


async def _cancelled(stage: FallbackStage) -> None:
    begun = asyncio.Event()

    async def endless(_: Invocation) -> Reply:
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError

    task = asyncio.create_task(stage(calling(), endless))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_calls_under_way_end_well_when_the_rules_change() -> None:
    rules, busy = obeying(**BREAKING), Busy()
    stage = fallback(rules)
    calls = [asyncio.create_task(stage(calling(), busy)) for _ in range(4)]
    begun = await stage(calling(), Callee(201))
    now_obeying(rules, fallback__Consumer__forecast__force="true", **BREAKING)
    assert said(await stage(calling(), busy)) == (200, "fallback")
    now_obeying(rules)
    busy.end(4, 202)
    assert [reply.status for reply in await asyncio.gather(*calls)] == [202] * 4
    assert begun.status == 201


async def test_forcing_leaves_what_the_breaker_has_seen() -> None:
    rules = obeying(**BREAKING)
    stage, callee = fallback(rules), Callee(503, 503, 503)
    for _ in range(2):
        await stage(calling(), callee)
    now_obeying(rules, fallback__Consumer__forecast__force="true", **BREAKING)
    await stage(calling(), callee)
    now_obeying(rules, **BREAKING)
    for _ in range(3):
        await stage(calling(), callee)
    assert callee.calls == 3, "two failures before, one after, and it is open"


async def test_a_refusal_further_in_gets_the_fallback_too() -> None:
    assert said(await fallback(obeying(**BLANK))(calling(), Refusing(503, "instanceIsolation"))) == (200, "fallback")
    assert said(await fallback(obeying(**BLANK))(calling(), Refusing(429, "flowControl"))) == (429, "flowControl")

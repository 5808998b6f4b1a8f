"""Calls are repeated as often as the rule says, after the waits that it says, and never where that could do a write twice unasked."""

from __future__ import annotations

import asyncio
import contextlib
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from governance.invocation.invocation import Invocation, LocalReply, Reply
from governance.invocation.live import LiveRules
from governance.resilience.backoff import LONGEST, wait_seconds
from governance.resilience.retry import RetriesExhaustedError, RetryStage
from governance.rules.policies import Retry
from tests.unit.resilience.consuming import Refusing, Time, calling, now_obeying, obeying
from tests.unit.resilience.limited import Callee, measured

_STATUSES = st.sampled_from([200, 404, 500, 502, 503])


def retry(rules: LiveRules, time: Time | None = None, discarded: list[Reply] | None = None) -> RetryStage:
    """The stage; connections that are refused may be repeated."""
    let_go = [] if discarded is None else discarded
    return RetryStage(
        rules,
        retriable=lambda error: isinstance(error, ConnectionRefusedError),
        discard=let_go.append,
        pause=(time or Time()).pause,
        dice=random.Random(7).random,
    )


async def test_three_further_tries_against_503_are_four_calls_and_the_last_503_is_returned() -> None:
    callee, discarded = Callee(*[503] * 9), list[Reply]()
    reply = await retry(obeying(retry__all="maxAttempts: 3"), discarded=discarded)(calling(), callee)
    assert (reply.status, callee.calls) == (503, 4)
    assert [one.status for one in discarded] == [503, 503, 503], "only the last one reaches the caller"


async def test_a_listed_class_of_statuses_is_repeated_and_others_are_not() -> None:
    rules = obeying(retry__all="{maxAttempts: 3, retryOnResponseStatus: [5xx]}")
    for answers, calls in (([500, 200], 2), ([404], 1), ([599, 501, 200], 3)):
        callee = Callee(*answers)
        assert (await retry(rules)(calling(), callee)).status == answers[-1]
        assert callee.calls == calls


async def test_without_a_policy_and_with_one_in_error_a_call_is_made_once() -> None:
    for rules in (obeying(), obeying(retry__all="waitDuration: 500ms")):
        callee = Callee(503)
        assert (await retry(rules)(calling(), callee)).status == 503
        assert callee.calls == 1
        assert [*rules.processors()] == []


async def test_a_retriable_error_is_repeated_and_the_last_one_is_raised() -> None:
    rules = obeying(retry__all="maxAttempts: 2")
    callee = Callee(ConnectionRefusedError(), 200)
    assert (await retry(rules)(calling(), callee)).status == 200
    last = ConnectionRefusedError("the last")
    callee = Callee(ConnectionRefusedError(), ConnectionRefusedError(), last)
    with pytest.raises(ConnectionRefusedError) as raised:
        await retry(rules)(calling(), callee)
    assert raised.value is last
    callee = Callee(ValueError("a mistake"))
    with pytest.raises(ValueError, match="a mistake"):
        await retry(rules)(calling(), callee)
    assert callee.calls == 1


@settings(deadline=None)
@given(st.lists(_STATUSES, min_size=1, max_size=8), st.integers(1, 5))
def test_tries_end_with_the_first_good_answer_or_after_one_more_than_the_further_ones(
    statuses: list[int], further: int
) -> None:
    callee = Callee(*statuses)
    reply = asyncio.run(_repeated(obeying(retry__all=f"maxAttempts: {further}"), callee))
    answers = [*statuses, *[200] * 9][: further + 1]
    good = next((index for index, status in enumerate(answers) if status not in (502, 503)), further)
    assert (callee.calls, reply.status) == (good + 1, answers[good])


async def _repeated(rules: LiveRules, callee: Callee) -> Reply:
    return await retry(rules)(calling(), callee)


async def test_fail_after_max_attempts_raises_with_the_last_reply() -> None:
    stage = retry(obeying(retry__all="{maxAttempts: 1, failAfterMaxAttempts: true}"))
    with pytest.raises(RetriesExhaustedError, match="503") as raised:
        await stage(calling(), Callee(502, 503))
    assert raised.value.reply.status == 503
    assert (await stage(calling(), Callee(502, 404))).status == 404


async def test_a_body_that_is_gone_is_not_sent_again_but_a_refusal_before_it_was_sent_is_repeated() -> None:
    rules = obeying(retry__all="maxAttempts: 2")
    once = calling(replayable=False)
    for answer in (Callee(503), Callee(ConnectionRefusedError())):
        with contextlib.suppress(ConnectionRefusedError):
            assert (await retry(rules)(once, answer)).status == 503
        assert answer.calls == 1
    for by, calls in (("instanceIsolation", 3), ("timeLimiter", 1)):
        refusing = Refusing(503, by)
        await retry(rules)(once, refusing)
        assert refusing.calls == calls, by


async def test_an_injected_fault_is_not_repeated() -> None:
    refusing = Refusing(503, "faultInjection")
    assert (await retry(obeying(retry__all="maxAttempts: 2"))(calling(), refusing)).status == 503
    assert refusing.calls == 1


async def test_the_instances_that_were_tried_are_known_to_the_next_try() -> None:
    invocation, seen = calling(), list[list[str]]()

    async def pick_and_call(call: Invocation) -> Reply:
        seen.append([*call.tried])
        call.tried.append(f"instance-{len(seen)}")
        return LocalReply(503)

    await retry(obeying(retry__all="maxAttempts: 2"))(invocation, pick_and_call)
    assert seen == [[], ["instance-1"], ["instance-1", "instance-2"]]


async def test_fixed_waits_are_the_same_each_time() -> None:
    time = Time()
    await retry(obeying(retry__all="{maxAttempts: 3, waitDuration: 0.25S}"), time)(calling(), Callee(*[503] * 9))
    assert time.pauses == [0.25, 0.25, 0.25]


async def test_random_waits_grow_within_their_bounds() -> None:
    time = Time()
    rule = (
        "{maxAttempts: 5, retryStrategy: RandomBackoff, initialInterval: 100, multiplier: 3, randomizationFactor: 0.2}"
    )
    await retry(obeying(retry__all=rule), time)(calling(), Callee(*[503] * 9))
    assert len(time.pauses) == 5
    for number, wait in enumerate(time.pauses):
        assert 0.1 * 3**number * 0.8 <= wait <= 0.1 * 3**number * 1.2
    assert time.pauses != [0.1 * 3**number for number in range(5)], "chance has a say"


_POLICIES = st.builds(
    Retry,
    name=st.just("all"),
    wait_duration=st.integers(0, 2**63),
    retry_strategy=st.sampled_from(["FixedInterval", "RandomBackoff"]),
    initial_interval=st.integers(10, 2**63),
    multiplier=st.floats(0.001, 1e300),
    randomization_factor=st.floats(0.001, 1),
)


@settings(deadline=None)
@given(_POLICIES, st.integers(1, 2**31), st.floats(0, 1, exclude_max=True))
def test_no_wait_is_endless_or_negative(policy: Retry, further: int, chance: float) -> None:
    assert 0 <= wait_seconds(policy, further, chance) <= LONGEST


async def test_a_cancelled_call_makes_no_further_try() -> None:
    begun, calls = asyncio.Event(), list[Invocation]()

    async def endless(invocation: Invocation) -> Reply:
        calls.append(invocation)
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError

    task = asyncio.create_task(retry(obeying(retry__all="maxAttempts: 2"))(calling(), endless))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(calls) == 1


async def test_one_that_is_cancelled_while_it_waits_makes_no_further_try() -> None:
    waiting = asyncio.Event()

    async def pause(_: float) -> None:
        waiting.set()
        await asyncio.Event().wait()

    callee = Callee(503)
    stage = RetryStage(obeying(retry__all="maxAttempts: 2"), retriable=lambda _: True, pause=pause)
    task = asyncio.create_task(stage(calling(), callee))
    await waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert callee.calls == 1


async def test_a_rule_that_is_deleted_during_a_call_counts_from_the_next_one_on() -> None:
    rules = obeying(retry__all="maxAttempts: 2")

    async def deleting(_: Invocation) -> Reply:
        now_obeying(rules)
        return LocalReply(503)

    callee = Callee(503)
    assert (await retry(rules)(calling(), deleting)).status == 503
    assert (await retry(rules)(calling(), callee)).status == 503
    assert callee.calls == 1


async def test_older_keys_repeat_where_no_policy_applies() -> None:
    older = {"loadbalance__retryEnabled": "true", "loadbalance__retryOnNext": 1, "loadbalance__retryOnSame": 2}
    callee = Callee(490, 502, ConnectionRefusedError(), 503)
    assert (await retry(obeying(**older))(calling(), callee)).status == 503
    assert callee.calls == 4
    callee = Callee(*[503] * 9)
    await retry(obeying(**older, retry__all="maxAttempts: 1"))(calling(), callee)
    assert callee.calls == 2, "the policy wins"


async def test_older_keys_of_a_service_count_before_those_for_all() -> None:
    rules = obeying(
        loadbalance__retryEnabled="true",
        loadbalance__retryOnNext=1,
        loadbalance__forecast__retryOnNext=3,
        loadbalance__weather__retryEnabled="false",
    )
    for service, calls in (("forecast", 4), ("weather", 1), ("other", 2)):
        callee = Callee(*[503] * 9)
        await retry(rules)(calling(service), callee)
        assert callee.calls == calls, service


async def test_calls_are_counted_by_how_they_ended() -> None:
    rules = obeying(retry__all="maxAttempts: 1")
    stage = retry(rules)
    for answers in ([200], [200], [503, 200], [503, 503], [ValueError()], [ConnectionRefusedError(), ValueError()]):
        with contextlib.suppress(ValueError):
            await stage(calling(), Callee(*answers))
    assert measured(rules, "servicecomb.retry.all") == {
        "calls{successful_without_retry}": 2,
        "calls{successful_with_retry}": 1,
        "calls{failed_without_retry}": 1,
        "calls{failed_with_retry}": 2,
    }

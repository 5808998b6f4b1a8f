"""Whatever befalls calls in a consumer's chain, whoever is cancelled and whichever rules come and go, nothing is left behind."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from governance.invocation.chain import Proceed, chained
from governance.invocation.invocation import Invocation, LocalReply, Reply
from governance.invocation.live import LiveRules
from governance.resilience.fallback import FallbackStage
from governance.resilience.fault import FaultInjectionStage
from governance.resilience.flow_control import FlowControlStage
from governance.resilience.retry import RetryStage
from governance.resilience.time_limit import TimeLimiterStage
from tests.unit.resilience.consuming import Time, calling, now_obeying, obeying
from tests.unit.resilience.limited import Busy, Callee

RULES = {
    "retry__all": "maxAttempts: 2",
    "faultInjection__all": "{type: delay, percentage: 50, delayTime: 10}",
    "timeLimiter__all": "timeoutDuration: 60000",
    "flowcontrol__Consumer__qps__limit__forecast": 10**9,
    "isolation__Consumer__forecast__maxConcurrentRequests": 3,
    "circuitBreaker__Consumer__forecast__requestVolumeThreshold": 2,
    "fallbackpolicy__Consumer__forecast__policy": "returnnull",
}
_Turn = Callable[[], int]
_TURNS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 20)), min_size=1, max_size=40)


class Callees:
    """Answers when it is told to, in any order: all that is awaited in a chain is awaited here, pauses too."""

    def __init__(self) -> None:
        self.waiting: list[asyncio.Future[int]] = []

    async def answer(self, _: Invocation) -> Reply:
        return LocalReply(await self._next())

    async def pause(self, _: float) -> None:
        await self._next()

    async def _next(self) -> int:
        waiting = asyncio.get_running_loop().create_future()
        self.waiting.append(waiting)
        try:
            found: int = await waiting
            return found
        finally:
            self.waiting.remove(waiting)

    def tell(self, which: int, outcome: int | Exception) -> None:
        """One of those that wait goes on."""
        still = [one for one in self.waiting if not one.done()]
        if still:
            one = still[which % len(still)]
            one.set_exception(outcome) if isinstance(outcome, Exception) else one.set_result(outcome)


def chain(rules: LiveRules, callees: Callees, time: Time) -> Proceed:
    """All of a consumer's stages that this page is about."""
    stages = [
        FallbackStage(rules, "Consumer", clock=time),
        FlowControlStage(rules, "Consumer", clock=time),
        RetryStage(rules, retriable=lambda error: isinstance(error, OSError), pause=callees.pause),
        FaultInjectionStage(rules, pause=callees.pause),
        TimeLimiterStage(rules),
    ]
    return chained(stages, callees.answer)


@settings(max_examples=60, deadline=None)
@given(_TURNS)
def test_after_any_turns_of_events_a_call_goes_through_again(turns: Sequence[tuple[int, int]]) -> None:
    asyncio.run(_turn(turns))


async def _turn(turns: Sequence[tuple[int, int]]) -> None:
    rules, callees, time = obeying(**RULES), Callees(), Time()
    call, calls = chain(rules, callees, time), list[asyncio.Task[Reply]]()
    for event, which in turns:
        match event:
            case 0 | 1:
                calls.append(asyncio.create_task(call(calling())))
            case 2:
                callees.tell(which, (200, 404, 503, OSError())[which % 4])
            case 3 if calls:
                calls[which % len(calls)].cancel()
            case 4:
                now_obeying(
                    rules, **{name: text for number, (name, text) in enumerate(RULES.items()) if number != which}
                )
            case _:
                time.now += which
        await _settled()
    while callees.waiting:
        callees.tell(0, 200)
        await _settled()
    replies = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(reply, (LocalReply, asyncio.CancelledError, OSError)) for reply in replies)
    # Whatever is open is tried again after its sleep.
    now_obeying(rules, **{**RULES, "faultInjection__all": "{}"})
    time.now += 100
    stage, busy = FallbackStage(rules, "Consumer", clock=time), Busy()
    assert [(await stage(calling(), Callee(201))).status for _ in range(2)] == [201, 201], "no trial was lost"
    at_once = [asyncio.create_task(stage(calling(), busy)) for _ in range(3)]
    await _settled()
    assert busy.running == 3, "no place was lost"
    busy.end(3, 202)
    assert [reply.status for reply in await asyncio.gather(*at_once)] == [202] * 3


async def _settled() -> None:
    """All that can go on has gone on: as often as there are stages, and then some."""
    for _ in range(20):
        await asyncio.sleep(0)


_OLDER = {
    "loadbalance__retryEnabled": "true",
    "loadbalance__retryOnNext": 1,
    "governance__Consumer___global__policy__fault__protocols__rest__delay__fixedDelay": 1,
    "governance__Consumer___global__policy__fault__protocols__rest__delay__percent": 100,
    "flowcontrol__Consumer__qps__limit__ANY": 9,
    "flowcontrol__Consumer__qps__limit__weather": 9,
    "fallbackpolicy__Consumer__policy": "returnnull",
}
_KEYS = {
    "servicecomb.retry.Consumer.forecast",
    "servicecomb.faultInjection.Consumer.forecast",
    "servicecomb.flowcontrol.Consumer.qps.limit.ANY",
    "servicecomb.bizkeeper.Consumer.forecast",
}


async def test_states_of_older_keys_are_gone_with_them_and_measure_nothing_any_more() -> None:
    rules, time = obeying(**_OLDER), Time()
    stages = [
        FallbackStage(rules, "Consumer", clock=time),
        FlowControlStage(rules, "Consumer", clock=time),
        RetryStage(rules, retriable=lambda _: False, pause=time.pause),
        FaultInjectionStage(rules, pause=time.pause),
    ]
    await chained(stages, Callee())(calling())
    assert {key for key, _ in rules.processors()} == _KEYS
    now_obeying(rules, **_OLDER, flowcontrol__Consumer__qps__limit__forecast=5, timeLimiter__all="timeoutDuration: 5")
    assert {key for key, _ in rules.processors()} == _KEYS, "other callees still share the counter of ANY"
    now_obeying(rules)
    assert [*rules.processors()] == []

"""What is done about calls that fail or are slow: breakers, retries, isolation, injected faults, and what comes in place of an answer."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from tests.e2e.governance.rules import Rules
from tests.e2e.governance.world import Member, World
from tests.engine import eventually

_FAULT = "governance.Consumer.forecast.policy.fault.protocols.rest."
_HASTY = "minimumNumberOfCalls: 4\nslidingWindowType: COUNT_BASED\nslidingWindowSize: '4'\n"


@contextlib.asynccontextmanager
async def forecast_is(world: World, **environ: str) -> AsyncIterator[Member]:
    """In the block another process of forecast does all the work, with LATENCY or FAILURES; the usual one is out of service."""
    (usual,) = world.of("forecast")
    other = world.start("forecast", **environ)
    try:
        await world.up(other)
        await world.set_status(usual, "OUTOFSERVICE")
        yield other
    finally:
        await world.set_status(usual, "UP")
        other.end()


async def forecasts(rules: Rules, number: int) -> list[bool]:
    """Whether the page shows a forecast, again and again."""
    return [bool((await rules.show())["forecastWeather"]) for _ in range(number)]


async def seconds(rules: Rules) -> float:
    """How long the edge takes to answer."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    await rules.show()
    return loop.time() - begun


async def test_retries_and_breakers_by_what_forecast_answers(world: World, rules: Rules) -> None:
    async with forecast_is(world, FAILURES="50") as flaky:
        assert Counter(await forecasts(rules, 4)) == {True: 2, False: 2}
        await rules.policy("fusionweather", "retry", "maxAttempts: 1")
        assert all(await forecasts(rules, 6)), "the second try is answered"
        await rules.delete()
        assert Counter(await forecasts(rules, 4)) == {True: 2, False: 2}
        older = {"retryEnabled": "true", "retryOnNext": "1"}
        await rules.obeyed_by("fusionweather", {f"loadbalance.forecast.{key}": text for key, text in older.items()})
        assert all(await forecasts(rules, 6)), "as by Java Chassis's older keys"
        await rules.delete()
        await _the_providers_breaker(flaky, rules)
        await _the_consumers_breaker(rules)
    assert all(await forecasts(rules, 2))


async def _the_providers_breaker(flaky: Member, rules: Rules) -> None:
    await rules.policy("forecast", "circuitBreaker", _HASTY + "waitDurationInOpenState: 10M")
    assert Counter([await rules.weather(flaky) for _ in range(4)]) == {200: 2, 503: 2}
    assert await rules.ask(f"{flaky.url}/forecast/show") == (429, {"message": "circuitBreaker is open."})
    shown = await rules.show()
    assert shown["forecastWeather"] == {}
    assert shown["currentWeather"]
    await rules.delete()
    assert Counter([await rules.weather(flaky) for _ in range(4)]) == {200: 2, 503: 2}


async def _the_consumers_breaker(rules: Rules) -> None:
    breaker = {"requestVolumeThreshold": "4", "errorThresholdPercentage": "50", "sleepWindowInMilliseconds": "600000"}
    await rules.obeyed_by(
        "fusionweather", {f"circuitBreaker.Consumer.forecast.{key}": text for key, text in breaker.items()}
    )
    assert Counter(await forecasts(rules, 4)) == {True: 2, False: 2}
    assert not any(await forecasts(rules, 4)), "nobody asks forecast any more"
    await rules.delete()
    assert Counter(await forecasts(rules, 4)) == {True: 2, False: 2}


async def test_a_provider_that_is_slow_is_left_alone_by_its_own_breaker(world: World, rules: Rules) -> None:
    async with forecast_is(world, LATENCY="1000") as slow:
        text = _HASTY + "slowCallDurationThreshold: 100\nwaitDurationInOpenState: 10M"
        await rules.policy("forecast", "circuitBreaker", text)
        assert await asyncio.gather(*[rules.weather(slow) for _ in range(4)]) == [200] * 4
        assert await rules.weather(slow) == 429
        assert await seconds(rules) < 1, "what is refused costs no time"
        await rules.delete()
        assert await rules.weather(slow) == 200
        await _a_limit_of_time(rules)
        await _calls_at_once(rules)


async def _a_limit_of_time(rules: Rules) -> None:
    given = {
        "isolation.Consumer.forecast.timeout.enabled": "true",
        "isolation.Consumer.forecast.timeoutInMilliseconds": "50",
        "fallbackpolicy.Consumer.forecast.policy": "returnnull",
    }
    await rules.obeyed_by("fusionweather", given)
    assert (await rules.show())["forecastWeather"] == {}
    assert await seconds(rules) < 1
    await rules.delete()
    assert (await rules.show())["forecastWeather"]
    await rules.policy("fusionweather", "timeLimiter", "timeoutDuration: 50")
    assert (await rules.show())["forecastWeather"] == {}
    await rules.delete()
    assert (await rules.show())["forecastWeather"]


async def _calls_at_once(rules: Rules) -> None:
    await rules.policy("fusionweather", "instanceBulkhead", "maxConcurrentCalls: 1", "serviceName: forecast")
    shown = await asyncio.gather(*[rules.show() for _ in range(4)])
    assert [bool(each["forecastWeather"]) for each in shown].count(True) == 1
    assert all(each["currentWeather"] for each in shown), "the bulkhead of each instance is its own"
    await rules.delete()
    assert all(each["forecastWeather"] for each in await asyncio.gather(*[rules.show() for _ in range(4)]))


async def test_an_instance_that_fails_is_put_aside_and_comes_back(world: World, rules: Rules) -> None:
    bad = world.start("forecast", FAILURES="100")
    try:
        await world.up(bad)

        async def known() -> bool:
            return len(set(await forecasts(rules, 2))) == 2

        await eventually(known)
        assert Counter(await forecasts(rules, 8)) == {True: 4, False: 4}
        await rules.policy("fusionweather", "instanceIsolation", _HASTY + "waitDurationInOpenState: 10M")
        assert Counter(await forecasts(rules, 8)) == {True: 4, False: 4}, "four calls to judge by"
        assert all(await forecasts(rules, 8)), "the good instance has them all"
        await rules.delete()
        assert Counter(await forecasts(rules, 8)) == {True: 4, False: 4}
    finally:
        bad.end()


async def test_injected_faults_are_exact_in_their_share(world: World, rules: Rules) -> None:
    (told,) = world.of("fusionweather")
    await rules.policy(
        "fusionweather", "faultInjection", "type: abort\npercentage: 50\nerrorCode: 503", "serviceName: forecast"
    )
    assert await forecasts(rules, 6) == [True, False] * 3
    await rules.delete()
    assert all(await forecasts(rules, 4))
    await rules.policy(
        "fusionweather",
        "faultInjection",
        "{ type: abort, percentage: 100, fallbackType: ReturnNull }",
        "serviceName: forecast",
    )
    begun = len(told.said())
    assert not any(await forecasts(rules, 3))
    assert "provider.refused" not in told.said()[begun:], "nothing is an answer, too"
    await rules.delete()
    await rules.policy(
        "fusionweather", "faultInjection", "type: delay\npercentage: 100\ndelayTime: 1000", "serviceName: forecast"
    )
    assert await seconds(rules) >= 1
    await rules.delete()
    assert await seconds(rules) < 1


async def test_java_chassiss_older_faults_act_too(rules: Rules) -> None:
    await rules.obeyed_by("fusionweather", {_FAULT + "abort.percent": "50", _FAULT + "abort.httpStatus": "421"})
    assert await forecasts(rules, 4) == [True, False] * 2
    await rules.delete()
    await rules.obeyed_by("fusionweather", {_FAULT + "delay.percent": "100", _FAULT + "delay.fixedDelay": "1000"})
    assert await seconds(rules) >= 1
    await rules.delete()
    assert await seconds(rules) < 1


@pytest.mark.parametrize(
    ("policy", "is_shown"), [("returnnull", False), ("throwexception", False), ("fromcache", True)]
)
async def test_a_forecast_that_is_degraded_is_not_asked(
    world: World, rules: Rules, policy: str, *, is_shown: bool
) -> None:
    (told,) = world.of("fusionweather")
    begun = len(told.said())
    given = {"fallback.Consumer.forecast.enabled": "true", "fallbackpolicy.Consumer.forecast.policy": policy}
    await rules.obeyed_by("fusionweather", given)
    before = await rules.show()
    async with forecast_is(world, FAILURES="100"):
        await rules.obeyed_by("fusionweather", {"fallback.Consumer.forecast.force": "true"})
        shown = await rules.show()
        assert shown["currentWeather"]["servedBy"]["service"] == "weather"
        assert shown["forecastWeather"] == (before["forecastWeather"] if is_shown else {})
        assert ("status=490" in told.said()[begun:]) is (policy == "throwexception")
    assert bool((await rules.show())["forecastWeather"]) is is_shown
    await rules.delete()
    assert (await rules.show())["forecastWeather"]

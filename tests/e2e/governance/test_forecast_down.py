"""forecast is killed: with a breaker and a fallback at its consumer, the weather comes as fast as before, even before the registry
notices."""

from __future__ import annotations

import signal

from tests.e2e.governance.commands import forget
from tests.e2e.governance.load import Load, load_on, median_and_p99
from tests.e2e.governance.rules import Rules
from tests.e2e.governance.world import World

_RATE = 60.0
_CALLS = 200
_SLOWER = 0.05
_BREAKER = {
    "circuitBreaker.Consumer.forecast.requestVolumeThreshold": "5",
    "circuitBreaker.Consumer.forecast.sleepWindowInMilliseconds": "1000",
    "fallbackpolicy.Consumer.forecast.policy": "returnnull",
}


async def test_the_weather_is_no_slower_without_forecast(world: World, rules: Rules) -> None:
    (old,) = world.of("forecast")
    await rules.obeyed_by("fusionweather", _BREAKER)
    async with load_on(world.edge, _RATE) as load:
        usual = median_and_p99(await load.from_now(_CALLS))
        old.end(signal.SIGKILL)
        slower = await _slower(load, *usual)
        assert old.url in await world.instances("forecast"), "the registry has not noticed yet"
    await forget(world, old)
    assert not load.troubles
    assert max(slower) < _SLOWER, f"median and p99 are {slower} s more than {usual} s"
    await rules.delete()
    await world.up(world.start("forecast"))
    async with load_on(world.edge, _RATE) as load:
        assert all(each.has_forecast for each in await load.from_now(20))


async def _slower(load: Load, median: float, p99: float) -> tuple[float, float]:
    """By how many seconds median and p99 are more than these from now on. A machine with other work stalls now and then, so a round
    that is not good enough may be gone through again, twice."""
    for _ in range(3):
        answers = await load.from_now(_CALLS)
        assert not any(each.has_forecast for each in answers)
        now = median_and_p99(answers)
        slower = (now[0] - median, now[1] - p99)
        if max(slower) < _SLOWER:
            break
    return slower

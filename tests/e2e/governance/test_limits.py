"""What a provider lets through: rates, calls at once, and who may call at all; by policies and by Java Chassis's older keys."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from tests.e2e.governance.rules import Rules
from tests.e2e.governance.world import World

_LONG = "limitRefreshPeriod: 10M"
_WHITE = "publicKey.accessControl.white.one."
_BLACK = "publicKey.accessControl.black.one."


async def test_a_rate_limits_each_process_of_weather_and_empties_its_part_of_the_page(
    world: World, rules: Rules
) -> None:
    await rules.policy("weather", "rateLimiting", f"rate: 2\n{_LONG}")
    for one in world.of("weather"):
        assert [await rules.weather(one) for _ in range(4)] == [200, 200, 429, 429]
        assert await rules.ask(f"{one.url}/weather/show") == (429, {"message": "rate limited."})
    shown = await rules.show()
    assert shown["currentWeather"] == {}, "the page shows what there is"
    assert shown["forecastWeather"]["servedBy"]["service"] == "forecast"
    await rules.delete()
    assert [await rules.weather(world.of("weather")[0]) for _ in range(4)] == [200] * 4
    assert (await rules.show())["currentWeather"]


async def test_a_rate_is_for_the_requests_of_its_group_alone(world: World, rules: Rules) -> None:
    await rules.policy("forecast", "rateLimiting", f"rate: 1\n{_LONG}", "headers: { level: { compare: '>=3' } }")
    (one,) = world.of("forecast")
    assert [await rules.weather(one, level="3.5") for _ in range(3)] == [200, 429, 429]
    assert [await rules.weather(one, level="2") for _ in range(3)] == [200] * 3
    assert (await rules.show())["forecastWeather"]


async def test_each_user_has_a_rate_of_their_own(world: World, rules: Rules) -> None:
    one = world.of("weather")[0]
    await rules.policy("weather", "identifierRateLimiting", f"identifier: user\nrate: 1\n{_LONG}")
    for user in ("ann", "bob"):
        assert [await rules.weather(one, user=user) for _ in range(3)] == [200, 429, 429]
    assert [await rules.weather(one) for _ in range(3)] == [200] * 3, "nobody in particular has no limit"
    assert (await rules.show())["currentWeather"]
    await rules.delete()
    assert [await rules.weather(one, user="ann") for _ in range(3)] == [200] * 3


async def test_a_bulkhead_lets_so_many_calls_in_at_once(world: World, rules: Rules) -> None:
    slow = world.start("weather", LATENCY="300")
    try:
        await world.up(slow)
        await rules.policy("weather", "bulkhead", "maxConcurrentCalls: 2")
        at_once = await asyncio.gather(*[rules.weather(slow) for _ in range(6)])
        assert Counter(at_once) == {200: 2, 429: 4}
        assert await rules.weather(slow) == 200, "its places are free again"
        await rules.delete()
        assert await asyncio.gather(*[rules.weather(slow) for _ in range(6)]) == [200] * 6
    finally:
        slow.end()


async def test_flow_control_of_a_provider_counts_by_caller(world: World, rules: Rules) -> None:
    (one,) = world.of("forecast")
    await rules.obeyed_by("forecast", {"flowcontrol.Provider.qps.limit.fusionweather": "0"})
    assert (await rules.show())["forecastWeather"] == {}
    assert await rules.weather(one) == 200, "another caller has no limit"
    await rules.obeyed_by("forecast", {"flowcontrol.Provider.qps.limit.ANY": "0"})
    assert await rules.weather(one) == 429
    await rules.delete()
    assert await rules.weather(one) == 200
    assert (await rules.show())["forecastWeather"]


async def test_flow_control_of_a_consumer_keeps_its_calls_at_home(world: World, rules: Rules) -> None:
    await rules.obeyed_by("fusionweather", {"flowcontrol.Consumer.qps.limit.weather": "0"})
    shown = await rules.show()
    assert shown["currentWeather"] == {}
    assert shown["forecastWeather"]
    assert await rules.weather(world.of("weather")[0]) == 200
    await rules.delete()
    assert (await rules.show())["currentWeather"]


@pytest.mark.parametrize(
    ("kind", "consumer", "passes"),
    [
        (_WHITE, "fusion*", True),
        (_WHITE, "edge-*", False),
        (_BLACK, "fusionweather", False),
        (_BLACK, "edge-*", True),
    ],
)
async def test_an_access_list_knows_fusionweather_and_the_edge_by_their_signatures(
    world: World, rules: Rules, kind: str, consumer: str, passes: bool
) -> None:
    parts = {"category": "property", "propertyName": "serviceName", "rule": consumer}
    await rules.obeyed_by("weather", {kind + part: text for part, text in parts.items()})
    shown = await rules.show()
    assert bool(shown["currentWeather"]) is passes
    assert shown["forecastWeather"]
    assert (await rules.ask(f"{rules.edge}/weather/show"))[0] == (403 if passes else 200), "the edge calls it, too"
    claims = {"x-cse-context": '{"x-cse-src-microservice": "fusionweather"}'}
    found = await rules.ask(f"{world.of('weather')[0].url}/weather/show", **claims)
    assert found == (403, {"message": "UNAUTHORIZED BY WHITE BLACK"}), "who proves nothing is refused"
    await rules.delete()
    assert (await rules.show())["currentWeather"]
    assert await rules.weather(world.of("weather")[0]) == 200


async def test_a_security_policy_says_which_calls_fusionweather_may_make(world: World, rules: Rules) -> None:
    await _allow(rules, "GET")
    assert (await rules.show())["currentWeather"]
    assert await rules.weather(world.of("weather")[0]) == 403
    await _allow(rules, "POST")
    assert (await rules.show())["currentWeather"] == {}
    await rules.delete()
    assert (await rules.show())["currentWeather"]


async def _allow(rules: Rules, method: str) -> None:
    acls = "spring.cloud.servicecomb.webmvc.public-key.acls"
    allowed = f"[{{ id: a, consumer: fusionweather, method: {method}, uri: /weather/* }}]"
    text = f"{acls}: {{ mode: enforcing, action: {{ allow: {allowed} }} }}"
    await rules.yaml_obeyed_by("weather", "access.yaml", text, [f"{acls}.action.allow[0].method"])

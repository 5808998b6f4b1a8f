"""Who gets a call: by share, by content through two hops, by lanes, by older keys, and how instances are chosen among equals."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from tests.e2e.governance.rules import Rules
from tests.e2e.governance.world import Member, World
from tests.engine import eventually

_OLD, _NEW = "{ version: 0.0.2 }", "{ version: 0.0.3 }"
_GRAY = f"""
- precedence: 2
  match: {{ headers: {{ type: {{ exact: gray }} }} }}
  route: [{{ weight: 100, tags: {_NEW} }}]
- precedence: 1
  route: [{{ weight: 100, tags: {_OLD} }}]
"""
_GRAY_FOR_ALL = f"""
- precedence: 2
  match: {{ headers: {{ x_cse_canary: {{ exact: gray }} }} }}
  route: [{{ weight: 100, tags: {_NEW} }}]
  fallback: [{{ weight: 100, tags: {_OLD} }}]
- precedence: 1
  route: [{{ weight: 100, tags: {_OLD} }}]
"""
_DARK = '{"policyType": "%s", "ruleItems": [{"groupName": "g", "groupCondition": "version=0.0.3", "policyCondition": "%s"}]}'


@pytest.fixture(scope="module")
def beta(world: World) -> Iterator[Member]:
    """weather 0.0.3."""
    made = world.start("weather-beta")
    yield made
    made.end()


@pytest_asyncio.fixture(autouse=True)
async def _beta_is_known(world: World, rules: Rules, beta: Member) -> AsyncIterator[None]:
    await world.up(beta)

    async def shares() -> bool:
        return await rules.versions(3) == {"0.0.2": 2, "0.0.3": 1}

    await eventually(shares)
    yield
    await rules.delete()
    assert await rules.versions(3) == {"0.0.2": 2, "0.0.3": 1}, "without a rule everyone is called in turn"


async def test_a_route_rule_shares_exactly(rules: Rules) -> None:
    routes = f"- route: [{{ weight: 70, tags: {_OLD} }}, {{ weight: 30, tags: {_NEW} }}]"
    await rules.obeyed_by("", {"routeRule.weather": routes})
    assert await rules.versions(20) == {"0.0.2": 14, "0.0.3": 6}
    half = f"- route: [{{ weight: 50, tags: {_OLD} }}, {{ weight: 50, tags: {_NEW} }}]"
    await rules.obeyed_by("", {"routeRule.weather": half})
    seen = [next(iter(await rules.versions(1))) for _ in range(6)]
    assert seen == ["0.0.2", "0.0.3"] * 3, "they alternate"


async def test_a_header_that_is_sent_to_the_edge_reaches_weather_two_hops_further(rules: Rules) -> None:
    await rules.obeyed_by("", {"routeRule.weather": _GRAY})
    assert await rules.versions(6, type="gray") == {"0.0.3": 6}
    assert await rules.versions(6, type="grey") == {"0.0.2": 6}
    assert await rules.versions(6) == {"0.0.2": 6}


async def test_the_users_of_a_context_are_led_as_those_of_a_header(rules: Rules) -> None:
    await rules.obeyed_by("", {"routeRule.weather": _GRAY})
    assert await rules.versions(4, **{"x-cse-context": '{"type": "gray"}'}) == {"0.0.3": 4}
    assert await rules.versions(4, **{"x-invocation-context": "%7B%22type%22%3A%22gray%22%7D"}) == {"0.0.3": 4}


async def test_a_rule_for_all_services_is_for_those_without_their_own(rules: Rules) -> None:
    await rules.obeyed_by("", {"globalRouteRule": _GRAY_FOR_ALL})
    lane = {"x-cse-context": '{"x_cse_canary": "gray"}'}
    assert await rules.versions(4, **lane) == {"0.0.3": 4}
    assert (await rules.show(**lane))["forecastWeather"], "forecast has no such version, so the fallback is called"
    assert await rules.versions(4) == {"0.0.2": 4}
    await rules.obeyed_by("", {"routeRule.weather": f"- route: [{{ weight: 100, tags: {_OLD} }}]"})
    assert await rules.versions(4, **lane) == {"0.0.2": 4}, "the service's own rule alone counts"


async def test_dark_launches_by_expression_and_by_rate(rules: Rules) -> None:
    await rules.obeyed_by("", {"darklaunch.policy.weather": _DARK % ("RULE", "user=ann")})
    context = {"x-cse-context": '{"user": "ann"}'}
    assert await rules.versions(4, **context) == {"0.0.3": 4}
    assert await rules.versions(4) == {"0.0.2": 4}
    await rules.obeyed_by("", {"darklaunch.policy.weather": _DARK % ("RATE", "100")})
    assert await rules.versions(4) == {"0.0.3": 4}


async def test_a_mapper_puts_what_is_asked_into_the_context_that_rules_see(rules: Rules) -> None:
    by_user = _GRAY.replace("type: {", "x-user: {").replace("gray", "ann")
    for kind, expression in (("mapper", "$Q{user}"), ("contextMapper", "$H{who}")):
        await rules.policy("fusionweather", kind, f"target: {{ x-user: '{expression}' }}")
        await rules.obeyed_by("", {"routeRule.weather": by_user})
        assert await _by_user(rules, "ann") == "0.0.3"
        assert await _by_user(rules, "bob") == "0.0.2"
        await rules.delete()


async def _by_user(rules: Rules, user: str) -> str:
    _, shown = await rules.ask(f"{rules.edge}/fusionweather/show", {"user": user}, who=user)
    return str(shown["currentWeather"]["servedBy"]["version"])


async def test_random_and_sticky_choices_by_policy_and_by_older_key(rules: Rules) -> None:
    in_turn = [await _instance(rules) for _ in range(9)]
    assert in_turn == in_turn[:3] * 3
    await rules.policy("fusionweather", "loadbalance", "rule: Random", "serviceName: weather")
    at_random = [await _instance(rules) for _ in range(30)]
    assert len(set(at_random)) == 3
    assert at_random != at_random[:3] * 10
    await rules.delete()
    await rules.obeyed_by("fusionweather", {"loadbalance.weather.strategy.name": "SessionStickiness"})
    assert len({await _instance(rules) for _ in range(9)}) == 1
    await rules.delete()
    assert Counter([await _instance(rules) for _ in range(9)]).most_common()[0][1] == 3


async def _instance(rules: Rules) -> str:
    return str((await rules.show())["currentWeather"]["servedBy"]["instance"])

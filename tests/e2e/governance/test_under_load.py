"""Processes end, die and come, and rules come and go, while requests flow through the edge: none is lost."""

from __future__ import annotations

import signal

import pytest

from tests.e2e.governance.commands import ended, forget
from tests.e2e.governance.load import load_on, nothing_is_lost
from tests.e2e.governance.rules import Rules
from tests.e2e.governance.world import World

_RATE = 150.0
# Ten keys: as many as a log line of changes names.
_OF_ALL_KINDS = {
    "matchGroup.busy": 'matches: [{ apiPath: { prefix: "/" } }]',
    "rateLimiting.busy": "rate: 100000",
    "circuitBreaker.busy": "failureRateThreshold: 90",
    "bulkhead.busy": "maxConcurrentCalls: 5000",
    "retry.busy": "maxAttempts: 1",
    "instanceIsolation.busy": "failureRateThreshold: 90",
    "instanceBulkhead.busy": "maxConcurrentCalls: 5000",
    "loadbalance.busy": "rule: Random",
    "routeRule.weather": "- route: [{ weight: 100, tags: { version: 0.0.2 } }]",
    "fallbackpolicy.Consumer.forecast.policy": "fromcache",
}


@pytest.mark.parametrize("name", ["weather", "fusionweather"])
async def test_a_process_that_is_stopped_answers_what_it_has_begun(world: World, name: str) -> None:
    old = world.of(name)[0]
    async with load_on(world.edge, _RATE) as load:
        await load.from_now(50)
        await world.up(world.start(name))
        await load.from_now(100)
        await ended(old)
        await load.from_now(100)
    nothing_is_lost(load)


async def test_with_a_retry_nobody_sees_a_process_that_is_killed(world: World, rules: Rules) -> None:
    await rules.policy("fusionweather", "retry", "maxAttempts: 2")
    killed = world.start("weather", LATENCY="100")
    await world.up(killed)
    async with load_on(world.edge, _RATE) as load:
        await load.from_now(50)
        killed.end(signal.SIGKILL)
        await load.from_now(200)
        assert killed.url in await world.instances("weather"), "the registry has not noticed yet"
        await forget(world, killed)
    nothing_is_lost(load)


async def test_rules_of_all_kinds_come_and_go(rules: Rules) -> None:
    async with load_on(rules.edge, _RATE) as load:
        for _ in range(3):
            await rules.obeyed_by("", _OF_ALL_KINDS)
            await load.from_now(50)
            await rules.delete()
    nothing_is_lost(load)

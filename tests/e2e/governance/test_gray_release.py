"""A new version of weather gets its share, all, or nothing again, while 200 requests a second go through the edge: none is lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence

import pytest_asyncio

from tests.e2e.governance.commands import beta_is_up, ended, finish, gray, roll_back, waggle
from tests.e2e.governance.load import Shown, load_on, nothing_is_lost, share_of
from tests.e2e.governance.world import World

_RATE = 200.0


@pytest_asyncio.fixture(autouse=True)
async def _as_before(world: World) -> AsyncIterator[None]:
    """Two processes of weather 0.0.2 before and after each test."""
    yield
    await asyncio.to_thread(lambda: [member.end() for member in world.of("weather-beta")])
    await world.up(*[world.start("weather") for _ in range(2 - len(world.of("weather")))])


async def test_a_gray_release_to_the_end_loses_no_request(world: World) -> None:
    async with load_on(world.edge, _RATE) as load:
        await gray(world)
        await beta_is_up(world)
        assert share_of("0.0.3", await load.from_now(200)) == 0, "it is up, and nobody asks it"
        await gray(world, "--share", "50", "--wait")
        assert 0.48 <= share_of("0.0.3", await load.from_now(1000)) <= 0.52
        await gray(world, "--share", "100")
        assert share_of("0.0.3", await load.from_now(200)) == 1
        await waggle(world, "release", "promote", "weather")
        await ended(*world.of("weather"))
        await finish(world)
        assert share_of("0.0.3", await load.from_now(200)) == 1
    nothing_is_lost(load)


async def test_a_rollback_at_half_loses_no_request(world: World) -> None:
    async with load_on(world.edge, _RATE) as load:
        await gray(world)
        beta = await beta_is_up(world)
        await gray(world, "--share", "50", "--wait")
        assert 0.48 <= share_of("0.0.3", await load.from_now(1000)) <= 0.52
        await roll_back(world)
        assert share_of("0.0.3", await load.from_now(200)) == 0
        await ended(beta)
        await finish(world)
        assert share_of("0.0.2", await load.from_now(200)) == 1
    nothing_is_lost(load)


async def test_a_release_by_content_leads_those_with_the_header_alone(world: World) -> None:
    async with load_on(world.edge, _RATE, lambda number: {"type": "gray"} if number % 4 == 0 else {}) as load:
        await gray(world)
        beta = await beta_is_up(world)
        await gray(world, "--header", "type=gray")
        _are_led(await load.from_now(600))
        await roll_back(world)
        await ended(beta)
        await finish(world)
    nothing_is_lost(load)


def _are_led(answers: Sequence[Shown]) -> None:
    by_header: Mapping[str, set[str]] = {"gray": set(), "": set()}
    for each in answers:
        by_header[each.headers.get("type", "")].add(each.version)
    assert by_header == {"gray": {"0.0.3"}, "": {"0.0.2"}}

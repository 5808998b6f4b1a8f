"""A new version of weather gets its share, all, or nothing again, while 200 requests a second go through the edge: none is lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence

import pytest
import pytest_asyncio

from tests.e2e.governance.commands import beta_is_up, finish, gray, roll_back, waggle
from tests.e2e.governance.load import Load, Shown, load_on, share_of
from tests.e2e.governance.world import Member, World

_RATE = 200.0


async def ended(*members: Member) -> None:
    """End processes as an operator does, at once; each ends well."""
    assert await asyncio.gather(*[asyncio.to_thread(member.end) for member in members]) == [0] * len(members)


def nothing_is_lost(load: Load) -> None:
    """Each request was answered with 200 and the weather, by the version that it says, which alone tells UV."""
    assert not load.troubles
    assert all(each.has_uv is (each.version == "0.0.3") for each in load.answers)
    assert all(each.has_forecast for each in load.answers)


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
        assert 0.48 <= share_of("0.0.3", await load.from_now(2000)) <= 0.52
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
        assert 0.48 <= share_of("0.0.3", await load.from_now(2000)) <= 0.52
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


@pytest.mark.parametrize("name", ["weather", "fusionweather", "forecast"])
async def test_a_process_that_is_stopped_under_load_answers_what_it_has_begun(world: World, name: str) -> None:
    old = world.of(name)[0]
    async with load_on(world.edge, _RATE) as load:
        await load.from_now(100)
        await world.up(world.start(name))
        await load.from_now(200)
        await ended(old)
        await load.from_now(200)
    nothing_is_lost(load)

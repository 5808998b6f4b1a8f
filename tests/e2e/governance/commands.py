"""`waggle release` and `waggle degrade` on the weathermap, as users run them; afterwards every caller obeys."""

from __future__ import annotations

import asyncio

import aiohttp
from typer.testing import CliRunner

from registry.cli.app import app
from tests.e2e.governance.world import Member, World

RULE = "servicecomb.routeRule.weather"
FORCE = "servicecomb.fallback.Consumer.forecast.force"


async def waggle(world: World, *words: str) -> str:
    """The output of a command that must end well."""
    environ = {"WAGGLE_ENGINE": world.engine, "COLUMNS": "300"}
    done = await asyncio.to_thread(CliRunner().invoke, app, words, env=environ)
    assert done.exit_code == 0, f"{words}: {done.output}"
    return str(done.stdout)


async def gray(world: World, *words: str) -> None:
    """`waggle release gray weather …` for version 0.0.3."""
    async with world.change_of("fusionweather", [RULE]), world.change_of("edge-service", [RULE]):
        await waggle(world, "release", "gray", "weather", "--version", "0.0.3", *words)


async def roll_back(world: World) -> None:
    """`waggle release rollback weather`: all to version 0.0.2."""
    async with world.change_of("fusionweather", [RULE]):
        await waggle(world, "release", "rollback", "weather", "--reason", "too hot")


async def finish(world: World) -> None:
    """`waggle release finish weather --wait`: nobody has the rule any more."""
    async with world.change_of("fusionweather", [RULE]):
        await waggle(world, "release", "finish", "weather", "--wait")


async def degrade(world: World, switch: str) -> None:
    """`waggle degrade on|off fusionweather forecast`."""
    async with world.change_of("fusionweather", [FORCE]):
        await waggle(world, "degrade", switch, "fusionweather", "forecast")


async def beta_is_up(world: World) -> Member:
    """Start weather-beta and wait until it is registered."""
    made = world.start("weather-beta")
    await world.up(made)
    return made


async def ended(*members: Member) -> None:
    """End processes as an operator does, at once; each ends well."""
    assert await asyncio.gather(*[asyncio.to_thread(member.end) for member in members]) == [0] * len(members)


async def forget(world: World, member: Member) -> None:
    """Take a process that was killed out of the registry, and do not wait for the end of its lease."""
    one = (await world.instances(member.service))[member.url]
    path = f"{world.engine}/v4/default/registry/microservices/{one['serviceId']}/instances/{one['instanceId']}"
    async with aiohttp.ClientSession() as session, session.delete(path) as answer:
        assert answer.status == 200

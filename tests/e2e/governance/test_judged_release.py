"""A gray release under a bound, on the weathermap: the new version fails or is slow, and all traffic goes back by itself."""

from __future__ import annotations

import shlex
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from tests.e2e.governance.commands import RULE, waggle
from tests.e2e.governance.rules import Rules
from tests.e2e.governance.world import Member, World
from tests.engine import ROOT, eventually

NEW = "0.0.3"


@asynccontextmanager
async def _released(world: World, *bounds: str, **environ: str) -> AsyncIterator[Member]:
    """A new version of weather with this environment, which gets half of the requests under bounds. It is gone after the block."""
    await waggle(world, "release", "gray", "weather", "--version", NEW, *bounds)
    beta = world.start("weather-beta", **environ)
    try:
        await world.up(beta)
        await waggle(world, "release", "gray", "weather", "--share", "50")
        yield beta
    finally:
        beta.end()
        await _finished(world)


async def _finished(world: World) -> None:
    """Delete the rule; then nobody has it any more."""
    async with world.change_of("fusionweather", [RULE]), world.change_of("edge-service", [RULE]):
        await waggle(world, "release", "finish", "weather", "--force")


async def _weather(rules: Rules) -> str | None:
    """Which version of weather the page shows; None where the weather failed."""
    status, shown = await rules.ask(f"{rules.edge}/fusionweather/show")
    current = shown.get("currentWeather") if status == 200 and isinstance(shown, dict) else None
    return current["servedBy"]["version"] if current else None


async def _state(world: World, rules: Rules) -> str:
    """The state of the release."""
    where = {"service": "weather", "app": "weathermap"}
    status, found = await rules.ask(f"{world.engine}/waggle/v1/gray-releases/one", where)
    assert status == 200, found
    return str(found["object"]["state"])


async def _until_it_is_back(world: World, rules: Rules) -> str:
    """Ask until the engine has rolled back and twenty answers in a row are of the old version; what `waggle release show` says then."""
    seen: list[str | None] = []

    async def rolled_back() -> bool:
        seen.append(await _weather(rules))
        return await _state(world, rules) == "rolled-back"

    await eventually(rolled_back, 40)
    assert NEW in seen, "the new version was asked"

    async def calm() -> bool:
        return [await _weather(rules) for _ in range(20)] == ["0.0.2"] * 20

    await eventually(calm, 20)
    return await waggle(world, "release", "show", "weather")


async def test_what_the_page_has_to_copy_takes_a_failing_version_back_and_shows_the_reason(
    world: World, rules: Rules
) -> None:
    begin, start, share, show = _lines_to_copy()
    variable, _, percentage = shlex.split(start)[0].partition("=")
    await waggle(world, *shlex.split(begin)[1:])
    beta = world.start(shlex.split(start)[-1], **{variable: percentage})
    try:
        await world.up(beta)
        await waggle(world, *shlex.split(share)[1:])
        await _until_it_is_back(world, rules)
        said = await waggle(world, *shlex.split(show)[1:])
        assert "all to 0.0.2 (rolled back)" in said
        assert "errors %" in said
        assert "reason: error rate " in said
        assert " is above 5 %" in said
        newest = (await waggle(world, "release", "history", "weather")).splitlines()
        assert any("waggle" in line and "rolled back" in line for line in newest), newest
    finally:
        beta.end()
        await _finished(world)


def _lines_to_copy() -> list[str]:
    """The commands of docs/weathermap.md."""
    page = (ROOT / "docs" / "weathermap.md").read_text(encoding="utf-8")
    section = page.partition("\n## A release that goes back by itself\n")[2].partition("\n## ")[0]
    return [line for block in section.split("```\n")[1::2] for line in block.splitlines()]


async def test_a_version_that_is_slow_is_taken_back(world: World, rules: Rules) -> None:
    async with _released(world, "--max-latency", "100", "--min-calls", "10", LATENCY="300"):
        said = await _until_it_is_back(world, rules)
        assert "reason: 99th percentile of the latency " in said
        assert " is above 100 ms" in said


async def test_a_version_that_does_well_stays(world: World, rules: Rules) -> None:
    async with _released(world, "--max-error-rate", "5", "--max-latency", "5000", "--min-calls", "10") as beta:
        begun = await _reported(world)

        async def told() -> bool:
            await rules.versions(20)
            return await _reported(world) >= begun + 60

        await eventually(told, 40)
        assert (await rules.versions(20))[NEW] == pytest.approx(10, abs=1)
        assert await _state(world, rules) == "running"
        assert beta.running


async def _reported(world: World) -> float:
    """How many calls consumers have told the engine of."""
    async with aiohttp.ClientSession() as session, session.get(f"{world.engine}/metrics") as answer:
        lines = (await answer.text()).splitlines()
    (line,) = (line for line in lines if line.startswith("waggle_outcome_calls_total "))
    return float(line.split()[1])

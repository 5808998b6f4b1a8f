"""A rule that came in by KIE's wire API and does not parse: nobody obeys it, one line says so, and it is red in the list."""

from __future__ import annotations

import asyncio

import aiohttp
from typer.testing import CliRunner

from registry.cli.app import app
from tests.api.kie import Kie
from tests.e2e.governance.rules import Rules
from tests.e2e.governance.world import World
from tests.engine import eventually

_KEY = "servicecomb.rateLimiting.broken"
_LABELS = {"app": "weathermap", "environment": "", "service": "weather"}


async def test_a_rule_that_does_not_parse_is_ignored_logged_once_and_red(world: World, rules: Rules) -> None:
    (one, _) = world.of("weather")
    begun = len(one.said())
    async with aiohttp.ClientSession() as session:
        kie = Kie(session, world.engine, "default")
        group = await kie.create("servicecomb.matchGroup.broken", "matches: [{ apiPath: { prefix: / } }]", _LABELS)
        rule = await kie.create(_KEY, "rate: [0\n", _LABELS)

        async def told() -> bool:
            return "rule.ignored" in one.said()[begun:]

        await eventually(told)
        assert [await rules.weather(one) for _ in range(5)] == [200] * 5
        await rules.policy("weather", "rateLimiting", "rate: 1\nlimitRefreshPeriod: 10M")
        assert [await rules.weather(one) for _ in range(3)] == [200, 429, 429], "others of its kind act"
        lines = [line for line in one.said()[begun:].splitlines() if "rule.ignored" in line]
        assert len(lines) == 1, lines
        assert _KEY in lines[0]
        assert (await _listed(world)).count("\x1b[31m") >= 1
        for item in (rule, group):
            await kie.ok("DELETE", f"/kv/{item['id']}", status=204)
    assert "\x1b[31m" not in await _listed(world)


async def _listed(world: World) -> str:
    """`waggle rule list` as a terminal shows it."""
    environ = {"WAGGLE_ENGINE": world.engine, "FORCE_COLOR": "1", "COLUMNS": "200", "TERM": "xterm"}
    shown = await asyncio.to_thread(CliRunner().invoke, app, ["rule", "list"], env=environ, color=True)
    assert shown.exit_code == 0, shown.output
    return str(shown.stdout)

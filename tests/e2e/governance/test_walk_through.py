"""What docs/weathermap.md lets a user copy, line by line, and that each step does what the page says."""

from __future__ import annotations

import re
import shlex
from collections.abc import AsyncIterator, Mapping, Sequence

import pytest
import pytest_asyncio

from tests.e2e.governance.commands import ended, waggle
from tests.e2e.governance.rules import Rules
from tests.e2e.governance.world import World
from tests.engine import ROOT, eventually

_PAGE = (ROOT / "docs" / "weathermap.md").read_text(encoding="utf-8")
_OLD, _HALF, _NEW = {"0.0.2": 4}, {"0.0.2": 2, "0.0.3": 2}, {"0.0.3": 4}
# Which versions of weather the next four answers are of, after each line of the gray release.
_THEN: Sequence[tuple[str, Mapping[str, int]]] = [
    ("waggle release gray weather --version 0.0.3", _OLD),
    (".venv/bin/python -m governance.samples.weathermap weather-beta", _OLD),
    ("waggle release gray weather --share 50 --wait", _HALF),
    ('waggle release rollback weather --reason "too many errors"', _OLD),
    ("waggle release gray weather --share 50", _HALF),
    ("waggle release gray weather --header type=gray", _OLD),
    ("curl -H 'type: gray' 'http://127.0.0.1:3010/fusionweather/show?city=Berlin'", _OLD),
    ("waggle rule explain weather --from fusionweather --header type=gray", _OLD),
    ("waggle release gray weather --share 100", _NEW),
    ("waggle release promote weather", _NEW),
    ("pkill -f 'weathermap weather --'", _NEW),
    ("waggle release finish weather --wait", _NEW),
]


def _lines(heading: str) -> list[str]:
    """The lines of a section that can be copied."""
    section = _PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    blocks = re.findall(r"```\n(.*?)```", section, re.DOTALL)
    return [line.strip() for block in blocks for line in block.splitlines() if line.strip()]


async def _do(world: World, rules: Rules, line: str) -> None:
    words = shlex.split(line)
    match words[0]:
        case "waggle":
            await waggle(world, *words[1:])
        case "curl":
            assert await rules.versions(4, type="gray") == _NEW
        case "pkill":
            assert all(words[-1] in each.command for each in world.of("weather")), "it ends these"
            assert not any(words[-1] in each.command for each in world.members if each.name != "weather"), (
                "and no others"
            )
            await ended(*world.of("weather"))
        case _:
            await world.up(world.start(words[-1]))


@pytest_asyncio.fixture
async def _as_before(world: World) -> AsyncIterator[None]:
    yield
    await ended(*world.of("weather-beta"))
    await world.up(*[world.start("weather") for _ in range(2 - len(world.of("weather")))])


@pytest.mark.usefixtures("_as_before")
async def test_the_gray_release(world: World, rules: Rules) -> None:
    assert _lines("A gray release") == [line for line, _ in _THEN]
    for line, expected in _THEN:
        await _do(world, rules, line)

        async def is_so(wanted: Mapping[str, int] = expected) -> bool:
            return await rules.versions(4) == wanted

        await eventually(is_so)


async def test_the_degradation(world: World, rules: Rules) -> None:
    on, listed, off = _lines("A degradation")
    await _do(world, rules, on)
    await eventually(lambda: _forecast_is(rules, shown=False))
    assert (await rules.show())["currentWeather"]
    assert "forecast is overloaded" in await waggle(world, *shlex.split(listed)[1:])
    await _do(world, rules, off)
    await eventually(lambda: _forecast_is(rules, shown=True))


async def _forecast_is(rules: Rules, *, shown: bool) -> bool:
    return bool((await rules.show())["forecastWeather"]) is shown


async def test_the_limit(world: World, rules: Rules) -> None:
    group, limit, no_limit, no_group, _flaky = _lines("Other rules")
    one = world.of("weather")[0]
    for line in (group, limit):
        await _do(world, rules, line)

    async def is_limited() -> bool:
        return 429 in [await rules.weather(one) for _ in range(5)]

    await eventually(is_limited)
    for line in (no_limit, no_group):
        await _do(world, rules, line)

    async def is_free() -> bool:
        return [await rules.weather(one) for _ in range(5)] == [200] * 5

    await eventually(is_free)

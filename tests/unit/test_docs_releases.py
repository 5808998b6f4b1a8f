"""docs/releases.md and docs/lanes.md have every field with its default, and the rules that they show; docs/commands.md every subcommand."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest
from typer.main import get_command

from governance.rules.objects.degrade import Degrade
from governance.rules.objects.forms import expand
from governance.rules.objects.gray import GrayRelease
from governance.rules.objects.lane import BASE, GLOBAL_RULE, Lane, LaneGroup
from governance.rules.reading import readers_of
from registry.cli.app import app

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "releases.md").read_text(encoding="utf-8")
LANES = (DOCS / "lanes.md").read_text(encoding="utf-8")
COMMANDS = (DOCS / "commands.md").read_text(encoding="utf-8")
SUBCOMMANDS = [
    (command, name)
    for command in ("release", "degrade", "lane")
    for name in get_command(app).commands[command].commands  # type: ignore[attr-defined]
]
# What the section of `waggle release` says once, for all subcommands of all three.
SHARED = {
    "--engine", "--domain", "--project", "--json", "--ca", "--insecure", "--client-cert", "--client-key", "--help",
    "--app", "--environment",
}  # fmt: skip
# Defaults that are no value of their own, as the page tells them.
WORDS: dict[object, str] = {"": "empty", None: "none", (): "none", dataclasses.MISSING: "required"}


def _section(page: str, heading: str) -> str:
    return page.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def _default(field: dataclasses.Field[object]) -> object:
    if field.default_factory is not dataclasses.MISSING:
        return None
    return field.default


@pytest.mark.parametrize(
    ("page", "heading", "record"),
    [
        (PAGE, "A gray release", GrayRelease),
        (PAGE, "A degradation", Degrade),
        (LANES, "A lane group", LaneGroup),
        (LANES, "A lane", Lane),
    ],
)
def test_every_field_is_there_with_its_default(page: str, heading: str, record: type) -> None:
    rows = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \| ([^|]*?) \| .", _section(page, heading), re.MULTILINE)
    shown = {name: default for names, default in rows for name in re.findall(r"`(\w+)`", names)}
    fields = {field.name: field for field in dataclasses.fields(record)}
    assert set(shown) == set(readers_of(record))
    for name, (attribute, _) in readers_of(record).items():
        default = _default(fields[attribute])
        expected = WORDS.get(default, f"`{default}`")
        # The registry knows the versions that are up; the object alone does not.
        assert shown[name] == ("those that are up" if name == "baseline" else expected), name


def test_the_rule_that_is_shown_is_what_the_command_above_it_writes() -> None:
    (command,) = re.findall(r"waggle release gray weather --version (\S+) --share (\d+)\n", PAGE)
    ((key, rule),) = re.findall(
        r"^`(servicecomb\.routeRule\.\w+)`:\n\n```yaml\n(.*?)```", PAGE, re.MULTILINE | re.DOTALL
    )
    release = GrayRelease(
        service="weather", app="weathermap", version=command[0], baseline=("1.0.0",), share=int(command[1])
    )
    written = expand(release)[1]
    assert (key, rule) == (written.key, written.value)


def test_the_rule_of_lanes_that_is_shown_is_what_is_written() -> None:
    lanes = tuple(Lane(name=label, label=label) for label in (BASE, "gray"))
    written = expand(LaneGroup(name="lane-test", app="unit", gateway="edge", target="unit-controller", lanes=lanes))[1]
    shown = re.findall(r"```yaml\n(.*?)```", _section(LANES, "What is written"), re.DOTALL)
    assert (written.key, shown) == (GLOBAL_RULE, [written.value])


def test_every_form_of_a_degradation_is_named() -> None:
    named = {
        key.replace("<target>", "forecast").replace("{rest,highway}", protocol).replace("{percent,httpStatus}", name)
        for key in re.findall(r"`(servicecomb\.[^`]+)`", _section(PAGE, "A degradation"))
        for protocol in ("rest", "highway")
        for name in ("percent", "httpStatus")
    }
    written = expand(Degrade(consumer="fusionweather", target="forecast", app="weathermap"))
    assert named == {item.key for item in written[1:]}
    keeps = _section(PAGE, "Objects and items").replace("<consumer>.<target>", "fusionweather.forecast")
    assert f"`{written[0].key}`" in keeps


@pytest.mark.parametrize(("command", "name"), SUBCOMMANDS)
def test_a_subcommand_is_documented_with_its_options(command: str, name: str) -> None:
    rows = [
        line for line in _section(COMMANDS, f"waggle {command}").splitlines() if re.match(rf"\| `{name}(?![\w-])", line)
    ]
    assert len(rows) == 1, f"one row of docs/commands.md begins with | `{name}"
    cells = rows[0].split("|")
    assert len(cells[2]) > 10, f"what does {command} {name} do?"
    parameters = get_command(app).commands[command].commands[name].params  # type: ignore[attr-defined]
    offered = {option for parameter in parameters for option in parameter.opts if option.startswith("--")}
    assert set(re.findall(r"`(--[a-z-]+)`", cells[3])) == offered - SHARED

"""Every setting and every command is documented, as the program has it. A failure shows the line to write."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from registry.cli.app import app
from registry.settings import Settings, allowed, written

DOCS = Path(__file__).parents[2] / "docs"
SETTINGS = (DOCS / "settings.md").read_text(encoding="utf-8")
COMMANDS = (DOCS / "commands.md").read_text(encoding="utf-8")
NAMES = sorted(command for command in get_command(app).commands)  # type: ignore[attr-defined]


def _table_names(text: str) -> list[str]:
    return re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)


def _section(command: str) -> str:
    found = re.search(rf"^## waggle {command}$(.*?)(?=^## |\Z)", COMMANDS, re.MULTILINE | re.DOTALL)
    assert found, f"docs/commands.md has no section '## waggle {command}'"
    return found[1]


@pytest.mark.parametrize("name", Settings.model_fields)
def test_a_setting_is_documented_with_its_default_and_what_it_may_be(name: str) -> None:
    field = Settings.model_fields[name]
    default = written(field.get_default(call_default_factory=True))
    row = f"| `{name}` | {f'`{default}`' if default else ''} | {allowed(field)} | {field.description} |"
    assert row in SETTINGS.splitlines(), f"docs/settings.md needs this line:\n{row}"


def test_no_setting_is_documented_that_is_not_there() -> None:
    assert _table_names(SETTINGS) == list(Settings.model_fields)


@pytest.mark.parametrize("name", NAMES)
def test_a_command_is_documented(name: str) -> None:
    assert f"[`waggle {name}`](#waggle-{name})" in COMMANDS, "the table at the top of docs/commands.md lacks it"
    assert len(_section(name)) > 20, "its section says nothing"


def test_no_command_is_documented_that_is_not_there() -> None:
    assert sorted(re.findall(r"^## waggle (\w+)$", COMMANDS, re.MULTILINE)) == NAMES


@pytest.mark.parametrize("name", ["services", "instances", "watch"])
def test_the_options_of_the_looking_commands_are_documented(name: str) -> None:
    offered = set(re.findall(r"--[a-z-]*[a-z]", CliRunner().invoke(app, [name, "--help"]).stdout)) - {"--help"}
    documented = set(re.findall(r"^\| `(--[a-z-]+)` \|", COMMANDS, re.MULTILINE))
    assert offered == documented | set(re.findall(r"`(--[a-z-]+)`", _section(name)))

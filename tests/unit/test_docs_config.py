"""Every subcommand of `waggle config` is documented with its options, every kind of client and every format with what it means."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.main import get_command

from registry.cli.app import app
from registry.config.clients import Kind
from registry.config.edits import Existing
from registry.config.files import Format, read_file
from registry.config.records import VALUE_TYPES

DOCS = Path(__file__).parents[2] / "docs"
COMMANDS = (DOCS / "commands.md").read_text(encoding="utf-8")
CONFIG = (DOCS / "config.md").read_text(encoding="utf-8")
SUBCOMMANDS = get_command(app).commands["config"].commands  # type: ignore[attr-defined]
# What the section says once, for all subcommands that have them.
SHARED = {
    "--engine", "--domain", "--project", "--json", "--ca", "--insecure", "--client-cert", "--client-key", "--help",
    "--app", "--service", "--version", "--environment", "--no-environment", "--label",
}  # fmt: skip


def _section() -> str:
    return COMMANDS.partition("\n## waggle config\n")[2].partition("\n## ")[0]


def _own_options(name: str) -> set[str]:
    given = {option for parameter in SUBCOMMANDS[name].params for option in parameter.opts if option.startswith("--")}
    return given - SHARED


@pytest.mark.parametrize("name", [name for name, command in SUBCOMMANDS.items() if not hasattr(command, "commands")])
def test_a_subcommand_is_documented_with_its_options(name: str) -> None:
    rows = [line for line in _section().splitlines() if re.match(rf"\| `{name}\b", line)]
    assert len(rows) == 1, f"one row of docs/commands.md begins with | `{name}"
    assert len(rows[0].split("|")[2]) > 10, f"what does {name} do?"
    assert set(re.findall(r"`(--[a-z-]+)`", rows[0].split("|")[3])) == _own_options(name)


def test_the_shared_options_are_explained() -> None:
    for option in sorted(SHARED - {"--ca", "--insecure", "--client-cert", "--client-key", "--help"}):
        assert f"`{option}" in _section(), option


def test_the_sample_file_can_be_imported() -> None:
    (sample,) = re.findall(r"```yaml\n(.*?)```", CONFIG, re.DOTALL)
    edits = read_file(sample, Format.YAML, {})
    assert [(edit.key, edit.value) for edit in edits] == [
        ("latency", "200"),
        ("servicecomb.retry.all", "maxAttempts: 2\n"),
    ]


def test_kinds_formats_and_types_are_explained() -> None:
    for kind in Kind:
        assert re.search(rf"^\| `{re.escape(kind)}`", CONFIG, re.MULTILINE), kind
    for form in Format:
        assert f"| `{form}` |" in CONFIG, form
    for value_type in VALUE_TYPES:
        assert f"| {value_type} |" in CONFIG, value_type
    for existing in Existing:
        assert f"| `--override {existing}` |" in CONFIG, existing

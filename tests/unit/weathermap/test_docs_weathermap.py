"""docs/weathermap.md has what there is: processes, ports, options, variables; and its commands are commands."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from typer.main import get_command

from governance.samples.weathermap.__main__ import SAMPLES, app
from governance.samples.weathermap.plan import Plan

_ROOT = Path(__file__).parents[3]
_PAGE = (_ROOT / "docs" / "weathermap.md").read_text(encoding="utf-8")
_PACKAGE = _ROOT / "governance" / "samples" / "weathermap"


def _rows(heading: str) -> list[list[str]]:
    """The cells of the table with this first heading."""
    lines = _PAGE.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(f"| {heading} |"))
    table = lines[start + 2 :]
    table = table[: next((number for number, line in enumerate(table) if not line.startswith("|")), len(table))]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in table]


def test_the_processes_and_their_ports() -> None:
    documented = {row[0]: {int(port) for port in row[2].split(", ")} for row in _rows("Process")}
    ports: dict[str, set[int]] = {}
    for port, name in Plan(30100, 3010, 3000, 13090, beta=True, folder=Path()).ports().items():
        ports.setdefault(name, set()).add(port)
    assert documented == ports


def test_what_each_is_registered_as_and_its_port_by_default() -> None:
    rows = {row[0]: row for row in _rows("Process")}
    for name, sample in SAMPLES.items():
        assert rows[name][1:3] == [f"{sample.name} {sample.version}", str(sample.port)]


def test_the_options_of_the_demo() -> None:
    command = get_command(app).commands["demo"]  # type: ignore[attr-defined]
    options = {option.opts[0]: option.default for option in command.params if option.opts[0] != "--help"}
    documented = {row[0].strip("`"): row[1] for row in _rows("Option of `waggle demo`")}
    assert documented == {
        name: {None: "a new one", False: ""}.get(default, str(default)) for name, default in options.items()
    }


def test_the_variables() -> None:
    text = "\n".join(path.read_text(encoding="utf-8") for path in _PACKAGE.glob("*.py"))
    read = set(re.findall(r'environ\.get\("(\w+)"', text)) | set(re.findall(r'envvar="(\w+)"', text))
    documented = {row[0].strip("`") for row in _rows("Variable")}
    assert documented | {"CAS_INSTANCE_VERSION"} == read | {"CAS_INSTANCE_VERSION"}
    assert "CAS_INSTANCE_VERSION" in _PAGE


def test_the_commands_to_play_with() -> None:
    commands = get_command(app).commands  # type: ignore[attr-defined]
    shown = re.findall(r"^(?:\w+=\S+ )?\.venv/bin/python -m governance\.samples\.weathermap (.+)$", _PAGE, re.MULTILINE)
    assert len(shown) >= 8
    for line in shown:
        name, *options = shlex.split(line)
        commands[name].make_context(name, list(options))

"""`waggle rule check`: rules of files, or given here, checked without storing anything."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.text import Text

from registry.cli.client import Target, ask, printable
from registry.cli.config.labels import NAMING, named
from registry.cli.options import AS_JSON, keyword

if TYPE_CHECKING:
    from registry.cli.rule.checking import Line

_ABOUT_WHAT = "Files, as `waggle config export` writes them, or rules: KEY=TEXT, or KEY=@FILE."
_ABOUT_REGISTERED = "Also check with what an engine has: runtimes, instances and the other rules."
OPTIONS = (
    keyword("what", list[str], typer.Argument(help=_ABOUT_WHAT), ...),
    keyword("registered", bool, typer.Option("--registered", help=_ABOUT_REGISTERED), default=False),
    *NAMING,
    AS_JSON,
)


def check_all(target: Target, *, what: list[str], registered: bool, as_json: bool, **place: object) -> None:
    """Check rules, each alone and all together; status 1 where there is an error. Labels are those of KEY=TEXT. Nothing is stored."""
    from registry.cli.rule import checking  # noqa: PLC0415  the other commands start without the rule language

    subjects, lines = checking.subjects_of(what, named(place))
    known = ask(target, checking.registered) if registered else checking.Registered()
    lines += checking.lines_of(subjects, known)
    if as_json:
        typer.echo(json.dumps([line.document() for line in lines], indent=2, ensure_ascii=False))
    else:
        _print(lines, len(subjects))
    if any(line.failed for line in lines):
        raise typer.Exit(1)


def _print(lines: Sequence[Line], items: int) -> None:
    console = Console(soft_wrap=True)
    for line in lines:
        console.print(Text(printable(str(line)), "red" if line.failed else "yellow"), highlight=False)
    errors = sum(line.failed for line in lines)
    count = f"{items} checked, {errors} errors, {len(lines) - errors} warnings"
    Console(stderr=True).print(count, highlight=False)

"""`waggle alarms list`: what is wrong now, what was, and what comes."""

from __future__ import annotations

from collections.abc import Sequence

import typer
from rich.text import Text

from registry.cli.alarms.asking import call
from registry.cli.client import Target
from registry.cli.objects import say_json
from registry.cli.options import AS_JSON, Look, keyword
from registry.cli.show import Cell, Row, milliseconds, part, print_table, rows_of, text
from registry.cli.watch import follow

STYLES = {"critical": "bold red", "major": "red", "minor": "yellow", "warning": "cyan"}
"""Colours of severities."""
OPTIONS = (
    keyword("severity", str, typer.Option(help="Only alarms that are at least so severe."), ""),
    keyword("rule", str, typer.Option(help="Only alarms of this rule."), ""),
    keyword("service", str, typer.Option(help="Only alarms of this service."), ""),
    keyword("over", bool, typer.Option("--over", help="Those that are over, too."), default=False),
    keyword(
        "watching",
        bool,
        typer.Option("--watch", help="Go on, and tell of each that is raised or cleared."),
        default=False,
    ),
    AS_JSON,
)


def show(target: Target, *, over: bool, watching: bool, as_json: bool, **wanted: str) -> None:
    """List the alarms that are raised, the worst first."""
    query = {name: value for name, value in {**wanted, "state": "all" if over else ""}.items() if value}
    found = call(target, "GET", "", query)
    rows = [*rows_of(found, "alarms"), *rows_of(found, "over")]
    if as_json and not watching:
        say_json(rows)
        return
    if not as_json:
        names = ("severity", "alarm", "since", "until", "what", "silenced")
        print_table(f"{target.domain}/{target.project}", names, list(map(_cells, rows)))
    if watching:
        follow(Look(target, "", "", as_json), {"kind": "alarm", "service": wanted["service"]})


def _cells(row: Row) -> Sequence[Cell]:
    severity, silence = text(row, "severity"), part(row, "silenced")
    until = milliseconds(row.get("clearedAt")) if row.get("clearedAt") else ""
    verb = "acknowledged" if silence.get("acknowledged") else "silenced"
    by = f"{verb} by {text(silence, 'by')} until {milliseconds(silence.get('until'))} {text(silence, 'note')}".strip()
    told = by if silence else "" if row.get("told", True) else "switched off"
    return (
        Text(severity, "dim" if until else STYLES.get(severity, "")),
        text(row, "id"),
        milliseconds(row.get("since")),
        until,
        text(row, "message"),
        told,
    )

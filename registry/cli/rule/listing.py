"""`waggle rule list`: all items that are rules, and whether they are in order."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import typer
from rich.text import Text

from registry.cli.client import Target, ask, document, printable
from registry.cli.config.labels import CHOOSING, chosen, parameters, shown
from registry.cli.options import AS_JSON, keyword
from registry.cli.problems import first_error, problem_text, with_problems
from registry.cli.show import Cell, Row, print_table, rows_of, text

_PATTERN = "Only this key; beginWith(PREFIX) and wildcard(A*B) find more."
OPTIONS = (keyword("key", str, typer.Argument(help=_PATTERN), ""), *CHOOSING, AS_JSON)


def show_all(target: Target, *, key: str, as_json: bool, **place: object) -> None:
    """List the rules with their kinds and names, and what is wrong with each."""
    query = [("rules", "1"), *parameters(chosen(place)), *([("key", key)] if key else [])]
    found = with_problems(document(ask(target, lambda client: client.config("GET", "items", query))))
    rules = sorted(map(_named, found), key=lambda row: (text(row, "kind"), text(row, "name"), shown(row.get("labels"))))
    if as_json:
        typer.echo(json.dumps(rules, indent=2, ensure_ascii=False))
        return
    names = ("state", "kind", "name", "labels", "status", "revision", "problem")
    print_table(f"{target.domain}/{target.project}", names, list(map(_cells, rules)))


def _named(row: Row) -> Mapping[str, object]:
    """An item with its kind, its name and its state: `ok`, `warning` or `error`, as its worst problem is."""
    from governance.rules.check import rule_key  # noqa: PLC0415  the other commands start without the rule language

    key = rule_key(str(row.get("key", "")))
    kind, name = (key.kind, key.name.removeprefix(f"{key.kind}.")) if key is not None else ("", "")
    problems = rows_of(row, "problems")
    state = "error" if first_error(row) is not None else "warning" if problems else "ok"
    return {"kind": kind, "name": name, "state": state, **row}


def _cells(row: Row) -> Sequence[Cell]:
    error, problems = first_error(row), rows_of(row, "problems")
    style = {"error": "bold red", "warning": "yellow", "ok": "green"}[text(row, "state")]
    words = {"error": "error", "warning": "warning", "ok": "in order"}
    worst = problem_text(error or problems[0]) if problems else ""
    whole = "red" if error is not None else ""
    return (
        Text(words[text(row, "state")], style),
        Text(text(row, "kind"), whole),
        Text(printable(str(row.get("name", ""))), whole),
        shown(row.get("labels")),
        text(row, "status"),
        text(row, "update_revision"),
        Text(worst, style if worst else ""),
    )

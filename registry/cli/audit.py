"""`waggle audit`: what happened, and who did it."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence

import typer
from rich.text import Text

from registry.cli.client import EngineClient, Target, ask, document, printable
from registry.cli.options import AS_JSON, keyword, reaching
from registry.cli.show import Cell, Row, milliseconds, part, print_table, rows_of, text
from registry.cli.watch import FILTERS, STYLES

_KNOWN = frozenset(("id", "revision", "at", "author", "kind", "action", "record", "tenant"))
_OPTIONS = (
    *FILTERS,
    keyword("service", str, typer.Option(help="Only what is about this service."), ""),
    keyword("since", float, typer.Option(min=0, help="Only the last so many hours; 0: all.", show_default=False), 0.0),
    keyword("before", str, typer.Option(help="Only what came before the event of this id."), ""),
    keyword("limit", int, typer.Option(min=1, max=1000, help="At most so many, the newest."), 50),
    AS_JSON,
)


def audit(target: Target, *, as_json: bool, limit: int, since: float, **wanted: str) -> None:
    """Search what happened and who did it: changes of everything, alarms, protections. The newest is last, as in a log."""
    begin = str(int((time.time() - since * 3600) * 1000)) if since else ""
    query = [(name, value) for name, value in {**wanted, "since": begin, "limit": str(limit)}.items() if value]

    async def work(client: EngineClient) -> bytes:
        return await client.own("GET", "audit", query)

    changes = rows_of(document(ask(target, work)), "changes")[::-1]
    if as_json:
        typer.echo(json.dumps(changes, indent=2, ensure_ascii=False))
        return
    names = ("id", "time", "author", "kind", "action", "what")
    print_table(f"{target.domain}/{target.project}", names, list(map(_cells, changes)))


def _said(value: object) -> str:
    if isinstance(value, dict):
        return "[" + " ".join(f"{name}={_said(part)}" for name, part in value.items()) + "]"
    return ",".join(map(_said, value)) if isinstance(value, list) else str(value)


def _cells(change: Row) -> Sequence[Cell]:
    action = text(change, "action")
    facts = {name: value for name, value in change.items() if name not in _KNOWN}
    what = text(part(change, "alarm"), "message")
    what = what or " ".join(f"{name}={_said(value)}" for name, value in facts.items()) or text(change, "record")
    return (
        text(change, "id"),
        milliseconds(change.get("at")),
        text(change, "author"),
        text(change, "kind"),
        Text(action, STYLES.get(action, "")),
        printable(what),
    )


commands = typer.Typer()
commands.command("audit")(reaching(audit, *_OPTIONS))

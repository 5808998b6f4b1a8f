"""`waggle audit`: who changed what."""

from __future__ import annotations

import json
from collections.abc import Sequence

import typer
from rich.text import Text

from registry.cli.client import EngineClient, Target, ask, document, printable
from registry.cli.options import AS_JSON, keyword
from registry.cli.show import Cell, Row, milliseconds, print_table, rows_of, text

_STYLES = {"CREATE": "green", "UPDATE": "yellow", "DELETE": "red"}
_KNOWN = frozenset(("revision", "at", "author", "kind", "action", "record"))
OPTIONS = (
    keyword(
        "kind",
        str,
        typer.Option(help="Only service, instance, schema, dependency, config, release, account, role or access."),
        "",
    ),
    keyword("author", str, typer.Option(help="Only authors with this in their name or address."), ""),
    keyword("contains", str, typer.Option(help="Only records with this in their path or names."), ""),
    keyword("limit", int, typer.Option(min=1, max=1000, help="At most so many, the newest."), 50),
    AS_JSON,
)


def audit(target: Target, *, as_json: bool, limit: int, **wanted: str) -> None:
    """Show who changed what: services, instances, configuration. The newest is last, as in a log."""
    query = [(name, value) for name, value in {**wanted, "limit": str(limit)}.items() if value]

    async def work(client: EngineClient) -> bytes:
        return await client.own("GET", "audit", query)

    changes = rows_of(document(ask(target, work)), "changes")[::-1]
    if as_json:
        typer.echo(json.dumps(changes, indent=2, ensure_ascii=False))
        return
    names = ("revision", "time", "author", "kind", "action", "what")
    print_table(f"{target.domain}/{target.project}", names, list(map(_cells, changes)))


def _said(value: object) -> str:
    if isinstance(value, dict):
        return "[" + " ".join(f"{name}={_said(part)}" for name, part in value.items()) + "]"
    return ",".join(map(_said, value)) if isinstance(value, list) else str(value)


def _cells(change: Row) -> Sequence[Cell]:
    action = text(change, "action")
    facts = {name: value for name, value in change.items() if name not in _KNOWN}
    what = " ".join(f"{name}={_said(value)}" for name, value in facts.items()) or text(change, "record")
    return (
        text(change, "revision"),
        milliseconds(change.get("at")),
        text(change, "author"),
        text(change, "kind"),
        Text(action, _STYLES.get(action, "")),
        printable(what),
    )

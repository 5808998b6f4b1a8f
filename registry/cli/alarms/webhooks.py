"""`waggle alarms webhooks`, `webhook`, `test` and `forget`."""

from __future__ import annotations

from collections.abc import Sequence

import typer
from rich.text import Text

from registry.cli.access.asking import password_of
from registry.cli.alarms.asking import call
from registry.cli.client import Target, fail
from registry.cli.objects import say_json
from registry.cli.options import keyword
from registry.cli.show import Cell, Row, print_table, rows_of, text

NAME = keyword("name", str, typer.Argument(help="Name of the webhook."), ...)
SET_OPTIONS = (
    NAME,
    keyword("url", str, typer.Argument(help="Address that messages go to; needed for a new one."), ""),
    keyword("severity", str, typer.Option(help="Only alarms that are at least so severe.", show_default=False), ""),
    keyword(
        "signed",
        bool | None,
        typer.Option("--signed/--unsigned", help="Sign messages; the key is asked for.", show_default=False),
    ),
    keyword("enabled", bool | None, typer.Option("--on/--off", help="Switch it on or off.", show_default=False)),
)


def show_all(target: Target, *, as_json: bool) -> None:
    """List the webhooks, and what became of what was sent."""
    rows = rows_of(call(target, "GET", "/webhooks"), "webhooks")
    if as_json:
        say_json(rows)
        return
    names = ("name", "address", "severity", "signed", "delivered", "waiting", "lost", "last")
    print_table(f"{target.domain}/{target.project}", names, list(map(_cells, rows)))


def put(target: Target, *, name: str, url: str, severity: str, signed: bool | None, enabled: bool | None) -> None:
    """Write a webhook, or change one. The key it signs with: asked for, WAGGLE_PASSWORD, or standard input."""
    body: dict[str, object] = {key: value for key, value in {"url": url, "severity": severity}.items() if value}
    if signed is not None:
        body["secret"] = (
            password_of(f"the webhook {name}, by which its messages are signed", twice=True) if signed else ""
        )
    if enabled is not None:
        body["enabled"] = enabled
    answer = call(target, "PUT", "/webhooks", body={"name": name, **body})
    how = "signed" if answer.get("signed") else "not signed"
    typer.echo(f"webhook {name}: {text(answer, 'url')}, {how}, from {text(answer, 'severity')} on")


def test(target: Target, *, name: str) -> None:
    """Send a test message, and say what became of it: status 1 where it was not taken."""
    answer = call(target, "POST", "/webhooks/test", {"name": name})
    if not answer.get("delivered"):
        fail(f"webhook {name}: {text(answer, 'error')}")
        raise typer.Exit(1)
    typer.echo(f"webhook {name}: took it ({text(answer, 'status')})")


def delete(target: Target, *, name: str) -> None:
    """Delete a webhook, and what waits for it."""
    call(target, "DELETE", "/webhooks", {"name": name})
    typer.echo(f"webhook {name}: deleted")


def _cells(row: Row) -> Sequence[Cell]:
    last = text(row, "lastError") or text(row, "lastStatus")
    counts = (text(row, name) for name in ("delivered", "waiting", "lost"))
    severity = text(row, "severity") if row.get("enabled") else "off"
    signed = "yes" if row.get("signed") else "no"
    return (
        text(row, "name"),
        text(row, "url"),
        severity,
        signed,
        *counts,
        Text(last, "red" if row.get("lastError") else ""),
    )

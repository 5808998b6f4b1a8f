"""`waggle alarms ack`, `dismiss`, `silence`, `silences` and `unsilence`."""

from __future__ import annotations

from collections.abc import Sequence

import typer

from registry.cli.alarms.asking import call
from registry.cli.client import Target
from registry.cli.objects import say_json
from registry.cli.options import keyword
from registry.cli.show import Cell, Row, milliseconds, print_table, rows_of, text

ALARM = keyword("alarm", str, typer.Argument(help="Id of the alarm."), ...)
NAME = keyword("name", str, typer.Argument(help="Id of the silence."), ...)
_PATTERN = keyword("alarm", str, typer.Argument(help="Ids of alarms; * stands for any text."), ...)
_HOURS = keyword("hours", float, typer.Option(min=0.001, max=720, help="For so many hours."), 24.0)
_NOTE = keyword("note", str, typer.Option(help="Why, for those who look later.", show_default=False), "")
ACK_OPTIONS = (
    ALARM,
    _HOURS,
    _NOTE,
    keyword("undo", bool, typer.Option("--undo", help="Nobody has acknowledged it."), default=False),
)
SILENCE_OPTIONS = (_PATTERN, _HOURS, _NOTE)


def acknowledge(target: Target, *, alarm: str, hours: float, note: str, undo: bool) -> None:
    """Say that you know of an alarm: webhooks are not told of it until it is over."""
    if undo:
        call(target, "DELETE", "/acknowledgement", {"id": alarm})
        typer.echo(f"alarm {alarm}: acknowledged by nobody")
        return
    answer = call(target, "PUT", "/acknowledgement", {"id": alarm}, {"seconds": _seconds(hours), "note": note})
    typer.echo(f"alarm {alarm}: acknowledged until it is over, {milliseconds(answer.get('until'))} at most")


def dismiss(target: Target, *, alarm: str) -> None:
    """Take an alarm for over; what is still wrong raises it again."""
    call(target, "DELETE", "", {"id": alarm})
    typer.echo(f"alarm {alarm}: dismissed")


def silence(target: Target, *, alarm: str, hours: float, note: str) -> None:
    """Tell webhooks nothing of alarms whose ids are like a pattern."""
    body = {"alarm": alarm, "seconds": _seconds(hours), "note": note}
    answer = call(target, "PUT", "/silences", body=body)
    typer.echo(f"silence {text(answer, 'id')}: {alarm} until {milliseconds(answer.get('until'))}")


def unsilence(target: Target, *, name: str) -> None:
    """End a silence."""
    call(target, "DELETE", "/silences", {"id": name})
    typer.echo(f"silence {name}: ended")


def show_all(target: Target, *, as_json: bool) -> None:
    """List what webhooks are not told, and until when."""
    rows = rows_of(call(target, "GET", "/silences"), "silences")
    if as_json:
        say_json(rows)
        return
    names = ("id", "alarm", "kind", "until", "by", "note")
    print_table(f"{target.domain}/{target.project}", names, list(map(_cells, rows)))


def _seconds(hours: float) -> int:
    return max(int(hours * 3600), 1)


def _cells(row: Row) -> Sequence[Cell]:
    kind = "acknowledged" if row.get("acknowledged") else "silenced"
    return text(row, "id"), text(row, "alarm"), kind, milliseconds(row.get("until")), text(row, "by"), text(row, "note")

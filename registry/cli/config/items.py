"""`waggle config list`, `get`, `set` and `delete`: items by key and labels."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import NoReturn

import typer
from rich.console import Console
from rich.text import Text

from registry.cli.client import EngineClient, EngineRefusedError, Target, ask, document, fail, printable, warn
from registry.cli.config.labels import CHOOSING, NAMING, Labels, chosen, named, parameters, shown
from registry.cli.options import AS_JSON, keyword
from registry.cli.problems import first_error, problem_text, problems_of, with_problems
from registry.cli.show import Cell, Row, clock, part, print_table, rows_of, text

_WIDEST = 60
_WIDEST_ELSEWHERE = 500
_STYLES = {"enabled": "green", "disabled": "dim"}


class Type(StrEnum):
    """What a value is."""

    TEXT = "text"
    YAML = "yaml"
    PROPERTIES = "properties"
    JSON = "json"
    INI = "ini"
    XML = "xml"


class Status(StrEnum):
    """Whether clients apply an item."""

    ENABLED = "enabled"
    DISABLED = "disabled"


_KEY = keyword("key", str, typer.Argument(help="Key of the item."), ...)
_PATTERN = "Only this key; beginWith(PREFIX) and wildcard(A*B) find more."
_ABOUT_PRIORITY = "Lists begin with the highest; of equal keys at one level the last wins."
LIST_OPTIONS = (
    keyword("key", str, typer.Argument(help=_PATTERN), ""),
    *CHOOSING,
    keyword("exact", bool, typer.Option("--exact", help="Only items with exactly these labels."), default=False),
    keyword("value", str, typer.Option(help="Only values with this text in them.", show_default=False), ""),
    keyword("status", Status | None, typer.Option(help="Only items with this status.", show_default=False)),
    AS_JSON,
)
GET_OPTIONS = (_KEY, *NAMING, AS_JSON)
SET_OPTIONS = (
    _KEY,
    keyword("value", str | None, typer.Argument(help="The value; left out, it stays as it is.", show_default=False)),
    keyword(
        "file",
        Path | None,
        typer.Option(help="Take the value from this file; - is standard input.", show_default=False),
    ),
    *NAMING,
    keyword("type", Type | None, typer.Option(help="Type of the value. A new item is text.", show_default=False)),
    keyword("status", Status | None, typer.Option(help="A new item is enabled.", show_default=False)),
    keyword("priority", int | None, typer.Option(help=_ABOUT_PRIORITY, show_default=False)),
    keyword(
        "force",
        bool,
        typer.Option("--force", help="Store a value that does not parse, or a rule with errors, too."),
        default=False,
    ),
    AS_JSON,
)


def show_all(
    target: Target, *, key: str, exact: bool, value: str, status: Status | None, as_json: bool, **place: object
) -> None:
    """List items by labels, key and value."""
    wanted = {"key": key, "value": value, "status": status or "", "match": "exact" if exact else ""}
    query = [*parameters(chosen(place)), *((name, text) for name, text in wanted.items() if text)]
    found = with_problems(document(ask(target, lambda client: client.config("GET", "items", query))))
    ordered = sorted(found, key=lambda row: (text(row, "key"), shown(row.get("labels"))))
    if as_json:
        typer.echo(json.dumps(ordered, indent=2, ensure_ascii=False))
        return
    names = ("key", "value", "type", "status", "priority", "labels", "revision", "updated", "error")
    print_table(f"{target.domain}/{target.project}", names, list(map(_cells, ordered)))


def get(target: Target, *, key: str, as_json: bool, **place: object) -> None:
    """Print the value of the item with this key and exactly these labels."""
    labels = named(place)
    found = document(_one(target, "GET", "items/one", key, labels))
    if as_json:
        typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    _print_value(str(found.get("value", "")))
    _note_disabled(found)


def put(target: Target, *, key: str, value: str | None, file: Path | None, as_json: bool, **given: object) -> None:
    """Let the item with this key and exactly these labels be so. What is not given stays as it is."""
    if value is not None and file is not None:
        raise typer.BadParameter("a value and --file contradict each other")
    sent = {"value": read_text(file) if file is not None else value, "value_type": given["type"]}
    sent |= {name: given[name] for name in ("status", "priority", "force")}
    if all(sent[name] is None for name in ("value", "value_type", "status", "priority")):
        raise typer.BadParameter("there is nothing to set: give a value, --file, --type, --status or --priority")
    labels = named(given)
    body = {"key": key, "labels": labels, **{name: member for name, member in sent.items() if member is not None}}
    done = document(ask(target, lambda client: client.config("PUT", "items", body=json.dumps(body).encode())))
    if as_json:
        typer.echo(json.dumps(done, indent=2, ensure_ascii=False))
        return
    _tell(done)
    for said in problems_of(done):
        warn(said)
    _note_disabled(part(done, "item"))


def delete(target: Target, *, key: str, as_json: bool, **place: object) -> None:
    """Delete the item with this key and exactly these labels."""
    done = document(_one(target, "DELETE", "items", key, named(place)))
    if as_json:
        typer.echo(json.dumps(done, indent=2, ensure_ascii=False))
    else:
        _tell(done)


def read_text(file: Path) -> str:
    """What a file has, or standard input. A file that is no text is a usage error."""
    try:
        return sys.stdin.buffer.read().decode() if str(file) == "-" else file.read_bytes().decode()
    except OSError as error:
        raise typer.BadParameter(f"{file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise typer.BadParameter(f"{file} is not UTF-8 (byte {error.start + 1})") from error


def _one(target: Target, method: str, path: str, key: str, labels: Labels) -> bytes:
    """An answer about one item. One that is not there is an error that names the labels with which the key is."""

    async def work(client: EngineClient) -> bytes:
        try:
            return await client.config(method, path, [("key", key), *parameters(labels)])
        except EngineRefusedError as error:
            if error.status != 404:
                raise
            others = rows_of(document(await client.config("GET", "items", [("key", key)])), "data")
            _not_there(key, labels, [row for row in others if row.get("key") == key])

    return ask(target, work)


def _not_there(key: str, labels: Labels, others: Sequence[Row]) -> NoReturn:
    there = "; ".join(sorted(shown(row.get("labels")) for row in others)[:10])
    more = f"; it is there with: {there}" if there else ""
    fail(f"there is no item {key!r} with exactly these labels: {shown(labels)}{more}")
    raise typer.Exit(1)


def _cells(row: Row) -> Sequence[Cell]:
    status, priority, error = text(row, "status"), text(row, "priority"), first_error(row)
    return (
        Text(text(row, "key"), "red" if error is not None else ""),
        _short(str(row.get("value", ""))),
        text(row, "value_type"),
        Text(status, _STYLES.get(status, "")),
        priority,
        shown(row.get("labels")),
        text(row, "update_revision"),
        clock(text(row, "update_time")),
        Text(problem_text(error) if error is not None else "", "red"),
    )


def _short(value: str) -> str:
    """The beginning of a long value: `get` and --json have all of it. Elsewhere than on a terminal it is a longer beginning."""
    begin = value.partition("\n")[0][:_WIDEST] if sys.stdout.isatty() else value[:_WIDEST_ELSEWHERE]
    return printable(value if begin == value else begin + " …")


def _print_value(value: str) -> None:
    """Byte for byte, unless it is for a terminal: that gets whole lines, and nothing that steers it."""
    if not sys.stdout.isatty():
        typer.echo(value.encode(), nl=False)  # of a text it would drop what steers terminals
        return
    for line in value.removesuffix("\n").split("\n"):
        typer.echo(printable(line.replace("\t", "    ")))


def _tell(done: Mapping[str, object]) -> None:
    item = part(done, "item")
    action = text(done, "action")
    at = f" at revision {text(item, 'update_revision')}" if action != "deleted" else ""
    Console(soft_wrap=True).print(
        Text(f"{action} {text(item, 'key')} [{shown(item.get('labels'))}]{at}"), highlight=False
    )


def _note_disabled(item: Row) -> None:
    if item.get("status") == "disabled":
        warn("it is disabled: no client applies it")

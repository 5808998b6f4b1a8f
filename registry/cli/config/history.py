"""`waggle config history`, `diff` and `rollback`: what items were, and taking changes back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import NoReturn

import typer
from rich.console import Console
from rich.text import Text

from registry.cli.client import EngineClient, Target, ask, document, printable
from registry.cli.config.items import GET_OPTIONS
from registry.cli.config.labels import named, parameters, shown
from registry.cli.options import AS_JSON, keyword
from registry.cli.show import Cell, Row, milliseconds, part, print_table, rows_of, text

_DIFF_STYLES = {"+": "green", "-": "red", "@": "cyan"}
_ACTIONS = {"CREATE": "green", "DELETE": "red"}
HISTORY_OPTIONS = GET_OPTIONS
DIFF_OPTIONS = (
    *GET_OPTIONS[:-1],
    keyword("since", int | None, typer.Option("--from", help="A revision; the one before --to.", show_default=False)),
    keyword("to", int | None, typer.Option(help="A revision; the newest.", show_default=False)),
    AS_JSON,
)
ROLLBACK_OPTIONS = (
    *GET_OPTIONS[:-1],
    keyword(
        "to", int | None, typer.Option(help="The item is to be as it was at this revision; the one before the newest.")
    ),
    AS_JSON,
)


def history(target: Target, *, key: str, as_json: bool, **place: object) -> None:
    """List the versions of the item with this key and exactly these labels, the newest first."""
    found = _ask(target, "GET", "history", key, place)
    versions = rows_of(found, "versions")
    if as_json:
        typer.echo(json.dumps(versions, indent=2, ensure_ascii=False))
        return
    names = ("revision", "time", "author", "action", "status", "type", "value")
    print_table(f"{key} [{shown(named(place))}]", names, list(map(_cells, versions)))


def diff(target: Target, *, key: str, since: int | None, to: int | None, as_json: bool, **place: object) -> None:
    """Show what differs between two versions of an item; by default what the last change did."""
    found = _ask(target, "GET", "diff", key, place, {"from": since, "to": to})
    if as_json:
        typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    lines = found.get("diff")
    if not lines:
        Console(stderr=True).print(f"revisions {text(found, 'from')} and {text(found, 'to')} are the same")
    for line in lines if isinstance(lines, list) else ():
        Console(soft_wrap=True).print(Text(printable(str(line)), _DIFF_STYLES.get(str(line)[:1], "")), highlight=False)


def rollback(target: Target, *, key: str, to: int | None, as_json: bool, **place: object) -> None:
    """Let an item be as it was: what was deleted is made again. That is a new revision, so that it can be taken back too."""
    wanted = to if to is not None else _before_the_newest(target, key, place)
    done = _ask(target, "POST", "rollback", key, place, {"revision": wanted})
    if as_json:
        typer.echo(json.dumps(done, indent=2, ensure_ascii=False))
        return
    what = {"deleted": "deleted, as it was", "unchanged": "as it was already"}.get(text(done, "action"), "as it was")
    line = f"{printable(key)} [{shown(named(place))}] is {what} at revision {text(done, 'to')}"
    if done.get("action") != "unchanged":
        line += f"; now at revision {text(done, 'revision')}"
    Console(soft_wrap=True).print(Text(line), highlight=False)


def _before_the_newest(target: Target, key: str, place: Mapping[str, object]) -> int:
    versions = rows_of(_ask(target, "GET", "history", key, place), "versions")
    if len(versions) < 2:
        _refuse("there is nothing to go back to: the item has one version only")
    return int(text(versions[1], "revision"))


def _refuse(why: str) -> NoReturn:
    raise typer.BadParameter(why)


def _ask(
    target: Target,
    method: str,
    path: str,
    key: str,
    place: Mapping[str, object],
    more: Mapping[str, int | None] | None = None,
) -> Row:
    extra = [(name, str(value)) for name, value in (more or {}).items() if value is not None]
    query = [("key", key), *parameters(named(place)), *extra]

    async def work(client: EngineClient) -> bytes:
        return await client.config(method, path, query)

    return document(ask(target, work))


def _cells(version: Row) -> Sequence[Cell]:
    item, action = part(version, "item"), text(version, "action")
    value = str(item.get("value", "")).partition("\n")
    return (
        text(version, "revision"),
        milliseconds(version.get("at")),
        text(version, "author"),
        Text(action, _ACTIONS.get(action, "yellow")),
        text(item, "status"),
        text(item, "value_type"),
        printable(value[0][:60]) + (" …" if value[1] or len(value[0]) > 60 else ""),
    )

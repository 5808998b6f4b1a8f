"""`waggle config release`: a new value for some instances, until it is promoted or dropped."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import typer
from rich.console import Console
from rich.text import Text

from registry.cli.client import EngineClient, Target, ask, document, printable, warn
from registry.cli.config.items import GET_OPTIONS, read_text
from registry.cli.config.labels import named, parameters, shown
from registry.cli.options import AS_JSON, keyword
from registry.cli.problems import problems_of
from registry.cli.show import Cell, Row, milliseconds, part, print_table, rows_of, text

LIST_OPTIONS = (AS_JSON,)
NAME_OPTIONS = GET_OPTIONS
START_OPTIONS = (
    GET_OPTIONS[0],
    keyword("value", str | None, typer.Argument(help="The new value.", show_default=False)),
    keyword(
        "file", Path | None, typer.Option(help="File with the new value; - is standard input.", show_default=False)
    ),
    keyword(
        "instance",
        list[str] | None,
        typer.Option(help="Id of an instance that gets it; repeatable.", show_default=False),
    ),
    keyword(
        "share",
        int | None,
        typer.Option(min=1, max=100, help="Percentage of instances that get it.", show_default=False),
    ),
    keyword(
        "having",
        list[str] | None,
        typer.Option(help="Instances with this property get it; repeatable: with all.", metavar="NAME=VALUE"),
    ),
    keyword("force", bool, typer.Option("--force", help="Take a value that does not parse, too."), default=False),
    *GET_OPTIONS[1:],
)


def show_all(target: Target, *, as_json: bool) -> None:
    """List the releases, and which registered instances each reaches."""
    found = rows_of(document(ask(target, lambda client: client.config("GET", "releases"))), "releases")
    if as_json:
        typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    names = ("key", "labels", "now", "new", "for", "gets it", "since")
    print_table(f"{target.domain}/{target.project}", names, list(map(_cells, found)))


def start(target: Target, *, key: str, value: str | None, file: Path | None, as_json: bool, **given: object) -> None:
    """Give some instances a new value of an item; start again to change the value or who gets it."""
    if (value is None) == (file is None):
        raise typer.BadParameter("give the new value, or --file")
    body = {"value": read_text(file) if file is not None else value, "force": given["force"], **_target(given)}
    done = _call(target, "PUT", "releases/one", key, given, json.dumps(body).encode())
    if as_json:
        typer.echo(json.dumps(done, indent=2, ensure_ascii=False))
        return
    _say(f"{printable(key)} [{shown(named(given))}] is released to {_for(done)}: {_reach(done)}")
    for row in rows_of(done, "instances"):
        if row.get("chosen") and not row.get("told_apart"):
            _say(f"  {text(row, 'instanceId')} shares its address with others: only the SDK gets it there")
    for said in problems_of(done):
        warn(said)


def promote(target: Target, *, key: str, as_json: bool, **place: object) -> None:
    """Let the new value be that of the item, for all."""
    _end(target, "POST", "releases/promote", key, place, as_json=as_json)


def drop(target: Target, *, key: str, as_json: bool, **place: object) -> None:
    """Let everyone have the item as it is."""
    _end(target, "DELETE", "releases/one", key, place, as_json=as_json)


def _end(target: Target, method: str, path: str, key: str, place: Mapping[str, object], *, as_json: bool) -> None:
    done = _call(target, method, path, key, place)
    if as_json:
        typer.echo(json.dumps(done, indent=2, ensure_ascii=False))
    else:
        _say(f"{text(done, 'action')} {printable(key)} [{shown(named(place))}]")


def _call(
    target: Target, method: str, path: str, key: str, place: Mapping[str, object], body: bytes | None = None
) -> Row:
    query = [("key", key), *parameters(named(place))]

    async def work(client: EngineClient) -> bytes:
        return await client.config(method, path, query, body)

    return document(ask(target, work))


def _target(given: Mapping[str, object]) -> Mapping[str, object]:
    instances, share, having = given["instance"], given["share"], given["having"]
    if sum(bool(way) for way in (instances, share, having)) != 1:
        raise typer.BadParameter("say who gets it: --instance, --share or --having, one of the three")
    if isinstance(having, list) and having:
        return {"properties": dict(_pair(str(pair)) for pair in having)}
    return {"share": share} if share else {"instances": instances}


def _pair(given: str) -> tuple[str, str]:
    name, separator, value = given.partition("=")
    if not separator or not name:
        raise typer.BadParameter(f"--having {given!r} is not NAME=VALUE")
    return name, value


def _for(release: Row) -> str:
    target = part(release, "target")
    if "share" in target:
        return f"{text(target, 'share')} % of the instances"
    if "properties" in target:
        pairs = part(target, "properties").items()
        return "instances with " + " ".join(printable(f"{name}={value}") for name, value in pairs)
    instances = target.get("instances")
    return printable(", ".join(map(str, instances)) if isinstance(instances, list) else "")


def _reach(release: Row) -> str:
    rows = rows_of(release, "instances")
    chosen = [row for row in rows if row.get("chosen")]
    hidden = sum(not row.get("told_apart") for row in chosen)
    return f"{len(chosen)} of {len(rows)} registered" + (f", {hidden} only by the SDK" if hidden else "")


def _cells(release: Row) -> Sequence[Cell]:
    now = text(part(release, "item"), "value")
    return (
        text(release, "key"),
        shown(release.get("labels")),
        now,
        text(release, "value"),
        _for(release),
        _reach(release),
        milliseconds(release.get("started")),
    )


def _say(line: str) -> None:
    Console(soft_wrap=True).print(Text(line), highlight=False)

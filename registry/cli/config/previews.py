"""`waggle config preview`: what a client would see."""

from __future__ import annotations

import json
from collections.abc import Sequence
from enum import StrEnum

import typer

from registry.cli.client import Target, ask, document, printable, warn
from registry.cli.config.labels import shown
from registry.cli.options import AS_JSON, keyword
from registry.cli.show import Cell, Row, part, print_table, rows_of, text


class Client(StrEnum):
    """Kinds of clients, which read differently."""

    JAVA = "java"
    JAVA_2_7 = "java-2.7"
    GO = "go"
    GO_2_7 = "go-2.7"
    CONFIG_CENTER = "config-center"
    PYTHON = "python"


_ABOUT_CLIENT = (
    "Kind of client. java: Java Chassis from 2.8.15 on, and Spring Cloud Huawei on such a jar. "
    "go-2.7: go-chassis v2.7.1 as it comes."
)
_ABOUT_LABEL = "The custom label that the client asks for, as NAME=VALUE."
OPTIONS = (
    keyword("app", str, typer.Option(help="The client's application.", show_default=False), ...),
    keyword("service", str, typer.Option(help="The client's service.", show_default=False), ...),
    keyword("version", str, typer.Option(help="The client's version.", show_default=False), ""),
    keyword("environment", str, typer.Option(help="The client's environment.", show_default=False), ""),
    keyword("client", Client, typer.Option(help=_ABOUT_CLIENT), Client.JAVA),
    keyword("label", str, typer.Option(help=_ABOUT_LABEL, metavar="NAME=VALUE"), "public="),
    keyword(
        "instance", str, typer.Option(help="The id of its instance, for gradual releases.", show_default=False), ""
    ),
    AS_JSON,
)


def preview(target: Target, *, client: Client, label: str, as_json: bool, **place: object) -> None:
    """Show the configuration that a client would have: each key with its value, where it is from, and what it hides."""
    name, separator, value = label.partition("=")
    if not separator:
        raise typer.BadParameter(f"--label {label!r} is not NAME=VALUE")
    wanted = {**place, "client": client.value, "label": f"{name}:{value}"}
    query = [(name, str(text)) for name, text in wanted.items() if text]
    found = document(ask(target, lambda engine: engine.config("GET", "preview", query)))
    if as_json:
        typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    rows = list(map(_cells, rows_of(found, "properties")))
    print_table(_title(found), ("key", "value", "level", "item", "labels", "revision", "hides"), rows)
    for warning in rows_of(found, "warnings"):
        warn(caution_text(warning))


def _title(found: Row) -> str:
    client = part(found, "client")
    named = " ".join(
        f"{name} {text(client, name)}" for name in ("app", "service", "version", "environment") if client.get(name)
    )
    return f"{named}, client {text(client, 'kind')}, revision {text(found, 'revision')}"


def _cells(row: Row) -> Sequence[Cell]:
    source = part(row, "source")
    key, item = text(row, "key"), text(source, "key")
    hidden = "\n".join(f"{text(shadow, 'level')}: {text(shadow, 'value')}" for shadow in rows_of(row, "shadows"))
    origin = (item if item != key else "", shown(source.get("labels")), text(source, "revision"))
    return (key, text(row, "value"), text(source, "level"), *origin, hidden)


def caution_text(warning: Row) -> str:
    """What may surprise, with the keys and labels that it is about."""
    keys = warning.get("keys")
    names = [printable(str(key)) for key in keys] if isinstance(keys, list) else []
    count = warning.get("items")
    more = f" and {count - len(names)} more" if isinstance(count, int) and count > len(names) else ""
    return f"{', '.join(names)}{more} [{shown(warning.get('labels'))}]: {text(warning, 'text')}"

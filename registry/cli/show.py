"""`waggle services` and `waggle instances`: tables for people, JSON for programs."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from urllib.parse import quote

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from registry.cli.client import EngineClient, ask, fail, printable
from registry.cli.options import Look, keyword, looking

Row = Mapping[str, object]
Cell = str | Text
_ANY_WIDTH = 100_000
_STATUS_STYLES = {"UP": "green", "DOWN": "red", "OUTOFSERVICE": "red"}


def services(look: Look) -> None:
    """List the services, and how many instances of each are up."""
    found = ask(look.target, lambda client: _details(client, look))
    if look.as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    rows = sorted(((part(row, "microService"), rows_of(row, "instances")) for row in found), key=_order)
    names = ("service", "version", "app", "environment", "up", "instances", "framework")
    print_table(f"{look.target.domain}/{look.target.project}", names, [_service_cells(*row) for row in rows])


def instances(look: Look, service: str) -> None:
    """List the instances of a service, all its versions."""
    found = ask(look.target, lambda client: _instances(client, look, service))
    if found is None:
        fail(f"no service {service!r} is registered in {look.target.domain}/{look.target.project}")
        raise typer.Exit(1)
    if look.as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    names = ("instance", "version", "status", "endpoints", "host", "properties", "zone", "since")
    print_table(service, names, [_instance_cells(row) for row in found])


async def _details(client: EngineClient, look: Look) -> Sequence[Row]:
    wanted = {"options": "instances", "withShared": "1", "appId": look.app, "env": look.environment}
    found = await client.get("/govern/microservices", {name: value for name, value in wanted.items() if value})
    return rows_of(found, "allServicesDetail")


async def _instances(client: EngineClient, look: Look, name: str) -> Sequence[Row] | None:
    """Nothing where no such service is registered."""
    owners = [part(row, "microService") for row in await _details(client, look)]
    ids = [text(owner, "serviceId") for owner in owners if owner.get("serviceName") == name]
    if not ids:
        return None
    answers = [await client.get(f"/registry/microservices/{quote(owner, safe='')}/instances", {}) for owner in ids]
    rows = [row for answer in answers for row in rows_of(answer, "instances")]
    return sorted(rows, key=lambda row: (text(row, "version"), text(row, "instanceId")))


def _service_cells(service: Row, running: Sequence[Row]) -> Sequence[Cell]:
    framework = part(service, "framework")
    up = sum(instance.get("status") == "UP" for instance in running)
    named = (text(service, name) for name in ("serviceName", "version", "appId", "environment"))
    used = f"{text(framework, 'name')} {text(framework, 'version')}".strip()
    return *named, Text(str(up), "green" if up else "dim"), str(len(running)), used


def _instance_cells(row: Row) -> Sequence[Cell]:
    status, zone = text(row, "status"), part(row, "dataCenterInfo")
    return (
        text(row, "instanceId"),
        text(row, "version"),
        Text(status, _STATUS_STYLES.get(status, "yellow")),
        "\n".join(endpoints(row)),
        text(row, "hostName"),
        "\n".join(f"{printable(name)}: {printable(str(value))}" for name, value in part(row, "properties").items()),
        "/".join(text(zone, name) for name in ("region", "availableZone") if zone),
        clock(text(row, "timestamp")),
    )


def print_table(title: str, names: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
    """Without the columns that have nothing in them. What is too long folds on a terminal; elsewhere lines are long."""
    table = Table(title=Text(printable(title)), title_justify="left")
    shown = [number for number in range(len(names)) if not rows or any(str(row[number]) for row in rows)]
    for number in shown:
        table.add_column(names[number], overflow="fold")
    for row in rows:
        # As Text, because a client's "[/x]" in a plain string would be markup.
        table.add_row(*(cell if isinstance(cell, Text) else Text(cell) for cell in (row[number] for number in shown)))
    folds = sys.stdout.isatty() or "COLUMNS" in os.environ
    Console(width=None if folds else _ANY_WIDTH).print(table)


def part(row: Row, name: str) -> Row:
    """A JSON object in another; empty where there is none."""
    value = row.get(name)
    return value if isinstance(value, dict) else {}


def text(row: Row, name: str) -> str:
    """A value for a terminal; empty where there is none."""
    return printable(str(row.get(name, "")))


def endpoints(row: Row) -> Sequence[str]:
    """An instance's endpoints, for a terminal."""
    value = row.get("endpoints")
    return [printable(str(endpoint)) for endpoint in value] if isinstance(value, list) else []


def rows_of(row: Row, name: str) -> Sequence[Row]:
    """The JSON objects of a list in another; none where there is none."""
    value = row.get(name)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _order(row: tuple[Row, Sequence[Row]]) -> tuple[str, str, str]:
    return text(row[0], "appId"), text(row[0], "serviceName"), text(row[0], "version")


def milliseconds(value: object) -> str:
    """Milliseconds since 1970 as local time; empty for what is no number."""
    return clock(str(value // 1000)) if isinstance(value, int) else ""


def clock(seconds: str) -> str:
    """Unix seconds as local time; what is no number as it is."""
    if not (seconds.isascii() and seconds.isdigit() and len(seconds) < 12):
        return seconds
    return datetime.fromtimestamp(int(seconds), UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")


commands = typer.Typer()
commands.command("services")(looking(services))
commands.command("instances")(
    looking(instances, keyword("service", str, typer.Argument(help="Name of the service."), ...))
)

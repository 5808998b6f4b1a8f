"""`waggle services`, `waggle instances` and `waggle watch`: tables for people, JSON for programs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime

import aiohttp
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from registry.cli.client import (
    DEFAULT_ENGINE,
    AppId,
    AsJson,
    Authority,
    Domain,
    EngineClient,
    EngineUrl,
    Environment,
    Insecure,
    Project,
    Target,
    ask,
    fail,
)

Row = Mapping[str, object]
_STATUS_STYLES = {"UP": "green", "DOWN": "red", "OUTOFSERVICE": "red"}
_RETRY_SECONDS = 1.0


def services(
    engine: EngineUrl = DEFAULT_ENGINE,
    domain: Domain = "default",
    project: Project = "default",
    app: AppId = "",
    environment: Environment = "",
    as_json: AsJson = False,
    ca: Authority = None,
    insecure: Insecure = False,
) -> None:
    """List the services, and how many instances of each are up."""
    target = Target(engine, domain, project, ca, insecure)
    found = ask(target, lambda client: _details(client, app, environment))
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    table = _table(f"{domain}/{project}", "service", "version", "app", "environment", "up", "instances", "framework")
    for service, running in sorted(
        ((_part(row, "microService"), _list(row, "instances")) for row in found), key=_order
    ):
        framework = _part(service, "framework")
        up = sum(instance.get("status") == "UP" for instance in running)
        named = f"{framework.get('name', '')} {framework.get('version', '')}".strip()
        cells = [_text(service, name) for name in ("serviceName", "version", "appId", "environment")]
        style = "green" if up else "dim"
        table.add_row(*cells, Text(str(up), style), str(len(running)), named)
    Console().print(table)


def instances(
    service: str,
    engine: EngineUrl = DEFAULT_ENGINE,
    domain: Domain = "default",
    project: Project = "default",
    app: AppId = "",
    environment: Environment = "",
    as_json: AsJson = False,
    ca: Authority = None,
    insecure: Insecure = False,
) -> None:
    """List the instances of a service, all its versions."""
    target = Target(engine, domain, project, ca, insecure)
    found = ask(target, lambda client: _instances(client, service, app, environment))
    if found is None:
        fail(f"no service {service!r} is registered in {domain}/{project}")
        raise typer.Exit(1)
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    table = _table(service, "instance", "version", "status", "endpoints", "host", "properties", "zone", "since")
    for row in found:
        status, properties, zone = _text(row, "status"), _part(row, "properties"), _part(row, "dataCenterInfo")
        endpoints = row.get("endpoints", [])
        table.add_row(
            _text(row, "instanceId"),
            _text(row, "version"),
            Text(status, _STATUS_STYLES.get(status, "yellow")),
            "\n".join(map(str, endpoints)) if isinstance(endpoints, list) else "",
            _text(row, "hostName"),
            "\n".join(f"{name}: {value}" for name, value in properties.items()),
            "/".join(_text(zone, name) for name in ("region", "availableZone") if zone),
            _clock(_text(row, "timestamp")),
        )
    Console().print(table)


def watch(
    service: str = typer.Argument("", help="Only this service."),
    engine: EngineUrl = DEFAULT_ENGINE,
    domain: Domain = "default",
    project: Project = "default",
    as_json: AsJson = False,
    ca: Authority = None,
    insecure: Insecure = False,
) -> None:
    """Follow what happens: registrations, changes, deletions, protections."""
    parameters = {"domain": domain, "project": project, **({"service": service} if service else {})}
    target = Target(engine, domain, project, ca, insecure)
    ask(target, lambda client: _follow(client, parameters, as_json=as_json))


async def _details(client: EngineClient, app: str, environment: str) -> Sequence[Row]:
    wanted = {"options": "instances", "withShared": "1", "appId": app, "env": environment}
    found = await client.get("/govern/microservices", {name: value for name, value in wanted.items() if value})
    return found.get("allServicesDetail", [])


async def _instances(client: EngineClient, name: str, app: str, environment: str) -> Sequence[Row] | None:
    owners = [_part(row, "microService") for row in await _details(client, app, environment)]
    ids = [_text(owner, "serviceId") for owner in owners if owner.get("serviceName") == name]
    if not ids:
        return None
    answers = [await client.get(f"/registry/microservices/{owner}/instances", {}) for owner in ids]
    rows = [row for answer in answers for row in answer.get("instances", [])]
    return sorted(rows, key=lambda row: (_text(row, "version"), _text(row, "instanceId")))


async def _follow(client: EngineClient, parameters: Mapping[str, str], *, as_json: bool) -> None:
    """Print events for ever. The first connection must succeed; later ones are tried again."""
    after, connected = "", False
    while True:
        try:
            async with client.stream(parameters, after) as stream:
                connected = True
                async for event in _events(stream):
                    after = str(event["revision"])
                    _print_event(event, as_json=as_json)
            fail("the engine ended the stream; connecting again")
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            if not connected:
                raise
            fail(f"the engine is away ({error or type(error).__name__}); connecting again")
        await asyncio.sleep(_RETRY_SECONDS)


async def _events(stream: aiohttp.StreamReader) -> AsyncIterator[Row]:
    async for line in stream:
        if line.startswith(b"data: "):
            yield json.loads(line[6:])


def _print_event(event: Row, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(event, separators=(",", ":")))
        return
    service, instance = _part(event, "service"), _part(event, "instance")
    action = _text(event, "action")
    style = {"CREATE": "green", "UPDATE": "yellow", "DELETE": "red"}.get(action, "magenta")
    endpoints = instance.get("endpoints", [])
    line = Text.assemble(
        (datetime.fromtimestamp(int(str(event["at"])) / 1000, UTC).astimezone().strftime("%H:%M:%S.%f")[:-3], "dim"),
        " ",
        (f"{event['kind']:>10} {action:<6}", style),
        f" {_text(service, 'appId')}/{_text(service, 'serviceName')}/{_text(service, 'version')}",
        f" {_text(instance, 'instanceId') or _text(event, 'instanceId')}",
        f" {_text(instance, 'status')} {' '.join(map(str, endpoints)) if isinstance(endpoints, list) else ''}",
        f" {_text(event, 'reason')}",
    )
    Console(soft_wrap=True).print(line)


def _table(title: str, *columns: str) -> Table:
    """A table that folds what is too long for the terminal; nothing is cut off."""
    table = Table(title=title)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _order(row: tuple[Row, Sequence[Row]]) -> tuple[str, str, str]:
    return _text(row[0], "appId"), _text(row[0], "serviceName"), _text(row[0], "version")


def _part(row: Row, name: str) -> Row:
    value = row.get(name)
    return value if isinstance(value, dict) else {}


def _list(row: Row, name: str) -> Sequence[Row]:
    value = row.get(name)
    return value if isinstance(value, list) else []


def _text(row: Row, name: str) -> str:
    return str(row.get(name, ""))


def _clock(seconds: str) -> str:
    if not seconds.isdigit():
        return seconds
    return datetime.fromtimestamp(int(seconds), UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")

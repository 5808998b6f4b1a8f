"""`waggle access readiness`: who would break if access control were enforced, and what to set in it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

import typer

from registry.cli.access.asking import SWITCH, call
from registry.cli.client import Target
from registry.cli.show import Row, milliseconds, part, print_table, rows_of, text

_NAMES = (
    "service",
    "version",
    "app",
    "environment",
    "instance",
    "credentials",
    "account",
    "role",
    "last seen",
    "breaks",
)


def readiness(
    target: Target,
    *,
    resources: Sequence[str] | None,
    applications: Sequence[str] | None,
    environments: Sequence[str] | None,
    as_json: bool,
) -> None:
    """Show who would break if access control were enforced; exit status 1 where somebody would."""
    given = {"resource": resources or (), "application": applications or (), "environment": environments or ()}
    answer = call(target, "GET", f"{SWITCH}/readiness?{urlencode(given, doseq=True)}")
    if as_json:
        typer.echo(json.dumps(answer, indent=2))
    else:
        show(answer)
    if not answer.get("ready"):
        raise typer.Exit(1)


def show(answer: Mapping[str, object]) -> None:
    """Tables of all, then what to do about those that would break."""
    instances, others = rows_of(answer, "instances"), rows_of(answer, "others")
    print_table("instances", _NAMES, [_cells(row) for row in instances])
    if others:
        print_table("callers that are no instance, or one of several", _NAMES, [_cells(row) for row in others])
    tell_breaking([row for row in (*instances, *others) if row.get("breaks") and row.get("serviceId")])
    number = answer.get("breaking")
    typer.echo("ready: nobody would break" if answer.get("ready") else f"not ready: {number} would break")


def tell_breaking(rows: Sequence[Row]) -> None:
    """What is to be set in each runtime, once for each."""
    told: dict[str, Row] = {}
    for row in rows:
        login = part(row, "login")
        told.setdefault(text(login, "runtime"), login)
        typer.echo(f"{_who(row)}: {'; '.join(_why(row))}")
    for runtime, login in told.items():
        properties, variables = part(login, "properties"), part(login, "variables")
        typer.echo(f"{runtime} asks for a token again {text(login, 'asksAgain')}.")
        if login.get("withinSeconds"):
            typer.echo(f"  one that met access off: in {text(login, 'withinSeconds')} seconds at most")
        for title, found in (("set", properties), ("or the variables", variables)):
            if found:
                typer.echo(f"  {title}: " + ", ".join(f"{name}={text(found, name)}" for name in found))


def _who(row: Row) -> str:
    return " ".join(word for word in (text(row, "service"), text(row, "version"), _place(row)) if word)


def _place(row: Row) -> str:
    return text(row, "instanceId") or text(row, "address")


def _why(row: Row) -> Sequence[str]:
    found = row.get("why")
    return [text({"why": why}, "why") for why in found] if isinstance(found, list) else []


def _cells(row: Row) -> Sequence[str]:
    roles = row.get("roles")
    return (
        *(text(row, name) for name in ("service", "version", "app", "environment")),
        _place(row),
        text(row, "credentials"),
        text(row, "account"),
        ", ".join(text({"role": role}, "role") for role in roles) if isinstance(roles, list) else "",
        milliseconds(row.get("lastSeen")),
        "yes" if row.get("breaks") else "",
    )

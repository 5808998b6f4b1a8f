"""`waggle role`: what accounts may do."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

import typer

from registry.access.permissions import ANY, VERBS
from registry.access.records import ALWAYS, GRADUAL
from registry.cli.access.asking import call
from registry.cli.client import Target, fail, warn
from registry.cli.options import AS_JSON, keyword
from registry.cli.show import Row, part, print_table, rows_of, text

_ROLES = "/v4/roles"
NAME = keyword("name", str, typer.Argument(help="Name of the role."), ...)
LIST_OPTIONS = (AS_JSON,)
SHOW_OPTIONS = (NAME, AS_JSON)
SET_OPTIONS = (
    NAME,
    keyword(
        "file",
        str,
        typer.Argument(help="JSON file of its permissions: a list, or an object with `perms`. -: standard input."),
        ...,
    ),
)
DELETE_OPTIONS = (NAME,)


def show_all(target: Target, *, as_json: bool) -> None:
    """List the roles, and what each allows."""
    rows = rows_of(call(target, "GET", _ROLES), "data")
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    cells = [cells for row in rows for cells in _cells(row)]
    print_table("roles", ("role", "resources", "verbs", "labels"), cells)


def show(target: Target, *, name: str, as_json: bool) -> None:
    """Show what a role allows."""
    role = call(target, "GET", _one(name))
    if as_json:
        typer.echo(json.dumps(role, indent=2))
        return
    print_table(name, ("role", "resources", "verbs", "labels"), _cells(role))


def set_permissions(target: Target, *, name: str, file: str) -> None:
    """Let a role allow what a file says, and nothing else; it is created where there is none. It counts from the next request on."""
    perms = _read(file)
    for unknown in _unknown(perms):
        warn(f"{file}: {unknown}; the role allows nothing by it")
    known = {text(row, "name") for row in rows_of(call(target, "GET", _ROLES), "data")}
    if name in known:
        call(target, "PUT", _one(name), {"perms": perms})
    else:
        call(target, "POST", _ROLES, {"name": name, "perms": perms})
    typer.echo(f"role {name}: {'changed' if name in known else 'created'}")


def delete(target: Target, *, name: str) -> None:
    """Delete a role that no account has."""
    call(target, "DELETE", _one(name))
    typer.echo(f"role {name}: deleted")


def _read(file: str) -> list[object]:
    try:
        found = json.loads(sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        fail(f"{file} has no JSON that can be read: {error}")
        raise typer.Exit(2) from error
    perms = found.get("perms") if isinstance(found, dict) else found
    if not isinstance(perms, list):
        fail(f"{file}: a list of permissions is expected")
        raise typer.Exit(2)
    return perms


def _unknown(perms: Sequence[object]) -> Sequence[str]:
    """What of permissions no request ever needs: a slip of the pen that the engine takes, as the original does."""
    rows = rows_of({"perms": perms}, "perms")
    kinds = {text(resource, "type") for row in rows for resource in rows_of(row, "resources")}
    lists = [row.get("verbs") for row in rows]
    verbs = {str(verb) for found in lists if isinstance(found, list) for verb in found}
    return [
        *(f"there is no resource {kind!r}" for kind in sorted(kinds - {*GRADUAL, *ALWAYS})),
        *(f"there is no verb {verb!r}" for verb in sorted(verbs - {*VERBS.values(), ANY})),
    ]


def _one(name: str) -> str:
    return f"{_ROLES}/{quote(name, safe='')}"


def _cells(role: Row) -> Sequence[Sequence[str]]:
    """A line for each set of labels of each permission."""
    lines = []
    for permission in rows_of(role, "perms"):
        verbs = permission.get("verbs")
        by_labels: dict[str, list[str]] = {}
        for resource in rows_of(permission, "resources"):
            labels = part(resource, "labels")
            shown = " ".join(f"{name}={text(labels, name)}" for name in labels)
            by_labels.setdefault(shown, []).append(text(resource, "type"))
        allowed = ", ".join(text({"verb": verb}, "verb") for verb in verbs) if isinstance(verbs, list) else ""
        lines += [(text(role, "name"), ", ".join(kinds), allowed, labels) for labels, kinds in by_labels.items()]
    return lines or [(text(role, "name"), "", "", "")]

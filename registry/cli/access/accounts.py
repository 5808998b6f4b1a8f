"""`waggle account`: who may sign in."""

from __future__ import annotations

import json
from collections.abc import Sequence
from urllib.parse import quote

import typer

from registry.cli import logins
from registry.cli.access.asking import call, password_of
from registry.cli.client import Target
from registry.cli.options import AS_JSON, keyword
from registry.cli.show import Row, clock, print_table, rows_of, text

_ACCOUNTS = "/v4/accounts"
NAME = keyword("name", str, typer.Argument(help="Name of the account."), ...)
ROLES = keyword("roles", list[str], typer.Option("--role", help="A role that it has; may be repeated."), ...)
LIST_OPTIONS = (AS_JSON,)
CREATE_OPTIONS = (NAME, ROLES)
ROLES_OPTIONS = (NAME, ROLES)


def show_all(target: Target, *, as_json: bool) -> None:
    """List the accounts with their roles."""
    rows = rows_of(call(target, "GET", _ACCOUNTS), "data")
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    print_table("accounts", ("name", "roles", "status", "created", "changed"), list(map(_cells, rows)))


def create(target: Target, *, name: str, roles: Sequence[str]) -> None:
    """Create an account. The password: asked for, WAGGLE_PASSWORD, or standard input."""
    password = password_of(name, twice=True)
    call(target, "POST", _ACCOUNTS, {"name": name, "password": password, "roles": list(roles)})
    typer.echo(f"account {name}: created")


def set_roles(target: Target, *, name: str, roles: Sequence[str]) -> None:
    """Give an account these roles instead of those it has: from its next login on."""
    call(target, "PUT", _one(name), {"roles": list(roles)})
    typer.echo(f"account {name}: has {', '.join(roles)} from its next login on")


def set_password(target: Target, *, name: str) -> None:
    """Give an account another password; one's own needs the current one first. Its tokens stay good until they end."""
    own = logins.login_at(target.url).account == name
    current = password_of(f"{name}, the current one") if own else ""
    password = password_of(f"{name}, the new one", twice=True)
    call(target, "POST", f"{_one(name)}/password", {"currentPassword": current, "password": password})
    typer.echo(f"account {name}: has another password")


def delete(target: Target, *, name: str) -> None:
    """Delete an account: its tokens count no longer."""
    call(target, "DELETE", _one(name))
    typer.echo(f"account {name}: deleted")


def _one(name: str) -> str:
    return f"{_ACCOUNTS}/{quote(name, safe='')}"


def _cells(row: Row) -> Sequence[str]:
    roles = row.get("roles")
    shown = ", ".join(text({"role": role}, "role") for role in roles) if isinstance(roles, list) else ""
    times = (clock(text(row, name)) for name in ("createTime", "updateTime"))
    return text(row, "name"), shown, text(row, "status"), *times

"""`waggle access`: the switch between off, observe and enforce."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import typer

from registry.cli import logins
from registry.cli.access.asking import SWITCH, call, password_of
from registry.cli.client import Target
from registry.cli.options import AS_JSON, keyword
from registry.cli.show import part, text

_LISTS = {"resources": "--resource", "applications": "--app", "environments": "--environment"}
SHOW_OPTIONS = (AS_JSON,)
SCOPE_OPTIONS = (
    keyword(
        "resources",
        list[str] | None,
        typer.Option("--resource", help="Begin with this resource: service, service/schema, config, governance, ops."),
    ),
    keyword("applications", list[str] | None, typer.Option("--app", help="Begin with this application.")),
    keyword("environments", list[str] | None, typer.Option("--environment", help="Begin with this environment.")),
)
ENFORCE_OPTIONS = (
    *SCOPE_OPTIONS,
    keyword("confirm", bool, typer.Option("--confirm", help="Even if some would break."), default=False),
    AS_JSON,
)


def show(target: Target, *, as_json: bool) -> None:
    """Show whether access control is off, observes or is enforced, and where."""
    _tell(call(target, "GET", SWITCH), as_json=as_json)


def off(target: Target, *, as_json: bool) -> None:
    """Turn access control off: no token is issued or looked at. Like the others it needs a login, or root's password."""
    _switch(target, {"mode": "off"}, as_json=as_json)


def observe(target: Target, *, as_json: bool) -> None:
    """Issue and check tokens, refuse nobody, and count who would be refused."""
    _switch(target, {"mode": "observe"}, as_json=as_json)


def enforce(
    target: Target,
    *,
    resources: Sequence[str] | None,
    applications: Sequence[str] | None,
    environments: Sequence[str] | None,
    confirm: bool,
    as_json: bool,
) -> None:
    """Refuse whoever has no token or may not, everywhere or in a part: the rest is then observed."""
    scope = {
        "resources": list(resources or ()),
        "applications": list(applications or ()),
        "environments": list(environments or ()),
    }
    _switch(target, {"mode": "enforce", "scope": scope, "confirm": confirm}, as_json=as_json)


def rotate(target: Target, *, as_json: bool) -> None:
    """Let a new key sign tokens from now on; nobody has to sign in again."""
    answer = call(target, "POST", f"{SWITCH}/keys/rotate")
    typer.echo(json.dumps(answer) if as_json else f"tokens are signed with the key {text(answer, 'key')} now")


def _switch(target: Target, wanted: Mapping[str, object], *, as_json: bool) -> None:
    """Where access is off nobody can sign in, so root's password goes with the request; it does wherever nobody has signed in."""
    is_off = text(call(target, "GET", SWITCH), "mode") == "off"
    known = {"password": password_of("root")} if is_off or not logins.login_at(target.url).token else {}
    _tell(call(target, "PUT", SWITCH, {**wanted, **known}), as_json=as_json)


def _tell(answer: Mapping[str, object], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(answer, indent=2))
        return
    scope = part(answer, "scope")
    words = [f"{option} {item}" for name, option in _LISTS.items() for item in _items(scope, name)]
    typer.echo(f"access: {text(answer, 'mode')}" + (f", only {' '.join(words)}" if words else ""))


def _items(scope: Mapping[str, object], name: str) -> Sequence[str]:
    found = scope.get(name)
    return [text({"item": item}, "item") for item in found] if isinstance(found, list) else []

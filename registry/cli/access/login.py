"""`waggle login` and `waggle logout`."""

from __future__ import annotations

from urllib.parse import urlsplit

import typer

from registry.cli import logins
from registry.cli.access.asking import call, password_of
from registry.cli.client import Target, fail, warn
from registry.cli.options import keyword
from registry.cli.show import text

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
LOGIN_OPTIONS = (keyword("name", str, typer.Argument(help="The account."), "root"),)


def login(target: Target, *, name: str) -> None:
    """Sign in at an engine: its token is kept for all commands. The password: asked for, WAGGLE_PASSWORD, or standard input."""
    parts = urlsplit(target.url)
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        warn(f"{target.url} is not encrypted: whoever is on the way can read the password")
    token = text(call(target, "POST", "/v4/token", {"name": name, "password": password_of(name)}), "token")
    try:
        kept = logins.keep(target.url, logins.Login(name, token))
    except OSError as error:
        fail(f"the token cannot be kept: {error}")
        raise typer.Exit(1) from error
    typer.echo(f"signed in at {target.url} as {name}; the token is in {kept}")


def logout(target: Target) -> None:
    """Forget the token of an engine. It stays good until it ends: whoever has copied it can use it."""
    typer.echo("signed out" if logins.forget(target.url) else f"nobody was signed in at {target.url}")

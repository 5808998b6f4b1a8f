"""Options that commands share: those of looking at an engine, and a way to give a command options from a list."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer
from typer.core import TyperCommand

from registry.cli.client import Target, Tls

_BEGINS_LIST = ("- ", "-\n")
DEFAULT_ENGINE = "http://127.0.0.1:30100"


@dataclass(frozen=True, slots=True)
class Look:
    """What the options of a looking command ask for; `app` and `environment` select nothing where empty."""

    target: Target
    app: str
    environment: str
    as_json: bool


def with_parameters(command: Callable[..., None], parameters: Sequence[inspect.Parameter]) -> None:
    """Make typer see these parameters of a command; they are passed by name."""
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}


def keyword(name: str, kind: object, option: object, default: object = None) -> inspect.Parameter:
    """A parameter for `with_parameters`; `option` is what `typer.Option` or `typer.Argument` returns."""
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, option])


class ValueCommand(TyperCommand):
    """A command one of whose arguments is a value. One that is a list in YAML begins as `- `, which no option does."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # its class is private to typer
        """Take such a value for what it is, wherever it stands."""
        lists = [one for one in args if one[:2] in _BEGINS_LIST]
        if lists and "--" not in args:
            args = [*(one for one in args if one not in lists), "--", *lists]
        return super().parse_args(ctx, args)


def looking(command: Callable[..., None], *own: inspect.Parameter) -> Callable[..., None]:
    """A command that looks at an engine: its own parameters, the common options, and a `Look` made of these."""

    def run(**given: object) -> None:
        command(_look(given), **{parameter.name: given[parameter.name] for parameter in own})

    run.__doc__ = command.__doc__
    with_parameters(run, (*own, *_COMMON))
    return run


def reaching(command: Callable[..., None], *own: inspect.Parameter) -> Callable[..., None]:
    """A command that talks to an engine: its own parameters, the options that say where that is, and a `Target` made of these."""

    def run(**given: object) -> None:
        command(_target(given), **{parameter.name: given[parameter.name] for parameter in own})

    run.__doc__ = command.__doc__
    with_parameters(run, (*own, *_WHERE, *_TLS))
    return run


def engine_url(text: str) -> str:
    """The address of an engine, checked: a usage error otherwise."""
    try:
        parts = urlsplit(text)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        good = False
    if not good:
        raise typer.BadParameter(f"{text!r} is no address such as {DEFAULT_ENGINE}")
    return text.rstrip("/")


def _file(name: str, about: str) -> inspect.Parameter:
    return keyword(name, Path | None, typer.Option(exists=True, dir_okay=False, readable=True, help=about))


AS_JSON = keyword("as_json", bool, typer.Option("--json", help="Print JSON."), default=False)
_WHERE = (
    keyword(
        "engine",
        str,
        typer.Option(envvar="WAGGLE_ENGINE", callback=engine_url, help="Address of the engine."),
        DEFAULT_ENGINE,
    ),
    keyword("domain", str, typer.Option(help="Domain to look at."), "default"),
    keyword("project", str, typer.Option(help="Project to look at."), "default"),
)
_ONLY = (
    keyword("app", str, typer.Option(help="Only this application."), ""),
    keyword("environment", str, typer.Option(help="Only this environment."), ""),
)
_TLS = (
    _file("ca", "PEM file of the authority of the engine's certificate."),
    keyword("insecure", bool, typer.Option("--insecure", help="Do not check the engine's certificate."), default=False),
    _file("client_cert", "PEM file of a client certificate."),
    _file("client_key", "PEM file of its key, where that is in a file of its own."),
)
_COMMON = (*_WHERE, *_ONLY, AS_JSON, *_TLS)


def _look(given: dict[str, object]) -> Look:
    return Look(_target(given), str(given["app"]), str(given["environment"]), bool(given["as_json"]))


def _target(given: dict[str, object]) -> Target:
    authority, certificate, key = (
        path if isinstance(path := given[name], Path) else None for name in ("ca", "client_cert", "client_key")
    )
    if key is not None and certificate is None:
        raise typer.BadParameter("--client-key needs --client-cert")
    tls = Tls(authority, bool(given["insecure"]), certificate, key)
    return Target(str(given["engine"]), str(given["domain"]), str(given["project"]), tls)

"""The command's entry: serve, settings, demo, version, and what looks at an engine."""

from __future__ import annotations

import inspect
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, get_origin

import typer
from rich.console import Console
from rich.table import Table

from registry import __version__
from registry.cli import show
from registry.logs import configure
from registry.settings import LoadedSettings, Settings, SettingsError, load

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Waggle: one registry for every ServiceComb client.")
app.command("services")(show.services)
app.command("instances")(show.instances)
app.command("watch")(show.watch)

_GROUPS = (
    (
        "Listening",
        ("host", "port", "kie_port", "config_port", "monitor_port", "advertise_host", "self_register", "tls_"),
    ),
    ("Data", ("data_dir", "storage", "journal_")),
    ("Instances", ("instance_", "protection_", "last_known_", "flap_", "shared_", "schema_")),
    ("Bounds", ("quota_", "max_", "request_", "idle_", "shutdown_", "watch_", "stream_", "hot_")),
    ("Logs", ("log_",)),
)


def main() -> None:
    """Run the command line."""
    app()


def _flag(name: str) -> inspect.Parameter:
    field = Settings.model_fields[name]
    group = next(title for title, prefixes in _GROUPS if name.startswith(prefixes))
    default = field.get_default(call_default_factory=True)
    shown = (
        ",".join(default)
        if isinstance(default, tuple | dict)
        else str(default).lower()
        if isinstance(default, bool)
        else default
    )
    about = f"{field.description} [{shown}]" if shown != "" else field.description
    option = typer.Option(help=about, rich_help_panel=group, show_default=False)
    kind = field.annotation if field.annotation in (int, float, bool) and get_origin(field.annotation) is None else str
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind | None, option]
    )


_CONFIG = inspect.Parameter(
    "config",
    inspect.Parameter.KEYWORD_ONLY,
    default=None,
    annotation=Annotated[Path | None, typer.Option(help="TOML file with settings [waggle.toml, where it is there]")],
)


def _with_settings(command: Callable[..., None], *more: inspect.Parameter) -> Callable[..., None]:
    """Give a command every setting as a flag."""
    parameters = [*more, _CONFIG, *map(_flag, Settings.model_fields)]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return command


def _load(flags: dict[str, object]) -> LoadedSettings:
    config = flags.pop("config")
    try:
        loaded = load(flags, os.environ, config if isinstance(config, Path) else None)
    except SettingsError as error:
        Console(stderr=True).print(f"waggle: {error}", style="red", markup=False, highlight=False)
        raise typer.Exit(2) from error
    for warning in loaded.warnings:
        Console(stderr=True).print(f"waggle: {warning}", style="yellow", markup=False, highlight=False)
    return loaded


def _serve(**flags: object) -> None:
    """Run the engine. It prints one line when it is ready and stops on Ctrl-C or SIGTERM."""
    loaded = _load(flags)
    configure(loaded.settings.log_level, loaded.settings.log_format)
    from registry.server import run  # noqa: PLC0415  the other commands start without the server

    raise typer.Exit(run(loaded))


def _settings(as_json: bool, **flags: object) -> None:
    """Show every setting, its value and where that comes from."""
    rows = _load(flags).rows()
    if as_json:
        document = [{"name": name, "value": value, "source": source} for name, value, source in rows]
        typer.echo(json.dumps(document, indent=2))
        return
    table = Table("setting", "value", "source")
    for row in rows:
        table.add_row(*row)
    Console().print(table)


_AS_JSON = inspect.Parameter(
    "as_json",
    inspect.Parameter.KEYWORD_ONLY,
    default=False,
    annotation=Annotated[bool, typer.Option("--json", help="Print JSON.")],
)
app.command("serve")(_with_settings(_serve))
app.command("settings")(_with_settings(_settings, _AS_JSON))


@app.command("version")
def _version() -> None:
    """Show the version."""
    typer.echo(__version__)


@app.command(
    "demo", context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
)
def _demo(context: typer.Context) -> None:
    """Start an engine and the weathermap sample; Ctrl-C ends both. `waggle demo --help` lists the options."""
    command = [sys.executable, "-m", "governance.samples.weathermap", "demo", *context.args]
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    child = subprocess.Popen(command, preexec_fn=_default_interrupt)  # noqa: S603,PLW1509  our own module; no threads yet
    signal.signal(signal.SIGTERM, lambda _number, _frame: child.terminate())
    raise typer.Exit(child.wait())


def _default_interrupt() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)

"""`waggle serve` and `waggle settings`: every setting is a flag, made from the model."""

from __future__ import annotations

import inspect
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, get_args, get_origin

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from registry.cli.client import fail
from registry.cli.options import AS_JSON, keyword, with_parameters
from registry.logs import configure
from registry.settings import LoadedSettings, Settings, SettingsError, load, written

_GROUPS = (
    (
        "Listening",
        ("host", "port", "kie_port", "config_p", "monitor_port", "advertise_host", "self_register", "tls_"),
    ),
    ("Configuration", ("config_", "lane_")),
    ("Monitoring", ("monitor_", "alarm", "webhook_")),
    ("Data", ("data_dir", "storage", "journal_")),
    ("Instances", ("instance_", "protection_", "last_known_", "flap_", "shared_", "schema_")),
    ("Bounds", ("quota_", "max_", "request_", "idle_", "shutdown_", "watch_", "poll_", "stream_", "hot_")),
    ("Access", ("access", "metrics_", "openapi_", "dump_", "token_", "trusted_", "reset_")),
    ("Logs", ("log_",)),
)
_METAVARS: Mapping[object, str] = {
    int: "NUMBER",
    float: "NUMBER",
    Path: "PATH",
    tuple: "NAME,NAME",
    dict: "NAME:VALUE,NAME:VALUE",
}
_ABOUT_CONFIG = "TOML file with settings; WAGGLE_CONFIG names one too. Else waggle.toml, where it is there."


def serve(**flags: object) -> None:
    """Run the engine. It prints one line when it is ready and stops on Ctrl-C or SIGTERM."""
    loaded = _load(flags)
    configure(loaded.settings.log_level, loaded.settings.log_format)
    from registry.server import run  # noqa: PLC0415  the other commands start without the server

    raise typer.Exit(run(loaded))


def settings(*, as_json: bool, **flags: object) -> None:
    """Show every setting, its value and where that comes from."""
    loaded = _load(flags)
    if as_json:
        typer.echo(json.dumps(loaded.document(), indent=2))
        return
    table = Table()
    for name in ("setting", "value", "source"):
        table.add_column(name, overflow="fold")
    for row in loaded.rows():
        table.add_row(*map(Text, row))
    Console().print(table)


def _load(flags: dict[str, object]) -> LoadedSettings:
    config = flags.pop("config")
    try:
        loaded = load(flags, os.environ, config if isinstance(config, Path) else None)
    except SettingsError as error:
        for line in str(error).splitlines():
            fail(line)
        raise typer.Exit(2) from error
    for warning in loaded.warnings:
        fail(warning)
    return loaded


def _flag(name: str) -> inspect.Parameter:
    field = Settings.model_fields[name]
    group = next((title for title, starts in _GROUPS if name.startswith(starts)), "More")
    default = written(field.get_default(call_default_factory=True))
    about = escape(f"{field.description} [{default}]" if default else str(field.description))
    if field.annotation is bool:
        return keyword(name, bool | None, typer.Option(help=about, rich_help_panel=group, show_default=False))
    # As text: the model checks every source alike, with one message.
    metavar = _metavar(field.annotation)
    option = typer.Option(help=about, rich_help_panel=group, show_default=False, metavar=metavar)
    return keyword(name, str | None, option)


def _metavar(kind: object) -> str:
    return "|".join(get_args(kind)) if get_origin(kind) is Literal else _METAVARS.get(get_origin(kind) or kind, "TEXT")


_CONFIG = keyword("config", Path | None, typer.Option(help=_ABOUT_CONFIG, metavar="FILE"))
_FLAGS = (_CONFIG, *map(_flag, Settings.model_fields))
with_parameters(serve, _FLAGS)
with_parameters(settings, (AS_JSON, *_FLAGS))
commands = typer.Typer()
commands.command("serve")(serve)
commands.command("settings")(settings)

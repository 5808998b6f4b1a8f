"""The command's entry: serve, settings, demo, version, what looks at an engine, and what changes it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_group

from registry import __version__

_MODULES: Mapping[str, str] = {
    "services": "show",
    "instances": "show",
    "watch": "watch",
    "audit": "audit",
    "login": "access",
    "logout": "access",
    "serve": "serve",
    "settings": "serve",
    "config": "config",
    "rule": "rule",
    "release": "release",
    "degrade": "degrade",
    "lane": "lane",
    "alarms": "alarms",
    "access": "access",
    "account": "access",
    "role": "access",
}
_PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}


class _Commands(Mapping[str, Any]):  # the class of commands is private to typer
    """Commands by name. The module of one, whose `commands` has it, is imported when it is asked for: each starts without the others."""

    def __init__(self, own: Mapping[str, Any]) -> None:
        self._names = (*_MODULES, *own)
        self._found = dict(own)

    def __getitem__(self, name: str) -> Any:
        if name not in self._found:
            self._found |= get_group(import_module(f"registry.cli.{_MODULES[name]}").commands).commands
        return self._found[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


class _Waggle(TyperGroup):
    def __init__(self, *, commands: Mapping[str, Any], **given: Any) -> None:
        super().__init__(**given)
        found: Any = _Commands(commands)
        self.commands = found


app = typer.Typer(
    cls=_Waggle, no_args_is_help=True, add_completion=False, help="Waggle: one registry for every ServiceComb client."
)


def main() -> None:
    """Run the command line."""
    app()


@app.command("version")
def version() -> None:
    """Show the version."""
    typer.echo(__version__)


@app.command("gateway", context_settings=_PASS_ON)
def gateway(context: typer.Context) -> None:
    """Run a gateway: `waggle gateway --config edge.yaml`. `waggle gateway --help` lists the options."""
    os.execv(sys.executable, [sys.executable, "-m", "governance.gateway", *context.args])  # noqa: S606


@app.command("demo", context_settings=_PASS_ON)
def demo(context: typer.Context) -> None:
    """Start an engine and the weathermap sample; Ctrl-C ends both. `waggle demo --help` lists the options."""
    # It takes this process's place: whoever ends this process, by whatever signal, ends the sample.
    os.execv(sys.executable, [sys.executable, "-m", "governance.samples.weathermap", "demo", *context.args])  # noqa: S606

"""The command's entry: serve, settings, demo, version, what looks at an engine, and what changes it."""

from __future__ import annotations

import os
import sys

import typer

from registry import __version__
from registry.cli.access import LOGIN_OPTIONS, access, account, login, logout, role
from registry.cli.alarms import alarms
from registry.cli.audit import OPTIONS as AUDIT_OPTIONS
from registry.cli.audit import audit
from registry.cli.config import config
from registry.cli.degrade import degrade
from registry.cli.lane import lane
from registry.cli.options import keyword, looking, reaching
from registry.cli.release import release
from registry.cli.rule import rule
from registry.cli.serve import serve, settings
from registry.cli.show import instances, services
from registry.cli.watch import FILTERS as EVENT_FILTERS
from registry.cli.watch import watch

_SERVICE = keyword("service", str, typer.Argument(help="Name of the service."), ...)
_ANY_SERVICE = keyword("service", str, typer.Argument(help="Only this service."), "")
_PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Waggle: one registry for every ServiceComb client.")
app.command("services")(looking(services))
app.command("instances")(looking(instances, _SERVICE))
app.command("watch")(looking(watch, _ANY_SERVICE, *EVENT_FILTERS))
app.add_typer(config, name="config")
app.add_typer(rule, name="rule")
app.add_typer(release, name="release")
app.add_typer(degrade, name="degrade")
app.add_typer(lane, name="lane")
app.add_typer(alarms, name="alarms")
app.command("audit")(reaching(audit, *AUDIT_OPTIONS))
app.add_typer(access, name="access")
app.add_typer(account, name="account")
app.add_typer(role, name="role")
app.command("login")(reaching(login, *LOGIN_OPTIONS))
app.command("logout")(reaching(logout))
app.command("serve")(serve)
app.command("settings")(settings)


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

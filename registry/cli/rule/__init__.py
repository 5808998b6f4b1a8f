"""`waggle rule`: rules of governance, looked at, checked and tried."""

from __future__ import annotations

import typer

from registry.cli.options import reaching
from registry.cli.rule import check, explain, listing

rule = typer.Typer(
    no_args_is_help=True, help="Rules of governance: list them, check them, see what they do to a request."
)
rule.command("list")(reaching(listing.show_all, *listing.OPTIONS))
rule.command("check")(reaching(check.check_all, *check.OPTIONS))
rule.command("explain")(reaching(explain.explain, *explain.OPTIONS))

commands = typer.Typer()
commands.add_typer(rule, name="rule")

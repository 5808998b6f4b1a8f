"""`waggle release`: a new version of a service gets a part of the requests before it gets all."""

from __future__ import annotations

import typer

from registry.cli.options import reaching
from registry.cli.release import ending, gray, listing

release = typer.Typer(
    no_args_is_help=True,
    help="Gray release: lead a part of the requests to a new VERSION of a service. (A new VALUE of the configuration: config release.)",
)
release.command("gray")(reaching(gray.gray, *gray.OPTIONS))
release.command("list")(reaching(listing.show_all, *listing.LIST_OPTIONS))
release.command("show")(reaching(listing.show, *listing.SHOW_OPTIONS))
release.command("history")(reaching(listing.history, *listing.SHOW_OPTIONS))
release.command("promote")(reaching(ending.promote, *ending.PROMOTE_OPTIONS))
release.command("rollback")(reaching(ending.rollback, *ending.ROLLBACK_OPTIONS))
release.command("drain")(reaching(ending.drain, *ending.DRAIN_OPTIONS))
release.command("finish")(reaching(ending.finish, *ending.FINISH_OPTIONS))

commands = typer.Typer()
commands.add_typer(release, name="release")

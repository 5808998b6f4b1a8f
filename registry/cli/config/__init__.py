"""`waggle config`: the configuration that an engine keeps."""

from __future__ import annotations

import typer

from registry.cli.config import files, history, items, previews, releases
from registry.cli.options import ValueCommand, reaching

config = typer.Typer(no_args_is_help=True, help="The configuration that services read: list, change, preview, move it.")
config.command("list")(reaching(items.show_all, *items.LIST_OPTIONS))
config.command("get")(reaching(items.get, *items.GET_OPTIONS))
config.command("set", cls=ValueCommand)(reaching(items.put, *items.SET_OPTIONS))
config.command("delete")(reaching(items.delete, *items.GET_OPTIONS))
config.command("history")(reaching(history.history, *history.HISTORY_OPTIONS))
config.command("diff")(reaching(history.diff, *history.DIFF_OPTIONS))
config.command("rollback")(reaching(history.rollback, *history.ROLLBACK_OPTIONS))
config.command("preview")(reaching(previews.preview, *previews.OPTIONS))
config.command("export")(reaching(files.export, *files.EXPORT_OPTIONS))
config.command("import")(reaching(files.import_file, *files.IMPORT_OPTIONS))

release = typer.Typer(
    no_args_is_help=True, help="Give a new value to some instances first: start, watch, then promote or drop it."
)
release.command("list")(reaching(releases.show_all, *releases.LIST_OPTIONS))
release.command("start", cls=ValueCommand)(reaching(releases.start, *releases.START_OPTIONS))
release.command("promote")(reaching(releases.promote, *releases.NAME_OPTIONS))
release.command("drop")(reaching(releases.drop, *releases.NAME_OPTIONS))
config.add_typer(release, name="release")

commands = typer.Typer()
commands.add_typer(config, name="config")

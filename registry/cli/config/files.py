"""`waggle config export` and `import`: items as files, and what an import changes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

import typer

from registry.cli.client import Target, ask, document, fail
from registry.cli.config.changes import show_changes
from registry.cli.config.items import read_text
from registry.cli.config.labels import NAMING, Labels, chosen, named, parameters
from registry.cli.options import AS_JSON, keyword


class Format(StrEnum):
    """How items are written to a file."""

    YAML = "yaml"
    PROPERTIES = "properties"
    KIE = "kie"


class Override(StrEnum):
    """What becomes of items that are there and differ."""

    FORCE = "force"
    SKIP = "skip"
    ABORT = "abort"


_SUFFIXES = {".properties": Format.PROPERTIES, ".json": Format.KIE}
_ABOUT_FORMAT = "Format of the file; else by its name: .properties, .json for KIE's export, yaml for everything else."
_ABOUT_OVERRIDE = "What becomes of items that are there and differ: they change, they stay, or nothing at all is done."
_ABOUT_PRUNE = (
    "Delete the items with these labels that the file does not have; without labels, all that it does not have."
)
_FORMAT = keyword("form", Format | None, typer.Option("--format", help=_ABOUT_FORMAT, show_default=False))
EXPORT_OPTIONS = (
    keyword("file", Path | None, typer.Argument(help="The file; else standard output.", show_default=False)),
    _FORMAT,
    *NAMING,
    keyword("key", str, typer.Option(help="Only this key, beginWith(A) or wildcard(A*B).", show_default=False), ""),
)
IMPORT_OPTIONS = (
    keyword("file", Path, typer.Argument(help="The file; - is standard input."), ...),
    _FORMAT,
    keyword("dry_run", bool, typer.Option("--dry-run", help="Only show what would change."), default=False),
    keyword("override", Override, typer.Option(help=_ABOUT_OVERRIDE), Override.FORCE),
    keyword("prune", bool, typer.Option("--prune", help=_ABOUT_PRUNE), default=False),
    keyword("force", bool, typer.Option("--force", help="Store values that do not parse, too."), default=False),
    *NAMING,
    AS_JSON,
)


def export(target: Target, *, file: Path | None, form: Format | None, key: str, **place: object) -> None:
    """Write items to a file: those with these labels, or, as properties, those with exactly these."""
    form = form or format_of(file)
    query = [("format", form.value), *parameters(_labels(form, place)), *([("key", key)] if key else [])]
    exported = ask(target, lambda client: client.config("GET", "export", query))
    if file is None:
        typer.echo(exported, nl=False)
        return
    try:
        file.write_bytes(exported)
    except OSError as error:
        fail(f"{file} cannot be written: {error.strerror}")
        raise typer.Exit(1) from error


def import_file(
    target: Target, *, file: Path, form: Format | None, override: Override, as_json: bool, **given: object
) -> None:
    """Let items be as a file says: all of them or none. Labels are those of a properties file's items, else limit --prune."""
    form = form or format_of(file)
    flags = [(name, "1") for name in ("dry_run", "prune", "force") if given[name]]
    query = [("format", form.value), ("override", override.value), *flags, *parameters(_labels(form, given))]
    body = read_text(file).encode()
    done = document(ask(target, lambda client: client.config("POST", "import", query, body)))
    if as_json:
        typer.echo(json.dumps(done, indent=2, ensure_ascii=False))
    else:
        show_changes(done)


def format_of(file: Path | None) -> Format:
    """The format of a file by its name."""
    return _SUFFIXES.get(file.suffix.lower(), Format.YAML) if file is not None else Format.YAML


def _labels(form: Format, given: Mapping[str, object]) -> Labels:
    """All labels of a properties file's items, or some that items of other files have."""
    if form is Format.PROPERTIES:
        return named(given)
    if given["no_environment"]:
        raise typer.BadParameter("--no-environment is for properties files alone: other files say it of each item")
    return chosen(given)

"""What changes, as people read it: a line for each item, and under it what is different."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

from registry.cli.client import printable, warn
from registry.cli.config.labels import shown
from registry.cli.problems import problems_of
from registry.cli.show import Row, part, rows_of, text

_SIGNS = {"added": ("+", "green"), "changed": ("~", "yellow"), "deleted": ("-", "red")}
_MEMBERS = {"value_type": "type", "status": "status", "priority": "priority", "check": "check"}
_DEFAULTS = {"value_type": "text", "status": "enabled", "priority": 0, "check": ""}
_AROUND = 2


def show_changes(done: Row) -> None:
    """Print the changes that an import made or, after a dry run, would make."""
    console = Console(soft_wrap=True)
    for change in rows_of(done, "items"):
        for line in _lines(change):
            console.print(line, highlight=False)
        for said in problems_of(change):
            warn(f"{text(change, 'key')}: {said}")
    counts = ", ".join(f"{text(done, name)} {name}" for name in ("added", "changed", "deleted", "unchanged"))
    end = "; a dry run: nothing was changed" if done.get("dry_run") else f", at revision {text(done, 'revision')}"
    console.print(Text(counts + end), highlight=False)


def _lines(change: Row) -> Iterator[Text]:
    sign, style = _SIGNS.get(text(change, "action"), ("?", ""))
    before, after = part(change, "before"), part(change, "after")
    yield Text(f"{sign} {text(change, 'key')} [{shown(change.get('labels'))}]", f"bold {style}")
    for name, shown_name in _MEMBERS.items():
        old = before.get(name, _DEFAULTS[name]) if before else _DEFAULTS[name]
        new = after.get(name, _DEFAULTS[name]) if after else old
        if old != new:
            yield Text(
                f"    {shown_name}: {printable(str(old))} -> {printable(str(new))}"
                if before
                else f"    {shown_name}: {printable(str(new))}"
            )
    yield from _value_lines(
        str(before.get("value", "")) if before else None, str(after.get("value", "")) if after else None
    )


def _value_lines(before: str | None, after: str | None) -> Iterator[Text]:
    """The lines of a value that differ, with a few around them."""
    old, new = ([] if value is None else value.split("\n") for value in (before, after))
    for line in list(difflib.unified_diff(old, new, lineterm="", n=_AROUND))[2:]:
        style = {"+": "green", "-": "red", "@": "cyan"}.get(line[0], "")
        if not (line.startswith("@@") and len(old) + len(new) <= 2 * _AROUND):
            yield Text(f"    {line[0]} {printable(line[1:])}" if line[0] != "@" else f"    {line}", style)

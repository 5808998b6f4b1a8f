"""`waggle release list`, `show` and `history`."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from registry.cli.client import EngineClient, Target, ask, printable
from registry.cli.objects import Named, named, objects, say, say_json, show_history, tell_warnings
from registry.cli.options import AS_JSON
from registry.cli.release.words import NAMING, RELEASES, name_of, outcomes, traffic
from registry.cli.show import Cell, Row, part, print_table, rows_of, text

LIST_OPTIONS = (AS_JSON,)
SHOW_OPTIONS = (*NAMING, AS_JSON)
_COLUMNS = ("version", "role", "up", "instances", "calls", "errors %", "mean ms", "p99 ms")
_STATES = {"running": "yellow", "promoted": "green", "rolled-back": "red"}


def show_all(target: Target, *, as_json: bool) -> None:
    """List the gray releases, and rules of others that amount to one."""
    found = ask(target, lambda client: objects(client, RELEASES))
    if as_json:
        say_json(found)
        return
    names = ("service", "app", "environment", "requests", "state", "up", "items", "reason")
    print_table(f"{target.domain}/{target.project}", names, list(map(_cells, found)))


def show(target: Target, *, as_json: bool, **given: object) -> None:
    """Show a gray release: what it says, which versions run, where requests go now, and what differs."""

    async def work(client: EngineClient) -> Row:
        return await (await named(client, RELEASES, given)).get()

    found = ask(target, work)
    if as_json:
        say_json(found)
        return
    one = part(found, "object")
    say(f"{name_of(found)}: {traffic(one)}; {text(one, 'state')}, at revision {text(found, 'revision')}")
    for name in ("reason", "maxErrorRate", "maxLatency"):
        if one.get(name):
            say(f"  {name}: {text(one, name)}")
    for line in outcomes(found):
        say(f"  {line}")
    for item in rows_of(found, "items"):
        lines = item.get("diff")
        for line in lines if isinstance(lines, list) else ():
            say(f"    {line}")
    print_table("versions", _COLUMNS, [_version(row) for row in rows_of(found, "versions")])
    tell_warnings(found)


def history(target: Target, *, as_json: bool, **given: object) -> None:
    """List what a gray release was, the newest first, also of one that is over."""

    async def work(client: EngineClient) -> tuple[Named, Sequence[Row]]:
        release = await named(client, RELEASES, given)
        return release, await release.history()

    release, versions = ask(target, work)
    summary = {int(text(row, "revision")): traffic(part(row, "object")) for row in versions if row.get("object")}
    show_history(versions, f"{release.names['service']} [app={release.names['app']}]", summary, as_json=as_json)


def _cells(row: Row) -> Sequence[Cell]:
    one, state = part(row, "object"), text(part(row, "object"), "state")
    up = ", ".join(f"{text(version, 'version')}: {text(version, 'up')}" for version in rows_of(row, "versions"))
    items = "" if row.get("kept") else "not of an object"
    place = text(one, "service"), text(one, "app"), text(one, "environment")
    drifted = Text("drifted", "red") if row.get("drifted") else items
    return *place, traffic(one), Text(state, _STATES.get(state, "")), printable(up), drifted, text(one, "reason")


def _version(row: Row) -> Sequence[Cell]:
    facts = text(row, "version"), text(row, "role"), text(row, "up"), text(row, "instances")
    return *facts, *(text(row, name) for name in ("calls", "errorRate", "mean", "p99"))

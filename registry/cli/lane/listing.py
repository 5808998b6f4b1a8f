"""`waggle lane list`, `show` and `history`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.text import Text

from registry.cli.client import EngineClient, Target, ask
from registry.cli.lane.words import GROUPS, NAMING, name_of, rules, way
from registry.cli.objects import Named, named, objects, say, say_json, show_history, tell_warnings
from registry.cli.options import AS_JSON
from registry.cli.show import Cell, Row, endpoints, part, print_table, rows_of, text

LIST_OPTIONS = (AS_JSON,)
SHOW_OPTIONS = (*NAMING, AS_JSON)
_COLUMNS = ("lane", "name", "way in", "component", "service", "version", "status", "instance", "endpoints")


def show_all(target: Target, *, as_json: bool) -> None:
    """List the groups of lanes."""
    found = ask(target, lambda client: objects(client, GROUPS))
    if as_json:
        say_json(found)
        return
    names = ("group", "app", "environment", "gateway", "target", "state", "lanes", "items", "reason")
    print_table(f"{target.domain}/{target.project}", names, list(map(_cells, found)))


def show(target: Target, *, as_json: bool, **given: object) -> None:
    """Show a group: its lanes, their components and instances, and how requests get into them."""

    async def work(client: EngineClient) -> Row:
        return await (await named(client, GROUPS, given)).get()

    found = ask(target, work)
    if as_json:
        say_json(found)
        return
    one = part(found, "object")
    say(f"{name_of(found)}: {way(one)}; at revision {text(found, 'revision')}")
    for name in ("description", "reason", "header"):
        if one.get(name):
            say(f"  {name}: {text(one, name)}")
    rows = [cells for lane in rows_of(found, "lanes") for cells in _lane(lane, by_share=one.get("routing") == "share")]
    print_table("lanes", _COLUMNS, rows)
    tell_warnings(found)


def history(target: Target, *, as_json: bool, **given: object) -> None:
    """List what a group was, the newest first, also of one that is deleted."""

    async def work(client: EngineClient) -> tuple[Named, Sequence[Row]]:
        group = await named(client, GROUPS, given)
        return group, await group.history()

    group, versions = ask(target, work)
    summary = {int(text(row, "revision")): way(part(row, "object")) for row in versions if row.get("object")}
    show_history(versions, f"{group.names['name']} [app={group.names['app']}]", summary, as_json=as_json)


def _cells(row: Row) -> Sequence[Cell]:
    one, on = part(row, "object"), part(row, "object").get("on") is True
    labels = ", ".join(text(lane, "label") for lane in rows_of(row, "lanes"))
    names = [text(one, name) for name in ("name", "app", "environment", "gateway", "target")]
    state = Text("on", "green") if on else Text("off", "dim")
    return *names, state, labels, Text("drifted", "red") if row.get("drifted") else "", text(one, "reason")


def _lane(lane: Row, *, by_share: bool) -> Iterator[Sequence[Cell]]:
    """A row for each instance, for each component without one, and for a lane without any."""
    head = text(lane, "label"), text(lane, "name"), f"{lane.get('weight', 0)} %" if by_share else rules(lane)
    for component in rows_of(lane, "components"):
        name = text(component, "name")
        for one in rows_of(component, "instances"):
            facts = [text(one, fact) for fact in ("service", "version", "status", "instanceId")]
            yield *head, name, *facts, "\n".join(endpoints(one))
        if not rows_of(component, "instances"):
            yield *head, name, "", "", Text("none", "yellow"), "", ""
    if not rows_of(lane, "components"):
        yield *head, "", "", "", "", "", ""

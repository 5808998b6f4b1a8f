"""What is said of lanes, and what their commands share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import typer

from registry.cli.client import EngineClient, Target, ask, printable
from registry.cli.objects import FORCE, PLACE, REASON, Kind, named, tell
from registry.cli.options import AS_JSON, keyword
from registry.cli.show import Row, part, rows_of, text

GROUPS = Kind("lane-groups", ("name",))
GROUP = keyword("name", str, typer.Argument(help="Name of the group.", metavar="GROUP"), ...)
LABEL = keyword("label", str, typer.Argument(help="Label of the lane, as gray; base is the baseline."), ...)
NAMING = (GROUP, *PLACE)
CHANGING = (REASON, *PLACE, FORCE, AS_JSON)
Lanes = Sequence[Mapping[str, object]]


def name_of(row: Row) -> str:
    """A group by its name and where it is."""
    one = part(row, "object")
    return f"{text(one, 'name')} [app={text(one, 'app')} environment={text(one, 'environment')}]"


def way(one: Row) -> str:
    """How requests get into the lanes of a group."""
    lanes = rows_of(one, "lanes")
    entry = f"{text(one, 'gateway')} to {text(one, 'target')}"
    if one.get("on") is not True:
        return f"off: all that {entry} goes to base"
    if one.get("routing") == "share":
        shares = ", ".join(f"{lane.get('weight', 0)} % to {text(lane, 'label')}" for lane in lanes)
        return f"on: of what {entry} {printable(shares)}"
    ways = [f"{rules(lane)} to {text(lane, 'label')}" for lane in lanes if rows_of(lane, "rules")]
    return f"on: of what {entry} {', '.join([*ways, 'the rest to base'])}"


def rules(lane: Row) -> str:
    """The rules of a lane."""
    said = [
        f"{text(one, 'header')} {one.get('condition', 'exact')} {text(one, 'value')}" for one in rows_of(lane, "rules")
    ]
    return printable((" and " if lane.get("match") == "all" else " or ").join(said))


def lanes_of(row: Row) -> Lanes:
    """The lanes as a group says them."""
    return rows_of(part(row, "object"), "lanes")


def with_lane(lanes: Lanes, label: str, change: Callable[[Row], Mapping[str, object]]) -> Lanes:
    """The lanes with one of them changed; a usage error where there is none of that label."""
    if not any(lane.get("label") == label for lane in lanes):
        known = ", ".join(str(lane.get("label")) for lane in lanes) or "none"
        raise typer.BadParameter(f"there is no lane {label!r}, only {printable(known)}")
    return [{**lane, **change(lane)} if lane.get("label") == label else lane for lane in lanes]


def components(lane: Row) -> Sequence[str]:
    """The components that a lane names."""
    found = lane.get("components")
    return [str(name) for name in found] if isinstance(found, list) else []


def change(target: Target, given: Mapping[str, object], members: Callable[[Row], Mapping[str, object]]) -> None:
    """Change a group by what it is now. Somebody else's change meanwhile is not undone: the command ends with 1 and says so."""

    async def work(client: EngineClient) -> Row:
        group = await named(client, GROUPS, given)
        before = await group.get()
        revision = before.get("revision")
        body = {**members(before), "reason": given["reason"]}
        expected = revision if isinstance(revision, int) else None
        return await group.put(body, force=bool(given["force"]), expected=expected)

    tell_group(ask(target, work), as_json=bool(given["as_json"]))


def tell_group(done: Row, *, as_json: bool) -> None:
    """Say what became of a group, and the way into its lanes."""
    what = f"{name_of(done)}: {way(part(done, 'object'))}" if "object" in done else "the group"
    tell(done, what, as_json=as_json)

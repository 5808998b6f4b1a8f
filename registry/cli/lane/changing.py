"""`waggle lane create`, `on`, `off`, `delete`, `rollback`, and what changes the lanes of a group."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import typer

from registry.cli.client import EngineClient, Target, ask
from registry.cli.lane.words import CHANGING, GROUP, GROUPS, LABEL, change, components, lanes_of, tell_group, with_lane
from registry.cli.objects import FORCE, PLACE, named, tell
from registry.cli.options import AS_JSON, keyword
from registry.cli.show import Row

_BASE = "base"
_CONDITIONS = ("exact", "prefix", "regex")
_COMPONENTS = "A component that is in it; repeatable."
_RULE = "What a header must be; repeatable. NAME:prefix=VALUE and NAME:regex=PATTERN, too. None: no rules."
_NAMED = keyword("components", list[str], typer.Argument(help="The components.", metavar="COMPONENT…"), ...)
CREATE_OPTIONS = (
    GROUP,
    keyword("gateway", str, typer.Option(help="The gateway that requests enter by, by the name of its service."), ...),
    keyword("service", str, typer.Option("--target", help="The service that it sends them to."), ...),
    keyword("component", list[str] | None, typer.Option(help=f"{_COMPONENTS} Of the baseline.", show_default=False)),
    keyword("description", str, typer.Option(help="What it is for.", show_default=False), ""),
    keyword(
        "header", str | None, typer.Option(help="What carries the label; else as the engine says.", show_default=False)
    ),
    *CHANGING,
)
SWITCH_OPTIONS = (GROUP, *CHANGING)
ADD_OPTIONS = (
    GROUP,
    LABEL,
    keyword("lane_name", str | None, typer.Option("--name", help="Its name; else its label.", show_default=False)),
    keyword("component", list[str] | None, typer.Option(help=_COMPONENTS, show_default=False)),
    *CHANGING,
)
LANE_OPTIONS = (GROUP, LABEL, *CHANGING)
COMPONENT_OPTIONS = (GROUP, LABEL, _NAMED, *CHANGING)
RULES_OPTIONS = (
    GROUP,
    LABEL,
    keyword("header", list[str] | None, typer.Option(help=_RULE, metavar="NAME=VALUE", show_default=False)),
    keyword("all_of_them", bool, typer.Option("--all", help="All must hold; else any of them."), default=False),
    *CHANGING,
)
SHARE_OPTIONS = (
    GROUP,
    keyword(
        "shares", list[str], typer.Argument(help="Percent of each lane; together 100.", metavar="LABEL=PERCENT…"), ...
    ),
    *CHANGING,
)
DELETE_OPTIONS = (GROUP, *PLACE, FORCE, AS_JSON)
ROLLBACK_OPTIONS = (
    GROUP,
    keyword("to", int, typer.Option(help="As it was at this revision, with its lanes."), ...),
    *PLACE,
    FORCE,
    AS_JSON,
)


def create(target: Target, **given: object) -> None:
    """Create a group with its baseline lane. It leads nothing anywhere until it has a gray lane and is on."""
    baseline = {"name": _BASE, "label": _BASE, "components": _several(given["component"])}
    members = {"gateway": given["gateway"], "target": given["service"], "description": given["description"]}
    header = {"header": given["header"]} if given["header"] else {}

    async def work(client: EngineClient) -> Row:
        group = await named(client, GROUPS, given, of=str(given["service"]))
        body = {**members, **header, "lanes": [baseline], "reason": given["reason"]}
        return await group.put(body, force=bool(given["force"]), expected=None if given["force"] else 0)

    tell_group(ask(target, work), as_json=bool(given["as_json"]))


def on(target: Target, **given: object) -> None:
    """Let requests into the gray lanes, by headers or by share."""
    change(target, given, lambda _row: {"on": True})


def off(target: Target, **given: object) -> None:
    """Let all requests go to the baseline. The lanes stay as they are."""
    change(target, given, lambda _row: {"on": False})


def add(target: Target, **given: object) -> None:
    """Add a gray lane to a group."""
    label, name = str(given["label"]), given["lane_name"] or given["label"]

    def members(row: Row) -> Mapping[str, object]:
        lane = {"name": name, "label": label, "components": _several(given["component"])}
        return {"lanes": [*lanes_of(row), lane]}

    change(target, given, members)


def remove(target: Target, **given: object) -> None:
    """Remove a lane. Its instances go on to say its label, so they get nothing until they end."""
    label = str(given["label"])

    def members(row: Row) -> Mapping[str, object]:
        with_lane(lanes_of(row), label, lambda _lane: {})
        return {"lanes": [lane for lane in lanes_of(row) if lane.get("label") != label]}

    change(target, given, members)


def add_component(target: Target, **given: object) -> None:
    """Put components into a lane: their instances say its label from now on, where they say none."""
    names = _several(given["components"])

    def members(row: Row) -> Mapping[str, object]:
        return _with_components(row, given, lambda known: [*known, *(name for name in names if name not in known)])

    change(target, given, members)


def remove_component(target: Target, **given: object) -> None:
    """Take components out of a lane. Instances of the baseline no longer say it; those of a gray lane do until they end."""
    names = _several(given["components"])

    def members(row: Row) -> Mapping[str, object]:
        return _with_components(row, given, lambda known: _without(known, names))

    change(target, given, members)


def rules(target: Target, **given: object) -> None:
    """Say which headers lead into a gray lane. From then on headers decide in the whole group, not shares."""
    made = [_rule(one) for one in _several(given["header"])]
    match = "all" if given["all_of_them"] else "any"

    def members(row: Row) -> Mapping[str, object]:
        lanes = with_lane(lanes_of(row), str(given["label"]), lambda _lane: {"rules": made, "match": match})
        return {"routing": "content", "lanes": lanes}

    change(target, given, members)


def share(target: Target, **given: object) -> None:
    """Say how many percent of the requests get into each lane. From then on shares decide, not headers."""
    weights = dict(map(_weight, _several(given["shares"])))

    def members(row: Row) -> Mapping[str, object]:
        for label in weights:
            with_lane(lanes_of(row), label, lambda _lane: {})
        return {
            "routing": "share",
            "lanes": [{**lane, "weight": weights.get(str(lane.get("label")), 0)} for lane in lanes_of(row)],
        }

    change(target, given, members)


def delete(target: Target, *, force: bool, as_json: bool, **given: object) -> None:
    """Delete a group with its lanes. Refused while a service runs in several of them and no rule would be left."""

    async def work(client: EngineClient) -> Row:
        return await (await named(client, GROUPS, given)).delete(force=force)

    tell(ask(target, work), f"group {given['name']}", as_json=as_json)


def rollback(target: Target, *, to: int, force: bool, as_json: bool, **given: object) -> None:
    """Let a group be as it was at a revision, also one that is deleted."""

    async def work(client: EngineClient) -> Row:
        return await (await named(client, GROUPS, given)).rollback(to, force=force)

    tell_group(ask(target, work), as_json=as_json)


def _with_components(
    row: Row, given: Mapping[str, object], change_them: Callable[[Sequence[str]], Sequence[str]]
) -> Mapping[str, object]:
    label = str(given["label"])
    return {"lanes": with_lane(lanes_of(row), label, lambda lane: {"components": change_them(components(lane))})}


def _without(known: Sequence[str], names: Sequence[str]) -> Sequence[str]:
    for name in names:
        if name not in known:
            raise typer.BadParameter(f"{name!r} is not in the lane, only {', '.join(known) or 'nothing'}")
    return [name for name in known if name not in names]


def _several(given: object) -> Sequence[str]:
    return list(map(str, given)) if isinstance(given, list) else []


def _rule(given: str) -> Mapping[str, str]:
    name, separator, value = given.partition("=")
    name, _, condition = name.partition(":")
    condition = condition or "exact"
    if not separator or not name or condition not in _CONDITIONS:
        raise typer.BadParameter(f"--header {given!r} is not NAME=VALUE, NAME:prefix=VALUE or NAME:regex=PATTERN")
    return {"header": name.lower(), "condition": condition, "value": value}


def _weight(given: str) -> tuple[str, int]:
    label, separator, percent = given.partition("=")
    if not separator or not (percent.isascii() and percent.isdigit() and len(percent) < 4):
        raise typer.BadParameter(f"{given!r} is not LABEL=PERCENT")
    return label, int(percent)

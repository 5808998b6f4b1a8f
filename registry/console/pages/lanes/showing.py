"""The groups of lanes as they are now, and what one was."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from registry.api.call import Reply
from registry.console.handling import Page
from registry.console.pages.lanes.asked import GROUP, HERE, ROOT, calls_in, named, names_of, there
from registry.console.pages.lanes.board import drawn
from registry.console.view import View


async def index(view: View) -> Reply:
    """Every group, drawn as lanes."""
    found = (await view.api.get(ROOT))["objects"]
    wanted = view.query.get("q", "").lower()
    calls = await calls_in(view)
    rows = [_shown(one, calls) for one in found if wanted in _searched(one)]
    facts: dict[str, Any] = {"rows": view.cut(rows, 20), "q": view.query.get("q", ""), "any": bool(found)}
    if view.is_part:
        return view.part("lanes/list.html", **facts)
    return view.page("lanes/index.html", title=view.say("Lanes"), **facts)


async def one(view: View) -> Reply:
    """One group, with what it was."""
    names = named(view.query)
    group = await there(view, names)
    found = await view.api.get(f"{ROOT}/history", names)
    facts: dict[str, Any] = {
        "names": names,
        "one": None if group is None else _shown(group, await calls_in(view)),
        "versions": found["versions"],
    }
    if view.is_part:
        return view.part("lanes/now.html", **facts)
    return view.page("lanes/group.html", title=view.say("Lanes of {name}", name=names["name"]), **facts)


def _shown(group: Mapping[str, Any], calls: Mapping[str, Any]) -> Mapping[str, Any]:
    board = drawn(group, calls.get(group["object"]["app"], ()))
    return {**group, "names": names_of(group), "board": board, "count": sum(row.instances for row in board.rows)}


def _searched(group: Mapping[str, Any]) -> str:
    known = group["object"]
    labels = " ".join(lane["label"] for lane in group["lanes"])
    return " ".join(
        (known["name"], known["app"], known["environment"], known["gateway"], known["target"], labels)
    ).lower()


PAGES = (
    Page("GET", HERE, index),
    Page("GET", GROUP, one),
)

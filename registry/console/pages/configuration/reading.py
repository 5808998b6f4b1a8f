"""Who reads: the services that ask for an item, and who listens now with which revision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from registry.api.call import Reply
from registry.console.handling import Page
from registry.console.pages.configuration.naming import (
    ROOT,
    get_item,
    get_readers,
    label_texts,
    name_asked,
)
from registry.console.view import Part, View

_SIZE = 100
_FEW = 3


async def readers(view: View) -> Reply:
    """Who reads one item."""
    name = name_asked(view)
    item = await get_item(view, name)
    query = {"label": label_texts(name.labels), "match": "exact"}
    rows, revision = await _listeners(view, query)
    facts: dict[str, Any] = {"name": name, "item": item, "rows": rows, "revision": revision}
    facts["wanted"] = item["update_revision"] if item is not None else 0
    facts["base"] = name.path("/readers")
    if view.is_part:
        return view.part("configuration/listener_rows.html", **facts)
    services = await get_readers(view, name.labels)
    title = view.say("Who reads {key}", key=name.key)
    return view.page("configuration/readers.html", title=title, readers=services, **facts)


async def listeners(view: View) -> Reply:
    """Everybody who listens."""
    rows, revision = await _listeners(view, {})
    facts: dict[str, Any] = {"rows": rows, "revision": revision, "wanted": 0, "base": f"{ROOT}/listeners?"}
    if view.is_part:
        return view.part("configuration/listener_rows.html", **facts)
    return view.page("configuration/listeners.html", title=view.say("Who listens"), **facts)


async def _listeners(view: View, query: Mapping[str, object]) -> tuple[Part[Mapping[str, Any]], int]:
    number = view.part_asked
    paged = {"limit": _SIZE, "offset": (number - 1) * _SIZE}
    found = await view.api.get("/waggle/v1/config/listeners", {**query, **paged})
    return Part(together(found["listeners"]), number, _SIZE, found["total"]), found["revision"]


def together(listeners: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """One row for each that listens, with all that it asks for, and the lowest of the revisions that it has."""
    found: dict[tuple[object, ...], dict[str, Any]] = {}
    for one in listeners:
        who = one["protocol"], one["address"], *(each["instanceId"] for each in one["instances"])
        row = found.setdefault(who, {**one, "instances": one["instances"][:_FEW], "asks": []})
        row["asks"] += [(labels, one["exact"]) for labels in one["labels"]]
        row["revision"] = min(row["revision"], one["revision"])
    rows = [{**row, "asks": sorted(row["asks"], key=lambda asked: len(asked[0]))} for row in found.values()]
    return sorted(rows, key=lambda row: (not row["instances"], *(str(each["service"]) for each in row["instances"])))


PAGES = (
    Page("GET", f"{ROOT}/readers", readers),
    Page("GET", f"{ROOT}/listeners", listeners),
)

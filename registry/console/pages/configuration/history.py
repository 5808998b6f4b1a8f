"""The versions of an item: what differs between any two, and the way back to each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from registry.api.call import Reply
from registry.console.handling import Page
from registry.console.pages.configuration.naming import (
    ROOT,
    changed_members,
    get_item,
    get_readers,
    hit,
    name_asked,
)
from registry.console.view import View


async def show(view: View) -> Reply:
    """The versions, and what differs between the two that are named; by default, what the last change did."""
    name = name_asked(view)
    versions: Sequence[Mapping[str, Any]] = (await view.api.get("/waggle/v1/config/history", name.query))["versions"]
    asked = {bound: view.query.get(bound, "") for bound in ("from", "to")}
    diff = await view.api.get("/waggle/v1/config/diff", {**name.query, **asked})
    before, after = (_item_at(versions, diff[bound]) for bound in ("from", "to"))
    facts: dict[str, Any] = {"name": name, "item": await get_item(view, name), "versions": view.cut(versions)}
    facts |= {"diff": diff, "before": before, "after": after, "members": changed_members(before, after)}
    template = "configuration/compared.html" if view.is_part else "configuration/history.html"
    if view.is_part:
        return view.part(template, **facts)
    readers = hit(view, await get_readers(view, name.labels))
    return view.page(template, title=view.say("History of {key}", key=name.key), hit=readers, **facts)


def _item_at(versions: Sequence[Mapping[str, Any]], revision: int) -> Mapping[str, Any] | None:
    """What the item was at a revision; none where it was not there."""
    return next((version.get("item") for version in versions if version["revision"] <= revision), None)


PAGES = (Page("GET", f"{ROOT}/history", show),)

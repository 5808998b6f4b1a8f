"""One item: what it is, and what is done with all of it: enabled and disabled, deleted, and taken back."""

from __future__ import annotations

from typing import Any

from registry.api.call import Reply
from registry.console.handling import Page, onwards
from registry.console.pages.configuration.naming import (
    ROOT,
    Name,
    get_item,
    get_readers,
    hit,
    name_asked,
    name_sent,
)
from registry.console.view import View


async def show(view: View) -> Reply:
    """The value of an item, to be changed."""
    name = name_asked(view)
    item = await get_item(view, name)
    if item is None:
        return onwards(view, name.path("/history"))
    readers = await get_readers(view, name.labels)
    facts: dict[str, Any] = {"name": name, "item": item, "hit": hit(view, readers)}
    return view.page("configuration/item.html", title=name.key, **facts)


async def newer(view: View) -> Reply:
    """Whether somebody has saved an item since a page was made of it."""
    name, seen = name_asked(view), view.query.get("revision", "")
    item = await get_item(view, name)
    author = ""
    if item is not None and str(item["update_revision"]) != seen:
        newest = await view.api.get("/waggle/v1/config/history", name.query)
        author = newest["versions"][0]["author"]
    return view.part("configuration/newer.html", name=name, item=item, seen=seen, author=author)


async def set_status(view: View) -> Reply:
    """Enable or disable an item."""
    name, status = name_sent(view), view.form.get("status", "")
    item = await get_item(view, name)
    await view.api.send("PUT", "/waggle/v1/config/items", {"key": name.key, "labels": name.labels, "status": status})
    enabled = status == "enabled"
    said = view.say("{key} is enabled.", key=name.key) if enabled else view.say("{key} is disabled.", key=name.key)
    undo = undo_to(name, item["update_revision"]) if item is not None else None
    return onwards(view, name.path(), view.done(said, undo=undo))


async def delete(view: View) -> Reply:
    """Delete an item as it was seen."""
    name, revision = name_sent(view), view.form.get("revision", "")
    gone = await view.api.send("DELETE", "/waggle/v1/config/items", None, {**name.query, "revision": revision})
    undo = undo_to(name, gone["item"]["update_revision"])
    return onwards(view, ROOT, view.done(view.say("{name} is deleted.", name=name.shown), undo=undo))


async def roll_back(view: View) -> Reply:
    """Let an item be as it was at a revision."""
    name, revision = name_sent(view), view.form.get("revision", "")
    before = await get_item(view, name)
    done = await view.api.send("POST", "/waggle/v1/config/rollback", None, {**name.query, "revision": revision})
    undo = undo_to(name, before["update_revision"]) if before is not None else undo_to(name, done["revision"] - 1)
    said = view.say("{key} is as it was at revision {revision}.", key=name.key, revision=done["to"])
    return onwards(view, name.path(), view.done(said, undo=undo))


def undo_to(name: Name, revision: int) -> dict[str, object]:
    """What takes a change back: the item as it was at a revision."""
    return {"path": f"{ROOT}/rollback", "values": {**name.query, "revision": revision}}


PAGES = (
    Page("GET", f"{ROOT}/item", show),
    Page("GET", f"{ROOT}/newer", newer),
    Page("POST", f"{ROOT}/status", set_status),
    Page("POST", f"{ROOT}/delete", delete),
    Page("POST", f"{ROOT}/rollback", roll_back),
)

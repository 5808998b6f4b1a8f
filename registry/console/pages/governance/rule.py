"""One rule: as a form and as a text, with what is wrong and who obeys it, its history, and the ways to take changes back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from governance.rules.fields import kinds
from registry.api.call import Reply
from registry.console.asking import ApiError
from registry.console.handling import Page
from registry.console.pages.governance.editing import Editing, Overtaken, edited, editing, key_of
from registry.console.pages.governance.items import item_of, named, path_of, query_of, values_of
from registry.console.pages.governance.registered import reach, registered
from registry.console.pages.governance.replies import changed
from registry.console.view import View

_HERE = "/console/governance/rule"
_ITEMS = "/waggle/v1/config/items"
_OUTDATED = "409002"


async def one(view: View) -> Reply:
    """A rule that is there; what it was, where it is there no more."""
    key, labels = named(view.call.pairs)
    item = await item_of(view, key, labels)
    history = await _history(view, key, labels)
    if item is None and not history:
        return view.page("governance/no_rule.html", title=view.say("There is no such rule"), status=404, key=key)
    shown: dict[str, Any] = {"item": item, "key": key, "labels": labels, "versions": history}
    if view.is_part:
        return view.part("governance/rule_history.html", **shown)
    shown |= {"hits": await reach(view, labels), "known": await registered(view)}
    shown |= {"edit": await editing(view, key, labels, item) if item else None}
    return view.page("governance/rule.html", title=key, **shown)


async def new(view: View) -> Reply:
    """A rule that is not there yet: its kind, its name, whom it is for."""
    kind = view.query.get("kind", "retry")
    kind = kind if kind in kinds() else "retry"
    key = key_of(kind, view.query.get("name", ""))
    facts: dict[str, Any] = {
        "kind": kind,
        "kinds": kinds(),
        "known": await registered(view),
        "problem": "",
        "given": view.query,
    }
    title = view.say("New rule: {kind}", kind=kind)
    return view.page("governance/new.html", title=title, edit=await editing(view, key, {}, None), **facts)


async def editor(view: View) -> Reply:
    """POST: the form after a row was added or removed, or the other way to see the rule."""
    edit = await edited(view)
    return view.part("governance/editor.html", edit=edit)


async def check(view: View) -> Reply:
    """POST: what is wrong with the rule as it is typed, and who would obey it."""
    edit = await edited(view)
    return view.part("governance/found.html", edit=edit)


async def problems(view: View) -> Reply:
    """POST: what is wrong with the text as it is typed, for the editor."""
    edit = await edited(view)
    return view.part("governance/told.html", problems=edit.problems)


async def save(view: View) -> Reply:
    """Save the rule as the form or the text says, where nobody else has changed it since it was loaded."""
    edit = await edited(view)
    item = {"key": edit.key, "labels": edit.labels, "value": edit.text, "value_type": "text", "revision": edit.revision}
    try:
        done = await view.api.send("PUT", _ITEMS, item if edit.revision else {**item, "status": "enabled"})
    except ApiError as error:
        if error.code == _OUTDATED:
            return await _overtaken(view, edit)
        if error.status in (401, 403):
            raise
        return _refused(view, edit, error.text)
    if done["action"] == "unchanged":
        return changed(view, view.say("The rule is as it was."))
    undo = _restore(edit.key, edit.labels, edit.revision, done["item"]["update_revision"])
    path = path_of(_HERE, edit.key, edit.labels)
    return changed(view, (view.say("The rule {key} is saved.", key=edit.key), undo), to=path)


async def _overtaken(view: View, edit: Editing) -> Reply:
    """Somebody else has saved meanwhile: who, and what saving would do to it. Whoever saves then has seen that."""
    item = {"key": edit.key, "labels": edit.labels, "value": edit.text, "value_type": "text"}
    found = await view.api.send("POST", "/waggle/v1/config/check", item)
    theirs = (await _history(view, edit.key, edit.labels))[0]
    edit.overtaken = Overtaken(found, theirs, path_of(_HERE, edit.key, edit.labels))
    edit.revision = found["revision"]
    return view.part("governance/editor.html", status=409, edit=edit)


async def switch(view: View) -> Reply:
    """POST: let clients have the rule, or not."""
    key, labels = named(view.fields)
    status = "enabled" if view.form.get("status") == "enabled" else "disabled"
    before = await item_of(view, key, labels)
    await view.api.send("PUT", _ITEMS, {"key": key, "labels": labels, "status": status})
    other = "disabled" if status == "enabled" else "enabled"
    undo = {"path": f"{_HERE}/switch", "values": values_of(key, labels, status=other)} if before else None
    on = status == "enabled"
    text = view.say("The rule {key} is enabled.", key=key) if on else view.say("The rule {key} is disabled.", key=key)
    return changed(view, text, undo=undo, to=path_of(_HERE, key, labels))


async def delete(view: View) -> Reply:
    """POST: delete the rule, where it is as somebody has seen it."""
    key, labels = named(view.fields)
    query = query_of(key, labels, revision=view.form.get("revision", ""))
    gone = (await view.api.send("DELETE", _ITEMS, query=query))["item"]
    undo = _restore(key, labels, gone["update_revision"])
    return changed(view, (view.say("The rule {key} is deleted.", key=key), undo), to="/console/governance")


async def restore(view: View) -> Reply:
    """POST: let the rule be as it was at a revision."""
    key, labels = named(view.fields)
    revision = view.form.get("revision", "")
    before = await item_of(view, key, labels)
    await view.api.send("POST", "/waggle/v1/config/rollback", query=query_of(key, labels, revision=revision))
    said = view.say("The rule {key} is as it was at revision {revision}.", key=key, revision=revision)
    undo = _restore(key, labels, before["update_revision"] if before else 0)
    return changed(view, (said, undo), to=path_of(_HERE, key, labels))


async def difference(view: View) -> Reply:
    """What a change of the rule did."""
    key, labels = named(view.call.pairs)
    found = await view.api.get("/waggle/v1/config/diff", query_of(key, labels, to=view.query.get("to", "")))
    return view.part("governance/difference.html", lines=found["diff"], from_=found["from"], to=found["to"])


def _restore(key: str, labels: Mapping[str, str], before: int, after: int = 0) -> Mapping[str, object]:
    """What takes a change back: the rule as it was at the revision `before`; none where there was none, unless it is past `after`."""
    if not before:
        return {"path": f"{_HERE}/delete", "values": values_of(key, labels, revision=after or "")}
    return {"path": f"{_HERE}/restore", "values": values_of(key, labels, revision=before)}


def _refused(view: View, edit: Editing, text: str) -> Reply:
    edit.refused = text
    return view.part("governance/editor.html", status=422, edit=edit)


async def _history(view: View, key: str, labels: Mapping[str, str]) -> list[Any]:
    if not key:
        return []
    try:
        found = await view.api.get("/waggle/v1/config/history", query_of(key, labels))
    except ApiError as error:
        if error.status != 404:
            raise
        return []
    versions: list[Any] = found["versions"]
    return versions


PAGES = (
    Page("GET", _HERE, one),
    Page("POST", _HERE, save),
    Page("GET", f"{_HERE}/new", new, needs=("config", "create")),
    Page("POST", f"{_HERE}/editor", editor),
    Page("POST", f"{_HERE}/check", check),
    Page("POST", f"{_HERE}/problems", problems),
    Page("POST", f"{_HERE}/switch", switch),
    Page("POST", f"{_HERE}/delete", delete),
    Page("POST", f"{_HERE}/restore", restore),
    Page("GET", f"{_HERE}/diff", difference),
)

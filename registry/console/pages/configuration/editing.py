"""Writing an item: checked while one types, shown as a difference before it is saved, and never over what somebody else has saved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from registry.api.call import Reply
from registry.config.records import VALUE_TYPES
from registry.console.asking import ApiError
from registry.console.handling import Page, onwards, refused
from registry.console.pages.configuration.item import undo_to
from registry.console.pages.configuration.naming import (
    PARTS,
    ROOT,
    Name,
    changed_members,
    get_readers,
    hit,
    labels_in,
    name_sent,
)
from registry.console.view import View

_OUTDATED = "409002"
_TYPES = ("text", *sorted(set(VALUE_TYPES) - {"text"}))


async def new(view: View) -> Reply:
    """The form of a new item, for the place in the tree where one was."""
    labels = labels_in(view.call.pairs)
    facts: dict[str, Any] = {"labels": labels, "known": await _registered(view), "types": _TYPES}
    others = "\n".join(f"{name}={value}" for name, value in labels.items() if name not in PARTS)
    prefix = view.query.get("prefix", "")
    return view.page("configuration/new.html", title=view.say("New item"), others=others, prefix=prefix, **facts)


async def _registered(view: View) -> Mapping[str, Sequence[str]]:
    """What labels may say, by the services that are registered."""
    found = await view.api.get("/v4/:project/registry/microservices")
    services: Sequence[Mapping[str, Any]] = found.get("services") or []
    members = dict(zip(PARTS, ("appId", "environment", "serviceName", "version"), strict=True))
    return {part: sorted({one.get(member) or "" for one in services} - {""}) for part, member in members.items()}


async def who(view: View) -> Reply:
    """Who would read an item with the labels of the form."""
    try:
        readers = await get_readers(view, name_sent(view).labels)
    except ApiError as error:
        return view.part("configuration/who.html", problem=error.text, readers=None)
    return view.part("configuration/who.html", problem="", readers=readers, text=hit(view, readers))


async def check(view: View) -> Reply:
    """What is wrong with a value, while it is written."""
    name = name_sent(view)
    if not name.key:
        return view.part("configuration/problems.html", problems=())
    try:
        found = await _checked(view, name)
    except ApiError as error:
        return view.part("configuration/problems.html", problems=[_problem(error.text)])
    return view.part("configuration/problems.html", problems=found["problems"])


async def review(view: View) -> Reply:
    """What would change, before it does."""
    name = name_sent(view)
    try:
        found = await _checked(view, name)
    except ApiError as error:
        if error.status != 400:
            raise
        return _reviewed(view, name, refusal=error.text)
    seen = int(view.form.get("revision") or 0)
    if found["revision"] != seen:
        return await _conflict(view, name, found)
    return _reviewed(view, name, found=found, hit=hit(view, await get_readers(view, name.labels)), revision=seen)


async def save(view: View) -> Reply:
    """Save what was shown."""
    name, revision = name_sent(view), int(view.form.get("revision") or 0)
    document = {**_document(view, name), "revision": revision, "force": bool(view.form.get("force"))}
    try:
        done = await view.api.send("PUT", "/waggle/v1/config/items", document)
    except ApiError as error:
        if error.code == _OUTDATED:
            return await _conflict(view, name, await _checked(view, name))
        if error.status in (400, 422):
            return _reviewed(view, name, refusal=error.text)
        return refused(view, error)
    said = view.say("{key} is saved at revision {revision}.", key=name.key, revision=done["item"]["update_revision"])
    undo = undo_to(name, revision or done["item"]["update_revision"] - 1) if revision else _deletion(name, done)
    return onwards(view, name.path(), view.done(said, undo=undo))


def _deletion(name: Name, done: Mapping[str, Any]) -> dict[str, object]:
    """What takes a new item back."""
    return {"path": f"{ROOT}/delete", "values": {**name.query, "revision": done["item"]["update_revision"]}}


async def _checked(view: View, name: Name) -> Any:
    return await view.api.send("POST", "/waggle/v1/config/check", _document(view, name))


def _document(view: View, name: Name) -> dict[str, object]:
    """The item as the form has it. Browsers send lines with CR and LF."""
    form = view.form
    document: dict[str, object] = {"key": name.key, "labels": name.labels, "value": value_sent(view)}
    document |= {member: form[member] for member in ("value_type", "status") if form.get(member)}
    priority = form.get("priority", "").strip()
    return (
        {**document, "priority": int(priority)} if priority.lstrip("-").isdecimal() and len(priority) < 10 else document
    )


def value_sent(view: View) -> str:
    """The text of the editor, whose lines browsers send with CR and LF."""
    return view.form.get("value", "").replace("\r\n", "\n")


async def _conflict(view: View, name: Name, found: Mapping[str, Any]) -> Reply:
    """Somebody else has saved meanwhile: what they did, and what saving would do to it."""
    history = await view.api.get("/waggle/v1/config/history", name.query)
    theirs = history["versions"][0]
    readers = hit(view, await get_readers(view, name.labels))
    return _reviewed(view, name, found=found, theirs=theirs, hit=readers, revision=found["revision"])


def _reviewed(view: View, name: Name, **facts: Any) -> Reply:
    shown = {"found": None, "theirs": None, "refusal": "", "hit": "", "revision": 0, **facts}
    shown["members"] = changed_members(shown["found"]["before"], shown["found"]["after"]) if shown["found"] else ()
    sent = {member: view.form.get(member, "") for member in ("value_type", "status", "priority")}
    template = "configuration/review.html"
    if view.is_part:
        return view.part(template, name=name, sent=sent, value=value_sent(view), **shown)
    title = view.say("What would change")
    return view.page("configuration/reviewed.html", title=title, name=name, sent=sent, value=value_sent(view), **shown)


def _problem(text: str) -> Mapping[str, object]:
    """A refusal that is not about a line."""
    return {"severity": "error", "line": 0, "column": 0, "why": text, "instead": ""}


PAGES = (
    Page("GET", f"{ROOT}/new", new, needs=("config", "update")),
    Page("POST", f"{ROOT}/who", who),
    Page("POST", f"{ROOT}/check", check, body_limit="max_config_body_bytes"),
    Page("POST", f"{ROOT}/review", review, body_limit="max_config_body_bytes"),
    Page("POST", f"{ROOT}/save", save, body_limit="max_config_body_bytes"),
)

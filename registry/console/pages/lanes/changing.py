"""What one click changes: lanes on and off, a lane less, the end of a group, the way back. A refusal says why, and who may insist can."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from registry.api.call import Reply
from registry.console.asking import ApiError
from registry.console.handling import Page
from registry.console.pages.governance.replies import changed
from registry.console.pages.lanes.asked import HERE, ONE, ROOT, Names, named, there
from registry.console.view import View

_INSISTS = ("409002", "409004")


async def switch(view: View) -> Reply:
    """POST: let requests into the gray lanes, or lead all to the baseline."""
    on, names = view.form.get("on") == "1", named(view.form)
    said = view.say("The lanes of {name} are on.", **names) if on else view.say("The lanes of {name} are off.", **names)
    return await _tried(view, said, lambda: _put(view, {"on": on}))


async def remove(view: View) -> Reply:
    """POST: take a lane out of its group."""
    label = view.form.get("label", "")

    async def act() -> None:
        group: Mapping[str, Any] = await view.api.get(ONE, named(view.form))
        await _put(view, {"lanes": [lane for lane in lanes_of(group) if lane["label"] != label]})

    return await _tried(view, view.say("Lane {label} is removed.", label=label), act)


async def delete(view: View) -> Reply:
    """POST: end a group with its lanes."""
    said = view.say("The group {name} is deleted.", **named(view.form))
    return await _tried(view, said, lambda: view.api.send("DELETE", ONE, query=_query(view)))


async def restore(view: View) -> Reply:
    """POST: let a group be as it was at a revision."""
    revision = view.form.get("revision", "")
    said = view.say("{name} is as it was at revision {revision}.", **named(view.form), revision=revision)
    query = {**_query(view), "revision": revision}
    return await _tried(view, said, lambda: view.api.send("POST", f"{ROOT}/rollback", query=query))


def lanes_of(group: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The lanes as a change of them is written: with the names of their components alone."""
    lanes: Sequence[Mapping[str, Any]] = group["object"].get("lanes", ())
    return lanes


def undo(names: Names, before: Mapping[str, Any] | None) -> Mapping[str, object]:
    """What takes a change back: the group as it was, or none where there was none."""
    if before is None or not before["revision"]:
        return {"path": f"{HERE}/delete", "values": {**names, "force": "1"}}
    return {"path": f"{HERE}/restore", "values": {**names, "revision": before["revision"], "force": "1"}}


async def _tried(view: View, said: str, act: Callable[[], Awaitable[object]]) -> Reply:
    """Do it, and say so with the way back; or say why not, where the page has room for it."""
    names = named(view.form)
    before = await there(view, names)
    try:
        await act()
    except ApiError as error:
        if error.code not in _INSISTS or not view.is_part:
            raise
        facts: dict[str, Any] = {"problem": error.text, "path": view.call.request.path, "fields": view.fields}
        return view.part("lanes/refused.html", status=error.status, **facts)
    done = changed(view, said, undo=undo(names, before))
    return Reply(200, headers=done.headers)


async def _put(view: View, members: Mapping[str, object]) -> object:
    return await view.api.send("PUT", ONE, {**named(view.form), **members}, {"force": view.form.get("force", "")})


def _query(view: View) -> Mapping[str, object]:
    return {**named(view.form), "force": view.form.get("force", "")}


PAGES = (
    Page("POST", f"{HERE}/switch", switch),
    Page("POST", f"{HERE}/remove", remove),
    Page("POST", f"{HERE}/delete", delete),
    Page("POST", f"{HERE}/restore", restore),
)

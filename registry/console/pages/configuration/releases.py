"""Gradual releases: a value that some instances get first, how far it has come, and its end for all or for nobody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from registry.api.call import Reply
from registry.console.asking import ApiError
from registry.console.handling import Page, onwards
from registry.console.pages.configuration.editing import value_sent
from registry.console.pages.configuration.item import undo_to
from registry.console.pages.configuration.naming import (
    ROOT,
    Name,
    get_item,
    get_readers,
    label_texts,
    name_asked,
    name_of,
    name_sent,
    pairs_in,
)
from registry.console.view import View

_ONE = "/waggle/v1/config/releases/one"
Release = Mapping[str, Any]
_NOBODY: Mapping[str, Any] = {"share": 0, "properties": {}, "instances": []}
_TENTH = {**_NOBODY, "share": 10}


async def list_all(view: View) -> Reply:
    """All gradual releases, and how many instances each reaches."""
    found = await view.api.get("/waggle/v1/config/releases")
    rows = [{**_whole(one), "name": name_of(one), **_reach(one)} for one in found["releases"]]
    rows.sort(key=lambda one: -one["started"])
    if view.is_part:
        return view.part("configuration/release_rows.html", rows=view.cut(rows))
    return view.page("configuration/releases.html", title=view.say("Gradual releases"), rows=view.cut(rows))


async def show(view: View) -> Reply:
    """The release of an item, or the form that starts one."""
    name = name_asked(view)
    item, release = await get_item(view, name), await _release_of(view, name)
    if item is None:
        return onwards(view, name.path("/history"))
    target = release["target"] if release is not None else _TENTH
    facts: dict[str, Any] = {"name": name, "item": item, "release": release, "target": target}
    if release is not None:
        facts |= {**_reach(release), "rows": view.cut(await _progress(view, name, release))}
    if view.is_part:
        return (
            view.part("configuration/progress.html", **facts)
            if release is not None
            else view.part("configuration/ended.html", **facts)
        )
    readers = await get_readers(view, name.labels)
    title = view.say("Gradual release of {key}", key=name.key)
    return view.page("configuration/release.html", title=title, readers=readers, problem="", **facts)


async def start(view: View) -> Reply:
    """Give a value to some instances, or change which."""
    name = name_sent(view)
    document = {"value": value_sent(view), **target_sent(view)}
    try:
        await view.api.send("PUT", _ONE, document, name.query)
    except ApiError as error:
        if error.status != 400:
            raise
        return view.part("configuration/refusal.html", text=error.text)
    release = await _release_of(view, name)
    reach = _reach(release) if release is not None else {"chosen": 0, "all": 0}
    said = view.say("{chosen} of {all} instances get the new value of {key}.", key=name.key, **reach)
    undo = {"path": f"{ROOT}/release/drop", "values": name.query}
    return onwards(view, name.path("/release"), view.done(said, undo=undo))


def target_sent(view: View) -> dict[str, object]:
    """Who gets it, as the form says. What is no number is left for the API to refuse."""
    form, way = view.form, view.form.get("way", "share")
    if way == "instances":
        written = form.get("more-instances", "").split()
        return {"instances": [text for name, text in view.fields if name == "instance"] + written}
    if way == "properties":
        return {"properties": pairs_in(form.get("properties", ""))}
    share = form.get("share", "").strip()
    return {"share": int(share) if share.isascii() and share.isdigit() and len(share) < 4 else 0}


async def promote(view: View) -> Reply:
    """Let all have the new value."""
    name = name_sent(view)
    before = await get_item(view, name)
    await view.api.send("POST", "/waggle/v1/config/releases/promote", None, name.query)
    undo = undo_to(name, before["update_revision"]) if before is not None else None
    return onwards(
        view, name.path(), view.done(view.say("All instances get the new value of {key}.", key=name.key), undo=undo)
    )


async def drop(view: View) -> Reply:
    """Let all have the value of before."""
    name = name_sent(view)
    release = await _release_of(view, name)
    await view.api.send("DELETE", _ONE, None, name.query)
    undo = {"path": f"{ROOT}/release/start", "values": _again(name, release)} if release is not None else None
    said = view.say("All instances have the value of {key} as it is.", key=name.key)
    return onwards(view, name.path("/release"), view.done(said, undo=undo))


def _again(name: Name, release: Release) -> dict[str, object]:
    """The form that starts a release as it was."""
    target, values = release["target"], {**name.query, "value": release["value"]}
    if target["share"]:
        return {**values, "way": "share", "share": target["share"]}
    if target["properties"]:
        pairs = [f"{one}={text}" for one, text in target["properties"].items()]
        return {**values, "way": "properties", "properties": "\n".join(pairs)}
    return {**values, "way": "instances", "more-instances": " ".join(target["instances"])}


async def _release_of(view: View, name: Name) -> Release | None:
    found: Sequence[Release] = (await view.api.get("/waggle/v1/config/releases"))["releases"]
    return next((_whole(one) for one in found if name_of(one) == name), None)


def _whole(release: Release) -> Release:
    """With each of the ways to say who gets it, of which one is not empty."""
    return {**release, "target": {**_NOBODY, **release["target"]}}


def _reach(release: Release) -> dict[str, int]:
    instances = release["instances"]
    return {"chosen": sum(one["chosen"] for one in instances), "all": len(instances)}


async def _progress(view: View, name: Name, release: Release) -> Sequence[Mapping[str, Any]]:
    """The instances, those that get it first; each with the revision that it has, where it listens."""
    query = {"label": label_texts(name.labels), "match": "exact", "limit": 100}
    listening = await view.api.get("/waggle/v1/config/listeners", query)
    listeners = listening["listeners"]
    revisions = {found["instanceId"]: one["revision"] for one in listeners for found in one["instances"]}
    alone = {one["instances"][0]["instanceId"] for one in listeners if len(one["instances"]) == 1}
    rows = [
        {
            **one,
            "revision": revisions.get(one["instanceId"], 0),
            "told_apart": one["told_apart"] or one["instanceId"] in alone,
        }
        for one in release["instances"]
    ]
    return sorted(rows, key=lambda one: (not one["chosen"], one["service"], one["instanceId"]))


PAGES = (
    Page("GET", f"{ROOT}/releases", list_all),
    Page("GET", f"{ROOT}/release", show),
    Page("POST", f"{ROOT}/release/start", start, body_limit="max_config_body_bytes"),
    Page("POST", f"{ROOT}/release/promote", promote),
    Page("POST", f"{ROOT}/release/drop", drop),
)

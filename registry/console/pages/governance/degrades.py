"""Degradations: a service no longer calls another, at once and until it is taken back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from governance.rules.objects.degrade import POLICIES
from registry.api.call import Reply
from registry.console.asking import ApiError
from registry.console.handling import Page
from registry.console.pages.governance.registered import registered
from registry.console.pages.governance.replies import changed
from registry.console.view import View

_ROOT = "/waggle/v1/degrades"
_ONE = f"{_ROOT}/one"
_NAMES = ("consumer", "target", "app", "environment")
_HERE = "/console/governance/degrade"


async def index(view: View) -> Reply:
    """Who calls whom, which of these calls are off, and a form for single operations."""
    facts: dict[str, Any] = {"rows": view.cut(await _rows(view)), "q": view.query.get("q", "")}
    if view.is_part:
        return view.part("governance/degrade_list.html", **facts)
    known = await registered(view)
    title = view.say("Degradations")
    return view.page("governance/degrades.html", title=title, known=known, policies=POLICIES, **facts)


async def one(view: View) -> Reply:
    """What a degradation was, the newest first."""
    names = {name: view.query.get(name, "") for name in _NAMES}
    found = await view.api.get(f"{_ROOT}/history", names)
    facts = {"names": names, "versions": found["versions"], "there": await _there(view, names)}
    if view.is_part:
        return view.part("governance/degrade_history.html", **facts)
    title = view.say("{consumer} without {target}", consumer=names["consumer"], target=names["target"])
    return view.page("governance/degrade.html", title=title, **facts)


async def turn_on(view: View) -> Reply:
    """POST: the consumer no longer calls the target."""
    form, names = view.form, _named(view)
    before = await _there(view, names)
    more = {name: form.get(name, "").strip() or None for name in ("policy", "path", "reason")}
    code = form.get("errorCode", "").strip()
    after = await view.api.send("PUT", _ONE, {**names, **more, "errorCode": int(code) if code.isdigit() else None})
    said = view.say("{consumer} no longer calls {target}.", **names)
    return changed(view, " ".join((said, *(after.get("warnings") or ()))), undo=_undo(names, before))


async def turn_off(view: View) -> Reply:
    """POST: the consumer calls the target again."""
    names = _named(view)
    before = await _there(view, names)
    await view.api.send("DELETE", _ONE, query={**names, "force": view.form.get("force", "")})
    return changed(view, view.say("{consumer} calls {target} again.", **names), undo=_undo(names, before))


async def restore(view: View) -> Reply:
    """POST: let a degradation be as it was at a revision."""
    names, revision = _named(view), view.form.get("revision", "")
    before = await _there(view, names)
    query = {**names, "revision": revision, "force": view.form.get("force", "")}
    await view.api.send("POST", f"{_ROOT}/rollback", query=query)
    said = view.say("{consumer} and {target} are as they were at revision {revision}.", **names, revision=revision)
    return changed(view, said, undo=_undo(names, before))


def _named(view: View) -> dict[str, str]:
    return {name: view.form.get(name, "").strip() for name in _NAMES}


def _undo(names: Mapping[str, str], before: Mapping[str, Any] | None) -> Mapping[str, object]:
    if before is None or not before["revision"]:
        return {"path": f"{_HERE}/off", "values": {**names, "force": "1"}}
    return {"path": f"{_HERE}/restore", "values": {**names, "revision": before["revision"], "force": "1"}}


async def _there(view: View, names: Mapping[str, str]) -> Mapping[str, Any] | None:
    try:
        found: Mapping[str, Any] = await view.api.get(_ONE, names)
    except ApiError as error:
        if error.status not in (400, 404):
            raise
        return None
    return found


async def _rows(view: View) -> Sequence[Mapping[str, Any]]:
    """Calls by consumer and target, those that are off first."""
    found = (await view.api.get(_ROOT))["objects"]
    rows: dict[tuple[str, ...], dict[str, Any]] = {_key(one["object"]): {**one["object"], "off": one} for one in found}
    for names in await _calls(view):
        rows.setdefault(_key(names), {**names, "off": None})
    wanted = view.query.get("q", "").lower()
    shown = [one for one in rows.values() if wanted in f"{one['app']} {one['consumer']} {one['target']}".lower()]
    return sorted(shown, key=lambda one: (one["off"] is None, _key(one)))


def _key(names: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(str(names[name]) for name in ("app", "environment", "consumer", "target"))


async def _calls(view: View) -> Iterable[Mapping[str, str]]:
    """Who is known to call whom, within an application."""
    graph = await view.api.get("/v4/:project/govern/relations")
    environments = {one["serviceId"]: one.get("environment") or "" for one in (await registered(view)).services}
    return [
        {
            "app": line["from"]["appId"],
            "environment": environments.get(line["from"]["id"], ""),
            "consumer": line["from"]["name"],
            "target": line["to"]["name"],
        }
        for line in graph.get("lines") or ()
    ]


PAGES = (
    Page("GET", "/console/governance/degrades", index),
    Page("GET", _HERE, one),
    Page("POST", f"{_HERE}/on", turn_on),
    Page("POST", f"{_HERE}/off", turn_off),
    Page("POST", f"{_HERE}/restore", restore),
)

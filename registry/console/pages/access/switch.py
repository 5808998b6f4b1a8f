"""The switch between off, observe and enforce, who would break, and new signing keys."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from registry.access import Mode
from registry.access.records import GRADUAL, ROOT
from registry.api.call import Reply
from registry.console.asking import ApiError
from registry.console.handling import Page, onwards, to_sign_in
from registry.console.pages.signing_in import session_of
from registry.console.view import View
from registry.console.wrong import form_again, form_wrong

HERE = "/console/access"
_API = "/waggle/v1/access"
_MOST_NAMED = 5
_MOST_KNOWN = 1000
_WOULD_BREAK = "409202"
Scope = Mapping[str, Sequence[str]]


async def index(view: View) -> Reply:
    """How much of access control is on, and who would break if it was enforced."""
    if view.mode is not Mode.OFF and view.identity is None:
        return to_sign_in(view)
    facts = await _facts(view)
    return view.page("access/index.html", title=view.say("Access"), **facts)


async def ready(view: View) -> Reply:
    """Who would break in the part that the form names; nothing where access has just been turned off."""
    if view.mode is Mode.OFF:
        return Reply(204)
    readiness = await _readiness(view, _scope_of(view.call.pairs))
    return view.part("access/readiness.html", readiness=readiness, mode=view.mode.value)


async def change(view: View) -> Reply:
    """POST: another mode, with root's password or as whoever has signed in."""
    form, mode, scope = view.form, view.form.get("mode", ""), _scope_of(view.fields)
    before = await view.api.get(_API)
    if not form.get("password") and view.identity is None:
        return form_wrong(
            view, "access/switch.html", {"password": view.say("Root's password is needed")}, **await _facts(view)
        )
    try:
        await view.api.send("PUT", _API, _asked(form, mode, scope))
    except ApiError as error:
        if error.code == _WOULD_BREAK or view.identity is not None:
            return Reply(204, headers=view.trouble(error.text, **{"waggle:access": True}))
        return form_again(view, "access/switch.html", _of_password(error), ("password",), **await _facts(view))
    session = await _session(view, form.get("password", "")) if mode != Mode.OFF.value else {}
    said = view.done(_said(view, mode), undo=_undo(before, mode))
    return onwards(view, HERE, {**said, **session})


async def rotate(view: View) -> Reply:
    """POST: a new key signs tokens from now on."""
    found = await view.api.send("POST", f"{_API}/keys/rotate")
    return Reply(204, headers=view.done(view.say("The key {key} signs tokens from now on.", key=found["key"])))


async def _facts(view: View) -> dict[str, Any]:
    now = await view.api.get(_API)
    readiness = None
    if view.mode is not Mode.OFF and view.may("access"):
        readiness = await _readiness(view, _named(now["scope"]))
    chosen = _scope_of(view.fields) if view.call.body else _named(now["scope"])
    known = await _known(view)
    return {
        "now": now,
        "mode": now["mode"],
        "chosen": chosen,
        "readiness": readiness,
        "known": known,
        "gradual": GRADUAL,
    }


async def _known(view: View) -> Mapping[str, Sequence[str]]:
    """The applications and environments that are registered."""
    found = (await view.api.get("/v4/:project/registry/microservices")).get("services") if view.may("service") else ()
    names = {"apps": "appId", "environments": "environment"}
    return {
        part: sorted({one.get(name) or "" for one in found or ()} - {""})[:_MOST_KNOWN] for part, name in names.items()
    }


async def _readiness(view: View, scope: Scope) -> Mapping[str, Any]:
    """What the API says, with what an operator is asked before it is enforced."""
    found: dict[str, Any] = await view.api.get(f"{_API}/readiness", scope)
    rows = [row for row in (*found["instances"], *found["others"]) if row["breaks"] and "serviceId" in row]
    counted = Counter(f"{row.get('service', '')} {row.get('version', '')}".strip() for row in rows)
    named = ", ".join(f"{name} ({number})" for name, number in counted.most_common(_MOST_NAMED))
    more = len(counted) - _MOST_NAMED
    runtimes = {row["login"]["runtime"]: row["login"] for row in rows if row.get("login")}
    return {**found, "named": f"{named}, … (+{more})" if more > 0 else named, "logins": list(runtimes.values())}


def _scope_of(pairs: Sequence[tuple[str, str]]) -> Scope:
    """The scope that a form says: names of applications and environments with commas between."""
    found: dict[str, list[str]] = {"resource": [], "application": [], "environment": []}
    for name, text in pairs:
        if name in found:
            found[name] += [part.strip() for part in text.split(",") if part.strip()]
    return found


def _named(scope: Mapping[str, Sequence[str]]) -> Scope:
    """The API's scope by the names of the form's fields."""
    return {name: scope[f"{name}s"] for name in ("resource", "application", "environment")}


def _asked(form: Mapping[str, str], mode: str, scope: Scope) -> Mapping[str, object]:
    asked: dict[str, object] = {"mode": mode}
    if mode == Mode.ENFORCE.value:
        asked["scope"] = {f"{name}s": list(items) for name, items in scope.items()}
        asked["confirm"] = bool(form.get("confirm"))
    if form.get("password"):
        asked["password"] = form["password"]
    return asked


def _of_password(error: ApiError) -> ApiError:
    """A wrong password, as what is wrong with its field."""
    if error.status in (401, 403, 429):
        return ApiError(error.status, {**error.document, "detail": f"password: {error.text}"})
    return error


async def _session(view: View, password: str) -> Mapping[str, str]:
    """Who has shown root's password is root from here on: nobody could go on with the page else."""
    return await session_of(view, ROOT, password) if password else {}


def _said(view: View, mode: str) -> str:
    return {
        Mode.OFF.value: view.say("Access control is off."),
        Mode.OBSERVE.value: view.say("Access is observed: nobody is refused."),
        Mode.ENFORCE.value: view.say("Access control is enforced."),
    }[mode]


def _undo(before: Mapping[str, Any], mode: str) -> Mapping[str, object] | None:
    """The way back; to and from off it takes root's password or an end of all tokens, which is no undo."""
    if Mode.OFF.value in (before["mode"], mode) or before["mode"] == mode == Mode.OBSERVE.value:
        return None
    scope = {name: ",".join(items) for name, items in _named(before["scope"]).items()}
    return {"path": f"{HERE}/switch", "values": {"mode": before["mode"], "confirm": "1", **scope}}


PAGES = (
    Page("GET", HERE, index),
    Page("GET", f"{HERE}/readiness", ready),
    Page("POST", f"{HERE}/switch", change),
    Page("POST", f"{HERE}/keys", rotate),
)

"""Gray releases: a new version gets a share of the requests, or those with certain headers, before it gets all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from governance.rules.fields import Field, fields_of_record
from governance.rules.objects.gray import GrayRelease
from registry.api.call import Reply
from registry.console.asking import ApiError
from registry.console.handling import Page
from registry.console.pages.governance.registered import Registered, registered
from registry.console.pages.governance.replies import changed
from registry.console.view import View
from registry.console.widgets import Said, widgets_of

_ROOT = "/waggle/v1/gray-releases"
_ONE = f"{_ROOT}/one"
_NAMES = ("service", "app", "environment")
BOUNDS = ("maxErrorRate", "maxLatency", "latency", "minCalls")
"""The fields by which a release is judged."""
STEPS = (0, 1, 5, 20, 50, 100)
"""The shares that one click leads to, as `waggle release gray --steps` has them in its example."""


async def index(view: View) -> Reply:
    """Every gray release, with what each version gets now."""
    found = await view.api.get(_ROOT)
    told = await _measured(view)
    rows = [_shown(one, told) for one in found["objects"]]
    facts: dict[str, Any] = {"rows": rows, "steps": STEPS}
    if view.is_part:
        return view.part("governance/release_list.html", **facts)
    return view.page("governance/releases.html", title=view.say("Gray releases"), **facts)


async def one(view: View) -> Reply:
    """One gray release, with its history; a new one where there is none of these names."""
    names = {name: view.query.get(name, "") for name in _NAMES}
    there = await _there(view, names)
    if view.is_part:
        return view.part("governance/release_now.html", **await _now(view, names, there))
    facts = await _now(view, names, there)
    title = view.say("Gray release of {service}", service=names["service"]) if there else view.say("New gray release")
    return view.page("governance/release.html", title=title, **facts, **_form(view, there, await registered(view)))


async def put(view: View) -> Reply:
    """POST: begin a gray release, or change it, as the form says."""
    form = view.form
    names = {name: form.get(name, "").strip() for name in _NAMES}
    by_content = form.get("by") == "content"
    body: dict[str, object] = {**names, "version": form.get("version", "").strip() or None}
    body["baseline"] = [word for word in form.get("baseline", "").replace(",", " ").split() if word] or None
    body |= {"headers": _headers(form)} if by_content else {"share": _number(form.get("share", "0"))}
    body |= {name: _number(form.get(f"f.{name}", "")) for name in BOUNDS}
    before = await _there(view, names)
    try:
        after = await view.api.send("PUT", _ONE, body)
    except ApiError as error:
        refused = {**_form(view, before, await registered(view)), "problem": error.text, "given": form}
        return view.part("governance/release_form.html", status=error.status, names=names, **refused)
    path = "/console/governance/release" if before is None else ""
    done = _done(view, view.say("The release of {service} is saved.", service=names["service"]), before, after)
    return changed(view, done, to=path, query=names)


async def share(view: View) -> Reply:
    """POST: lead another share of the requests to the new version."""
    wanted = _number(view.form.get("step") or view.form.get("share", ""))
    return await _put(
        view, {"share": wanted}, view.say("{share} % of the requests go to the new version.", share=wanted)
    )


async def promote(view: View) -> Reply:
    """POST: all requests go to the new version from now on."""
    return await _put(view, {"state": "promoted"}, view.say("The new version gets all requests."))


async def roll_back(view: View) -> Reply:
    """POST: all requests go back to the baseline."""
    body = {"state": "rolled-back", "reason": view.form.get("reason", "") or None}
    return await _put(view, body, view.say("The baseline gets all requests again."))


async def drain(view: View) -> Reply:
    """POST: take the instances out of service that get no requests any more."""
    found = await view.api.send("POST", f"{_ROOT}/drain", query=_named(view))
    return changed(view, view.say("{count} instances are out of service.", count=len(found["drained"])))


async def finish(view: View) -> Reply:
    """POST: the release is over, and its rule is deleted."""
    before, query = await _there(view, _named(view)), {**_named(view), "force": view.form.get("force", "")}
    await view.api.send("DELETE", _ONE, query=query)
    said = view.say("The release of {service} is finished.", service=_named(view)["service"])
    return changed(view, said, undo=_restore(_named(view), before), to="/console/governance/releases")


async def restore(view: View) -> Reply:
    """POST: let the release be as it was at a revision."""
    before, query = await _there(view, _named(view)), {**_named(view), "revision": view.form.get("revision", "")}
    after = await view.api.send("POST", f"{_ROOT}/rollback", query={**query, "force": view.form.get("force", "")})
    said = view.say("The release is as it was at revision {revision}.", revision=query["revision"])
    return changed(view, _done(view, said, before, after))


# --- what pages show


async def _there(view: View, names: Mapping[str, str]) -> Mapping[str, Any] | None:
    if not (names["service"] and names["app"]):
        return None
    try:
        found: Mapping[str, Any] = await view.api.get(_ONE, names)
    except ApiError as error:
        if error.status != 404:
            raise
        return None
    return found


async def _now(view: View, names: Mapping[str, str], there: Mapping[str, Any] | None) -> dict[str, Any]:
    shown = _shown(there, await _measured(view)) if there is not None else None
    versions: Sequence[Mapping[str, Any]] = ()
    if names["service"]:
        try:
            versions = list(map(_version, (await view.api.get(f"{_ROOT}/history", names))["versions"]))
        except ApiError as error:
            if error.status != 404:
                raise
    return {"one": shown, "names": names, "versions": versions, "steps": STEPS}


_Told = Mapping[tuple[str, str, str, str], Mapping[str, Any]]


async def _measured(view: View) -> _Told:
    """What versions tell of themselves, by application, environment, service and version; nothing where that may not be seen."""
    try:
        found = await view.api.get("/waggle/v1/monitor/services")
    except ApiError:
        return {}
    return {
        (app["app"], app["environment"], service["service"], version["version"]): version
        for app in found["applications"]
        for service in app["services"]
        for version in service["versions"]
    }


def _shown(one: Mapping[str, Any], told: _Told) -> Mapping[str, Any]:
    """A release with the share that each version is to have, and what it has."""
    release = _whole(one["object"])
    place = (release["app"], release["environment"], release["service"])
    versions = [
        {**version, "measured": told.get((*place, version["version"])), "target": _target(one, version["version"])}
        for version in one["versions"]
    ]
    calls = sum(version.get("calls", 0) for version in versions)
    rate = sum((version["measured"] or {}).get("rate", 0) for version in versions)
    for version in versions:
        version["gets"] = _part(version, calls, rate)
    going = [version["version"] for version in versions if version["up"]]
    return {**one, "object": release, "versions": versions, "up": going, "hit": _hit(release, versions)}


def _whole(release: Mapping[str, Any]) -> Mapping[str, Any]:
    """A release with all members; those that it leaves out are none."""
    return {"headers": {}, "maxErrorRate": None, "maxLatency": None, **release}


def _version(one: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**one, "object": _whole(one["object"]) if one["object"] else None}


def _target(one: Mapping[str, Any], version: str) -> float:
    """The percentage of the requests that no header decides: the last of the rules is for those."""
    outcome = one["outcome"][-1]["to"] if one["outcome"] else ()
    share: float = sum(part["share"] / max(1, len(part["versions"])) for part in outcome if version in part["versions"])
    return share


def _part(version: Mapping[str, Any], calls: int, rate: float) -> float | None:
    """The percentage of the calls that a version gets, as their callers tell; else as the versions tell themselves."""
    got, of = (version.get("calls", 0), calls) if calls else ((version["measured"] or {}).get("rate", 0), rate)
    return round(100 * float(got) / of, 1) if of else None


def _hit(release: Mapping[str, Any], versions: Sequence[Mapping[str, Any]]) -> Mapping[str, int]:
    """How many instances there are at each side."""
    new = sum(one["up"] for one in versions if one["role"] == "gray")
    return {"gray": new, "baseline": sum(one["up"] for one in versions if one["role"] == "baseline")}


def _form(view: View, there: Mapping[str, Any] | None, known: Registered) -> dict[str, Any]:
    bounds: Sequence[Field] = [one for one in fields_of_record(GrayRelease) if one.name in BOUNDS]
    release = _whole(there["object"] if there is not None else {})
    tree = {name: str(release[name]) for name in BOUNDS if release.get(name) is not None}
    headers = [
        {"name": name, "operator": operator, "value": value}
        for name, asked in release["headers"].items()
        for operator, value in asked.items()
    ]
    said = Said(view.say, ())
    return {
        "there": there,
        "release": release,
        "bounds": widgets_of(bounds, tree, said),
        "conditions": [*headers, {"name": "", "operator": "exact", "value": ""}],
        "known": known,
        "problem": "",
        "given": {},
    }


# --- changes


def _named(view: View) -> dict[str, str]:
    return {name: view.form.get(name, "") for name in _NAMES}


async def _put(view: View, body: Mapping[str, object], said: str) -> Reply:
    names = _named(view)
    before = await _there(view, names)
    after = await view.api.send("PUT", _ONE, {**names, **body})
    return changed(view, _done(view, said, before, after))


def _done(
    view: View, said: str, before: Mapping[str, Any] | None, after: Mapping[str, Any]
) -> tuple[str, Mapping[str, object]]:
    release = after.get("object") or (before or {}).get("object") or {}
    names = {name: release.get(name, "") for name in _NAMES}
    warnings = " ".join(after.get("warnings") or ())
    return f"{said} {warnings}".strip(), _restore(names, before)


def _restore(names: Mapping[str, str], before: Mapping[str, Any] | None) -> Mapping[str, object]:
    """What takes a change back: the release as it was, or none where there was none."""
    if before is None or not before["revision"]:
        return {"path": "/console/governance/release/finish", "values": {**names, "force": "1"}}
    values = {**names, "revision": before["revision"], "force": "1"}
    return {"path": "/console/governance/release/restore", "values": values}


def _headers(form: Mapping[str, str]) -> Mapping[str, Mapping[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for place in range(20):
        name, value = form.get(f"h.{place}.name", "").strip(), form.get(f"h.{place}.value", "")
        if name:
            found.setdefault(name, {})[form.get(f"h.{place}.operator", "exact")] = value
    return found


def _number(text: str) -> object:
    """A number as JSON has it, the text itself where it is none, nothing where there is nothing."""
    bare = text.strip()
    if bare.isascii() and bare.isdigit() and len(bare) < 10:
        return int(bare)
    return bare or None


PAGES = (
    Page("GET", "/console/governance/releases", index),
    Page("GET", "/console/governance/release", one),
    Page("POST", "/console/governance/release", put),
    Page("POST", "/console/governance/release/share", share),
    Page("POST", "/console/governance/release/promote", promote),
    Page("POST", "/console/governance/release/roll-back", roll_back),
    Page("POST", "/console/governance/release/drain", drain),
    Page("POST", "/console/governance/release/finish", finish),
    Page("POST", "/console/governance/release/restore", restore),
)

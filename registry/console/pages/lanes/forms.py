"""The forms of a group, of one of its lanes, and of the way into them. What is refused is said beside the field, and nothing is changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from governance.rules.objects.lane import BASE, CONTENT, SHARE
from registry.api.call import Reply
from registry.console.asking import ApiError
from registry.console.handling import Page
from registry.console.pages.governance.registered import registered
from registry.console.pages.governance.replies import changed
from registry.console.pages.lanes.asked import GROUP, HERE, ONE, Names, named, there
from registry.console.pages.lanes.changing import lanes_of, undo
from registry.console.view import View

CONDITIONS = ("exact", "prefix", "regex")
_MOST_RULES = 20
_EMPTY_ROWS = 2
_GROUP_FIELDS = ("name", "app", "environment", "gateway", "target", "header", "description", "reason")
_LANE_FIELDS = ("label", "components")
_Group = Mapping[str, Any] | None


async def ask_group(view: View) -> Reply:
    """The form of a group; of a new one where none is named."""
    group = await there(view, named(view.query))
    title = view.say("Change the group {name}", name=group["object"]["name"]) if group else view.say("New lane group")
    facts = {**await _group_facts(view, group), "given": group["object"] if group else {}}
    return view.page("lanes/edit.html", title=title, form="lanes/group", **facts)


async def put_group(view: View) -> Reply:
    """POST: create or change a group as the form says. A new one has the baseline alone, and is off."""
    names, form = named(view.form), view.form
    group = await there(view, names) if form.get("revision") else None
    body: dict[str, object] = {name: form.get(name, "").strip() or None for name in _GROUP_FIELDS if name in form}
    if group is None:
        body["lanes"] = [{"name": BASE, "label": BASE, "components": _components(view)}]
    try:
        await _put(view, names, body)
    except ApiError as error:
        facts = {**await _group_facts(view, group), "given": form, **_refused(error, _GROUP_FIELDS)}
        return view.part("lanes/group_form.html", status=error.status, **facts)
    said = view.say("The group {name} is saved.", name=names["name"])
    return changed(view, said, undo=undo(names, group), to=GROUP, query=names)


async def ask_lane(view: View) -> Reply:
    """The form of a lane; of a new one where the query has no label."""
    group = await _group(view, named(view.query))
    label = view.query.get("label", "")
    lane = next((one for one in lanes_of(group) if one["label"] == label), None)
    title = view.say("Lane {label}", label=label) if lane else view.say("New gray lane")
    facts = await _lane_facts(view, group, lane or {})
    return view.page("lanes/edit.html", title=title, form="lanes/lane", **facts)


async def put_lane(view: View) -> Reply:
    """POST: add a lane, or let one be as the form says, with its components and rules."""
    names, form = named(view.form), view.form
    group = await _group(view, names)
    lane = _lane_said(view)
    try:
        await _put(view, names, {"lanes": _with(lanes_of(group), form.get("before", ""), lane)})
    except ApiError as error:
        facts = {**await _lane_facts(view, group, lane), "before": form.get("before", "")}
        status = error.status
        return view.part("lanes/lane_form.html", status=status, **facts | _refused(error, _LANE_FIELDS))
    said = view.say("Lane {label} is saved.", label=lane["label"])
    return changed(view, said, undo=undo(names, group), to=GROUP, query=names)


async def ask_way(view: View) -> Reply:
    """The form of the way into the lanes: by headers or by share."""
    group = await _group(view, named(view.query))
    weights: dict[str, object] = {lane["label"]: lane.get("weight", 0) for lane in lanes_of(group)}
    if not any(weights.values()):
        weights |= {BASE: 100}
    facts = _way_facts(group, group["object"]["routing"], weights)
    return view.page("lanes/edit.html", title=view.say("The way into the lanes"), form="lanes/way", **facts)


async def put_way(view: View) -> Reply:
    """POST: lead requests by headers or by share from now on."""
    names, form = named(view.form), view.form
    group = await _group(view, names)
    routing = SHARE if form.get("routing") == SHARE else CONTENT
    weights = {lane["label"]: _number(form.get(f"w.{lane['label']}", "")) for lane in lanes_of(group)}
    body: dict[str, object] = {"routing": routing}
    if routing == SHARE:
        body["lanes"] = [{**lane, "weight": weights[lane["label"]]} for lane in lanes_of(group)]
    try:
        await _put(view, names, body)
    except ApiError as error:
        facts = {**_way_facts(group, routing, weights), **_refused(error, ())}
        return view.part("lanes/way_form.html", status=error.status, **facts)
    return changed(view, view.say("The way into the lanes is saved."), undo=undo(names, group), to=GROUP, query=names)


async def _put(view: View, names: Names, body: Mapping[str, object]) -> None:
    """Write what a form says over what was there when it was opened. Raises `ApiError`."""
    query = {"expected": view.form.get("revision") or "0", "force": view.form.get("force", "")}
    await view.api.send("PUT", ONE, {**body, **names}, query)


async def _group(view: View, names: Names) -> Mapping[str, Any]:
    """The group. Raises `ApiError` with 404 where there is none."""
    found: Mapping[str, Any] = await view.api.get(ONE, names)
    return found


async def _group_facts(view: View, group: _Group) -> dict[str, Any]:
    known = await registered(view)
    return {"group": group, "known": known, "problem": "", "wrong": "", "forced": False}


async def _lane_facts(view: View, group: Mapping[str, Any], lane: Mapping[str, Any]) -> dict[str, Any]:
    rules = [*lane.get("rules", ()), *[{"header": "", "condition": "exact", "value": ""}] * _EMPTY_ROWS]
    return {
        "group": group,
        "lane": {"name": "", "label": "", "match": "any", **lane},
        "before": lane.get("label", ""),
        "rules": rules[:_MOST_RULES],
        "conditions": CONDITIONS,
        "offered": _offered(group, lane, await _services_of(view, group)),
        "problem": "",
        "wrong": "",
        "forced": False,
    }


def _way_facts(group: Mapping[str, Any], routing: str, weights: Mapping[str, object]) -> dict[str, Any]:
    return {
        "group": group,
        "routing": routing,
        "lanes_shown": lanes_of(group),
        "weights": weights,
        "problem": "",
        "forced": False,
    }


async def _services_of(view: View, group: Mapping[str, Any]) -> Sequence[str]:
    app, environment = group["object"]["app"], group["object"]["environment"]
    services = (await registered(view)).services
    return [
        one["serviceName"]
        for one in services
        if (one["appId"], one.get("environment") or "") == (app, environment)
        and one["serviceName"] != group["object"]["gateway"]
    ]


def _offered(
    group: Mapping[str, Any], lane: Mapping[str, Any], services: Sequence[str]
) -> Sequence[Mapping[str, object]]:
    """The components that a lane has or may get: each is in one lane alone."""
    chosen = list(lane.get("components", ()))
    taken = {name for one in lanes_of(group) if one["label"] != lane.get("label") for name in one.get("components", ())}
    running = [one["component"] for one in group["strays"]]
    names = [*chosen, *sorted({*running, *services} - taken - set(chosen))]
    return [{"name": name, "chosen": name in chosen} for name in names]


def _lane_said(view: View) -> dict[str, Any]:
    """The lane as the form has it. The baseline has no rules."""
    form = view.form
    label = form.get("label", "").strip()
    lane: dict[str, Any] = {"label": label, "name": form.get("lane-name", "").strip() or label}
    lane["components"] = _components(view)
    if form.get("weight", "").isdigit():
        lane["weight"] = int(form["weight"][:9])
    rules = [
        {"header": header.lower(), "condition": form.get(f"r.{at}.condition", "exact"), "value": value}
        for at in range(_MOST_RULES)
        for header, value in [(form.get(f"r.{at}.header", "").strip(), form.get(f"r.{at}.value", ""))]
        if header or value
    ]
    return lane | ({"match": form.get("match", "any"), "rules": rules} if label != BASE else {})


def _components(view: View) -> Sequence[str]:
    """The components that are chosen in the form, and those that are written there."""
    written = [word for name, value in view.fields if name == "others" for word in value.replace(",", " ").split()]
    return list(dict.fromkeys([*(value for name, value in view.fields if name == "components"), *written]))


def _with(lanes: Sequence[Mapping[str, Any]], label: str, lane: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The lanes with one that takes the place of that with a label, or is new."""
    if not label:
        return [*lanes, lane]
    return [lane if one["label"] == label else one for one in lanes]


def _refused(error: ApiError, fields: Sequence[str]) -> dict[str, Any]:
    """What a form says of a refusal: beside the field that it begins with. Raises it where it is about who asks."""
    if error.status in (401, 403):
        raise error
    beginning = error.text.replace(":", " ").split()[:3]
    wrong = next((word for word in beginning if word in fields), "")
    return {"problem": error.text, "wrong": wrong, "forced": error.code in ("409002", "409004")}


def _number(text: str) -> object:
    bare = text.strip() or "0"
    return int(bare) if bare.isascii() and bare.isdigit() and len(bare) < 10 else bare


PAGES = (
    Page("GET", f"{HERE}/edit", ask_group, needs=("config", "update")),
    Page("POST", f"{HERE}/edit", put_group),
    Page("GET", f"{HERE}/lane", ask_lane, needs=("config", "update")),
    Page("POST", f"{HERE}/lane", put_lane),
    Page("GET", f"{HERE}/way", ask_way, needs=("config", "update")),
    Page("POST", f"{HERE}/way", put_way),
)

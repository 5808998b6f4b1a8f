"""Alarm rules: as a list to switch on and off, and each as a form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from registry.alarms.measures import GRAINS, MEASURES, PARTS, REPORTED, Scope
from registry.alarms.rules import ANY, FIELDS, SEVERITIES
from registry.api.call import Reply
from registry.console.asking import ApiError
from registry.console.handling import Page, onwards
from registry.console.pages.alarms.board import CHANGED
from registry.console.view import View
from registry.console.wrong import form_again, form_wrong

HERE = "/console/alarms/rules"
_API = "/waggle/v1/alarms/rules"
_NUMBERS = ("raise", "clear", "for", "clearFor", "minRate")
_ON = "1"
Rule = Mapping[str, Any]


async def index(view: View) -> Reply:
    """The rules that count, the built-in ones among them."""
    q = view.query.get("q", "").strip()
    found = [one for one in await _all(view) if q.lower() in f"{one['name']} {one['metric']} {one['note']}".lower()]
    facts: dict[str, Any] = {"rows": view.cut(found), "q": q, "units": _units(), "reported": REPORTED}
    if view.is_part:
        return view.part("alarms/rule_list.html", **facts)
    return view.page("alarms/rules.html", title=view.say("Alarm rules"), **facts)


async def one(view: View) -> Reply:
    """A rule as a form, with its versions; an empty form where none is named."""
    name = view.query.get("name", "")
    rule = await _of(view, name) if name else None
    if name and rule is None:
        raise ApiError(404, {"errorCode": "404001", "detail": view.say("There is no rule {name}.", name=name)})
    metric = view.query.get("metric", "")
    given = _given(rule) if rule else {"metric": metric if metric in MEASURES else "p99", "enabled": _ON}
    versions = await _versions(view, name) if rule and rule["revision"] else []
    facts: dict[str, Any] = {"new": rule is None, "rule": rule, "versions": versions, "wrong": {}}
    return view.page(
        "alarms/rule.html", title=name or view.say("New alarm rule"), given=given, **facts, **_choices(given)
    )


async def fields(view: View) -> Reply:
    """POST: the form for another metric."""
    given = _filled(view)
    return view.part("alarms/rule_form.html", given=given, wrong={}, new=bool(given.get("new")), **_choices(given))


async def save(view: View) -> Reply:
    """POST: let a rule be as the form says."""
    given = _filled(view)
    facts: dict[str, Any] = {"given": given, "new": bool(given.get("new")), **_choices(given)}
    name = given.get("name", "").strip()
    wrong = {field: view.say("A number is expected.") for field in _NUMBERS if _number(given.get(field, "")) is None}
    before = await _of(view, name)
    if given.get("new") and before is not None:
        wrong["name"] = view.say("There is one of this name.")
    if wrong:
        return form_wrong(view, "alarms/rule_form.html", wrong, **facts)
    try:
        await view.api.send("PUT", _API, _document(given))
    except ApiError as error:
        return form_again(view, "alarms/rule_form.html", error, FIELDS, **facts)
    said = view.say("The rule {name} was saved.", name=name)
    return onwards(view, HERE, view.done(said, undo=_undo(name, before), **CHANGED))


async def switch(view: View) -> Reply:
    """POST: switch a rule on or off."""
    name, on = view.form.get("name", ""), view.form.get("enabled") == _ON
    before = await _of(view, name)
    await view.api.send("PUT", _API, {"name": name, "enabled": on})
    said = view.say("{name} is on.", name=name) if on else view.say("{name} is off.", name=name)
    return Reply(204, headers=view.done(said, undo=_undo(name, before), **CHANGED))


async def delete(view: View) -> Reply:
    """POST: the end of what somebody wrote; a built-in rule is as it was."""
    name = view.form.get("name", "")
    before = await _of(view, name)
    await view.api.send("DELETE", _API, query={"name": name})
    built_in = before is not None and before["builtIn"]
    said = (
        view.say("{name} is as it is built in.", name=name) if built_in else view.say("{name} was deleted.", name=name)
    )
    return onwards(view, HERE, view.done(said, undo=_undo(name, before), **CHANGED))


async def restore(view: View) -> Reply:
    """POST: let a rule be as it was at a revision."""
    name, revision = view.form.get("name", ""), view.form.get("revision", "")
    before = await _of(view, name)
    await view.api.send("POST", f"{_API}/rollback", query={"name": name, "revision": revision})
    said = view.say("{name} is as it was at revision {revision}.", name=name, revision=revision)
    return onwards(view, HERE, view.done(said, undo=_undo(name, before), **CHANGED))


async def _all(view: View) -> list[Rule]:
    found: list[Rule] = (await view.api.get(_API))["rules"]
    return found


async def _of(view: View, name: str) -> Rule | None:
    return next((one for one in await _all(view) if one["name"] == name), None)


async def _versions(view: View, name: str) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = (await view.api.get(f"{_API}/history", {"name": name}))["versions"]
    return found[:20]


def _given(rule: Rule) -> Mapping[str, str]:
    """A rule as a form has it."""
    shown = {name: f"{rule[name]:.12g}" for name in _NUMBERS}
    texts = {name: str(rule[name]) for name in ("name", "metric", "severity", "condition", "per", "note", *PARTS)}
    return {**texts, **shown, "enabled": _ON if rule["enabled"] else ""}


def _filled(view: View) -> Mapping[str, str]:
    """What was sent of the form; what was not is empty."""
    return {
        **dict.fromkeys(("name", "metric", "severity", "condition", "per", "note", *PARTS, *_NUMBERS), ""),
        **view.form,
    }


def _document(given: Mapping[str, str]) -> dict[str, object]:
    """What the API is given of a form. What the metric does not have is not said."""
    scope = MEASURES[given["metric"]].scope if given.get("metric") in MEASURES else Scope.ENGINE
    texts = ("metric", "severity", "condition", "note", *(("per",) if GRAINS[scope] else ()))
    document: dict[str, object] = {name: given.get(name, "").strip() for name in texts}
    document |= {part: given.get(part, "").strip() or ANY for part in PARTS}
    numbers = {name: _number(given.get(name, "")) for name in _NUMBERS}
    numbers["clear"] = numbers["raise"] if not given.get("clear", "").strip() else numbers["clear"]
    return {"name": given.get("name", "").strip(), **document, **numbers, "enabled": given.get("enabled") == _ON}


def _number(text: str) -> float | None:
    """A number of a form, 0 where nothing is said; none for what is no number."""
    try:
        return float(text.strip() or 0)
    except ValueError:
        return None


def _choices(given: Mapping[str, str]) -> Mapping[str, Any]:
    """What can be chosen for a metric."""
    measure = MEASURES.get(given.get("metric", ""), MEASURES[REPORTED])
    grains = GRAINS[measure.scope]
    return {
        "metrics": tuple(MEASURES),
        "measure": measure,
        "grains": grains,
        "parts": [part for part in PARTS if grains and (part in grains or part in ("environment", "app"))],
        "severities": SEVERITIES,
        "reported": REPORTED,
        "of_calls": measure.scope is Scope.CALLS,
    }


def _units() -> Mapping[str, str]:
    return {name: measure.unit for name, measure in MEASURES.items()}


def _undo(name: str, before: Rule | None) -> Mapping[str, object]:
    if before is not None and before["revision"]:
        return {"path": f"{HERE}/restore", "values": {"name": name, "revision": before["revision"]}}
    return {"path": f"{HERE}/delete", "values": {"name": name}}


PAGES = (
    Page("GET", HERE, index),
    Page("GET", f"{HERE}/one", one),
    Page("POST", f"{HERE}/fields", fields),
    Page("POST", HERE, save),
    Page("POST", f"{HERE}/switch", switch),
    Page("POST", f"{HERE}/delete", delete),
    Page("POST", f"{HERE}/restore", restore),
)

"""Roles: what they allow, as a form with a row for each permission."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from registry.access import Mode
from registry.access.permissions import ANY, VERBS
from registry.access.records import ADMIN, ALWAYS, DEVELOPER, GRADUAL
from registry.api.call import Reply
from registry.console.asking import ApiError
from registry.console.handling import Page, onwards, to
from registry.console.pages.access.switch import HERE as ACCESS
from registry.console.view import View
from registry.console.wrong import form_again, form_wrong

HERE = f"{ACCESS}/roles"
_API = "/v4/roles"
LABELS = ("environment", "appId", "serviceName")
RESOURCES = (*GRADUAL, *sorted(ALWAYS - {"self"}))
_BUILT_IN = (ADMIN, DEVELOPER)
_MOST_ROWS = 100
Permission = Mapping[str, Any]
Row = Mapping[str, Any]


async def index(view: View) -> Reply:
    """Every role, and what it allows."""
    if view.mode is Mode.OFF:
        return to(ACCESS)
    found = (await view.api.get(_API))["data"]
    holders = await _holders(view)
    rows = [
        {"name": one["name"], "rows": rows_of(one.get("perms") or []), "holders": holders.get(one["name"], [])}
        for one in sorted(found, key=lambda one: str(one["name"]))
    ]
    facts: dict[str, Any] = {"rows": view.cut(rows), "admin": ADMIN}
    if view.is_part:
        return view.part("access/role_list.html", **facts)
    return view.page("access/roles.html", title=view.say("Roles"), **facts)


async def one(view: View) -> Reply:
    """One role as a form; an empty one where none is named."""
    name = view.query.get("name", "")
    found = await view.api.get(f"{_API}/:roleName", roleName=name) if name else {}
    rows = rows_of(found.get("perms") or []) or [_empty()]
    holders = (await _holders(view)).get(name, [])
    facts: dict[str, Any] = {
        "name": name,
        "new": not name,
        "rows": rows,
        "holders": holders,
        "fixed": name in _BUILT_IN,
    }
    title = name or view.say("New role")
    return view.page("access/role.html", title=title, wrong={}, admin=ADMIN, **_choices(), **facts)


async def more(view: View) -> Reply:
    """POST: the form with one permission more, or without one."""
    form, rows = view.form, list(_rows(view))
    if form.get("drop", "").isdigit():
        rows = [row for number, row in enumerate(rows) if number != int(form["drop"])]
    elif len(rows) < _MOST_ROWS:
        rows.append(_empty())
    return view.part("access/role_form.html", wrong={}, **_choices(), **_form_facts(view, rows))


async def save(view: View) -> Reply:
    """POST: let a role be as the form says."""
    form, rows = view.form, _rows(view)
    name, new = form.get("name", "").strip(), bool(form.get("new"))
    facts: dict[str, Any] = {**_choices(), **_form_facts(view, rows)}
    wrong = _missing(view, rows)
    if wrong:
        return form_wrong(view, "access/role_form.html", wrong, **facts)
    try:
        before = None if new else await view.api.get(f"{_API}/:roleName", roleName=name)
        await _put(view, name, perms_of(rows), new=new)
    except ApiError as error:
        return form_again(view, "access/role_form.html", error, ("name", "perms"), **facts)
    return onwards(view, HERE, view.done(view.say("The role {name} was saved.", name=name), undo=_undo(name, before)))


async def restore(view: View) -> Reply:
    """POST: let a role be as it was, which `perms` says as JSON."""
    name, new = view.form.get("name", ""), bool(view.form.get("new"))
    await _put(view, name, json.loads(view.form.get("perms", "[]")), new=new)
    return Reply(204, headers=view.done(view.say("The role {name} is as it was.", name=name)))


async def delete(view: View) -> Reply:
    """POST: the end of a role that no account has."""
    name = view.form.get("name", "")
    before = await view.api.get(f"{_API}/:roleName", roleName=name)
    await view.api.send("DELETE", f"{_API}/:roleName", roleName=name)
    values = {"name": name, "new": "1", "perms": json.dumps(before.get("perms") or [])}
    undo = {"path": f"{HERE}/restore", "values": values}
    return onwards(view, HERE, view.done(view.say("The role {name} was deleted.", name=name), undo=undo))


def rows_of(perms: Sequence[Permission]) -> Sequence[Row]:
    """Permissions as the form has them: resources that are restricted alike are one row."""
    found: list[Row] = []
    for permission in perms:
        alike: dict[str, list[str]] = {}
        for resource in permission.get("resources") or []:
            labels = json.dumps(resource.get("labels") or {}, sort_keys=True)
            alike.setdefault(labels, []).append(str(resource.get("type", "")))
        for labels, types in alike.items():
            found.append({"resources": types, "verbs": permission.get("verbs") or [], "labels": json.loads(labels)})
    return found


def perms_of(rows: Sequence[Row]) -> Sequence[Permission]:
    """What the API is given of the form's rows."""
    return [
        {
            "resources": [
                {"type": name, **({"labels": row["labels"]} if row["labels"] else {})} for name in row["resources"]
            ],
            "verbs": row["verbs"],
        }
        for row in rows
    ]


def _rows(view: View) -> Sequence[Row]:
    """The rows as they were filled in; of a row, `p3.verbs` is one verb, `p3.label.appId` a label."""
    found: dict[int, dict[str, Any]] = {}
    for name, text in view.fields:
        place, _, part = name.partition(".")
        if not (place[:1] == "p" and place[1:].isdigit() and len(place) < 5 and text.strip()):
            continue
        row = found.setdefault(int(place[1:]), {"resources": [], "verbs": [], "labels": {}})
        if part in ("resources", "verbs"):
            row[part].append(text)
        elif part.startswith("label."):
            row["labels"][part.removeprefix("label.")] = text.strip()
    return [found[place] for place in sorted(found)]


def _missing(view: View, rows: Sequence[Row]) -> Mapping[str, str]:
    """What a row lacks without which it would allow nothing."""
    needed = view.say("At least one is needed.")
    return {
        f"p{place}.{part}": needed for place, row in enumerate(rows) for part in ("resources", "verbs") if not row[part]
    }


def _empty() -> Row:
    return {"resources": [], "verbs": [], "labels": {}}


def _choices() -> Mapping[str, Any]:
    return {"resources": RESOURCES, "verbs": (*sorted(set(VERBS.values())), ANY), "labels": LABELS}


def _form_facts(view: View, rows: Sequence[Row]) -> Mapping[str, Any]:
    form = view.form
    return {"name": form.get("name", ""), "new": bool(form.get("new")), "rows": rows, "fixed": False}


def _undo(name: str, before: Mapping[str, Any] | None) -> Mapping[str, object]:
    if before is None:
        return {"path": f"{HERE}/delete", "values": {"name": name}}
    return {"path": f"{HERE}/restore", "values": {"name": name, "perms": json.dumps(before.get("perms") or [])}}


async def _put(view: View, name: str, perms: Sequence[Permission], *, new: bool) -> None:
    if new:
        await view.api.send("POST", _API, {"name": name, "perms": perms})
    else:
        await view.api.send("PUT", f"{_API}/:roleName", {"perms": perms}, roleName=name)


async def _holders(view: View) -> Mapping[str, list[str]]:
    """The accounts of each role, where they may be seen."""
    found: dict[str, list[str]] = {}
    if view.may("account"):
        for account in (await view.api.get("/v4/accounts"))["data"]:
            for role in account["roles"]:
                found.setdefault(role, []).append(account["name"])
    return found


PAGES = (
    Page("GET", HERE, index),
    Page("GET", f"{HERE}/one", one),
    Page("POST", f"{HERE}/more", more),
    Page("POST", HERE, save),
    Page("POST", f"{HERE}/restore", restore),
    Page("POST", f"{HERE}/delete", delete),
)

"""Accounts: who there is, with which roles; new passwords; and which names are locked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from registry.access import Mode
from registry.access.records import ROOT
from registry.api.call import Reply
from registry.console.asking import ApiError
from registry.console.handling import Page, onwards, to
from registry.console.pages.access.switch import HERE as ACCESS
from registry.console.view import View
from registry.console.wrong import form_again, form_wrong

HERE = f"{ACCESS}/accounts"
_API = "/v4/accounts"
_FIELDS = ("name", "password", "roles", "status")
_BANNED = "banned"


async def index(view: View) -> Reply:
    """Every account, and the names that are locked."""
    if view.mode is Mode.OFF:
        return to(ACCESS)
    q = view.query.get("q", "").strip()
    found = (await view.api.get(_API))["data"]
    fits = [one for one in found if q.lower() in " ".join((one["name"], *one["roles"])).lower()]
    rows = view.cut(sorted(fits, key=lambda one: str(one["name"])))
    facts: dict[str, Any] = {"rows": rows, "q": q, "locks": await _locks(view), "wrong": {}, "given": {}, "chosen": ()}
    if view.is_part:
        return view.part("access/account_list.html", **facts)
    return view.page("access/accounts.html", title=view.say("Accounts"), roles=await _roles(view), **facts)


async def one(view: View) -> Reply:
    """One account: its roles, its password, its end."""
    name = view.query.get("name", "")
    account = await view.api.get(f"{_API}/:name", name=name)
    facts: dict[str, Any] = {"account": account, "roles": await _roles(view), "root": name == ROOT, "wrong": {}}
    used = await _used_by(view, name)
    return view.page("access/account.html", title=name, used=used, chosen=account["roles"], **facts)


async def create(view: View) -> Reply:
    """POST: a new account."""
    form, roles = view.form, _chosen(view)
    name = form.get("name", "").strip()
    facts: dict[str, Any] = {"roles": await _roles(view), "given": form, "chosen": roles}
    if not roles:
        return form_wrong(view, "access/new_account.html", {"roles": view.say("At least one is needed.")}, **facts)
    try:
        await view.api.send("POST", _API, {"name": name, "password": form.get("password", ""), "roles": roles})
    except ApiError as error:
        return form_again(view, "access/new_account.html", _of_field(error), _FIELDS, **facts)
    undo = {"path": f"{HERE}/delete", "values": {"name": name}}
    facts |= {"given": {}, "chosen": (), "wrong": {}}
    headers = view.done(view.say("The account {name} was created.", name=name), undo=undo)
    return view.part("access/new_account.html", headers=headers, **facts)


async def change(view: View) -> Reply:
    """POST: other roles, from its next token on."""
    name, roles = view.form.get("name", ""), _chosen(view)
    before = await view.api.get(f"{_API}/:name", name=name)
    facts: dict[str, Any] = {"account": before, "roles": await _roles(view), "chosen": roles, "root": False}
    if not roles:
        return form_wrong(view, "access/account_roles.html", {"roles": view.say("At least one is needed.")}, **facts)
    try:
        await view.api.send("PUT", f"{_API}/:name", {"roles": roles}, name=name)
    except ApiError as error:
        return form_again(view, "access/account_roles.html", error, _FIELDS, **facts)
    undo = {"path": f"{HERE}/roles", "values": {"name": name, "roles": before["roles"]}}
    said = view.say("{name} has the roles {roles} from its next token on.", name=name, roles=", ".join(roles))
    return view.part("access/account_roles.html", headers=view.done(said, undo=undo), wrong={}, **facts)


async def reset(view: View) -> Reply:
    """POST: another password for somebody else's account."""
    name, password = view.form.get("name", ""), view.form.get("password", "")
    facts: dict[str, Any] = {"account": {"name": name}}
    try:
        await view.api.send("POST", f"{_API}/:name/password", {"password": password}, name=name)
    except ApiError as error:
        return form_again(view, "access/reset.html", _of_field(error), _FIELDS, **facts)
    said = view.say("The password of {name} was replaced. Tokens that it has stay good until they end.", name=name)
    return view.part("access/reset.html", headers=view.done(said), wrong={}, **facts)


async def delete(view: View) -> Reply:
    """POST: the end of an account and of its tokens."""
    name = view.form.get("name", "")
    await view.api.send("DELETE", f"{_API}/:name", name=name)
    return onwards(view, HERE, view.done(view.say("The account {name} was deleted.", name=name)))


def _of_field(error: ApiError) -> ApiError:
    """What the API says of a password without naming it, as what is wrong with the field."""
    if error.text.startswith("a password"):
        return ApiError(error.status, {**error.document, "detail": f"password: {error.text}"})
    return error


def _chosen(view: View) -> Sequence[str]:
    return [text for name, text in view.fields if name == "roles"]


async def _roles(view: View) -> Sequence[str]:
    """The names of roles, where they may be seen."""
    if not view.may("role"):
        return ()
    return sorted(str(one["name"]) for one in (await view.api.get("/v4/roles"))["data"])


async def _locks(view: View) -> Sequence[Mapping[str, Any]]:
    """Names and addresses that must wait, the longest first."""
    found = (await view.api.get("/v4/account-locks"))["data"]
    banned = [one for one in found if one["status"] == _BANNED]
    ordered = sorted(banned, key=lambda one: -int(one["releaseAt"]))
    return [
        {
            "name": one["key"].partition("::")[0],
            "address": one["key"].partition("::")[2],
            "until": one["releaseAt"] * 1000,
        }
        for one in ordered[:100]
    ]


async def _used_by(view: View, name: str) -> Sequence[str]:
    """The registered instances that were seen with tokens of an account, by service."""
    if not view.may("access"):
        return ()
    found = await view.api.get("/waggle/v1/access/readiness")
    return sorted(str(row.get("service", "")) for row in found["instances"] if row.get("account") == name)


PAGES = (
    Page("GET", HERE, index),
    Page("GET", f"{HERE}/one", one),
    Page("POST", HERE, create),
    Page("POST", f"{HERE}/roles", change),
    Page("POST", f"{HERE}/password", reset),
    Page("POST", f"{HERE}/delete", delete),
)

"""One's own account: what it may, and another password."""

from __future__ import annotations

from typing import Any

from registry.access import Mode
from registry.access.records import ADMIN, ROOT
from registry.api.call import Reply
from registry.console.asking import ApiError
from registry.console.handling import Page, to, to_sign_in
from registry.console.pages.access.roles import rows_of
from registry.console.pages.access.switch import HERE as ACCESS
from registry.console.view import View
from registry.console.wrong import form_again, form_wrong

HERE = f"{ACCESS}/own"
_FIELDS = ("password", "currentPassword")


async def index(view: View) -> Reply:
    """Who one is."""
    if view.mode is Mode.OFF:
        return to(ACCESS)
    if view.identity is None:
        return to_sign_in(view)
    found = await view.api.get("/v4/self-perms")
    facts: dict[str, Any] = {
        "rows": rows_of(found.get("perms") or []),
        "all": ADMIN in view.identity.roles,
        "wrong": {},
    }
    return view.page("access/own.html", title=view.say("Your account"), root=view.identity.account == ROOT, **facts)


async def change(view: View) -> Reply:
    """POST: another password, proven by the one that it was."""
    if view.identity is None:
        return to_sign_in(view)
    form, name = view.form, view.identity.account
    new, current = form.get("password", ""), form.get("currentPassword", "")
    if new != form.get("again", ""):
        return form_wrong(view, "access/own_password.html", {"again": view.say("The two are not the same.")})
    try:
        body = {"password": new, "currentPassword": current}
        await view.api.send("POST", "/v4/accounts/:name/password", body, name=name)
    except ApiError as error:
        field = "currentPassword" if error.status in (401, 403, 429) or "current" in error.text else "password"
        told = ApiError(error.status, {**error.document, "detail": f"{field}: {error.text}"})
        return form_again(view, "access/own_password.html", told, _FIELDS)
    return view.part("access/own_password.html", headers=view.done(view.say("Your password was changed.")), wrong={})


PAGES = (Page("GET", HERE, index), Page("POST", HERE, change))

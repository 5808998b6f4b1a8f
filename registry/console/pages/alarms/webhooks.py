"""Webhooks: whom alarms are told to, whether that arrives, and a test of it. Secrets and paths of addresses are never shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from registry.alarms.rules import SEVERITIES
from registry.api.call import Reply
from registry.console.asking import ApiError
from registry.console.handling import Page
from registry.console.pages.alarms.board import CHANGED
from registry.console.view import View
from registry.console.wrong import form_again

HERE = "/console/alarms/webhooks"
_API = "/waggle/v1/alarms/webhooks"
_FIELDS = ("name", "url", "secret", "severity")


async def index(view: View) -> Reply:
    """Every webhook, and what became of what was sent."""
    facts: dict[str, Any] = {"rows": (await view.api.get(_API))["webhooks"], "severities": SEVERITIES}
    if view.is_part:
        return view.part("alarms/webhook_list.html", **facts)
    return view.page("alarms/webhooks.html", title=view.say("Webhooks"), wrong={}, given={}, **facts)


async def put(view: View) -> Reply:
    """POST: a new webhook, or another address, secret or severity of one."""
    form = view.form
    body = {name: text for name in _FIELDS if (text := form.get(name, "").strip())}
    try:
        await view.api.send("PUT", _API, body)
    except ApiError as error:
        return form_again(view, "alarms/webhook_form.html", error, _FIELDS, given=form, severities=SEVERITIES)
    said = view.done(view.say("The webhook {name} was saved. Test it.", name=body["name"]), **CHANGED)
    return view.part("alarms/webhook_form.html", headers=said, wrong={}, given={}, severities=SEVERITIES)


async def switch(view: View) -> Reply:
    """POST: switch a webhook on or off."""
    name, on = view.form.get("name", ""), view.form.get("enabled") == "1"
    await view.api.send("PUT", _API, {"name": name, "enabled": on})
    said = view.say("{name} is on.", name=name) if on else view.say("{name} is off.", name=name)
    undo = {"path": f"{HERE}/switch", "values": {"name": name, "enabled": "" if on else "1"}}
    return Reply(204, headers=view.done(said, undo=undo, **CHANGED))


async def test(view: View) -> Reply:
    """POST: send a test message, and say what became of it."""
    name = view.form.get("name", "")
    found: Mapping[str, Any] = await view.api.send("POST", f"{_API}/test", query={"name": name})
    if found["delivered"]:
        return Reply(204, headers=view.done(view.say("{name} took the test message.", name=name), **CHANGED))
    why = found["error"] or view.say("it answered {status}", status=found["status"])
    text = view.say("{name} did not take the test message: {why}", name=name, why=why)
    return Reply(204, headers=view.trouble(text, **CHANGED))


async def delete(view: View) -> Reply:
    """POST: the end of a webhook."""
    name = view.form.get("name", "")
    await view.api.send("DELETE", _API, query={"name": name})
    return Reply(204, headers=view.done(view.say("The webhook {name} was deleted.", name=name), **CHANGED))


PAGES = (
    Page("GET", HERE, index),
    Page("POST", HERE, put),
    Page("POST", f"{HERE}/switch", switch),
    Page("POST", f"{HERE}/test", test),
    Page("POST", f"{HERE}/delete", delete),
)

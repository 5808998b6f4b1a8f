"""The alarms that are raised, those that are over, and what is told to nobody for a while."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from registry.alarms.measures import MEASURES
from registry.alarms.rules import SEVERITIES
from registry.api.call import Reply
from registry.console.asking import ApiError
from registry.console.handling import Page
from registry.console.view import View
from registry.console.wrong import form_again

HERE = "/console/alarms"
_API = "/waggle/v1/alarms"
CHANGED: Mapping[str, Any] = {"waggle:alarms": True}
"""What a page that changed something sets off."""
_FILTERS = ("severity", "rule", "service")
_HOURS = ("1", "4", "24", "72", "168", "720")
_HOUR = 3600


async def index(view: View) -> Reply:
    """What is wrong now, and what was."""
    asked = {name: view.query.get(name, "").strip() for name in _FILTERS}
    found = await view.api.get(_API, {**asked, "state": "all", "limit": 1000})
    silences = (await view.api.get(f"{_API}/silences"))["silences"]
    facts: dict[str, Any] = {
        "raised": found["alarms"],
        "over": view.cut(found["over"], 50),
        "counts": found["counts"],
        "silences": [one for one in silences if not one["acknowledged"]],
        "known": {one["alarm"]: one for one in silences if one["acknowledged"]},
        "units": {name: measure.unit for name, measure in MEASURES.items()},
        "asked": asked,
    }
    if view.is_part:
        return view.part("alarms/board.html", **facts)
    more: dict[str, Any] = {
        "severities": SEVERITIES,
        "wrong": {},
        "given": {"alarm": view.query.get("silence", "")},
        "hours": _HOURS,
    }
    return view.page("alarms/index.html", title=view.say("Alarms"), **facts, **more)


async def acknowledge(view: View) -> Reply:
    """POST: somebody knows of an alarm."""
    alarm = view.form.get("id", "")
    body = {"seconds": _seconds(view.form, "24"), "note": view.form.get("note", "").strip()}
    await view.api.send("PUT", f"{_API}/acknowledgement", body, {"id": alarm})
    undo = {"path": f"{HERE}/unacknowledge", "values": {"id": alarm}}
    return _done(view, view.say("You know of {alarm}: it is told to nobody.", alarm=alarm), undo)


async def take_back(view: View) -> Reply:
    """POST: nobody knows of it after all."""
    alarm = view.form.get("id", "")
    await view.api.send("DELETE", f"{_API}/acknowledgement", query={"id": alarm})
    undo = {"path": f"{HERE}/acknowledge", "values": {"id": alarm}}
    return _done(view, view.say("{alarm} is told again.", alarm=alarm), undo)


async def dismiss(view: View) -> Reply:
    """POST: an alarm is over; what is still wrong raises it again."""
    alarm = view.form.get("id", "")
    await view.api.send("DELETE", _API, query={"id": alarm})
    return _done(view, view.say("{alarm} was dismissed.", alarm=alarm))


async def silence(view: View) -> Reply:
    """POST: alarms that are like a pattern are told to nobody for some hours."""
    form = view.form
    pattern, seconds = form.get("alarm", "").strip(), _seconds(form, "4")
    facts: dict[str, Any] = {"hours": _HOURS}
    body = {"alarm": pattern, "seconds": seconds, "note": form.get("note", "").strip()}
    try:
        kept = await view.api.send("PUT", f"{_API}/silences", body)
    except ApiError as error:
        return form_again(view, "alarms/silence.html", error, ("alarm", "note"), given=form, **facts)
    said = view.say("{alarm} is silenced for {hours} h.", alarm=pattern, hours=seconds // _HOUR)
    undo = {"path": f"{HERE}/unsilence", "values": {"id": kept["id"], "alarm": pattern}}
    return view.part("alarms/silence.html", headers=view.done(said, undo=undo, **CHANGED), wrong={}, given={}, **facts)


async def unsilence(view: View) -> Reply:
    """POST: the end of a silence."""
    form = view.form
    await view.api.send("DELETE", f"{_API}/silences", query={"id": form.get("id", "")})
    return _done(view, view.say("The silence of {alarm} is over.", alarm=form.get("alarm", "")))


def _seconds(form: Mapping[str, str], default: str) -> int:
    hours = form.get("hours") or default
    return int(hours) * _HOUR if hours in _HOURS else 0


def _done(view: View, said: str, undo: Mapping[str, object] | None = None) -> Reply:
    return Reply(204, headers=view.done(said, undo=undo, **CHANGED))


PAGES = (
    Page("GET", HERE, index),
    Page("POST", f"{HERE}/acknowledge", acknowledge),
    Page("POST", f"{HERE}/unacknowledge", take_back),
    Page("POST", f"{HERE}/dismiss", dismiss),
    Page("POST", f"{HERE}/silence", silence),
    Page("POST", f"{HERE}/unsilence", unsilence),
)

"""What happened and who did it, in all parts of the engine: searched, followed, and each with what changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from registry.api.call import Reply
from registry.console.asking import ApiError
from registry.console.handling import Page
from registry.console.view import View
from registry.engine.happenings import KINDS

HERE = "/console/events"
_API = "/waggle/v1/audit"
_LIMIT = 100
_FILTERS = ("q", "kind", "author", "service")
_OWN = frozenset(("id", "revision", "at", "author", "kind", "action", "record", "tenant"))
"""Members of every event; the others say what it is about."""
_NOTICED = frozenset(("alarm", "gray", "protection"))
"""Kinds of which there is no record that could have been another before."""
_LOOK_BACK = 20
Event = Mapping[str, Any]


async def index(view: View) -> Reply:
    """The stream, the newest first."""
    asked = {name: view.query.get(name, "").strip() for name in (*_FILTERS, "since", "until", "before")}
    wrong = {
        name: view.say("A date and a time are expected.") for name in ("since", "until") if _moment(asked[name]) is None
    }
    found: Mapping[str, Any] = {"changes": [], "before": 0} if wrong else await view.api.get(_API, _query(asked))
    facts: dict[str, Any] = {
        "rows": [_shown(one) for one in found["changes"]],
        "older": _older(asked, found),
        "asked": asked,
        "follow": not asked["before"] and not view.query.get("still"),
        "wrong": wrong,
    }
    if view.is_part:
        return view.part("events/rows.html", **facts)
    return view.page("events/index.html", title=view.say("Events"), kinds=KINDS, **facts)


async def change(view: View) -> Reply:
    """What a change made different: the record as it was before, and as it was then."""
    kind, record = view.query.get("kind", ""), view.query.get("record", "")
    revision = view.query.get("id", "")
    if kind == "config":
        return view.part("events/change.html", lines=await _difference(view, revision), rows=())
    query = {
        "kind": kind,
        "contains": record,
        "before": int(revision) + 1 if revision.isdigit() else "",
        "limit": _LOOK_BACK,
    }
    found = (await view.api.get(_API, query))["changes"]
    own = [one for one in found if one["record"] == record]
    then = own[0] if own else {}
    before = own[1] if len(own) > 1 else {}
    deleted = then.get("action") == "DELETE"
    return view.part("events/change.html", lines=(), rows=compared(before, {} if deleted else then))


def compared(before: Event, after: Event) -> Sequence[tuple[str, str, str]]:
    """The facts of two versions of a record that differ: name, before, after."""
    names = [name for name in dict.fromkeys((*before, *after)) if name not in _OWN]
    pairs = [(name, text_of(before.get(name, "")), text_of(after.get(name, ""))) for name in names]
    return [pair for pair in pairs if pair[1] != pair[2]]


def text_of(value: object) -> str:
    """A fact as people read it."""
    if isinstance(value, Mapping):
        return " ".join(f"{name}={text_of(one)}" for name, one in value.items())
    if isinstance(value, list):
        return ", ".join(map(text_of, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _query(asked: Mapping[str, str]) -> Mapping[str, object]:
    times = {name: _moment(asked[name]) or "" for name in ("since", "until")}
    same = {name: asked[name] for name in ("kind", "author", "service", "before")}
    return {"contains": asked["q"], **same, **times, "limit": _LIMIT}


def _moment(text: str) -> int | None:
    """Milliseconds since 1970 of what a field for a time says, 0 for none; none for what is no time."""
    if not text:
        return 0
    try:
        return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)
    except ValueError:
        return None


def _older(asked: Mapping[str, str], found: Mapping[str, Any]) -> str:
    """The address of what happened before; empty where that is all."""
    number, before = len(found["changes"]), str(found["before"])
    if before in ("0", "1", asked["before"]) or 0 < number < _LIMIT:
        return ""
    return f"{HERE}?" + urlencode({**{name: text for name, text in asked.items() if text}, "before": before})


def _shown(event: Event) -> Mapping[str, Any]:
    """An event as the list has it: in one line, with the way to what it is about."""
    facts = {name: text_of(value) for name, value in event.items() if name not in _OWN}
    return {
        **{name: event.get(name, "") for name in ("id", "at", "author", "kind", "action", "record")},
        "title": _title(event),
        "link": _link(event),
        "facts": facts,
        "changed": event["kind"] not in _NOTICED and str(event["id"]).isdigit(),
        "query": _asks(event),
    }


def _title(event: Event) -> str:
    """What an event is about, by its name."""
    service = event.get("service")
    if event.get("labels"):
        name = ""
    elif isinstance(service, Mapping):
        name = " ".join(str(service.get(part, "")) for part in ("appId", "serviceName", "version"))
    else:
        name = " ".join(str(event[part]) for part in ("appId", "serviceName", "version") if event.get(part))
    alarm = event.get("alarm")
    if isinstance(alarm, Mapping):
        return str(alarm.get("message") or alarm.get("id", ""))
    parts = (
        str(event.get("key") or event.get("name") or event.get("mode") or ""),
        name,
        str(alarm or ""),
        text_of(event.get("endpoints") or event.get("labels") or event.get("reason") or ""),
    )
    return " ".join(part for part in parts if part) or str(event.get("record", ""))


def _named(event: Event) -> str:
    """An item's key and labels as addresses have them."""
    labels: Mapping[str, str] = event.get("labels") or {}
    return urlencode([("key", event.get("key", "")), *(("label", f"{name}:{text}") for name, text in labels.items())])


def _link(event: Event) -> str:
    """The page of what an event is about; empty where that is gone."""
    kind, gone = event["kind"], event["action"] == "DELETE"
    name = urlencode({"name": event.get("name", "")})
    first = str(event.get("record", "")).partition("/")[0]
    pages = {
        "config": f"/console/configuration/{'history' if gone else 'item'}?{_named(event)}",
        "release": f"/console/configuration/release?{_named(event)}",
        "gray": "/console/governance/releases",
        "access": "/console/access",
        "alarm": "/console/alarms",
        "alarm-silence": "/console/alarms",
        "alarm-webhook": "/console/alarms/webhooks",
    }
    there = {
        "service": f"/console/services/{first}",
        "instance": f"/console/services/{first}",
        "schema": f"/console/services/{first}",
        "account": f"/console/access/accounts/one?{name}",
        "role": f"/console/access/roles/one?{name}",
        "alarm-rule": f"/console/alarms/rules/one?{name}",
    }
    return pages.get(kind, "") or ("" if gone else there.get(kind, ""))


def _asks(event: Event) -> str:
    """The query by which the page of a change is asked for."""
    own = urlencode({name: event.get(name, "") for name in ("id", "kind", "record")})
    return f"{own}&{_named(event)}" if event["kind"] == "config" else own


async def _difference(view: View, revision: str) -> Sequence[str]:
    """The lines of what a change of an item made different."""
    query: dict[str, object] = {"key": view.query.get("key", "")}
    query["label"] = [text for name, text in view.call.pairs if name == "label"]
    versions = (await view.api.get("/waggle/v1/config/history", query))["versions"]
    numbers = sorted((int(one["revision"]) for one in versions), reverse=True)
    before = next((one for one in numbers if one < int(revision)), None) if revision.isdigit() else None
    if before is None:
        return ()
    try:
        found = await view.api.get("/waggle/v1/config/diff", {**query, "from": before, "to": revision})
    except ApiError as error:
        if error.status == 404:
            return ()
        raise
    lines: Sequence[str] = found["diff"]
    return lines


PAGES = (Page("GET", HERE, index), Page("GET", f"{HERE}/change", change))

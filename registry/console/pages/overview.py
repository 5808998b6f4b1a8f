"""What there is, and what goes on, at a glance."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from registry.api.call import Reply
from registry.console import measures, sparks
from registry.console.asking import ApiError
from registry.console.handling import Page
from registry.console.view import View

Row: TypeAlias = Mapping[str, Any]
_SHOWN_APPS = 12
_CURVES_OF = 1000
"""Most instances of an application whose curve is drawn here: a longer one takes the engine too long to sum for a glance."""
_MINUTE = 12
"""Steps of event counts in a minute."""
_EVENTS = 8
_ALARMS = 5


async def index(view: View) -> Reply:
    """The first page; a part of it is all that changes by itself."""
    sums = (await view.api.get("/waggle/v1/services", {"limit": 0}))["sums"]
    apps = await _applications(view)
    facts: dict[str, Any] = {
        "sums": sums,
        "calls": measures.together(apps),
        "apps": apps[:_SHOWN_APPS],
        "more_apps": len(apps) - _SHOWN_APPS,
        "curves": _added(apps),
        "events": await _event_rate(view),
        "alarms": await _alarms(view),
        "newest": await _newest(view),
        "measures": measures,
        "sparks": sparks,
        "mode": view.mode.value,
    }
    if view.is_part:
        return view.part("overview/now.html", **facts)
    return view.page("overview/index.html", title=view.say("Overview"), **facts)


async def _applications(view: View) -> Sequence[Row]:
    """The applications with their sums and curves, the busiest first."""
    found = (await view.api.get("/waggle/v1/monitor/services"))["applications"]
    rows = sorted(found, key=lambda one: (-one["rate"], one["app"], one["environment"]))
    curved = [{**one, "points": await _points(view, one)} for one in rows[:_SHOWN_APPS]]
    return [*curved, *({**one, "points": []} for one in rows[_SHOWN_APPS:])]


async def _points(view: View, app: Row) -> Sequence[Row]:
    if not app["reporting"] or app["registered"] > _CURVES_OF:
        return []
    query = {"app": app["app"], "environment": [app["environment"]]}
    found: Sequence[Row] = (await view.api.get("/waggle/v1/monitor/series", query))["points"]
    return found


def _added(apps: Sequence[Row]) -> Mapping[str, Sequence[float]]:
    """The curves of all applications together: calls, and failures as shares of them."""
    calls: dict[int, float] = defaultdict(float)
    failing: dict[int, float] = defaultdict(float)
    for app in apps:
        for point in app["points"]:
            calls[point["at"]] += point["rate"]
            failing[point["at"]] += point["rate"] * point["failureRate"]
    moments = sorted(calls)
    shares = [failing[at] / calls[at] if calls[at] else 0.0 for at in moments]
    return {"calls": [calls[at] for at in moments], "failures": shares}


async def _event_rate(view: View) -> Row | None:
    """Changes a second in the last minute, and their curve; none for whoever sees only some services."""
    try:
        found = await view.api.get("/waggle/v1/events/rate")
    except ApiError:
        return None
    seconds = _MINUTE * found["step"] / 1000
    return {"rate": sum(found["counts"][-_MINUTE:]) / seconds, "counts": found["counts"]}


async def _alarms(view: View) -> Row | None:
    if not view.may("ops"):
        return None
    found: Row = await view.api.get("/waggle/v1/alarms", {"limit": _ALARMS})
    return found


async def _newest(view: View) -> Sequence[Row] | None:
    if not view.may("ops"):
        return None
    kinds = "service,instance,config,rule,release,gray,account,role,access,protection,alarm"
    found = (await view.api.get("/waggle/v1/audit", {"limit": _EVENTS, "kind": kinds}))["changes"]
    return [{**one, "name": _name_of(one), "host": one.get("hostName", "")} for one in found]


def _name_of(change: Row) -> str:
    """What a change or a notice is about, as far as it says."""
    item, service = change.get("item") or {}, change.get("service") or {}
    candidates = (change.get("serviceName"), service.get("serviceName"), change.get("key"), item.get("key"))
    return str(next(filter(None, candidates), None) or change.get("reason") or change.get("record", ""))


PAGES = (Page("GET", "/console", index),)

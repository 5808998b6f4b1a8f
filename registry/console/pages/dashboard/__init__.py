"""The last five minutes of an application, service, version, instance or interface, as charts and lists that renew themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from registry.api.call import Reply
from registry.console import measures
from registry.console.handling import Page
from registry.console.measures import Row
from registry.console.pages.dashboard import lists
from registry.console.pages.dashboard.lists import Order
from registry.console.pages.dashboard.scope import PATH, Scope, address
from registry.console.view import View

_SERIES = "/waggle/v1/monitor/series"
_MINUTES = 5
_CHARTS: Mapping[str, tuple[str, Sequence[str]]] = {
    "rate": ("Calls a second", ("rate",)),
    "latency": ("Latency in ms", ("latency", "p99")),
    "failures": ("Failures in percent", ("failureRate",)),
    "breakers": ("Breakers open", ("breakersOpen",)),
    "threads": ("Threads", ("threads",)),
    "cpu": ("CPU in percent", ("cpu",)),
    "memory": ("Memory in MiB", ("memory",)),
}
_OF_AN_INTERFACE = {
    **{name: _CHARTS[name] for name in ("rate", "failures", "breakers")},
    "percentiles": ("Latency in ms", ("latency", "p50", "p90", "p99")),
}
_SERIES_TITLES = {
    "rate": "Calls a second",
    "latency": "Mean latency, ms",
    "p50": "p50, ms",
    "p90": "p90, ms",
    "p99": "p99, ms",
    "failureRate": "Failures, %",
    "breakersOpen": "Breakers open",
    "threads": "Threads",
    "cpu": "CPU, %",
    "memory": "Memory, MiB",
}
_SCALES = {"failureRate": 100.0, "memory": 1 / 2**20}


async def index(view: View) -> Reply:
    """The page. Where there is only one application, it begins with that."""
    found = await view.api.get("/waggle/v1/monitor/services")
    apps: Sequence[Row] = found["applications"]
    scope = Scope.of(view.query)
    if not scope.chosen and len(apps) == 1 and "list" not in view.query:
        scope = Scope({"app": apps[0]["app"], "environment": apps[0]["environment"]})
    order = Order.of(scope, view.query)
    facts = {**await _now(view, scope), **await _listed(view, scope, order), **await _points(view, scope)}
    return view.page("dashboard/index.html", title=view.say("Dashboard"), apps=apps, charts=_charts(scope), **facts)


async def now(view: View) -> Reply:
    """The sums as they are now."""
    return view.part("dashboard/now.html", **await _now(view, Scope.of(view.query)))


async def rows(view: View) -> Reply:
    """A list of what is in it."""
    scope = Scope.of(view.query)
    return view.part("dashboard/rows.html", **await _listed(view, scope, Order.of(scope, view.query)))


async def points(view: View) -> Reply:
    """The last five minutes as a table, which the charts are drawn from."""
    return view.part("dashboard/points.html", **await _points(view, Scope.of(view.query)))


async def _now(view: View, scope: Scope) -> dict[str, Any]:
    if scope.interface:
        told = (await view.api.get("/waggle/v1/monitor/interfaces", scope.query))["interfaces"]
    elif scope.instance:
        told = (await view.api.get("/waggle/v1/monitor/instances", {**scope.query, "stale": True}))["instances"]
    else:
        told = (await view.api.get("/waggle/v1/monitor/services", scope.query))["applications"]
    one = told[0] if scope.instance and not scope.interface and told else None
    return {
        "scope": scope,
        "sums": measures.together(told),
        "one": one,
        "found": bool(told),
        "measures": measures,
        "address": address,
    }


async def _listed(view: View, scope: Scope, order: Order) -> dict[str, Any]:
    columns = {
        member: title
        for member, title in lists.COLUMNS[order.kind].items()
        if not scope.chosen.get("instance" if member == "instanceId" else member)
    }
    shown = await lists.rows_of(view, scope, order)
    return {"scope": scope, "order": order, "columns": columns, "rows": shown, "lists": lists, "address": address}


async def _points(view: View, scope: Scope) -> dict[str, Any]:
    if not scope.has_series:
        return {"scope": scope, "members": {}, "points": [], "until": 0, "since": 0}
    found = await view.api.get(_SERIES, scope.query)
    members = dict.fromkeys(member for _, names in _charts(scope).values() for member in names)
    told = [
        {"at": point["at"], **{name: point[name] * _SCALES.get(name, 1.0) for name in members}}
        for point in found["points"]
    ]
    titles = {member: _SERIES_TITLES[member] for member in members}
    until = found["at"]
    return {"scope": scope, "members": titles, "points": told, "until": until, "since": until - _MINUTES * 60_000}


def _charts(scope: Scope) -> Mapping[str, tuple[str, Sequence[str]]]:
    return _OF_AN_INTERFACE if scope.interface else _CHARTS


PAGES = (
    Page("GET", PATH, index),
    Page("GET", f"{PATH}/now", now),
    Page("GET", f"{PATH}/rows", rows),
    Page("GET", f"{PATH}/points", points),
)

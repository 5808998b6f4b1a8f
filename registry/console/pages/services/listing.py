"""The list of services: searched and filtered by the engine, live."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from registry.api.call import Reply
from registry.console import measures
from registry.console.handling import Page
from registry.console.pages.services.reading import ROOT, STATUSES, WITHOUT_ENVIRONMENT, part_of, path_of
from registry.console.view import View

_FILTERS = ("app", "environment", "version", "lane", "framework", "status")


async def index(view: View) -> Reply:
    """The list of services."""
    wanted = {name: view.query.get(name, "") for name in ("q", *_FILTERS)}
    answer, rows = await part_of(view, "/waggle/v1/services", "services", _query(wanted))
    facts: dict[str, Any] = {
        "rows": rows,
        "sums": answer["sums"],
        "wanted": wanted,
        "base": f"{ROOT}?{urlencode({name: value for name, value in wanted.items() if value})}",
        "measures": measures,
        "path_of": path_of,
    }
    if view.is_part:
        return view.part("services/rows.html", **facts)
    filters = _choices(view, answer["choices"])
    return view.page("services/index.html", title=view.say("Services"), filters=filters, **facts)


def _query(wanted: Mapping[str, str]) -> Mapping[str, object]:
    query: dict[str, object] = {name: wanted[name] for name in _FILTERS}
    if wanted["environment"] == WITHOUT_ENVIRONMENT:
        query["environment"] = [""]
    return {**query, "contains": wanted["q"]}


def _choices(view: View, choices: Mapping[str, Any]) -> list[tuple[str, str, list[tuple[str, str]]]]:
    """The filters: name, label, and what there is to choose, as it is sent and as it is shown. One without a choice is left out."""
    labels = {
        "app": view.say("Application"),
        "environment": view.say("Environment"),
        "version": view.say("Version"),
        "lane": view.say("Lane"),
        "framework": view.say("Framework"),
    }
    found = [
        (name, label, [_choice(view, name, value) for value in choices[name]])
        for name, label in labels.items()
        if choices[name] not in ([], [""])
    ]
    special = [("PROTECTED", view.say("kept although silent")), ("NONE", view.say("without instances"))]
    return [*found, ("status", view.say("Status"), [*((one, one) for one in STATUSES), *special])]


def _choice(view: View, name: str, value: str) -> tuple[str, str]:
    if name == "environment" and not value:
        return WITHOUT_ENVIRONMENT, view.say("without a name")
    return value, value


PAGES = (Page("GET", ROOT, index),)

"""The services of a tenant: searched, filtered, and each with its instances."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from registry.api.call import Reply
from registry.console.handling import Page
from registry.console.view import View


async def index(view: View) -> Reply:
    """The list of services."""
    wanted = view.query.get("q", "").lower()
    found: Mapping[str, Any] = await view.api.get("/v4/:project/registry/microservices")
    services: Sequence[Mapping[str, Any]] = found.get("services") or []
    rows = [one for one in services if wanted in f"{one['appId']} {one['serviceName']} {one['version']}".lower()]
    rows.sort(key=lambda one: (one["appId"], one["serviceName"], one["version"]))
    facts: dict[str, Any] = {"rows": view.cut(rows), "q": view.query.get("q", "")}
    if view.is_part:
        return view.part("services/rows.html", **facts)
    return view.page("services/index.html", title=view.say("Services"), **facts)


PAGES = (Page("GET", "/console/services", index),)

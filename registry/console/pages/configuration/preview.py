"""What a client would see: the configuration of a service as the kind of client that it is, with where each key is from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from registry.api.call import Reply
from registry.console.asking import ApiError
from registry.console.handling import Page
from registry.console.pages.configuration.naming import ROOT, name_of
from registry.console.view import View

_KINDS = ("java", "java-2.7", "go", "go-2.7", "config-center", "python")
_ASKED = ("app", "service", "version", "environment", "client", "instance")


async def show(view: View) -> Reply:
    """The form, and what the client that it names would have."""
    asked = {name: view.query.get(name, "").strip() for name in _ASKED}
    facts: dict[str, Any] = {"asked": asked, "found": None, "problem": "", "rows": None, "q": view.query.get("q", "")}
    if asked["app"] and asked["service"]:
        try:
            facts |= _shown(view, await view.api.get("/waggle/v1/config/preview", asked))
        except ApiError as error:
            if error.status not in (400, 404):
                raise
            facts["problem"] = error.text
    if view.is_part:
        return view.part("configuration/seen.html", **facts)
    services = await _services(view)
    return view.page(
        "configuration/preview.html", title=view.say("What a client sees"), services=services, kinds=_KINDS, **facts
    )


def _shown(view: View, found: Mapping[str, Any]) -> dict[str, object]:
    wanted = view.query.get("q", "").strip().lower()
    rows = [
        {**one, "path": _path(one["source"]), "shadows": [{**it, "path": _path(it)} for it in one["shadows"]]}
        for one in found["properties"]
        if wanted in one["key"].lower() or wanted in one["value"].lower()
    ]
    return {"found": found, "rows": view.cut(rows)}


def _path(source: Mapping[str, Any]) -> str:
    return name_of(source).path()


async def _services(view: View) -> Sequence[Mapping[str, Any]]:
    found = await view.api.get("/v4/:project/registry/microservices")
    services: Sequence[Mapping[str, Any]] = found.get("services") or []
    return sorted(services, key=lambda one: (one["appId"], one["serviceName"], one["version"]))[:1000]


PAGES = (Page("GET", f"{ROOT}/preview", show),)

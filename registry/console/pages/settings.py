"""Settings: how a person likes the pages, which domain and project they are about, and how the engine runs."""

from __future__ import annotations

from typing import Any

from registry.api.call import Reply
from registry.console import measures
from registry.console.handling import Page
from registry.console.view import View

_DAY = 86_400_000
_SOON = 14


async def index(view: View) -> Reply:
    """The page; what is of the engine is for whoever may `ops`."""
    about = await view.api.get("/waggle/v1/engine") if view.may("ops") else None
    wanted = view.query.get("q", "").lower()
    changed = view.query.get("changed") == "1"
    facts: dict[str, Any] = {
        "q": view.query.get("q", ""),
        "changed": changed,
        "measures": measures,
        "about": about,
        "rows": (),
    }
    if about is not None:
        facts["rows"] = [
            one
            for one in about["settings"]
            if wanted in f"{one['name']} {one['about']} {one['written']}".lower()
            and not (changed and one["source"] == "default")
        ]
        facts["days"] = _days(about)
    if view.is_part:
        return view.part("settings/rows.html", **facts)
    tenants = sorted({"/".join(view.tenant), "default/default", *((about or {}).get("tenants") or ())})
    chosen = "/".join(view.tenant)
    return view.page(
        "settings/index.html", title=view.say("Settings"), tenants=tenants, chosen=chosen, soon=_SOON, **facts
    )


def _days(about: dict[str, Any]) -> int | None:
    """Whole days until the certificate ends; none where there is none."""
    tls = about["tls"]
    return int((tls["ends"] - about["at"]) // _DAY) if tls and tls["ends"] else None


PAGES = (Page("GET", "/console/settings", index),)

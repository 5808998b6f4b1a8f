"""One instance: where it is, how long it may be silent, what it tells, and what can be changed."""

from __future__ import annotations

from typing import Any

from registry.api.call import Reply
from registry.console import measures
from registry.console.handling import Page, to
from registry.console.pages.services.pairs import written
from registry.console.pages.services.reading import ROOT, STATUSES, look
from registry.console.view import View


async def show(view: View) -> Reply:
    """The page of an instance; a part of it is what changes by itself."""
    looked = await look(view)
    query = {"serviceId": view.params["serviceId"], "instance": view.params["instanceId"]}
    found = (await view.api.get("/waggle/v1/instances", query))["instances"]
    if not found and not view.is_part:
        return to(looked.path)
    one = found[0] if found else None
    facts: dict[str, Any] = {"looked": looked, "row": looked.row, "one": one, "measures": measures}
    if view.is_part:
        return view.part("services/instance_now.html", **facts)
    title = (one or {}).get("host") or view.params["instanceId"]
    properties = written((one or {}).get("properties") or {})
    return view.page("services/instance.html", title=title, statuses=STATUSES, properties=properties, **facts)


PAGES = (Page("GET", f"{ROOT}/:serviceId/instances/:instanceId", show),)

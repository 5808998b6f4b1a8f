"""What there is, and what goes on, at a glance."""

from __future__ import annotations

from registry.api.call import Reply
from registry.console.handling import Page
from registry.console.view import View


async def index(view: View) -> Reply:
    """The first page."""
    found = await view.api.get("/v4/:project/registry/microservices")
    return view.page("overview.html", title=view.say("Overview"), services=found.get("services") or [])


PAGES = (Page("GET", "/console", index),)

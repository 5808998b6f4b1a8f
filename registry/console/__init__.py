"""The console: pages for people, made on the server from what the API answers. docs/console.md."""

from __future__ import annotations

from collections.abc import Sequence

from registry.api.call import Route, Tenancy
from registry.console.asking import Answer, Table
from registry.console.assets import load
from registry.console.handling import Page
from registry.console.live import LivePages
from registry.console.pages import (
    access,
    alarms,
    configuration,
    dashboard,
    events,
    governance,
    lanes,
    overview,
    services,
    settings,
    signing_in,
    topology,
)
from registry.console.view import Entry, Shell

__all__ = ["LivePages", "console_routes"]

ENTRIES = (
    Entry("overview", "/console", "Overview", "o", "service"),
    Entry("services", "/console/services", "Services", "s", "service"),
    Entry("topology", "/console/topology", "Topology", "t", "service"),
    Entry("dashboard", "/console/dashboard", "Dashboard", "d", "service"),
    Entry("configuration", "/console/configuration", "Configuration", "c", "config"),
    Entry("governance", "/console/governance", "Governance", "r", "config"),
    Entry("lanes", "/console/lanes", "Lanes", "l", "config"),
    Entry("alarms", "/console/alarms", "Alarms", "m", "ops"),
    Entry("access", "/console/access", "Access", "a", "self"),
    Entry("events", "/console/events", "Events", "e", "ops"),
    Entry("settings", "/console/settings", "Settings", ",", "service"),
)
_PAGES: Sequence[Page] = (
    *overview.PAGES,
    *services.PAGES,
    *topology.PAGES,
    *dashboard.PAGES,
    *configuration.PAGES,
    *governance.PAGES,
    *lanes.PAGES,
    *settings.PAGES,
    *alarms.PAGES,
    *access.PAGES,
    *events.PAGES,
    *signing_in.PAGES,
)


def console_routes(routes: Sequence[Route], answer: Answer, live: LivePages) -> Sequence[Route]:
    """The table of routes. `routes` are those of the API, `answer` calls one of them as the gate does."""
    assets = load()
    shell = Shell(Table(routes, answer), assets, ENTRIES)
    pages = (*_PAGES, Page("GET", "/console/live", live.stream))
    files = Route("GET", "/console/static/:name", assets.get, "public", "A built file", Tenancy.QUERY)
    return (*(page.route(shell) for page in pages), files)

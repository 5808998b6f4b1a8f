"""Who calls whom, live: how often, how fast, and how much of it fails; services and calls in detail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from registry.api.call import Reply
from registry.console import measures
from registry.console.handling import Page
from registry.console.measures import Row
from registry.console.pages.topology.drawing import drawing, state_of
from registry.console.pages.topology.picture import Link, Name, Node, Picture, Wanted, picture
from registry.console.view import View

_PATH = "/console/topology"
_LONGEST_SEARCH = 128


@dataclass(frozen=True, slots=True)
class Chosen:
    """The service that is looked at, or the calls from it to another, with all that the picture has of them."""

    name: Name
    other: Name | None
    node: Node | None
    links: Sequence[Link]
    """Calls from it and to it, or those to the other one."""

    @property
    def callers(self) -> Sequence[Link]:
        """The calls to it."""
        return [link for link in self.links if link.callee == self.name]

    @property
    def callees(self) -> Sequence[Link]:
        """The calls from it."""
        return [link for link in self.links if link.caller == self.name]

    def is_box(self, name: Name) -> bool:
        """Whether a service is one of those that are looked at."""
        return name in (self.name, self.other)

    def is_curve(self, link: Link) -> bool:
        """Whether calls are among those that are looked at."""
        return link in self.links


async def index(view: View) -> Reply:
    """The graph, and the same as a table."""
    wanted = _wanted(view)
    applications: Sequence[Row] = (await view.api.get("/waggle/v1/monitor/services"))["applications"]
    calls = (await view.api.get("/waggle/v1/monitor/calls"))["calls"]
    relations = await view.api.get("/v4/:project/govern/relations")
    shown = picture(applications, calls, relations, wanted)
    facts: dict[str, Any] = {
        "wanted": wanted,
        "shown": shown,
        "drawn": drawing(shown),
        "chosen": _chosen(view, shown),
        "rows": view.cut(sorted(shown.links, key=lambda link: (-link.sums["rate"], link.caller, link.callee))),
        "address": _Addresses(view.query),
        "state_of": state_of,
        "measures": measures,
    }
    if view.is_part:
        return view.part("topology/picture.html", **facts)
    apps = [(app["app"], app["environment"]) for app in applications]
    return view.page("topology/index.html", title=view.say("Topology"), apps=apps, **facts)


def _wanted(view: View) -> Wanted:
    query = view.query
    app, has_environment, environment = query.get("of", "").partition("/")
    return Wanted(
        app, environment if has_environment else None, query.get("lane", ""), query.get("q", "")[:_LONGEST_SEARCH]
    )


def _chosen(view: View, shown: Picture) -> Chosen | None:
    name, other = Name.read(view.query.get("node", "")), Name.read(view.query.get("to", ""))
    if name is None:
        return None
    if other is not None:
        links = [link for link in shown.links if (link.caller, link.callee) == (name, other)]
    else:
        links = [link for link in shown.links if name in (link.caller, link.callee)]
    return Chosen(name, other, shown.nodes.get(name), links)


class _Addresses:
    """Where links of the page lead: to the same choice with something else looked at."""

    def __init__(self, query: Mapping[str, str]) -> None:
        self._kept = {name: query[name] for name in ("of", "lane", "q") if query.get(name)}

    def none(self) -> str:
        """Nothing is looked at."""
        return self._to()

    def node(self, name: Name) -> str:
        """A service."""
        return self._to(node=name.text)

    def link(self, link: Link) -> str:
        """Calls."""
        return self._to(node=link.caller.text, to=link.callee.text)

    def lane(self, lane: str) -> str:
        """Only one lane."""
        return self._to(lane=lane)

    @staticmethod
    def dashboard(name: Name, **more: str) -> str:
        """The charts of a service."""
        return f"/console/dashboard?{urlencode({**name._asdict(), **more})}"

    def _to(self, **more: Any) -> str:
        query = urlencode({**self._kept, **more})
        return f"{_PATH}?{query}" if query else _PATH


PAGES = (Page("GET", _PATH, index),)

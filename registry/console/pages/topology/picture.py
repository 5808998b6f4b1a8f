"""The graph of who calls whom, from what the API tells: its services, the calls between them, and what a person chose to see of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

from registry.console.measures import Row, together

MOST_DRAWN = 300
"""Services that are drawn at most; those with the most calls."""


class Name(NamedTuple):
    """A service, whatever its version."""

    app: str
    environment: str
    service: str

    @property
    def text(self) -> str:
        """As it is in an address."""
        return "/".join(quote(part, safe="") for part in self)

    @staticmethod
    def read(text: str) -> Name | None:
        """What an address names, if it is one."""
        parts = text.split("/")
        return Name(*map(unquote, parts)) if len(parts) == 3 else None

    @staticmethod
    def of(row: Row) -> Name:
        """The service of a row."""
        return Name(row["app"], row["environment"], row["service"])


@dataclass(slots=True)
class Node:
    """A service with its sums; `known` is whether it is registered or tells anything, `versions` are its rows."""

    name: Name
    sums: Row
    versions: Sequence[Row] = ()
    known: bool = True

    @property
    def lanes(self) -> Sequence[str]:
        """The lanes of its instances."""
        return sorted({lane for version in self.versions for lane in version["lanes"]})


@dataclass(slots=True)
class Link:
    """Calls of a service to another from the instances in one lane; `rows` are those between versions, none where it only looks for it."""

    caller: Name
    callee: Name
    lane: str
    rows: Sequence[Row] = ()
    sums: Row = field(default_factory=lambda: together(()))


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a person chose to see; empty is everything. An environment counts together with its application."""

    app: str = ""
    environment: str | None = None
    lane: str = ""
    q: str = ""

    def of_app(self, name: Name) -> bool:
        """Whether a service is of the application that is chosen."""
        if self.app and name.app != self.app:
            return False
        return self.environment is None or name.environment == self.environment

    def matches(self, node: Node) -> bool:
        """Whether a service itself is what is looked for."""
        in_lane = not self.lane or self.lane in node.lanes
        return in_lane and self.of_app(node.name) and self.q.lower() in node.name.service.lower()


@dataclass(frozen=True, slots=True)
class Picture:
    """What is drawn: services by name, and the calls between them; `found` is how many services there are, `lanes` all lanes."""

    nodes: Mapping[Name, Node]
    links: Sequence[Link]
    found: int
    lanes: Sequence[str]


def picture(applications: Sequence[Row], calls: Sequence[Row], relations: Mapping[str, Any], wanted: Wanted) -> Picture:
    """The graph. `relations` are who looks for whom, which is known before anybody calls."""
    nodes = {node.name: node for node in _nodes(applications)}
    links = [
        *_links(calls),
        *_quiet(applications, relations, {(Name.of(one["consumer"]), Name.of(one["provider"])) for one in calls}),
    ]
    for link in links:
        for name in (link.caller, link.callee):
            nodes.setdefault(name, Node(name, together(()), known=False))
    lanes = sorted({lane for node in nodes.values() for lane in node.lanes} | {one.lane for one in links if one.lane})
    shown, kept = _chosen(nodes, links, wanted)
    busiest = sorted(shown, key=lambda name: (-nodes[name].sums["rate"], name))[:MOST_DRAWN]
    drawn = {name: nodes[name] for name in sorted(busiest)}
    between = [link for link in kept if link.caller in drawn and link.callee in drawn]
    return Picture(drawn, between, len(shown), lanes)


def _nodes(applications: Sequence[Row]) -> Iterator[Node]:
    for app in applications:
        for service in app["services"]:
            yield Node(Name(app["app"], app["environment"], service["service"]), service, service["versions"])


def _links(calls: Iterable[Row]) -> Iterator[Link]:
    grouped: dict[tuple[Name, Name, str], list[Row]] = defaultdict(list)
    for one in calls:
        grouped[Name.of(one["consumer"]), Name.of(one["provider"]), one["lane"]].append(one)
    for (caller, callee, lane), rows in sorted(grouped.items()):
        yield Link(caller, callee, lane, rows, together(rows))


def _quiet(applications: Sequence[Row], relations: Mapping[str, Any], told: set[tuple[Name, Name]]) -> Iterator[Link]:
    """Who looks for whom without calling it now."""
    names = {version["serviceId"]: node.name for node in _nodes(applications) for version in node.versions}
    pairs = {(names.get(line["from"]["id"]), names.get(line["to"]["id"])) for line in relations.get("lines") or ()}
    for caller, callee in sorted((one, other) for one, other in pairs if one and other and one != other):
        if (caller, callee) not in told:
            yield Link(caller, callee, "")


def _chosen(nodes: Mapping[Name, Node], links: Sequence[Link], wanted: Wanted) -> tuple[set[Name], Sequence[Link]]:
    """The services that match with those that call them or are called by them, and the calls of these."""
    if wanted == Wanted():
        return set(nodes), links
    matching = {name for name, node in nodes.items() if wanted.matches(node)}
    kept = [
        link
        for link in links
        if (link.caller in matching or link.callee in matching) and wanted.lane in ("", link.lane)
    ]
    return matching | {name for link in kept for name in (link.caller, link.callee)}, kept

"""A group drawn as lanes: a row for each lane, a column for each service in the order of the calls."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

Calls = Iterable[tuple[str, str]]
"""Who calls whom, by the names of services."""


@dataclass(frozen=True, slots=True)
class Row:
    """A lane, and its components under each of the columns."""

    lane: Mapping[str, Any]
    cells: Sequence[Sequence[Mapping[str, Any]]]

    @property
    def instances(self) -> int:
        """How many instances are in it."""
        return sum(len(one["instances"]) for cell in self.cells for one in cell)


@dataclass(frozen=True, slots=True)
class Board:
    """The services from left to right, and the lanes from the baseline down."""

    services: Sequence[str]
    rows: Sequence[Row]

    @property
    def apart(self) -> Sequence[str]:
        """The services that run in several lanes: without the lanes, requests would go to all of them."""
        lanes = [
            {service for service, cell in zip(self.services, row.cells, strict=True) if any(_run(cell))}
            for row in self.rows
        ]
        return sorted(name for name in self.services if sum(name in running for running in lanes) > 1)


def drawn(group: Mapping[str, Any], calls: Calls) -> Board:
    """The board of a group as the API answers it."""
    lanes: Sequence[Mapping[str, Any]] = group["lanes"]
    named = _services(lanes)
    depths = _depths(group["object"]["target"], calls)
    order = list(dict.fromkeys(named.values()))
    columns = sorted(order, key=lambda name: (depths.get(name, len(order) + len(depths)), order.index(name)))
    rows = [
        Row(lane, [[one for one in lane["components"] if named[one["name"]] == column] for column in columns])
        for lane in lanes
    ]
    return Board(columns, rows)


def _run(cell: Iterable[Mapping[str, Any]]) -> Iterable[object]:
    return chain.from_iterable(one["instances"] for one in cell)


def _services(lanes: Iterable[Mapping[str, Any]]) -> Mapping[str, str]:
    """The service of each component. One without instances goes below the service with which its name begins, as provider-gray does."""
    components = [one for lane in lanes for one in lane["components"]]
    known = {one["name"]: one["instances"][0]["service"] for one in components if one["instances"]}
    names = {*known.values(), *(one["name"] for one in components if one["name"] not in known)}
    return {one["name"]: known.get(one["name"]) or _nearest(one["name"], names) for one in components}


def _nearest(component: str, services: Iterable[str]) -> str:
    beginnings = [name for name in services if component.startswith(f"{name}-")]
    return min(beginnings, key=len, default=component)


def _depths(target: str, calls: Calls) -> Mapping[str, int]:
    """How many calls each service is away from the one that requests enter by."""
    callees: dict[str, list[str]] = {}
    for consumer, provider in calls:
        callees.setdefault(consumer, []).append(provider)
    depths, reached = {target: 0}, [target]
    for name in reached:
        for callee in callees.get(name, ()):
            if callee not in depths:
                depths[callee] = depths[name] + 1
                reached.append(callee)
    return depths

"""The lists of the dashboard: what they show of each row, what they can be sorted by, and where a row leads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from registry.console import measures
from registry.console.measures import Row
from registry.console.pages.dashboard.scope import Scope, address
from registry.console.view import Part, View

SIZE = 100
_SUMS = {
    "rate": "Calls",
    "latency": "Mean",
    "p99": "p99",
    "failureRate": "Failures",
    "breakersOpen": "Breakers",
    "threads": "Threads",
    "cpu": "CPU",
    "memory": "Memory",
}
_OF_INTERFACES = {
    "rate": "Calls",
    "latency": "Mean",
    "p50": "p50",
    "p90": "p90",
    "p99": "p99",
    "failureRate": "Failures",
    "breakerOpen": "Breaker",
}
COLUMNS: Mapping[str, Mapping[str, str]] = {
    "applications": {"app": "Application", **_SUMS, "reporting": "Instances"},
    "services": {"service": "Service", "app": "Application", **_SUMS, "reporting": "Instances"},
    "versions": {"version": "Version", **_SUMS, "reporting": "Instances"},
    "instances": {"service": "Service", "instanceId": "Instance", "at": "Told", **_SUMS},
    "interfaces": {"interface": "Interface", "service": "Service", "instanceId": "Instance", **_OF_INTERFACES},
}
"""The members of each list with the titles of their columns; the first is what a row is called."""
TITLES = {
    "applications": "Applications",
    "services": "Services",
    "versions": "Versions",
    "instances": "Instances",
    "interfaces": "Interfaces",
}
_UNSORTED = frozenset({"p50", "p90"})
_TEXTS = frozenset({"app", "service", "version", "instanceId", "interface", "at"})
_AS_READ: Mapping[str, Callable[[Any], str]] = {
    "rate": measures.rate,
    **dict.fromkeys(("latency", "p50", "p90", "p99"), measures.duration),
    "failureRate": measures.share,
    "cpu": measures.percent,
    "memory": measures.memory,
}
_Shown: TypeAlias = Part[Row]


@dataclass(frozen=True, slots=True)
class Order:
    """Which list, in which order, searched for what."""

    kind: str
    sort: str
    descending: bool
    q: str

    @staticmethod
    def of(scope: Scope, query: Mapping[str, str]) -> Order:
        """What an address asks for; what there is not is the first list, in the order of names."""
        lists = scope.lists()
        kind = query.get("list", "")
        kind = kind if kind in lists else lists[0]
        sort = query.get("sort", "")
        known = sort in COLUMNS[kind] and sort not in _UNSORTED
        return Order(
            kind,
            sort if known else next(iter(COLUMNS[kind])),
            known and "descending" in query,
            query.get("q", "")[:128],
        )

    def query(self, scope: Scope) -> Mapping[str, object]:
        """As it is in an address."""
        return {
            **scope.chosen,
            "list": self.kind,
            "sort": self.sort,
            **({"descending": 1} if self.descending else {}),
            **({"q": self.q} if self.q else {}),
        }

    def by(self, member: str) -> Order:
        """Sorted by a column: numbers from the largest, names from the first; once more, the other way round."""
        turned = not self.descending if member == self.sort else member not in _TEXTS
        return Order(self.kind, member, turned, self.q)

    def of_list(self, kind: str) -> Order:
        """Another list in its own order."""
        return Order(kind, next(iter(COLUMNS[kind])), descending=False, q=self.q)

    def sorts(self, member: str) -> bool:
        """Whether it can be sorted by a column."""
        return member not in _UNSORTED

    def is_text(self, member: str) -> bool:
        """Whether a column has no numbers."""
        return member in _TEXTS


async def rows_of(view: View, scope: Scope, order: Order) -> _Shown:
    """The part of a list that is asked for. Instances and interfaces are searched, sorted and cut by the API."""
    if order.kind in ("instances", "interfaces"):
        return await _asked(view, scope, order)
    found = await view.api.get("/waggle/v1/monitor/services", scope.query)
    rows = [
        row for row in _flat(found["applications"], order.kind) if order.q.lower() in _named(row, order.kind).lower()
    ]
    rows.sort(key=lambda row: (row[order.sort], _named(row, order.kind)), reverse=order.descending)
    return view.cut(rows, SIZE)


async def _asked(view: View, scope: Scope, order: Order) -> _Shown:
    number = view.part_asked
    query: dict[str, Any] = {
        **scope.query,
        "q": order.q,
        "sort": order.sort,
        "limit": SIZE,
        "offset": (number - 1) * SIZE,
    }
    more = {"descending": order.descending, **({"stale": True} if order.kind == "instances" else {})}
    found = await view.api.get(f"/waggle/v1/monitor/{order.kind}", {**query, **more})
    return Part(found[order.kind], number, SIZE, found["total"])


def _flat(applications: Sequence[Row], kind: str) -> Sequence[Row]:
    if kind == "applications":
        return applications
    of = [
        {**service, "app": app["app"], "environment": app["environment"]}
        for app in applications
        for service in app["services"]
    ]
    if kind == "services":
        return of
    return [{**version, **_key(service)} for service in of for version in service["versions"]]


def _key(row: Row) -> Row:
    return {name: row[name] for name in ("app", "environment", "service")}


def _named(row: Row, kind: str) -> str:
    return str(row[next(iter(COLUMNS[kind]))])


def cell(row: Row, member: str) -> str:
    """What is shown of a measure."""
    if member == "reporting":
        return f"{row['reporting']}/{row['registered']}"
    return _AS_READ.get(member, str)(row[member])


def tone(row: Row, member: str) -> str:
    """How bad a measure is: the class of its cell."""
    match member:
        case "failureRate":
            return measures.tone(row[member])
        case "breakersOpen" | "breakerOpen":
            return "bad" if row[member] else ""
        case "reporting":
            return "warn" if row[member] < row["registered"] else ""
    return ""


def leads_to(row: Row, scope: Scope, kind: str) -> str:
    """The page of what a row is about."""
    names = {"applications": ("app", "environment"), "services": ("app", "environment", "service")}
    chosen = {name: row[name] for name in names.get(kind, ("app", "environment", "service", "version"))}
    if kind in ("instances", "interfaces"):
        chosen["instance"] = row["instanceId"]
    if kind == "interfaces" or scope.interface:
        chosen["interface"] = row.get("interface", scope.interface)
    return address(chosen)

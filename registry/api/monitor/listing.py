"""Long lists of instances and interfaces: searched, sorted and cut before anything of them is made into JSON."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar

from registry.api.call import Call, Parameter
from registry.api.checks import flag, number, number_within
from registry.errors import invalid
from registry.monitor.reporter import Reporter
from registry.monitor.uploads import Reading

T = TypeVar("T")
Key: TypeAlias = Callable[[T], Any]
Measured: TypeAlias = tuple[Reporter, Reading]
MOST_ROWS = 10_000
LONGEST_SEARCH = 128

INSTANCES: Mapping[str, Key[Reporter]] = {
    "service": lambda one: (one.key.service, one.key.version, one.instance_id),
    "instanceId": lambda one: one.instance_id,
    "host": lambda one: (one.host, one.instance_id),
    "at": lambda one: one.seen,
    "rate": lambda one: one.totals.rate,
    "latency": lambda one: one.totals.latency,
    "p99": lambda one: one.totals.p99,
    "failureRate": lambda one: one.totals.failure_rate,
    "breakersOpen": lambda one: one.totals.breakers_open,
    "threads": lambda one: one.totals.threads,
    "cpu": lambda one: one.totals.cpu,
    "memory": lambda one: one.totals.memory,
}
INTERFACES: Mapping[str, Key[Measured]] = {
    "interface": lambda one: one[1].name,
    "service": lambda one: (one[0].key.service, one[0].key.version, one[0].instance_id, one[1].name),
    "instanceId": lambda one: one[0].instance_id,
    "rate": lambda one: one[1].rate,
    "latency": lambda one: one[1].latency,
    "p99": lambda one: one[1].quantiles[1],
    "failureRate": lambda one: one[1].failure_rate,
    "breakerOpen": lambda one: one[1].breaker_open,
}
"""What each list can be sorted by, by the name of the member."""


def parameters(keys: Iterable[str]) -> Sequence[Parameter]:
    """The query parameters of a list that can be sorted by these."""
    return (
        Parameter("q", "only those in whose names this text is"),
        Parameter("sort", f"the member to sort by: {', '.join(keys)}"),
        Parameter("descending", "`true`: the largest first"),
        Parameter("offset", "how many to leave out"),
        Parameter("limit", f"how many to tell, all if missing; {MOST_ROWS} at most"),
    )


def found_in(call: Call, *names: str) -> bool:
    """Whether the text that is searched for is in one of these names."""
    wanted = call.query.get("q", "").lower()
    return not wanted or any(wanted in name.lower() for name in names)


def cut(call: Call, rows: Iterable[T], keys: Mapping[str, Key[T]]) -> tuple[int, Sequence[T]]:
    """How many rows there are, and those that are asked for, in their order. Raises 400001."""
    if len(call.query.get("q", "")) > LONGEST_SEARCH:
        raise invalid(f"q: at most {LONGEST_SEARCH} characters")
    chosen, offset = list(rows), number(call, "offset", 0)
    end = offset + number_within(call, "limit", MOST_ROWS, (1, MOST_ROWS)) if "limit" in call.query else len(chosen)
    return len(chosen), _ordered(call, chosen, keys, end)[offset:end]


def _ordered(call: Call, rows: Sequence[T], keys: Mapping[str, Key[T]], end: int) -> Sequence[T]:
    """The first rows of the order that is asked for: that of the documents, where none is."""
    name = call.query.get("sort", "")
    if not name:
        return rows
    if name not in keys:
        raise invalid(f"sort: one of {', '.join(keys)}")
    first = heapq.nlargest if flag(call, "descending") else heapq.nsmallest
    return first(end, rows, key=keys[name])

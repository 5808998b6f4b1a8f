"""What is kept for dashboards, as JSON. Rates are calls a second, latencies milliseconds, failure rates shares of 1, memory bytes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby

from registry.catalog.records import Instance
from registry.engine.reporting import Edge, VersionRow, lane_of
from registry.monitor import VersionKey
from registry.monitor.reporter import Reporter
from registry.monitor.series import Point
from registry.monitor.totals import Totals
from registry.monitor.uploads import Reading

View = Mapping[str, object]


def calls(totals: Totals) -> View:
    """What is known of calls."""
    return {
        "rate": round(totals.rate, 3),
        "latency": round(totals.latency, 2),
        "p99": round(totals.p99, 2),
        "failureRate": round(totals.failure_rate, 5),
    }


def sums(totals: Totals) -> View:
    """What is known of instances together."""
    used = {"threads": totals.threads, "cpu": round(totals.cpu, 2), "memory": totals.memory}
    return {**calls(totals), "breakersOpen": totals.breakers_open, **used}


def named(key: VersionKey) -> View:
    """Which version of which service."""
    return {"app": key.app, "environment": key.environment, "service": key.service, "version": key.version}


def applications(rows: Iterable[VersionRow]) -> Sequence[View]:
    """The tree of applications, services and versions, each with its sums."""
    ordered = sorted(rows, key=lambda row: row.key[1:])
    return [
        {"app": app, "environment": environment, **_summed(group), "services": _services(group)}
        for (app, environment), group in _grouped(ordered, 1, 3)
    ]


def _services(rows: Sequence[VersionRow]) -> Sequence[View]:
    return [
        {"service": name, **_summed(group), "versions": [version(row) for row in group]}
        for (name,), group in _grouped(rows, 3, 4)
    ]


def version(row: VersionRow) -> View:
    """One version of a service."""
    return {"version": row.key.version, "serviceId": row.service_id, "lanes": sorted(row.lanes), **_summed((row,))}


def _grouped(rows: Sequence[VersionRow], begin: int, end: int) -> Iterable[tuple[Sequence[str], list[VersionRow]]]:
    return [(name, list(group)) for name, group in groupby(rows, key=lambda row: row.key[begin:end])]


def _summed(rows: Sequence[VersionRow]) -> View:
    totals = Totals()
    for row in rows:
        totals.add(row.totals)
    return {**sums(totals), "reporting": totals.instances, "registered": sum(row.registered for row in rows)}


def instance(one: Reporter, registered: Instance | None, *, stale: bool) -> View:
    """One instance."""
    used = one.resources
    return {
        **named(one.key),
        "serviceId": one.service_id,
        "instanceId": one.instance_id,
        "host": one.host,
        "lane": lane_of(registered),
        "status": registered.status if registered is not None else "",
        "at": one.seen * 1000,
        "stale": stale,
        **sums(one.totals),
        "cpu": used.cpu,
        "memoryLimit": used.memory_limit,
        "load": used.load,
        "uptime": used.uptime,
        "interfaces": len(one.interfaces),
    }


def interface(one: Reporter, reading: Reading) -> View:
    """One interface of an instance."""
    p995, p99, p90, p75, p50, p25, p5 = (round(number, 2) for number in reading.quantiles)
    return {
        **named(one.key),
        "instanceId": one.instance_id,
        "interface": reading.name,
        "rate": round(reading.rate, 3),
        "latency": round(reading.latency, 2),
        "p995": p995,
        "p99": p99,
        "p90": p90,
        "p75": p75,
        "p50": p50,
        "p25": p25,
        "p5": p5,
        "failureRate": round(reading.failure_rate, 5),
        "total": reading.total,
        "failures": reading.failures,
        "rejected": reading.rejected,
        "timeouts": reading.timeouts,
        "breakerOpen": reading.breaker_open,
    }


def edge(one: Edge) -> View:
    """Calls of one version to another."""
    return {"consumer": named(one.consumer), "provider": named(one.provider), "lane": one.lane, **calls(one.totals)}


def point(one: Point, *, of_interface: bool) -> View:
    """A moment of a series; the end of the step that it is of, in milliseconds."""
    at = {"at": one.second * 1000, "instances": one.totals.instances}
    if of_interface:
        quantiles = {"p50": round(one.p50, 2), "p90": round(one.p90, 2)}
        return {**at, **calls(one.totals), **quantiles, "breakersOpen": one.totals.breakers_open}
    return {**at, **sums(one.totals)}


def frame(rows: Iterable[VersionRow], edges: Iterable[Edge]) -> View:
    """What a live stream tells: versions that something is known of, and who calls whom."""
    shown = [{**named(row.key), "lanes": sorted(row.lanes), **_summed((row,))} for row in rows]
    return {"services": shown, "calls": list(map(edge, edges))}

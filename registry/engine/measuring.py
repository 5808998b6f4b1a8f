"""The numbers that alarm rules are about, read off the engine and what it keeps."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Set
from functools import lru_cache
from pathlib import Path
from typing import TypeAlias

from registry.alarms.measures import Source
from registry.alarms.population import Population
from registry.catalog import Catalog
from registry.engine import Engine
from registry.engine.presence import group_of
from registry.monitor.reporter import Reporter
from registry.monitor.totals import Totals

Numbers: TypeAlias = Mapping[str, float]
Readings: TypeAlias = Mapping[str, Callable[[], float | None]]
"""How each measure of the engine is taken; nothing where it cannot be."""
_MEGABYTE = 1e6
_UP = "UP"


def of_engine(engine: Engine, data_dir: Path | None) -> Readings:
    """Those that the engine knows by itself. The folder is none where nothing is stored."""
    committer, leases = engine.committer, engine.catalog.state.leases
    return {
        "event-loop-lag": lambda: engine.lag_seconds,
        "protected-instances": lambda: len(leases.protected),
        "journal-queue": lambda: 100.0 * committer.waiting / committer.limit,
        "disk-free": lambda: _free(data_dir) if data_dir is not None else None,
        "engine-memory": _memory,
    }


def of_tenant(engine: Engine, tenant: str) -> Numbers:
    """How much of its quotas a tenant uses."""
    catalog, limits = engine.catalog.state.existing(tenant), engine.catalog.limits
    return {
        "quota-services": 100.0 * len(catalog.services) / limits.quota_services,
        "quota-instances": 100.0 * catalog.instance_count / limits.quota_instances,
        "quota-config": 100.0 * len(engine.config.state.table(tenant).by_id) / engine.config.keys.quota,
    }


def of_services(
    catalog: Catalog, population: Population, tenant: str, grains: Set[str], second: int
) -> Iterator[tuple[str, Source, Numbers]]:
    """Of each service and version that has instances, or had some of late: how many are up, and lost. The engine's own is left out."""
    state = catalog.state.existing(tenant)
    for key, versions in list(state.by_name.items()):
        counts = {
            service.version: sum(one.status == _UP for one in state.instances_of(service.service_id).values())
            for service in list(versions.values())
            if not catalog.services.is_shared(service)
        }
        rows = [("version", version, up) for version, up in counts.items()] if "version" in grains else []
        rows += [("service", "", sum(counts.values()))] if counts and "service" in grains else []
        for grain, version, up in rows:
            lost = population.lost(group_of(tenant, key, version), up, second)
            if lost is not None:
                source = Source(key.environment, key.app, key.name, version)
                yield grain, source, {"instances-up": up, "instances-lost": lost}


def of_calls(engine: Engine, tenant: str, grains: Set[str], second: int) -> Iterator[tuple[str, Source, Numbers]]:
    """What instances upload, and what that comes to by version and service; what is stale is left out."""
    sums: dict[tuple[str, Source], Totals] = {}
    for one in list(engine.dashboard.reporters(tenant)):
        if one.is_stale(second):
            continue
        key = one.key
        whole = Source(key.environment, key.app, key.service)
        version = whole._replace(version=key.version)
        for grain, source in (("service", whole), ("version", version)):
            if grain in grains:
                sums.setdefault((grain, source), Totals()).add(one.totals)
        instance = version._replace(instance=one.instance_id)
        if "instance" in grains:
            yield "instance", instance, _totals(one.totals)
        if "interface" in grains:
            yield from _interfaces(one, instance, second)
    for (grain, source), totals in sums.items():
        yield grain, source, _totals(totals)


def _interfaces(one: Reporter, instance: Source, second: int) -> Iterator[tuple[str, Source, Numbers]]:
    for reading in one.fresh(second):
        numbers = {
            "rate": reading.rate,
            "failure-rate": 100.0 * reading.failure_rate,
            "latency": reading.latency,
            "p99": reading.quantiles[1],
            "breaker-open": float(reading.breaker_open),
        }
        yield "interface", instance._replace(interface=reading.name), numbers


def _totals(totals: Totals) -> Numbers:
    """What a process takes is the mean of the processes."""
    processes = max(totals.instances, 1)
    return {
        "rate": totals.rate,
        "failure-rate": 100.0 * totals.failure_rate,
        "latency": totals.latency,
        "p99": totals.p99,
        "breaker-open": totals.breakers_open,
        "cpu": totals.cpu / processes,
        "memory": totals.memory / _MEGABYTE / processes,
        "threads": totals.threads / processes,
    }


def _free(folder: Path) -> float | None:
    try:
        return shutil.disk_usage(folder).free / _MEGABYTE
    except OSError:
        return None


@lru_cache(maxsize=1)
def _pages() -> int:
    return os.sysconf("SC_PHYS_PAGES")


def _memory() -> float | None:
    """Resident memory, in percent of the machine's; nothing where the system does not tell."""
    try:
        resident = int(Path("/proc/self/statm").read_bytes().split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return 100.0 * resident / _pages()

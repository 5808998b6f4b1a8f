"""Which registered services read an item, by the kind of client that each is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from governance.rules.runtimes import Family, Runtime
from registry.catalog import Catalog
from registry.catalog.records import Instance, Service
from registry.config.clients import Client, Kind, levels_of
from registry.config.records import Labels
from registry.engine.runtimes import runtime_of

_KINDS = {Family.GO: Kind.GO, Family.PYTHON: Kind.PYTHON}


@dataclass(frozen=True, slots=True)
class Reading:
    """A service that asks for items of these labels, at one of its levels, and its instances."""

    service: Service
    kind: Kind
    level: str
    instances: Sequence[Instance]


def kind_of(runtime: Runtime | None) -> Kind:
    """As what a service reads its items, by its framework."""
    if runtime is not None and runtime.before(2, 8, 8):
        return Kind.JAVA_2_7
    return _KINDS.get(runtime.family, Kind.JAVA) if runtime is not None else Kind.JAVA


def readers_of(catalog: Catalog, tenant: str, labels: Labels) -> Sequence[Reading]:
    """The registered services that ask for items with exactly these labels, in the order of their names."""
    state = catalog.state.existing(tenant)
    found: list[Reading] = []
    for service in state.services.values():
        if _may_read(service, labels):
            kind = kind_of(runtime_of(service))
            level = _level(service, kind, labels)
            if level:
                found.append(Reading(service, kind, level, list(state.instances_of(service.service_id).values())))
    return sorted(found, key=lambda one: (one.service.key.app, one.service.key.name, one.service.version))


def _may_read(service: Service, labels: Labels) -> bool:
    """A quick look first: most services are of another application."""
    own = {"app": service.key.app, "service": service.key.name, "version": service.version}
    return all(own.get(name, value) == value for name, value in labels)


def _level(service: Service, kind: Kind, labels: Labels) -> str:
    key = service.key
    client = Client(kind, key.app, key.name, service.version, key.environment)
    for level in levels_of(client):
        if any(labels == one if level.exact else labels >= one for one in level.label_sets):
            return level.name
    return ""

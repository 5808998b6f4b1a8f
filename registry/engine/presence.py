"""Which instances are counted together, and that some were there: by the catalog's records."""

from __future__ import annotations

from registry.alarms.population import Group, Population
from registry.catalog.records import ProviderKey, Service


def group_of(tenant: str, key: ProviderKey, version: str = "") -> Group:
    """The instances of a service, or of one version of it."""
    return Group(tenant, key.environment, key.app, key.name, version)


def remember(population: Population, service: Service, at: int) -> None:
    """An instance of a service was there at that time, in milliseconds: so the journal says."""
    for version in ("", service.version):
        population.seen(group_of(service.tenant, service.key, version), at // 1000)

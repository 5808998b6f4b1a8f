"""The instances of a service as rules see them: which versions run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from registry.catalog import Catalog
from registry.catalog.records import ProviderKey

_UP = "UP"
OUT_OF_SERVICE = "OUTOFSERVICE"


@dataclass(frozen=True, slots=True)
class Running:
    """A registered instance. `properties` are its service's, with its own over them."""

    service_id: str
    instance_id: str
    version: str
    status: str
    properties: Mapping[str, str]

    @property
    def up(self) -> bool:
        """Whether consumers call it."""
        return self.status == _UP


def running(catalog: Catalog, tenant: str, key: ProviderKey) -> Sequence[Running] | None:
    """The instances of all versions of a service; None where no such service is registered."""
    state = catalog.state.existing(tenant)
    versions = state.by_name.get(key)
    if not versions:
        return None
    return [
        Running(
            service.service_id,
            instance.instance_id,
            service.version,
            instance.status,
            {**service.properties, **instance.properties},
        )
        for service in versions.values()
        for instance in state.instances_of(service.service_id).values()
    ]


def versions_up(instances: Sequence[Running]) -> Sequence[str]:
    """The versions of which an instance is up."""
    return sorted({one.version for one in instances if one.up})

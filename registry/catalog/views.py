"""The overviews of a tenant: counts, applications, who calls whom. Protocol: Service Center section 11.1."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from registry.catalog.dependencies import DependencyGraph
from registry.catalog.records import Service
from registry.catalog.services import Services
from registry.catalog.state import State
from registry.catalog.versions import parse_version


@dataclass(frozen=True, slots=True)
class Selection:
    """Which services an overview shows: exact matches, all of which must hold; an empty one holds always."""

    app: str = ""
    name: str = ""
    environment: str = ""
    properties: Sequence[tuple[str, str]] = ()
    with_shared: bool = False

    def takes(self, service: Service) -> bool:
        """Whether the service is one of them."""
        wanted = (
            (self.app, service.key.app),
            (self.name, service.key.name),
            (self.environment, service.key.environment),
        )
        if any(want and want != have for want, have in wanted):
            return False
        return all(service.properties.get(name, "") == value for name, value in self.properties)


class Views:
    """Reads that span services."""

    def __init__(self, state: State, services: Services, graph: DependencyGraph) -> None:
        self._state = state
        self._services = services
        self._graph = graph

    def select(self, tenant: str, selection: Selection) -> Sequence[Service]:
        """The services that a selection takes."""
        services = self._services.list(tenant, with_shared=selection.with_shared)
        return [service for service in services if selection.takes(service)]

    def versions(self, service: Service) -> Sequence[str]:
        """Every version of the same service, the oldest first."""
        return sorted(self._state.existing(service.tenant).by_name[service.key], key=parse_version)

    def counts(self, tenant_name: str, *, with_shared: bool) -> Mapping[str, Mapping[str, int]]:
        """Services (by name, whatever the version), those with an instance, instances here and in all projects, applications."""
        tenant = self._state.existing(tenant_name)
        domain = tenant_name.partition("/")[0]
        services = self._services.list(tenant_name, with_shared=with_shared)
        online = {service.key for service in services if tenant.instances_of(service.service_id)}
        return {
            "services": {"count": len({service.key for service in services}), "onlineCount": len(online)},
            "instances": {
                "count": self._instances(tenant_name, with_shared=with_shared),
                "countByDomain": sum(
                    self._instances(name, with_shared=with_shared)
                    for name in self._state.tenants
                    if name.partition("/")[0] == domain
                ),
            },
            "apps": {"count": len({service.key.app for service in services})},
        }

    def _instances(self, tenant_name: str, *, with_shared: bool) -> int:
        tenant = self._state.existing(tenant_name)
        services = self._services.list(tenant_name, with_shared=with_shared)
        return sum(len(tenant.instances_of(service.service_id)) for service in services)

    def apps(
        self, tenant: str, environment: str, *, with_shared: bool, sees: Callable[[Service], bool]
    ) -> Sequence[str]:
        """The applications that have services in exactly this environment, of those that whoever asks `sees`."""
        services = self._services.list(tenant, with_shared=with_shared)
        return sorted({one.key.app for one in services if one.key.environment == environment and sees(one)})

    def relations(
        self, tenant: str, *, with_shared: bool
    ) -> tuple[Sequence[Service], Sequence[tuple[Service, Service]]]:
        """All services, and every pair of a consumer and a provider among them."""
        services = self._services.list(tenant, with_shared=with_shared)
        lines = [
            (consumer, provider)
            for consumer in services
            for provider in self._graph.providers(tenant, consumer.service_id)
        ]
        return services, lines

"""Which runtimes are registered: those that read the rules of a tenant."""

from __future__ import annotations

from collections.abc import Sequence

from governance.rules.runtimes import Runtime
from registry.catalog import Catalog
from registry.catalog.records import Service


def runtimes_of(catalog: Catalog, tenant: str) -> Sequence[Runtime]:
    """The frameworks of the services that have instances, in order; a service that does not say its framework has none."""
    state = catalog.state.existing(tenant)
    found = {runtime_of(service) for service in state.services.values() if state.instances_of(service.service_id)}
    return sorted(runtime for runtime in found if runtime.name)


def runtime_of(service: Service) -> Runtime:
    """The framework that a service says it uses; without a name where it says none."""
    framework = service.document.get("framework")
    known = framework if isinstance(framework, dict) else {}
    return Runtime(str(known.get("name") or ""), str(known.get("version") or ""))

"""Commands on microservices. Protocol: Service Center section 5."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from registry.catalog.limits import Limits, check_quota
from registry.catalog.records import Document, ProviderKey, Service, service_id_of
from registry.catalog.state import State, Tenant
from registry.errors import RegistryError, invalid

DEFAULT_TENANT = "default/default"
SELF_NAME = "SERVICECENTER"
ENVIRONMENTS = ("", "development", "testing", "acceptance", "production")


class Identity(NamedTuple):
    """The unique indexes that a registration would occupy, and the services that hold them now."""

    key: ProviderKey
    version: str
    by_name: Service | None
    by_alias: Service | None

    @property
    def holder(self) -> Service | None:
        """The registered service that the registration means, if any."""
        return self.by_name or self.by_alias


class Services:
    """Registers, finds and deletes services. Every command takes the wall clock in milliseconds and may raise `RegistryError`."""

    def __init__(self, state: State, limits: Limits) -> None:
        self._state = state
        self._limits = limits
        self.own_id = ""

    def register(self, tenant_name: str, document: Document, now: int) -> str:
        """Register a service, or find the one of the same identity, which is left as it is; return its id. Section 5.2."""
        tenant = self._state.existing(tenant_name)
        _check_schema_list(document, self._limits)
        check_quota("SERVICE", self._limits.quota_services, self.count(tenant_name))
        identity = _identity(tenant, document)
        wanted = str(document.get("serviceId", ""))
        if wanted:
            return self._register_as(tenant_name, tenant, identity, wanted, document, now)
        if identity.holder:
            return identity.holder.service_id
        generated = service_id_of(tenant_name, identity.key, identity.version)
        if generated in tenant.services:
            raise RegistryError(400010, f"ServiceID {generated} already belongs to another service.")
        return self._create(tenant_name, generated, document, now)

    def count(self, tenant_name: str) -> int:
        """How many services count against the quota: all but the shared ones. Section 15.1."""
        services = self._state.existing(tenant_name).services
        if tenant_name != DEFAULT_TENANT:
            return len(services)
        return len(services) - len(self.shared_ids(self._state.existing(tenant_name)))

    def is_shared(self, service: Service) -> bool:
        """Whether the service is one that every tenant's overview leaves out. Section 7.5 item 1."""
        return (
            service.tenant == DEFAULT_TENANT and service.key.app == "default" and self.is_shared_name(service.key.name)
        )

    def shared_ids(self, tenant: Tenant) -> Sequence[str]:
        """The ids of the shared services of the default tenant."""
        names = (SELF_NAME, *self._limits.shared_services)
        keys = (ProviderKey(environment, "default", name) for environment in ENVIRONMENTS for name in names)
        return [service.service_id for key in keys for service in tenant.by_name.get(key, {}).values()]

    def is_shared_name(self, name: str) -> bool:
        """Whether the name is one of the shared services' in application `default`."""
        return name == SELF_NAME or name in self._limits.shared_services

    def get(self, tenant_name: str, service_id: str) -> Service:
        """The service, or 400012."""
        return self.require(self._state.existing(tenant_name), service_id)

    def require(self, tenant: Tenant, service_id: str, detail: str = "Service does not exist.") -> Service:
        """The service of an id, or 400012 with the given detail."""
        found = tenant.services.get(service_id)
        if found is None:
            raise RegistryError(400012, detail)
        return found

    def exists(self, tenant_name: str, key: ProviderKey, version: str) -> str:
        """The id of exactly this version, looked up by name, then by alias; 400012 or 400026. Section 5.3."""
        tenant = self._state.existing(tenant_name)
        versions = tenant.by_name.get(key) or tenant.by_alias.get(key)
        text = f"{key.environment}/{key.app}/{key.name}/{version}"
        if not versions:
            raise RegistryError(400012, f"{text} does not exist.")
        if version not in versions:
            raise RegistryError(400026, f"{text} version mismatch.")
        return versions[version].service_id

    def list(self, tenant_name: str, *, with_shared: bool) -> Sequence[Service]:
        """All services of a tenant; the shared ones only when asked for. Section 5.4."""
        services = self._state.existing(tenant_name).services.values()
        return [service for service in services if with_shared or not self.is_shared(service)]

    def set_properties(self, tenant_name: str, service_id: str, properties: Mapping[str, str], now: int) -> None:
        """Replace all properties. Section 5.6."""
        service = self.get(tenant_name, service_id)
        self.amend(service, {"properties": _sorted(properties), "modTimestamp": str(now // 1000)}, now)

    def amend(self, service: Service, members: Document, now: int, tags: Mapping[str, str] | None = None) -> None:
        """Put a copy of a service with other members or tags in its place."""
        document = {name: members.get(name, service.document.get(name)) for name in MEMBERS}
        tags = service.tags if tags is None else tags
        after = Service.of(service.tenant, document, tags, self._state.next_revision())
        self._state.put(service, after, now)

    def delete(self, tenant_name: str, service_id: str, now: int, *, force: bool) -> None:
        """Delete a service with all that belongs to it; without force only where nothing would miss it. Section 5.5."""
        tenant = self._state.existing(tenant_name)
        if service_id == self.own_id and tenant_name == DEFAULT_TENANT:
            raise invalid("not allow to delete service center")
        service = self.require(tenant, service_id)
        if not force:
            _check_unused(tenant, service)
        for instance in list(tenant.instances_of(service_id).values()):
            self._state.put(instance, None, now)
        for schema in list(tenant.schemas.get(service_id, {}).values()):
            self._state.put(schema, None, now)
        if service_id in tenant.dependencies:
            self._state.put(tenant.dependencies[service_id], None, now)
        self._state.put(service, None, now)

    def _register_as(
        self, tenant_name: str, tenant: Tenant, identity: Identity, wanted: str, document: Document, now: int
    ) -> str:
        if identity.holder and identity.holder.service_id == wanted:
            return wanted
        if identity.holder or wanted in tenant.services:
            raise RegistryError(400010, "ServiceID conflict or found the same service with different id.")
        return self._create(tenant_name, wanted, document, now)

    def _create(self, tenant_name: str, service_id: str, document: Document, now: int) -> str:
        stamp = str(now // 1000)
        given = {**document, "serviceId": service_id, "timestamp": stamp, "modTimestamp": stamp}
        given["properties"] = _sorted(document.get("properties"))
        members = {name: given.get(name) for name in MEMBERS}
        self._state.put(None, Service.of(tenant_name, members, {}, self._state.next_revision()), now)
        return service_id


MEMBERS = (
    "serviceId",
    "appId",
    "serviceName",
    "version",
    "description",
    "level",
    "schemas",
    "paths",
    "status",
    "properties",
    "timestamp",
    "providers",
    "alias",
    "LBStrategy",
    "modTimestamp",
    "environment",
    "registerBy",
    "framework",
)
"""The members of a service in the order in which they are answered. Section 4.1."""


def _check_schema_list(document: Document, limits: Limits) -> None:
    """Raise 400001 where a service declares more schemas than it may have. Section 15.1."""
    declared = document.get("schemas")
    number = len(declared) if isinstance(declared, Sequence) else 0
    if number > limits.quota_schemas:
        raise invalid(
            f"field 'MicroService.Schemas' invalid value '{number} items' does not match rule: {{Max: {limits.quota_schemas}}}"
        )


def _identity(tenant: Tenant, document: Document) -> Identity:
    key = ProviderKey(
        str(document.get("environment", "")), str(document.get("appId", "")), str(document.get("serviceName", ""))
    )
    version = str(document.get("version", ""))
    alias = str(document.get("alias", ""))
    by_alias = tenant.by_alias.get(key._replace(name=alias), {}).get(version) if alias else None
    return Identity(key, version, tenant.by_name.get(key, {}).get(version), by_alias)


def _check_unused(tenant: Tenant, service: Service) -> None:
    if tenant.consumers.get(service.key, set()) - {service.service_id}:
        raise RegistryError(400023, "Can not delete this service, other service rely it.")
    if tenant.instances_of(service.service_id):
        raise RegistryError(400013, "Can not delete the service deployed instance(s).")


def _sorted(properties: object) -> dict[str, object]:
    return dict(sorted(properties.items())) if isinstance(properties, Mapping) else {}

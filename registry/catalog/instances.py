"""Commands on instances and their leases. Protocol: Service Center section 7."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from registry.catalog.leases import Lease
from registry.catalog.limits import Limits, check_quota
from registry.catalog.records import Document, Instance, Service
from registry.catalog.services import DEFAULT_TENANT, Services
from registry.catalog.state import State, Tenant
from registry.errors import RegistryError

MEMBERS = (
    "instanceId",
    "serviceId",
    "endpoints",
    "hostName",
    "status",
    "properties",
    "healthCheck",
    "timestamp",
    "dataCenterInfo",
    "modTimestamp",
    "version",
)
"""The members of an instance in the order in which they are answered. Section 4.2."""

_UNKNOWN_LEASE = "leaseId not exist, instance not exist"


class Instances:
    """Registers, renews, changes and unregisters instances. Every command takes the wall clock in milliseconds."""

    def __init__(self, state: State, services: Services, limits: Limits, new_id: Callable[[], str]) -> None:
        self._state = state
        self._services = services
        self._limits = limits
        self._new_id = new_id

    def register(self, tenant_name: str, service_id: str, document: Document, now: int) -> str:
        """Register an instance and start its lease; return its id.

        An id that is alive is renewed and, unless `instance_update_on_register` is set, left as it is. Section 7.1.
        """
        tenant = self._state.existing(tenant_name)
        service = tenant.services.get(service_id)
        if service is None:
            raise RegistryError(400012, "Invalid 'serviceID' in request body.")
        instance_id = str(document.get("instanceId") or self._new_id())
        before = tenant.instances_of(service_id).get(instance_id)
        if before is None:
            self._check_quota(service, tenant)
            self._create(service, instance_id, document, now)
        elif self._limits.instance_update_on_register or before.lease in self._state.leases.protected:
            self._replace(service, before, document, now)
        else:
            before.lease.beat()
        return instance_id

    def heartbeat(self, tenant_name: str, service_id: str, instance_id: str) -> Lease:
        """Renew a lease now, and return it. Raises 400017 for an unknown instance or service. Section 7.3."""
        instance = self._state.existing(tenant_name).instances_of(service_id).get(instance_id)
        if instance is None:
            raise RegistryError(400017, _UNKNOWN_LEASE)
        instance.lease.beat()
        return instance.lease

    def get(self, tenant_name: str, service_id: str, instance_id: str, detail: str = "") -> Instance:
        """The instance, or 400017."""
        found = self._state.existing(tenant_name).instances_of(service_id).get(instance_id)
        if found is None:
            raise RegistryError(400017, detail or "Service instance does not exist.")
        return found

    def unregister(self, tenant_name: str, service_id: str, instance_id: str, now: int) -> None:
        """Take an instance out at once. Raises 400017. Section 7.2."""
        instance = self.get(tenant_name, service_id, instance_id, "Instance's leaseId not exist.")
        self._state.put(instance, None, now)

    def set_status(self, tenant_name: str, service_id: str, instance_id: str, status: str, now: int) -> None:
        """Set the status. Raises 400017. Section 7.8."""
        instance = self.get(tenant_name, service_id, instance_id)
        self._amend(instance, {"status": status, "modTimestamp": str(now // 1000)}, now)

    def set_properties(
        self, tenant_name: str, service_id: str, instance_id: str, properties: Mapping[str, str], now: int
    ) -> None:
        """Replace all properties. Raises 400017. Section 7.9."""
        instance = self.get(tenant_name, service_id, instance_id)
        members = {"properties": self._enforced(properties), "modTimestamp": str(now // 1000)}
        self._amend(instance, members, now)

    def set_status_where(self, tenant_name: str, matches: Mapping[str, str], status: str, now: int) -> int:
        """Set the status of all instances whose properties contain every pair; return how many. Section 7.10."""
        tenant = self._state.existing(tenant_name)
        chosen = [
            instance
            for service_id, instances in tenant.instances.items()
            if service_id != self._services.own_id
            for instance in instances.values()
            if matches.items() <= instance.properties.items() and instance.status != status
        ]
        for instance in chosen:
            self._amend(instance, {"status": status}, now)
        return len(chosen)

    def enforce_properties(self, now: int) -> None:
        """Give every instance the properties that the operator's setting demands. Section 7.1."""
        for instance in list(self._all()):
            if not self._limits.instance_properties.items() <= instance.properties.items():
                self._amend(instance, {"properties": self._enforced(instance.properties)}, now)

    def restored_lease(self, tenant: str, document: Document) -> Lease:
        """The lease of an instance that the journal brought back."""
        return self._lease(tenant, str(document["serviceId"]), str(document["instanceId"]), document)

    def _check_quota(self, service: Service, tenant: Tenant) -> None:
        """Instances of shared services do not count, which is looked at only where it could matter."""
        if tenant.instance_count < self._limits.quota_instances or self._services.is_shared(service):
            return
        counted = tenant.instance_count
        if service.tenant == DEFAULT_TENANT:
            counted -= sum(len(tenant.instances_of(shared)) for shared in self._services.shared_ids(tenant))
        check_quota("INSTANCE", self._limits.quota_instances, counted)

    def _all(self) -> Iterable[Instance]:
        for tenant in self._state.tenants.values():
            for instances in tenant.instances.values():
                yield from instances.values()

    def _create(self, service: Service, instance_id: str, document: Document, now: int) -> None:
        members = self._members(service, instance_id, document, now)
        lease = self._lease(service.tenant, service.service_id, instance_id, members)
        self._state.put(None, Instance.of(service.tenant, members, lease, self._state.next_revision()), now)

    def _replace(self, service: Service, before: Instance, document: Document, now: int) -> None:
        before.lease.beat()
        members = self._members(service, before.instance_id, document, now)
        known = before.document()
        if all(known.get(name) == (members.get(name) or None) for name in MEMBERS if "imestamp" not in name):
            return
        lease = self._lease(service.tenant, service.service_id, before.instance_id, members)
        self._state.put(before, Instance.of(service.tenant, members, lease, self._state.next_revision()), now)

    def _amend(self, instance: Instance, members: Document, now: int) -> None:
        document = {**dict.fromkeys(MEMBERS), **instance.document(), **members}
        after = Instance.of(instance.tenant, document, instance.lease, self._state.next_revision())
        self._state.put(instance, after, now)

    def _members(self, service: Service, instance_id: str, document: Document, now: int) -> dict[str, object]:
        stamp = str(now // 1000)
        given = document.get("properties")
        fixed: Document = {
            "instanceId": instance_id,
            "serviceId": service.service_id,
            "status": document.get("status") or "UP",
            "properties": self._enforced(given if isinstance(given, Mapping) else {}),
            "healthCheck": self._health_check(document.get("healthCheck")),
            "timestamp": stamp,
            "modTimestamp": stamp,
            "version": service.version,
        }
        return {name: fixed[name] if name in fixed else document.get(name) for name in MEMBERS}

    def _health_check(self, given: object) -> dict[str, object]:
        """Section 4.3: what is too eager is raised to the minimum, and pull is fixed."""
        if not isinstance(given, Mapping):
            return {"mode": "push", "interval": 30, "times": 3}
        members = {name: given[name] for name in ("mode", "port", "interval", "times", "url") if given.get(name)}
        if members["mode"] == "pull":
            members["interval"], members["times"] = 30, 3
            return members
        members["interval"] = max(int(members["interval"]), self._limits.instance_min_interval)
        members["times"] = max(int(members.get("times", 0)), self._limits.instance_min_times)
        return {name: members[name] for name in ("mode", "port", "interval", "times", "url") if name in members}

    def _lease(self, tenant: str, service_id: str, instance_id: str, document: Document) -> Lease:
        check = document["healthCheck"]
        assert isinstance(check, Mapping)  # noqa: S101  every stored instance has one
        interval, times = float(check["interval"]), int(check["times"])
        ttl = float(self._limits.instance_ttl or interval * (times + 1))
        return Lease(self._state.leases, tenant, service_id, instance_id, ttl=ttl, interval=interval)

    def _enforced(self, properties: Mapping[str, str]) -> dict[str, str]:
        merged = {**properties, **self._limits.instance_properties}
        return dict(sorted(merged.items()))

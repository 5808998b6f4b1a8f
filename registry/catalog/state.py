"""All records of the catalog and the indexes over them.

`State.put` is the only way anything changes: every command ends in it, a restart replays through it, and a change that could not be
stored is taken back through it. Whatever hangs on a record (its indexes, its lease, the ready answers that show it) is kept in step here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial

from registry.catalog.leases import Leases
from registry.catalog.records import CatalogChange, Dependencies, Instance, ProviderKey, Record, Schema, Service
from registry.ledger import Ledger

Versions = dict[str, Service]


@dataclass(slots=True)
class Tenant:
    """What belongs to one domain and project."""

    services: dict[str, Service] = field(default_factory=dict)
    by_name: dict[ProviderKey, Versions] = field(default_factory=dict)
    by_alias: dict[ProviderKey, Versions] = field(default_factory=dict)
    instances: dict[str, dict[str, Instance]] = field(default_factory=dict)
    schemas: dict[str, dict[str, Schema]] = field(default_factory=dict)
    dependencies: dict[str, Dependencies] = field(default_factory=dict)
    consumers: dict[ProviderKey, set[str]] = field(default_factory=dict)
    instance_count: int = 0

    def instances_of(self, service_id: str) -> dict[str, Instance]:
        """The instances of a service by id."""
        return self.instances.get(service_id, {})


class Answers:
    """Notes which ready answers a change makes stale; see `registry.catalog.discovery`."""

    def drop(self, tenant: str, key: ProviderKey) -> None:
        """Forget the answers about one provider key."""
        raise NotImplementedError


class State:
    """The records of every tenant."""

    def __init__(self, ledger: Ledger, answers: Answers) -> None:
        self.ledger = ledger
        self.leases = Leases()
        self.tenants: dict[str, Tenant] = {}
        self._answers = answers

    def tenant(self, name: str) -> Tenant:
        """The tenant `domain/project`, made when first asked for."""
        found = self.tenants.get(name)
        if found is None:
            found = self.tenants[name] = Tenant()
        return found

    def existing(self, name: str) -> Tenant:
        """The tenant for a read: an empty one where there is none, so that asking leaves no trace."""
        return self.tenants.get(name) or Tenant()

    def next_revision(self) -> int:
        """The revision for the record that is about to be put."""
        return self.ledger.next_revision()

    def put(self, before: Record | None, after: Record | None, now: int) -> None:
        """Let `before` give way to `after` and note the change; `now` is the wall clock in milliseconds."""
        ledger = self.ledger
        revision = after.revision if after is not None else ledger.next_revision()
        record = after or before
        service = self.tenants[record.tenant].services.get(record.service_id) if isinstance(record, Instance) else None
        revert = partial(self.apply, after, before)
        ledger.note(CatalogChange(revision, before, after, now, ledger.author, revert, service))
        self.apply(before, after)

    def apply(self, before: Record | None, after: Record | None) -> None:
        """Exchange two records of one key in all indexes."""
        record = after if after is not None else before
        match record:
            case Instance():
                self._exchange_instance(before, after)  # type: ignore[arg-type]
            case Service():
                self._exchange_service(before, after)  # type: ignore[arg-type]
            case Schema():
                self._exchange_schema(before, after)  # type: ignore[arg-type]
            case Dependencies():
                self._exchange_dependencies(before, after)  # type: ignore[arg-type]

    def records(self) -> Iterator[Record]:
        """Every record of every tenant."""
        for tenant in self.tenants.values():
            yield from tenant.services.values()
            for instances in tenant.instances.values():
                yield from instances.values()
            for schemas in tenant.schemas.values():
                yield from schemas.values()
            yield from tenant.dependencies.values()

    def _exchange_instance(self, before: Instance | None, after: Instance | None) -> None:
        record = after or before
        assert record is not None  # noqa: S101
        tenant = self.tenant(record.tenant)
        if after is None:
            siblings = tenant.instances[record.service_id]
            del siblings[record.instance_id]
            tenant.instance_count -= 1
            self.leases.end(record.lease)
            if not siblings:
                del tenant.instances[record.service_id]
        else:
            tenant.instances.setdefault(after.service_id, {})[after.instance_id] = after
            if before is not None and before.lease is not after.lease:
                self.leases.end(before.lease)
            if before is None:
                tenant.instance_count += 1
            if not after.lease.alive:
                self.leases.start(after.lease)
        service = tenant.services.get(record.service_id)
        if service is not None:
            self._forget_answers(service)

    def _exchange_service(self, before: Service | None, after: Service | None) -> None:
        if before is not None and (after is None or _index_keys(before) != _index_keys(after)):
            tenant = self.tenant(before.tenant)
            del tenant.services[before.service_id]
            _unindex(tenant.by_name, before.key, before.version)
            if before.alias:
                _unindex(tenant.by_alias, before.key._replace(name=before.alias), before.version)
            self._forget_answers(before)
        if after is not None:
            tenant = self.tenant(after.tenant)
            tenant.services[after.service_id] = after
            tenant.by_name.setdefault(after.key, {})[after.version] = after
            if after.alias:
                tenant.by_alias.setdefault(after.key._replace(name=after.alias), {})[after.version] = after
            self._forget_answers(after)

    def _exchange_schema(self, before: Schema | None, after: Schema | None) -> None:
        record = after or before
        assert record is not None  # noqa: S101
        schemas = self.tenant(record.tenant).schemas
        if after is not None:
            schemas.setdefault(after.service_id, {})[after.schema_id] = after
            return
        del schemas[record.service_id][record.schema_id]
        if not schemas[record.service_id]:
            del schemas[record.service_id]

    def _exchange_dependencies(self, before: Dependencies | None, after: Dependencies | None) -> None:
        record = after or before
        assert record is not None  # noqa: S101
        tenant = self.tenant(record.tenant)
        for key in (before.providers if before else frozenset()) - (after.providers if after else frozenset()):
            tenant.consumers[key].discard(record.consumer_id)
            if not tenant.consumers[key]:
                del tenant.consumers[key]
        for key in after.providers if after else ():
            tenant.consumers.setdefault(key, set()).add(record.consumer_id)
        if after is None:
            del tenant.dependencies[record.consumer_id]
        else:
            tenant.dependencies[after.consumer_id] = after

    def _forget_answers(self, service: Service) -> None:
        self._answers.drop(service.tenant, service.key)
        if service.alias:
            self._answers.drop(service.tenant, service.key._replace(name=service.alias))


def _index_keys(service: Service) -> tuple[ProviderKey, str, str]:
    """Where a service is found. One that changes in other ways keeps its place in every list."""
    return service.key, service.version, service.alias


def _unindex(index: dict[ProviderKey, Versions], key: ProviderKey, version: str) -> None:
    versions = index[key]
    del versions[version]
    if not versions:
        del index[key]

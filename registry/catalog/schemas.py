"""Commands on schemas and tags of a service. Protocol: Service Center sections 5.7 and 6."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from registry.catalog.limits import Limits, check_quota
from registry.catalog.records import Schema, Service
from registry.catalog.services import Services
from registry.catalog.state import State
from registry.errors import RegistryError, invalid


class SchemaContent(NamedTuple):
    """One schema as it is uploaded or listed; without content where it is declared only."""

    schema_id: str
    summary: str
    content: str


class Schemas:
    """What services publish of their interfaces. Every command takes the wall clock in milliseconds."""

    def __init__(self, state: State, services: Services, limits: Limits) -> None:
        self._state = state
        self._services = services
        self._limits = limits

    def upload(self, tenant: str, service_id: str, schema: SchemaContent, now: int) -> None:
        """Store one schema and list it in the service. Raises 400012, 400100."""
        service = self._services.get(tenant, service_id)
        if schema.schema_id not in service.schemas:
            check_quota("SCHEMA", self._limits.quota_schemas, len(service.schemas))
            self._services.amend(service, {"schemas": [*service.schemas, schema.schema_id]}, now)
        self._store(tenant, service_id, schema, now)

    def replace(self, tenant: str, service_id: str, schemas: Sequence[SchemaContent], now: int) -> None:
        """Make these the only schemas of the service. Raises 400001 for too many or one given twice, 400012."""
        wanted = [schema.schema_id for schema in schemas]
        if len(wanted) > self._limits.quota_schemas or len(set(wanted)) < len(wanted):
            raise invalid("Invalid request.")
        service = self._services.get(tenant, service_id)
        for stored in list(self._stored(tenant, service_id).values()):
            if stored.schema_id not in wanted:
                self._state.put(stored, None, now)
        if list(service.schemas) != wanted:
            self._services.amend(service, {"schemas": wanted}, now)
        for schema in schemas:
            self._store(tenant, service_id, schema, now)

    def get(self, tenant: str, service_id: str, schema_id: str) -> SchemaContent:
        """An uploaded schema. Raises 400012, 400016."""
        self._services.get(tenant, service_id)
        stored = self._stored(tenant, service_id).get(schema_id)
        if stored is None:
            raise RegistryError(400016, "schema ref not found.")
        return SchemaContent(stored.schema_id, stored.summary, stored.content)

    def list(self, tenant: str, service_id: str) -> Sequence[SchemaContent]:
        """Every schema that is declared or uploaded. Raises 400012."""
        return self.of(self._services.get(tenant, service_id))

    def of(self, service: Service) -> Sequence[SchemaContent]:
        """Every schema of a known service."""
        stored = self._stored(service.tenant, service.service_id)
        ids = dict.fromkeys((*service.schemas, *stored))
        return [
            SchemaContent(name, stored[name].summary, stored[name].content)
            if name in stored
            else SchemaContent(name, "", "")
            for name in ids
        ]

    def delete(self, tenant: str, service_id: str, schema_id: str, now: int) -> None:
        """Forget the content of a schema; it stays declared. Raises 400012, 400016."""
        self.get(tenant, service_id, schema_id)
        self._state.put(self._stored(tenant, service_id)[schema_id], None, now)

    def count(self) -> Mapping[str, int]:
        """Uploaded schemas by tenant, for the metrics."""
        return {name: sum(map(len, tenant.schemas.values())) for name, tenant in self._state.tenants.items()}

    def _stored(self, tenant: str, service_id: str) -> Mapping[str, Schema]:
        return self._state.existing(tenant).schemas.get(service_id, {})

    def _store(self, tenant: str, service_id: str, schema: SchemaContent, now: int) -> None:
        before = self._stored(tenant, service_id).get(schema.schema_id)
        if before is not None and (before.summary, before.content) == (schema.summary, schema.content):
            return
        revision = self._state.next_revision()
        after = Schema(tenant, service_id, schema.schema_id, schema.summary, schema.content, revision)
        self._state.put(before, after, now)


class Tags:
    """Labels of a service that the `tags` filter of a find looks for."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def get(self, tenant: str, service_id: str) -> Mapping[str, str]:
        """The tags of a service. Raises 400012."""
        return self._services.get(tenant, service_id).tags

    def replace(self, tenant: str, service_id: str, tags: Mapping[str, str], now: int) -> None:
        """Make these the only tags. Raises 400012."""
        self._services.amend(self._services.get(tenant, service_id), {}, now, dict(sorted(tags.items())))

    def set(self, tenant: str, service_id: str, key: str, value: str, now: int) -> None:
        """Change one tag that is there. Raises 400012, 400018."""
        service = self._services.get(tenant, service_id)
        if key not in service.tags:
            raise RegistryError(400018, "Tag does not exist, please add one first.")
        self._services.amend(service, {}, now, {**service.tags, key: value})

    def delete(self, tenant: str, service_id: str, keys: Sequence[str], now: int) -> None:
        """Delete all of these tags or, where one is missing, none. Raises 400012, 400018."""
        service = self._services.get(tenant, service_id)
        for key in keys:
            if key not in service.tags:
                raise RegistryError(400018, f"Delete tags failed for this key {key} does not exist.")
        kept = {key: value for key, value in service.tags.items() if key not in keys}
        self._services.amend(service, {}, now, kept)

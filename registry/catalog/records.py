"""The records that the catalog keeps. Each is immutable: a change puts a new record in the place of the old one.

A record carries its wire form ready-made (`encoded`), which is what reads answer, what watchers are sent and what the journal stores.
Protocol: Service Center section 4.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import orjson

from registry.ledger import Change, kept_json
from registry.tenancy import segment

if TYPE_CHECKING:
    from registry.catalog.leases import Lease

Document: TypeAlias = Mapping[str, object]
"""A JSON object ready for the wire: members in protocol order, empty ones left out."""

NO_STRINGS: Mapping[str, str] = {}


class ProviderKey(NamedTuple):
    """What a dependency points at: all versions of one service."""

    environment: str
    app: str
    name: str


@dataclass(frozen=True, slots=True)
class Service:
    """A microservice: one version of one name. `tags` are answered by the tag calls only."""

    tenant: str
    service_id: str
    key: ProviderKey
    version: str
    alias: str
    properties: Mapping[str, str]
    schemas: tuple[str, ...]
    tags: Mapping[str, str]
    document: Document
    encoded: bytes
    revision: int

    @classmethod
    def of(cls, tenant: str, document: Document, tags: Mapping[str, str], revision: int) -> Service:
        """Build the record from its wire form. `tenant` is `domain/project`."""
        document = {name: value for name, value in document.items() if value}
        return cls(
            tenant=tenant,
            service_id=_text(document, "serviceId"),
            key=ProviderKey(_text(document, "environment"), _text(document, "appId"), _text(document, "serviceName")),
            version=_text(document, "version"),
            alias=_text(document, "alias"),
            properties=_strings(document, "properties"),
            schemas=tuple(document.get("schemas", ())),  # type: ignore[arg-type]
            tags=tags,
            document=document,
            encoded=kept_json(document),
            revision=revision,
        )

    @property
    def path(self) -> str:
        """The journal's key of the record."""
        return f"service/{self.tenant}/{segment(self.service_id)}"

    @property
    def body(self) -> bytes:
        """What the journal stores."""
        return orjson.dumps({"service": self.document, "tags": self.tags})

    @property
    def labels(self) -> Mapping[str, str]:
        """What permissions name it by. Protocol: section 14.7."""
        return {"environment": self.key.environment, "appId": self.key.app, "serviceName": self.key.name}

    @property
    def crosses_apps(self) -> bool:
        """Whether consumers of other applications may find it."""
        return self.properties.get("allowCrossApp", "").lower() == "true"

    def index_text(self) -> str:
        """The service as error details name it: environment/app/name/version."""
        return f"{self.key.environment}/{self.key.app}/{self.key.name}/{self.version}"


@dataclass(frozen=True, slots=True)
class Instance:
    """An instance of a service. `lease` is shared by the records that follow one another."""

    tenant: str
    service_id: str
    instance_id: str
    status: str
    properties: Mapping[str, str]
    lease: Lease
    encoded: bytes
    revision: int

    @classmethod
    def of(cls, tenant: str, document: Document, lease: Lease, revision: int, encoded: bytes = b"") -> Instance:
        """Build the record from its wire form, `encoded` where that is at hand. `tenant` is `domain/project`."""
        document = {name: value for name, value in document.items() if value}
        return cls(
            tenant=tenant,
            service_id=_text(document, "serviceId"),
            instance_id=_text(document, "instanceId"),
            status=_text(document, "status"),
            properties=_strings(document, "properties"),
            lease=lease,
            encoded=encoded or kept_json(document),
            revision=revision,
        )

    @property
    def path(self) -> str:
        """The journal's key of the record."""
        return f"instance/{self.tenant}/{segment(self.service_id)}/{self.instance_id}"

    @property
    def body(self) -> bytes:
        """What the journal stores."""
        return self.encoded

    def document(self) -> dict[str, object]:
        """The wire form, decoded, to change a member of."""
        decoded: dict[str, object] = orjson.loads(self.encoded)
        return decoded


@dataclass(frozen=True, slots=True)
class Schema:
    """The uploaded content of one schema of a service."""

    tenant: str
    service_id: str
    schema_id: str
    summary: str
    content: str
    revision: int

    @property
    def path(self) -> str:
        """The journal's key of the record."""
        return f"schema/{self.tenant}/{segment(self.service_id)}/{self.schema_id}"

    @property
    def body(self) -> bytes:
        """What the journal stores."""
        return orjson.dumps({"summary": self.summary, "schema": self.content})


@dataclass(frozen=True, slots=True)
class Dependencies:
    """The providers that a consumer has asked for, which are those it is told about by its watch."""

    tenant: str
    consumer_id: str
    providers: frozenset[ProviderKey]
    revision: int

    @property
    def path(self) -> str:
        """The journal's key of the record."""
        return f"dependency/{self.tenant}/{segment(self.consumer_id)}"

    @property
    def body(self) -> bytes:
        """What the journal stores."""
        return orjson.dumps([list(key) for key in sorted(self.providers)])


Record: TypeAlias = Service | Instance | Schema | Dependencies


@dataclass(frozen=True, slots=True)
class CatalogChange(Change):
    """A change of the catalog. `service` is the one that an instance belongs to, as it was at that moment."""

    service: Service | None = None


def service_id_of(tenant: str, key: ProviderKey, version: str) -> str:
    """The id that a service gets by its identity, so that it survives deletion and re-creation. Protocol: section 5.2."""
    index = f"/cse-sr/ms/indexes/{tenant}/{key.environment}/{key.app}/{key.name}/{version}"
    return hashlib.sha1(index.encode(), usedforsecurity=False).hexdigest()


def _text(document: Document, name: str) -> str:
    value = document.get(name, "")
    return value if isinstance(value, str) else ""


def _strings(document: Document, name: str) -> Mapping[str, str]:
    value = document.get(name)
    return value if isinstance(value, Mapping) else NO_STRINGS

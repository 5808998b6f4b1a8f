"""The catalog: services, instances, leases, schemas, tags and dependencies, as one state machine.

It does no I/O, has no clock and makes no ids of its own: the wall clock (milliseconds) is an argument of every command, the lease clock
moves by `expire`, and ids come from the function it was given. The same commands in the same order give the same state.

A command either returns with its changes noted in the ledger or raises `RegistryError`, in which case its caller takes back what it had
noted. See docs/architecture.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

import orjson

from registry.catalog.dependencies import DependencyGraph
from registry.catalog.discovery import Discovery, ReadyAnswers
from registry.catalog.instances import Instances
from registry.catalog.leases import Lease
from registry.catalog.limits import Limits
from registry.catalog.protection import Protection
from registry.catalog.records import Dependencies, Instance, ProviderKey, Record, Schema, Service
from registry.catalog.schemas import Schemas, Tags
from registry.catalog.services import Services
from registry.catalog.state import State
from registry.catalog.views import Views
from registry.ledger import Ledger

__all__ = ["Catalog", "Lapse", "Limits"]


@dataclass(frozen=True, slots=True)
class Lapse:
    """What a tick of the lease clock brought: instances that left, that are kept although overdue, that came back."""

    expired: Sequence[Instance]
    kept: Sequence[tuple[Lease, str]]
    recovered: Sequence[Lease]


class Catalog:
    """The whole catalog; each part holds the commands of one chapter of the protocol."""

    def __init__(self, limits: Limits, new_id: Callable[[], str], ledger: Ledger) -> None:
        ready = ReadyAnswers()
        self.limits = limits
        self.state = State(ledger, ready)
        self.services = Services(self.state, limits)
        self.schemas = Schemas(self.state, self.services, limits)
        self.tags = Tags(self.services)
        self.instances = Instances(self.state, self.services, limits, new_id)
        self.graph = DependencyGraph(self.state, self.services)
        self.discovery = Discovery(self.state, self.services, self.graph, ready)
        self.views = Views(self.state, self.services, self.graph)
        self._protection = Protection(self.state, limits)

    def expire(self, seconds: float, now: int) -> Lapse:
        """Move the lease clock by so many seconds and let go of the instances whose leases are over and that nothing protects."""
        leases = self.state.leases
        overdue = leases.advance(seconds)
        recovered = leases.recovered()
        verdict = self._protection.judge(overdue) if overdue else None
        if verdict is None:
            return Lapse((), (), recovered)
        expired = []
        for lease in verdict.expired:
            instance = self.state.existing(lease.tenant).instances_of(lease.service_id)[lease.instance_id]
            self.state.put(instance, None, now)
            expired.append(instance)
        return Lapse(expired, verdict.kept, recovered)

    def restore(self, revision: int, path: str, body: bytes | None) -> None:
        """Replay one event of the journal: the record at `path` gives way to `body`. Raises `ValueError` for what is no record."""
        kind, domain, project, rest = path.split("/", 3)
        tenant = f"{domain}/{project}"
        before = self._stored(kind, tenant, rest)
        after = self._decode(kind, tenant, rest, body, revision) if body is not None else None
        if before is not None or after is not None:
            self.state.apply(before, after)

    def _stored(self, kind: str, tenant_name: str, rest: str) -> Record | None:
        tenant = self.state.existing(tenant_name)
        owner, name = _owner_and_name(rest)
        match kind:
            case "service":
                return tenant.services.get(owner)
            case "instance":
                return tenant.instances.get(owner, {}).get(name)
            case "schema":
                return tenant.schemas.get(owner, {}).get(name)
            case "dependency":
                return tenant.dependencies.get(owner)
        raise ValueError(f"the journal holds a record of the unknown kind {kind!r}")

    def _decode(self, kind: str, tenant: str, rest: str, body: bytes, revision: int) -> Record:
        decoded = orjson.loads(body)
        owner, name = _owner_and_name(rest)
        match kind:
            case "service":
                return Service.of(tenant, decoded["service"], decoded["tags"], revision)
            case "instance":
                return Instance.of(tenant, decoded, self.instances.restored_lease(tenant, decoded), revision, body)
            case "schema":
                return Schema(tenant, owner, name, decoded["summary"], decoded["schema"], revision)
            case _:
                providers = frozenset(ProviderKey(*key) for key in decoded)
                return Dependencies(tenant, owner, providers, revision)


def _owner_and_name(rest: str) -> tuple[str, str]:
    owner, _, name = rest.partition("/")
    return unquote(owner), name

"""What instances upload, beside what is registered: totals of services, and who calls whom."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from registry.catalog.records import Instance, ProviderKey, Service
from registry.catalog.state import Tenant
from registry.engine import Engine
from registry.monitor import VersionKey
from registry.monitor.edges import Pair, rate_of
from registry.monitor.outcomes import Outcome
from registry.monitor.reporter import Reporter
from registry.monitor.totals import Totals
from registry.monitor.uploads import Upload

_LANES = ("CAS_LANE_TAG", "cas_lane_tag")
"""Properties of an instance that say its lane, as ServiceStage spells it and as route rules do."""


@dataclass(slots=True)
class VersionRow:
    """One version of a service: what its instances told, how many are registered, and in which lanes."""

    key: VersionKey
    service_id: str
    totals: Totals = field(default_factory=Totals)
    registered: int = 0
    lanes: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Edge:
    """Calls of one version of a service, from the instances in one lane, to one of another; its version is empty if it is not known."""

    consumer: VersionKey
    lane: str
    provider: VersionKey
    totals: Totals = field(default_factory=Totals)


class Reporting:
    """Takes documents, and reads what is kept of them."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        engine.on_tick.append(self._tick)

    @property
    def second(self) -> int:
        """The second of now."""
        return self._engine.now() // 1000

    @property
    def state(self) -> tuple[int, int, int, int]:
        """It differs once there is anything new."""
        engine = self._engine
        return engine.dashboard.documents, engine.told_calls.reports, engine.ledger.revision, engine.dashboard.instances

    def upload(self, said: VersionKey, upload: Upload) -> None:
        """Take a document of an instance of the service that it says; the registered facts count where it is registered.

        Raises 400100 where there is no room.
        """
        tenant = self._tenant(said.tenant)
        service = tenant.services.get(upload.service_id)
        key = key_of(service) if service is not None else said
        self._engine.dashboard.add(key, upload, self.second, _known(tenant, key))

    def count(self, consumer: Service, instance_id: str, outcome: Outcome) -> None:
        """Note calls that an instance told of in a report of outcomes."""
        pair = Pair(consumer.tenant, consumer.service_id, instance_id, outcome.service, outcome.version)
        self._engine.told_calls.count(pair, outcome, self.second)

    def tenants(self) -> Sequence[str]:
        """The tenants that anything is registered in, or told of."""
        return sorted({*self._engine.catalog.state.tenants, *self._engine.dashboard.tenants()})

    def reporters(self, tenant: str, *, stale: bool = False) -> Iterator[Reporter]:
        """What is kept of a tenant's instances; stale ones too, if wished."""
        second = self.second
        return (one for one in self._engine.dashboard.reporters(tenant) if stale or not one.is_stale(second))

    def versions(self, tenant: str) -> Mapping[VersionKey, VersionRow]:
        """All versions of services that are registered or tell anything; those that every tenant shares aside."""
        known, rows = self._tenant(tenant), dict[VersionKey, VersionRow]()
        for service in known.services.values():
            if not self._engine.catalog.services.is_shared(service):
                instances = known.instances_of(service.service_id).values()
                lanes = {lane for one in instances if (lane := lane_of(one))}
                key = key_of(service)
                rows[key] = VersionRow(key, service.service_id, registered=len(instances), lanes=lanes)
        for one in self.reporters(tenant):
            rows.setdefault(one.key, VersionRow(one.key, one.service_id)).totals.add(one.totals)
        return rows

    def registered(self, reporter: Reporter) -> Instance | None:
        """The instance as it is registered."""
        return self._tenant(reporter.key.tenant).instances_of(reporter.service_id).get(reporter.instance_id)

    def edges(self, tenant: str) -> list[Edge]:
        """Who calls whom. What a consumer uploads counts before what it reports of outcomes, which are of some calls only."""
        edges: dict[tuple[VersionKey, str, VersionKey], Edge] = {}
        known, told = self._tenant(tenant), set[tuple[str, str, str]]()

        def edge(consumer: VersionKey, lane: str, service: str, version: str) -> Totals:
            provider = _provider(known, consumer, service, version)
            found = edges.setdefault((consumer, lane, provider), Edge(consumer, lane, provider))
            return found.totals

        for one in self.reporters(tenant):
            lane = lane_of(known.instances_of(one.service_id).get(one.instance_id))
            for call in one.calls:
                told.add((one.service_id, one.instance_id, call.service))
                totals = edge(one.key, lane, call.service, call.version)
                totals.count(call.rate, call.latency, call.failure_rate, call.p99)
        for pair, sums in self._engine.told_calls.recent(tenant, self.second):
            consumer = known.services.get(pair.service_id)
            if consumer is None or (pair.service_id, pair.instance_id, pair.service) in told:
                continue
            lane = lane_of(known.instances_of(pair.service_id).get(pair.instance_id))
            totals = edge(key_of(consumer), lane, pair.service, pair.version)
            totals.count(rate_of(sums), sums.mean, sums.error_rate / 100, sums.p99)
        return list(edges.values())

    def _tenant(self, name: str) -> Tenant:
        return self._engine.catalog.state.existing(name)

    def _tick(self) -> None:
        self._engine.dashboard.sweep(self.second, lambda one: self.registered(one) is not None)


def lane_of(instance: Instance | None) -> str:
    """The lane that an instance is in; empty where it is in none."""
    properties = instance.properties if instance is not None else {}
    return next((properties[name] for name in _LANES if properties.get(name)), "")


def key_of(service: Service) -> VersionKey:
    """How what is told names a registered version."""
    key = service.key
    return VersionKey(service.tenant, key.app, key.environment, key.name, service.version)


def _known(tenant: Tenant, consumer: VersionKey) -> Callable[[str], bool]:
    return lambda name: _name_of(consumer, name) in tenant.by_name


def _name_of(consumer: VersionKey, service: str) -> ProviderKey:
    """A service as its consumer calls it: by its name, or `app:name`."""
    app, _, name = service.rpartition(":")
    return ProviderKey(consumer.environment, app or consumer.app, name)


def _provider(tenant: Tenant, consumer: VersionKey, service: str, version: str) -> VersionKey:
    key = _name_of(consumer, service)
    versions = tenant.by_name.get(key, {})
    only = version or (next(iter(versions)) if len(versions) == 1 else "")
    return VersionKey(consumer.tenant, key.app, key.environment, key.name, only)

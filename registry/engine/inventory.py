"""What is registered, as people look for it: versions of services with their instances counted, and instances with their leases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from registry.catalog.records import Instance, Service
from registry.catalog.state import State
from registry.catalog.versions import parse_version
from registry.engine import Engine
from registry.engine.reporting import Reporting, key_of, lane_of
from registry.engine.runtimes import runtime_of
from registry.monitor import VersionKey
from registry.monitor.reporter import Reporter
from registry.monitor.totals import Totals

NO_INSTANCE = "NONE"
PROTECTED = "PROTECTED"
"""What may be asked for beside the statuses of instances."""
Sees = Callable[[Mapping[str, str]], bool]


@dataclass(frozen=True, slots=True)
class Search:
    """What is looked for; nothing stands for any. `contains` is a text in lower case."""

    app: str | None = None
    environment: str | None = None
    service: str | None = None
    version: str | None = None
    lane: str | None = None
    framework: str | None = None
    status: str | None = None
    service_id: str | None = None
    instance_id: str | None = None
    contains: str = ""

    def names(self, service: Service) -> bool:
        """Whether it is one of these services, as far as its names say."""
        key = service.key
        pairs = (
            (self.app, key.app),
            (self.environment, key.environment),
            (self.service, key.name),
            (self.version, service.version),
            (self.service_id, service.service_id),
        )
        return all(wanted is None or wanted == found for wanted, found in pairs)


@dataclass(slots=True)
class Listed:
    """A version of a service: its instances by status, those that are kept although silent by reason, lanes, and what they tell."""

    service: Service
    framework: str
    statuses: Counter[str] = field(default_factory=Counter)
    protected: Counter[str] = field(default_factory=Counter)
    lanes: set[str] = field(default_factory=set)
    totals: Totals = field(default_factory=Totals)

    @property
    def order(self) -> tuple[object, ...]:
        """Its place in a list: by application, name and environment, and the newest version first."""
        key = self.service.key
        return key.app, key.name, key.environment, [-part for part in parse_version(self.service.version)]

    def fits(self, search: Search) -> bool:
        """Whether it is what is looked for."""
        wanted = (
            search.names(self.service)
            and (search.lane is None or search.lane in self.lanes)
            and search.framework in (None, self.framework)
        )
        if not wanted or (search.status is not None and not self._is(search.status)):
            return False
        service = self.service
        text = "\n".join((*service.key, service.version, service.alias, service.service_id, self.framework))
        return search.contains in text.lower()

    def _is(self, status: str) -> bool:
        if status == NO_INSTANCE:
            return not self.statuses
        return bool(self.protected) if status == PROTECTED else status in self.statuses


@dataclass(frozen=True, slots=True)
class Living:
    """An instance, its service, the seconds that are left of its lease, why it is kept although silent, and what it tells."""

    service: Service
    instance: Instance
    left: float
    protected: str
    reporter: Reporter | None


class Inventory:
    """Reads the catalog, and what instances tell beside it."""

    def __init__(self, engine: Engine, reporting: Reporting) -> None:
        self._engine = engine
        self._reporting = reporting

    def services(self, tenant: str, sees: Sees) -> list[Listed]:
        """Every version that may be seen, in order."""
        found = self._engine.catalog.services.list(tenant, with_shared=False)
        rows = [self._listed(service) for service in found if sees(service.labels)]
        return sorted(rows, key=lambda row: row.order)

    def tell(self, tenant: str, rows: Iterable[Listed]) -> None:
        """Add to some rows what their instances tell."""
        wanted: dict[VersionKey, Listed] = {key_of(row.service): row for row in rows}
        for one in self._reporting.reporters(tenant):
            if (row := wanted.get(one.key)) is not None:
                row.totals.add(one.totals)

    def instances(self, tenant: str, search: Search, sees: Sees) -> list[tuple[Service, Instance]]:
        """The instances that are looked for, by service in order, and then as they registered."""
        state = self._engine.catalog.state
        services = [row for row in self.services(tenant, sees) if search.names(row.service)]
        return [
            (row.service, one)
            for row in services
            if search.framework in (None, row.framework)
            for one in state.existing(tenant).instances_of(row.service.service_id).values()
            if _fits(state, search, one)
        ]

    def living(self, tenant: str, found: Sequence[tuple[Service, Instance]]) -> Iterator[Living]:
        """Some instances with their leases and what they tell."""
        leases = self._engine.catalog.state.leases
        ids = {instance.instance_id for _, instance in found}
        told = {one.instance_id: one for one in self._reporting.reporters(tenant) if one.instance_id in ids}
        for service, one in found:
            lease = one.lease
            left = max(lease.deadline, lease.protected_until) - leases.now
            reason = leases.protected.get(lease, "")
            yield Living(service, one, max(left, 0.0), reason, told.get(one.instance_id))

    def _listed(self, service: Service) -> Listed:
        state = self._engine.catalog.state
        row = Listed(service, runtime_of(service).name)
        for one in state.existing(service.tenant).instances_of(service.service_id).values():
            row.statuses[one.status] += 1
            if (lane := lane_of(one)) != "":
                row.lanes.add(lane)
            if (reason := state.leases.protected.get(one.lease)) is not None:
                row.protected[reason] += 1
        return row


def _fits(state: State, search: Search, one: Instance) -> bool:
    if search.instance_id not in (None, one.instance_id) or search.lane not in (None, lane_of(one)):
        return False
    if search.status == PROTECTED:
        return one.lease in state.leases.protected
    if search.status not in (None, one.status):
        return False
    return not search.contains or search.contains in one.encoded.decode().lower()

"""What the journal keeps rebuilds the catalog, whether its history was compacted or not."""

from __future__ import annotations

import asyncio
import itertools
import random

import pytest

from registry.catalog import Catalog, Limits
from registry.catalog.records import ProviderKey
from registry.catalog.schemas import SchemaContent
from registry.engine.committer import event_of
from registry.errors import RegistryError
from registry.ledger import Ledger
from registry.storage.memory import MemoryJournal
from registry.storage.port import Event
from tests.unit.storage.journals import all_of

TENANTS = ("default/default", "acme/blue%2Fgreen")


class Life:
    """A catalog that random commands act on; the journal's events of all that they change are gathered."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.ledger = Ledger()
        self.catalog = Catalog(Limits(), map("i{}".format, itertools.count()).__next__, self.ledger)
        self.events: list[Event] = []

    def live(self, commands: int) -> None:
        """Run so many commands; those that are refused leave no trace."""
        acts = (self._service, self._service, self._instance, self._instance, self._change, self._schema, self._end)
        for now in range(commands):
            try:
                self.chance.choice(acts)(now)
            except RegistryError:
                self.ledger.undo(self.ledger.take_changes())
            self.events += [event_of(change) for change in self.ledger.take_changes()]

    def _pick(self) -> tuple[str, str]:
        tenant = self.chance.choice(TENANTS)
        return tenant, self.chance.choice(list(self.catalog.state.existing(tenant).services) or ["none"])

    def _service(self, now: int) -> None:
        name, version = self.chance.choice("abc"), self.chance.choice(("1.0.0", "2.0.0"))
        document = {"appId": "x", "serviceName": name, "version": version, "alias": self.chance.choice(("", name * 2))}
        self.catalog.services.register(self.chance.choice(TENANTS), document, now)

    def _instance(self, now: int) -> None:
        tenant, service = self._pick()
        self.catalog.instances.register(tenant, service, {"hostName": "h", "endpoints": ["rest://h:1"]}, now)

    def _change(self, now: int) -> None:
        tenant, service = self._pick()
        instances = list(self.catalog.state.existing(tenant).instances_of(service)) or ["none"]
        match self.chance.randrange(5):
            case 0:
                self.catalog.services.set_properties(tenant, service, {"now": str(now)}, now)
            case 1:
                self.catalog.tags.replace(tenant, service, {"tag": str(now)}, now)
            case 2:
                self.catalog.instances.set_status(tenant, service, self.chance.choice(instances), "DOWN", now)
            case 3:
                self.catalog.instances.set_properties(tenant, service, self.chance.choice(instances), {"p": "1"}, now)
            case _:
                consumer = self.catalog.services.get(tenant, service)
                self.catalog.graph.add(consumer, [ProviderKey("", "x", self.chance.choice("abc"))], now)

    def _schema(self, now: int) -> None:
        tenant, service = self._pick()
        self.catalog.schemas.upload(tenant, service, SchemaContent(self.chance.choice("st"), "", str(now)), now)

    def _end(self, now: int) -> None:
        tenant, service = self._pick()
        match self.chance.randrange(4):
            case 0:
                self.catalog.services.delete(tenant, service, now, force=True)
            case 1:
                self.catalog.schemas.delete(tenant, service, self.chance.choice("st"), now)
            case _:
                instances = list(self.catalog.state.existing(tenant).instances_of(service)) or ["none"]
                self.catalog.instances.unregister(tenant, service, self.chance.choice(instances), now)


def _facts(catalog: Catalog) -> object:
    records = {record.path: (record.revision, record.body) for record in catalog.state.records()}
    tenants = [catalog.state.existing(name) for name in TENANTS]
    indexes = [(set(tenant.by_name), set(tenant.by_alias), tenant.consumers) for tenant in tenants]
    counts = [tenant.instance_count for tenant in tenants]
    return records, indexes, counts, {(lease.service_id, lease.instance_id) for lease in catalog.state.leases.alive}


def _rebuilt(events: list[Event]) -> Catalog:
    catalog = Catalog(Limits(), lambda: "never", Ledger())
    for event in events:
        catalog.restore(event.revision, event.key, event.body)
    return catalog


@pytest.mark.parametrize("seed", range(25))
def test_replay_of_the_compacted_journal_is_replay_of_all_of_it(seed: int) -> None:
    """And both are the state that was there: records, indexes, who depends on whom, leases."""
    life = Life(seed)
    life.live(400)
    assert len(life.events) > 100

    async def compacted() -> list[Event]:
        journal = MemoryJournal()
        await journal.append(life.events)
        for through in sorted(life.chance.sample(range(life.events[-1].revision + 1), 3)):
            await journal.compact(through)
        return await all_of(journal)

    kept = asyncio.run(compacted())
    assert len(kept) < len(life.events)
    wanted = _facts(life.catalog)
    assert _facts(_rebuilt(life.events)) == wanted
    assert _facts(_rebuilt(kept)) == wanted

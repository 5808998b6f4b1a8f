"""The catalog against a model: whatever clients do, in whatever order, both say the same; and the journal's events rebuild it."""

from __future__ import annotations

import itertools

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from registry.catalog import Catalog, Limits
from registry.catalog.discovery import Query
from registry.catalog.records import ProviderKey
from registry.errors import RegistryError
from registry.ledger import Change, Ledger

TENANT = "default/default"
NAMES = st.sampled_from(["a", "b", "c"])
APPS = st.sampled_from(["x", "y"])
VERSIONS = st.sampled_from(["1.0.0", "1.1.0", "2.0.0"])


class CatalogMachine(RuleBasedStateMachine):
    """The model: services by identity, instances by service, in plain dicts."""

    services = Bundle("services")
    instances = Bundle("instances")

    def __init__(self) -> None:
        super().__init__()
        ids = itertools.count()
        self.catalog = Catalog(Limits(), lambda: f"i{next(ids)}", Ledger())
        self.known: dict[str, tuple[str, str, str]] = {}
        self.running: dict[str, dict[str, str]] = {}
        self.journal: list[tuple[int, str, bytes | None]] = []
        self.revisions: list[int] = []

    def _stored(self) -> None:
        for change in self.catalog.state.ledger.take_changes():
            self._store(change)

    def _store(self, change: Change) -> None:
        self.revisions.append(change.revision)
        self.journal.append((change.revision, change.record.path, change.after.body if change.after else None))

    @rule(target=services, app=APPS, name=NAMES, version=VERSIONS, crosses=st.booleans())
    def register(self, app: str, name: str, version: str, crosses: bool) -> str:
        """A service of one identity has one id, for ever."""
        document = {"appId": app, "serviceName": name, "version": version}
        if crosses:
            document["properties"] = {"allowCrossApp": "true"}  # type: ignore[assignment]
        found = self.catalog.services.register(TENANT, document, 1000)
        assert self.known.setdefault(found, (app, name, version)) == (app, name, version)
        self.running.setdefault(found, {})
        self._stored()
        return found

    @rule(target=instances, service=services)
    def start(self, service: str) -> tuple[str, str]:
        """An instance can be registered where its service is."""
        try:
            name = self.catalog.instances.register(TENANT, service, {"hostName": "h"}, 2000)
        except RegistryError as error:
            assert error.error.code == 400012
            assert service not in self.known
            return service, "never"
        self.running[service][name] = "UP"
        self._stored()
        return service, name

    @rule(instance=instances, status=st.sampled_from(["UP", "DOWN"]))
    def change(self, instance: tuple[str, str], status: str) -> None:
        """A status sticks to a living instance."""
        service, name = instance
        try:
            self.catalog.instances.set_status(TENANT, service, name, status, 3000)
        except RegistryError as error:
            assert error.error.code == 400017
            assert name not in self.running.get(service, {})
            return
        self.running[service][name] = status
        self._stored()

    @rule(instance=consumes(instances))
    def stop(self, instance: tuple[str, str]) -> None:
        """What is unregistered is gone at once."""
        service, name = instance
        try:
            self.catalog.instances.unregister(TENANT, service, name, 4000)
        except RegistryError:
            assert name not in self.running.get(service, {})
            return
        del self.running[service][name]
        self._stored()

    @rule(service=services, force=st.booleans())
    def delete(self, service: str, force: bool) -> None:
        """A service goes with its instances, by force or when nobody needs it."""
        try:
            self.catalog.services.delete(TENANT, service, 5000, force=force)
        except RegistryError as error:
            assert (error.error.code == 400012) == (service not in self.known)
            self.catalog.state.ledger.undo(self.catalog.state.ledger.take_changes())
            return
        assert force or not self.running[service]
        del self.known[service], self.running[service]
        self._stored()

    @rule(consumer=services, app=APPS, name=NAMES)
    def find(self, consumer: str, app: str, name: str) -> None:
        """A find shows every instance of every version that the consumer may see, and only those."""
        try:
            query = Query(ProviderKey("", app, name), consumer)
            self.catalog.discovery.record(TENANT, query, 6000)
            answer = self.catalog.discovery.find(TENANT, query)
        except RegistryError as error:
            assert error.error.code == 400012
            assert consumer not in self.known or not self._versions(app, name)
            return
        self._stored()
        own = self.known[consumer][0]
        visible = [
            service
            for service in self._versions(app, name)
            if own == app or self.catalog.services.get(TENANT, service).crosses_apps
        ]
        wanted = {instance for service in visible for instance in self.running[service]}
        assert answer.body.count(b'"instanceId"') == len(wanted)
        assert all(f'"instanceId":"{instance}"'.encode() in answer.body for instance in wanted)

    def _versions(self, app: str, name: str) -> list[str]:
        return [service for service, key in self.known.items() if key[:2] == (app, name)]

    @rule(service=services)
    def fail_to_store(self, service: str) -> None:
        """Changes that could not be stored are taken back without a trace, but for their revisions."""
        before = self._facts(self.catalog)
        state = self.catalog.state
        try:
            self.catalog.services.delete(TENANT, service, 7000, force=True)
        except RegistryError:
            return
        self.catalog.services.register(TENANT, {"appId": "x", "serviceName": "undone"}, 7000)
        state.ledger.undo(state.ledger.take_changes())
        assert self._facts(self.catalog) == before

    @invariant()
    def revisions_only_grow(self) -> None:
        """No revision is given out twice."""
        assert self.revisions == sorted(set(self.revisions))

    def teardown(self) -> None:
        """Replaying the journal gives the same catalog."""
        rebuilt = Catalog(Limits(), lambda: "never", Ledger())
        for revision, path, body in self.journal:
            rebuilt.restore(revision, path, body)
        assert self._facts(rebuilt) == self._facts(self.catalog)

    @staticmethod
    def _facts(catalog: Catalog) -> object:
        records = {record.path: record.body for record in catalog.state.records()}
        tenant = catalog.state.existing(TENANT)
        alive = {(lease.service_id, lease.instance_id) for lease in catalog.state.leases.alive}
        return records, tenant.instance_count, alive, tenant.consumers, set(tenant.by_name), set(tenant.by_alias)


CatalogMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestCatalogModel = CatalogMachine.TestCase

"""Who depends on whom. Protocol: Service Center section 8."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from registry.catalog.records import Dependencies, ProviderKey, Service
from registry.catalog.services import Services
from registry.catalog.state import State
from registry.errors import RegistryError


class DependencyGraph:
    """The rules consumer → provider, all versions of it. A find records one; an operator may state them."""

    def __init__(self, state: State, services: Services) -> None:
        self._state = state
        self._services = services

    def add(self, consumer: Service, providers: Iterable[ProviderKey], now: int) -> None:
        """Let the consumer depend on these providers as well."""
        self._store(consumer, self.of(consumer) | frozenset(providers), now)

    def replace(self, consumer: Service, providers: Iterable[ProviderKey], now: int) -> None:
        """Let the consumer depend on these providers and no others."""
        self._store(consumer, frozenset(providers), now)

    def consumer(self, tenant: str, key: ProviderKey, version: str) -> Service:
        """The consumer that a rule names, or 400012."""
        found = self._state.existing(tenant).by_name.get(key, {}).get(version)
        if found is None:
            text = f"{key.environment}/{key.app}/{key.name}/{version}"
            raise RegistryError(400012, f"Consumer {text} does not exist.")
        return found

    def providers(self, tenant: str, consumer_id: str) -> Sequence[Service]:
        """Every version of everything that the consumer depends on. Raises 400012."""
        state = self._state.existing(tenant)
        consumer = self._services.require(state, consumer_id, "Consumer does not exist")
        keys = sorted(self.of(consumer), key=lambda key: (key.name, key))
        return [service for key in keys for service in state.by_name.get(key, {}).values()]

    def consumers(self, tenant: str, provider_id: str) -> Sequence[Service]:
        """Every service that depends on the provider. Raises 400012."""
        state = self._state.existing(tenant)
        provider = self._services.require(state, provider_id, "Provider does not exist")
        return [
            state.services[name] for name in sorted(state.consumers.get(provider.key, ())) if name in state.services
        ]

    def of(self, consumer: Service) -> frozenset[ProviderKey]:
        """What a service is recorded to depend on."""
        rules = self._state.existing(consumer.tenant).dependencies.get(consumer.service_id)
        return rules.providers if rules else frozenset()

    def _store(self, consumer: Service, providers: frozenset[ProviderKey], now: int) -> None:
        if providers == self.of(consumer):
            return
        before = self._state.existing(consumer.tenant).dependencies.get(consumer.service_id)
        after = None
        if providers:
            revision = self._state.next_revision()
            after = Dependencies(consumer.tenant, consumer.service_id, providers, revision)
        self._state.put(before, after, now)

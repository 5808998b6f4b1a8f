"""Finds: which instances a consumer may call. Protocol: Service Center sections 7.5, 7.6 and 7.11.

An answer is made once per change, not once per request: `Answer` holds the JSON of all instances ready to send, and is kept until the state
says that one of its services or instances has changed. Two forms of it exist for every provider, for consumers of the same application and
of others, since a service is seen by other applications only where it allows that.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from registry.catalog.dependencies import DependencyGraph
from registry.catalog.records import Instance, ProviderKey, Service
from registry.catalog.services import DEFAULT_TENANT, Services
from registry.catalog.state import Answers, State, Tenant
from registry.catalog.versions import version_filter
from registry.errors import RegistryError, invalid

SHARED_ENVIRONMENT = "development"
"""The environment that the engine registers itself in, where shared services are looked up."""


@dataclass(slots=True)
class Forms:
    """What others make of an answer and keep, by its form. It is emptied, and `stale`, once the answer no longer shows the state."""

    ready: dict[tuple[bool, bool], tuple[bytes, bytes]] = field(default_factory=dict)
    stale: bool = False


@dataclass(slots=True)
class Answer:
    """A find's answer: the opaque revision and the JSON body."""

    revision: str
    body: bytes
    encoded: Sequence[bytes]
    forms: Forms = field(default_factory=Forms)


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked for: a name or (unless `by_alias` is off) an alias, and what narrows the answer.

    `version_rule` and `properties`, pairs of name and value that all must hold, are this engine's own.
    """

    key: ProviderKey
    consumer_id: str = ""
    tags: Sequence[str] = ()
    version_rule: str = ""
    properties: Sequence[tuple[str, str]] = ()
    by_alias: bool = True

    @property
    def plain(self) -> bool:
        """Whether nothing narrows it, so that the ready answer serves."""
        return not (self.tags or self.version_rule or self.properties)


class ReadyAnswers(Answers):
    """The answers that are kept ready, by tenant, provider and whether the consumer is of another application."""

    def __init__(self) -> None:
        self._ready: dict[tuple[str, ProviderKey], dict[bool, Answer]] = {}

    def drop(self, tenant: str, key: ProviderKey) -> None:
        """Forget the answers about a provider; who kept a form of one sees that it is stale."""
        for answer in self._ready.pop((tenant, key), {}).values():
            answer.forms.stale = True
            answer.forms.ready.clear()

    def get(self, tenant: str, key: ProviderKey, foreign: bool, build: Callable[[], Answer]) -> Answer:
        """The ready answer, built when it is not there."""
        answers = self._ready.setdefault((tenant, key), {})
        if foreign not in answers:
            answers[foreign] = build()
        return answers[foreign]


class Discovery:
    """Answers finds and lists, and records on demand who depends on whom."""

    def __init__(self, state: State, services: Services, graph: DependencyGraph, ready: ReadyAnswers) -> None:
        self._state = state
        self._services = services
        self._graph = graph
        self._ready = ready

    def find(self, tenant_name: str, query: Query) -> Answer:
        """The instances of all versions of a service, whatever their status. Raises 400012."""
        key, consumer, providers = self._found(tenant_name, query)
        return self._answer(tenant_name, providers, query, consumer, key)

    def record(self, tenant_name: str, query: Query, now: int) -> None:
        """Note that the consumer depends on what its find shows, so that it is told of changes. Raises 400012. Section 8."""
        _key, consumer, providers = self._found(tenant_name, query)
        if consumer:
            self._graph.add(consumer, _shown(consumer, providers), now)

    def is_recorded(self, tenant_name: str, query: Query) -> bool:
        """Whether there is nothing to note for a find. Raises 400012."""
        _key, consumer, providers = self._found(tenant_name, query)
        return consumer is None or _shown(consumer, providers) <= self._graph.of(consumer)

    def _found(self, tenant_name: str, query: Query) -> tuple[ProviderKey, Service | None, Sequence[Service]]:
        if self._is_shared(tenant_name, query.key):
            key = query.key._replace(environment=SHARED_ENVIRONMENT)
            return key, None, self._providers(tenant_name, key, query, None)
        consumer = self.consumer(tenant_name, query.consumer_id)
        key = query.key._replace(environment=consumer.key.environment) if consumer else query.key
        return key, consumer, self._providers(tenant_name, key, query, consumer)

    def of_service(self, tenant_name: str, service_id: str, consumer_id: str, tags: Sequence[str]) -> Answer:
        """The instances of one service. Raises 400012, also where tags or access leave nothing. Section 7.11."""
        tenant = self._state.existing(tenant_name)
        consumer = self.consumer(tenant_name, consumer_id)
        service = self._services.require(tenant, service_id, f"Provider[{service_id}] does not exist.")
        if not self._visible(service, consumer, tags):
            raise RegistryError(
                400012, f"{_who(consumer)} find provider[{service_id}] failed, provider instance does not exist"
            )
        return make_answer(tenant.instances_of(service_id).values())

    def one(
        self, tenant_name: str, service_id: str, instance_id: str, consumer_id: str, tags: Sequence[str] = ()
    ) -> Instance:
        """One instance. Raises 400012, and 400017 also where tags or access hide it. Section 7.11."""
        consumer = self.consumer(tenant_name, consumer_id)
        tenant = self._state.existing(tenant_name)
        service = self._services.require(tenant, service_id, f"Provider[{service_id}] does not exist.")
        instance = tenant.instances_of(service_id).get(instance_id)
        if instance is None or not self._visible(service, consumer, tags):
            raise RegistryError(400017, f"Service instance[{instance_id}] does not exist.")
        return instance

    def consumer(self, tenant_name: str, consumer_id: str) -> Service | None:
        """The service that asks, where it says who it is. Raises 400012 for one that is not registered."""
        if not consumer_id:
            return None
        found = self._state.existing(tenant_name).services.get(consumer_id)
        if found is None:
            raise RegistryError(400012, f"Consumer[{consumer_id}] does not exist.")
        return found

    def _is_shared(self, tenant_name: str, key: ProviderKey) -> bool:
        return tenant_name == DEFAULT_TENANT and key.app == "default" and self._services.is_shared_name(key.name)

    def _visible(self, service: Service, consumer: Service | None, tags: Sequence[str]) -> bool:
        if not all(tag in service.tags for tag in tags):
            return False
        return (
            consumer is None or self._services.is_shared(service) or _may_see(consumer, service, same_environment=True)
        )

    def _providers(
        self, tenant_name: str, key: ProviderKey, query: Query, consumer: Service | None
    ) -> Sequence[Service]:
        tenant = self._state.existing(tenant_name)
        versions = tenant.by_name.get(key) or (tenant.by_alias.get(key) if query.by_alias else None)
        if not versions:
            asked = f"{key.environment}/{key.app}/{key.name}"
            raise RegistryError(400012, f"{_who(consumer)} find provider[{asked}] failed, provider does not exist")
        return [service for service in versions.values() if all(tag in service.tags for tag in query.tags)]

    def _answer(
        self, tenant_name: str, providers: Sequence[Service], query: Query, consumer: Service | None, key: ProviderKey
    ) -> Answer:
        tenant = self._state.existing(tenant_name)
        foreign = consumer is not None and consumer.key.app != key.app

        def build() -> Answer:
            seen = [service for service in providers if not foreign or service.crosses_apps]
            return make_answer(_narrowed(tenant, seen, query))

        return self._ready.get(tenant_name, key, foreign, build) if query.plain else build()


def make_answer(instances: Iterable[Instance]) -> Answer:
    """The wire form of a list of instances, with its revision. Section 7.6."""
    chosen = list(instances)
    encoded = [instance.encoded for instance in chosen]
    body = b'{"instances":[' + b",".join(encoded) + b"]}" if encoded else b"{}"
    return Answer(revision_of(chosen), body, encoded)


def revision_of(instances: Sequence[Instance]) -> str:
    """The opaque name of a set of instances: the same for the same set in the same state, and for no other.

    The original's newest revision and count cannot tell two sets apart that share both; its name of the empty set is kept.
    """
    revisions = ".".join(map(str, sorted(instance.revision for instance in instances)))
    return hashlib.sha1((revisions or "0.0,").encode(), usedforsecurity=False).hexdigest()


def _narrowed(tenant: Tenant, services: Sequence[Service], query: Query) -> Iterable[Instance]:
    try:
        wanted = (
            version_filter(query.version_rule, [service.version for service in services])
            if query.version_rule
            else None
        )
    except ValueError as error:
        raise invalid(f"filterVersion: {error}") from error
    for service in services:
        if wanted and not wanted(service.version):
            continue
        for instance in tenant.instances_of(service.service_id).values():
            if all(instance.properties.get(name) == value for name, value in query.properties):
                yield instance


def _shown(consumer: Service, providers: Sequence[Service]) -> set[ProviderKey]:
    return {service.key for service in providers if _may_see(consumer, service)}


def _may_see(consumer: Service, provider: Service, *, same_environment: bool = False) -> bool:
    if same_environment and provider.key.environment != consumer.key.environment:
        return False
    return provider.key.app == consumer.key.app or provider.crosses_apps


def _who(consumer: Service | None) -> str:
    if consumer is None:
        return "Consumer[]"
    return f"Consumer[{consumer.service_id}][{consumer.index_text()}]"

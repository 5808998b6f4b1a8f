"""Who asks: which registered instance a request for configuration comes from, so that a gradual release can answer it on its own.

The protocols of the config centre carry no instance. So an asker is known by what it says of itself (the SDK names its instance in the
header `X-Waggle-Instance`), else by its address: an instance of the service that it asks for, with an endpoint at that address. Several
instances at one address cannot be told apart; they count as chosen only where all of them are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlsplit

import orjson

from registry.catalog import Catalog
from registry.catalog.records import Instance, Service
from registry.config.targets import Release

INSTANCE = "X-Waggle-Instance"


@dataclass(frozen=True, slots=True)
class Place:
    """What is known of a client: its address, the instance that it says it is, and the labels that it asks for."""

    tenant: str
    address: str
    instance_id: str
    labels: Mapping[str, str]

    def instances(self, catalog: Catalog) -> Sequence[Instance]:
        """The instances that it may be."""
        return [instance for _, instance in self.candidates(catalog) if self._is(instance)]

    def candidates(self, catalog: Catalog) -> Sequence[tuple[Service, Instance]]:
        """The instances of the services that its labels are about."""
        state = catalog.state.existing(self.tenant)
        return [
            (service, instance)
            for service in state.services.values()
            if self.may_be(service)
            for instance in state.instances_of(service.service_id).values()
        ]

    def may_be(self, service: Service) -> bool:
        """Whether its labels are about a service."""
        own = {"app": service.key.app, "service": service.key.name, "version": service.version}
        return all(self.labels.get(name, value) == value for name, value in own.items())

    def _is(self, instance: Instance) -> bool:
        if self.instance_id:
            return instance.instance_id == self.instance_id
        return self.address in hosts(instance.encoded)


class Choice:
    """Says of releases whether they are for an asker, who is looked for once, when the first is asked about."""

    def __init__(self, catalog: Catalog, place: Place) -> None:
        self._catalog = catalog
        self._place = place
        self._found: Sequence[Instance] | None = None

    def __call__(self, release: Release) -> bool:
        """Whether every instance that the asker may be is one of those that get the new value."""
        if self._found is None:
            self._found = self._place.instances(self._catalog)
        target = release.target
        return bool(self._found) and all(
            target.chooses(release.key_id, instance.instance_id, instance.properties) for instance in self._found
        )


def choice_of(catalog: Catalog, instance: Instance, *, by_name: bool) -> Callable[[Release], bool]:
    """Which releases an instance gets: told by its name, as the SDK's is, or by its address, as all others are."""
    address = min(hosts(instance.encoded), default="")
    name = instance.instance_id if by_name else ""

    def chosen(release: Release) -> bool:
        labels = {part: text for part, text in release.labels.items() if part in ("app", "service", "version")}
        return Choice(catalog, Place(instance.tenant, address, name, labels))(release)

    return chosen


@lru_cache(maxsize=65536)
def hosts(encoded: bytes) -> frozenset[str]:
    """The hosts of the endpoints of an instance, by its wire form."""
    return frozenset(_hosts_of(orjson.loads(encoded).get("endpoints") or ()))


def _hosts_of(endpoints: Sequence[str]) -> Iterator[str]:
    for endpoint in endpoints:
        try:
            host = urlsplit(endpoint).hostname
        except ValueError:
            continue
        if host:
            yield host


@dataclass(frozen=True, slots=True)
class Reached:
    """An instance that an item is for: whether a release is for it, and whether its address tells it apart from those it is not for."""

    instance_id: str
    service: str
    version: str
    chosen: bool
    told_apart: bool


def reached(catalog: Catalog, release: Release) -> Sequence[Reached]:
    """The registered instances that may ask for the item of a release."""
    everyone = Place(release.tenant, "", "", release.labels).candidates(catalog)
    chosen = {
        instance.instance_id
        for _, instance in everyone
        if release.target.chooses(release.key_id, instance.instance_id, instance.properties)
    }
    others: set[str] = set()
    for _, instance in everyone:
        if instance.instance_id not in chosen:
            others |= hosts(instance.encoded)
    return [
        Reached(
            instance.instance_id,
            service.key.name,
            service.version,
            instance.instance_id in chosen,
            not (instance.instance_id in chosen and others & hosts(instance.encoded)),
        )
        for service, instance in everyone
    ]

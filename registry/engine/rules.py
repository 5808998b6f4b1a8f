"""What the engine knows when it checks rules: the items beside them, who is registered, and what it has checked before."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from governance.rules.check import Checked, check
from governance.rules.runtimes import Runtime
from registry.catalog import Catalog
from registry.catalog.records import Instance, Service
from registry.config import Config
from registry.config.records import Draft
from registry.config.ruled import Place, check_together, place_of
from registry.engine.runtimes import runtimes_of


class CheckedItems:
    """Checks items, each once: a check is good until its item or the runtimes change. It keeps `most` of them.

    An item has the name of its id; where one runtime alone counts, that follows.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: dict[str, tuple[Draft, Sequence[Runtime], Checked]] = {}

    def check(self, name: str, draft: Draft, runtimes: Sequence[Runtime]) -> Checked:
        """The check of the draft that has this name now. Threads may ask at the same time."""
        kept = self._kept.get(name)
        if kept is not None and kept[0] is draft and kept[1] == runtimes:
            return kept[2]
        found = check(draft.key, draft.value, runtimes, value_type=draft.value_type)
        if len(self._kept) >= self._most:
            self._kept.clear()
        self._kept[name] = draft, runtimes, found
        return found


@dataclass(frozen=True, slots=True, eq=False)
class TaggedInstance:
    """An instance as rules see it: the version of its service, and the service's properties with its own over them."""

    instance: Instance
    version: str
    properties: Mapping[str, str]


Registered: TypeAlias = Sequence[tuple[Service, Sequence[Instance]]]
"""Services with their instances."""


def registered(catalog: Catalog, tenant: str, places: Container[Place]) -> Registered:
    """The services of some applications in their environments."""
    state = catalog.state.existing(tenant)
    return [
        (service, list(state.instances_of(service.service_id).values()))
        for service in state.services.values()
        if (service.key.app, service.key.environment) in places
    ]


def tagged(services: Registered) -> Iterator[tuple[Service, TaggedInstance]]:
    """The instances of services as rules see them."""
    for service, instances in services:
        for one in instances:
            yield service, TaggedInstance(one, service.version, {**service.properties, **one.properties})


@dataclass(frozen=True, slots=True)
class Scene:
    """A tenant's items, runtimes and services at one moment, to check rules against on a thread."""

    checks: CheckedItems
    items: Mapping[str, Draft]
    runtimes: Sequence[Runtime]
    services: Registered

    @classmethod
    def of(
        cls, checks: CheckedItems, catalog: Catalog, config: Config, tenant: str, places: Container[Place] | None
    ) -> Scene:
        """The scene now, with the services of some places, or of those of all items."""
        items = {name: item.draft for name, item in config.state.table(tenant).by_id.items()}
        asked = set(map(place_of, items.values())) if places is None else places
        return cls(checks, items, runtimes_of(catalog, tenant), registered(catalog, tenant, asked))

    def check(self, wanted: Iterable[str], over: Mapping[str, Draft | None] = {}) -> Mapping[str, Checked]:
        """The checks of items by id, each with the others, as if `over` were saved; None there is a deletion."""
        drafts = {name: draft for name, draft in {**self.items, **over}.items() if draft is not None}
        present: dict[Place, dict[str, list[TaggedInstance]]] = {}
        for service, one in tagged(self.services):
            place = present.setdefault((service.key.app, service.key.environment), {})
            place.setdefault(service.key.name, []).append(one)
        return check_together(drafts, self.alone, present, [name for name in wanted if name in drafts])

    def alone(self, key_id: str, draft: Draft) -> Checked:
        """The check of one item by itself."""
        return self.checks.check(key_id, draft, self.runtimes)

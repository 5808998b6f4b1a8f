"""All instances that upload, within bounds."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from registry.errors import RegistryError
from registry.monitor.outcomes import VersionKey
from registry.monitor.reporter import Reporter
from registry.monitor.uploads import Upload

Known = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Bounds:
    """Seconds that are kept; most instances, most interfaces of one and of all."""

    seconds: int = 300
    instances: int = 20_000
    interfaces: int = 100
    all_interfaces: int = 400_000


class Dashboard:
    """What instances told of themselves. Seconds are those of the engine's clock when a document came in."""

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self._reporters: OrderedDict[tuple[str, str, str], Reporter] = OrderedDict()
        self._swept = 0
        self.interfaces = 0
        """Interfaces that are kept."""
        self.documents = 0
        """Documents that were taken; it says whether there is anything new."""
        self.lost_interfaces = 0
        """Interfaces in documents for which there was no room."""
        self.lost_instances = 0
        """Documents of instances for which there was no room."""

    def add(self, key: VersionKey, upload: Upload, second: int, known: Known) -> None:
        """Take a document of an instance of this service; `known` says whether a service of a name is registered.

        Raises 400100 where there is no room for one more instance.
        """
        place = (key.tenant, upload.service_id, upload.instance_id)
        reporter = self._reporters.get(place)
        if reporter is None:
            self._make_room(second)
            reporter = self._reporters[place] = Reporter(key, upload.service_id, upload.instance_id)
        reporter.key = key
        self._reporters.move_to_end(place)
        bounds = self.bounds
        self.interfaces -= reporter.drop_silent(second, bounds.seconds)
        before = len(reporter.interfaces)
        room = min(bounds.interfaces - before, bounds.all_interfaces - self.interfaces)
        self.lost_interfaces += reporter.add(upload, second, bounds.seconds, room, known)
        self.interfaces += len(reporter.interfaces) - before
        self.documents += 1

    def get(self, tenant: str, service_id: str, instance_id: str) -> Reporter | None:
        """What is kept of an instance."""
        return self._reporters.get((tenant, service_id, instance_id))

    def reporters(self, tenant: str) -> Iterator[Reporter]:
        """What is kept of the instances of a tenant, stale ones among them."""
        return (one for one in self._reporters.values() if one.key.tenant == tenant)

    def tenants(self) -> set[str]:
        """The tenants that instances are of."""
        return {tenant for tenant, _, _ in self._reporters}

    @property
    def instances(self) -> int:
        """Instances that something is kept of."""
        return len(self._reporters)

    def sweep(self, second: int, registered: Callable[[Reporter], bool]) -> None:
        """Forget what is too old, and stale instances that are not registered. Once a second at most."""
        if second == self._swept:
            return
        self._swept = second
        for place, one in list(self._reporters.items()):
            if not one.is_stale(second) and one.seen <= second:
                continue
            if not second - self.bounds.seconds < one.seen <= second or not registered(one):
                self._forget(place)

    def _make_room(self, second: int) -> None:
        """Let the instance that was silent for longest go, if it is stale."""
        if len(self._reporters) < self.bounds.instances:
            return
        place, oldest = next(iter(self._reporters.items()))
        if not oldest.is_stale(second):
            self.lost_instances += 1
            raise RegistryError(400100, f"no quota for data of one more instance, max num is {self.bounds.instances}")
        self._forget(place)

    def _forget(self, place: tuple[str, str, str]) -> None:
        self.interfaces -= len(self._reporters.pop(place).interfaces)

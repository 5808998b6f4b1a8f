"""What is answered again as it was before, when it is asked again in the very same bytes: see registry/api/hot.py.

Each of these knows what it renews, and on what it depends: `again` gives the answer's bytes before and after its Date header, or nothing
where it no longer holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from registry.catalog.discovery import Forms
    from registry.catalog.leases import Lease
    from registry.catalog.records import Dependencies, Service
    from registry.catalog.state import Tenant

Ready = tuple[bytes, bytes]


class Repeat(Protocol):
    """A request that was answered. `kind` is what it is counted as."""

    @property
    def kind(self) -> str: ...

    def again(self) -> Ready | None: ...


class Beat:
    """A heartbeat, whose instance must still be registered."""

    __slots__ = ("_lease", "_wire")
    kind = "heartbeat"

    def __init__(self, lease: Lease, wire: Ready) -> None:
        self._lease = lease
        self._wire = wire

    def again(self) -> Ready | None:
        """Renew the lease."""
        lease = self._lease
        if not lease.alive:
            return None
        lease.beat()
        return self._wire


@dataclass(frozen=True, slots=True)
class Beats:
    """What renews leases, all of which must still be alive: a batch of heartbeats, or a registration repeated."""

    kind: str
    leases: Sequence[Lease]
    wire: Ready

    def again(self) -> Ready | None:
        """Renew the leases. The first word of an instance that is protected takes the long way: it may change what is registered."""
        for lease in self.leases:
            if not lease.alive or lease.protected_until:
                return None
        for lease in self.leases:
            lease.beat()
        return self.wire


@dataclass(frozen=True, slots=True)
class Find:
    """A find that was answered: to whom, who must still be registered and recorded as depending on it, and whether by 304.

    The answer's bytes are shared by all to whom it was given, and go with it when it is stale, however many still remember the question.
    """

    forms: Forms
    not_modified: bool
    consumer: Service | None
    rules: Dependencies | None
    tenant: Tenant

    def holds(self) -> bool:
        """Whether it may be repeated."""
        if self.forms.stale or self.consumer is None:
            return not self.forms.stale
        name = self.consumer.service_id
        return self.tenant.services.get(name) is self.consumer and self.tenant.dependencies.get(name) is self.rules


class Found:
    """A find asked again, by a client that takes compressed answers or not."""

    __slots__ = ("_find", "_form")
    kind = "find"

    def __init__(self, find: Find, gzip: bool) -> None:
        self._find = find
        self._form = (find.not_modified, gzip)

    def again(self) -> Ready | None:
        """The ready answer."""
        find = self._find
        return find.forms.ready.get(self._form) if find.holds() else None

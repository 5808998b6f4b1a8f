"""Who counts as an obstacle to enforcing, as time passes: what is replaced must not be one for long."""

from __future__ import annotations

import itertools

from registry.access import Access, Need, Scope
from registry.access.callers import Origin, Seen, Told
from registry.access.tokens import Identity
from registry.catalog import Catalog
from registry.catalog.limits import Limits
from registry.engine.readiness import Readiness, assess
from registry.errors import RegistryError
from registry.ledger import Ledger

_TENANT = "default/default"
_MINUTE = 60_000
_ASKED = Need("service", "get")
_NOBODY = Seen(_ASKED, None, RegistryError(401204), enforced=False)
_ROOT = Seen(_ASKED, Identity("root", ("admin",), 10**12), None, enforced=False)


class Town:
    """A service with two instances at different addresses, and whoever called for it."""

    def __init__(self) -> None:
        ids = itertools.count()
        self.access = Access(Ledger(), lambda: f"{next(ids):032x}", 10, 10)
        self.catalog = Catalog(Limits(), lambda: f"i{next(ids)}", Ledger())
        self.service = self.catalog.services.register(_TENANT, {"serviceName": "cart", "version": "1"}, 0)
        for host in ("10.0.0.1", "10.0.0.2"):
            self.catalog.instances.register(
                _TENANT, self.service, {"instanceId": host, "hostName": "h", "endpoints": [f"rest://{host}:1"]}, 0
            )
            self.heard(host, _ROOT, 0, instance=host)

    def heard(self, address: str, seen: Seen, now: int, instance: str = "") -> None:
        """A call of the service from an address."""
        self.access.callers.note(Origin(_TENANT, address, self.service, instance), Told.of(seen, ()), now)

    async def at(self, now: int) -> Readiness:
        """What is said at a time."""
        return await assess(self.access, self.catalog, Scope(), now)


async def test_a_former_address_of_a_service_is_no_obstacle_once_it_is_silent() -> None:
    """Instances that are replaced come from other addresses: what was asked from the old ones lasts for minutes, not for the hour."""
    town = Town()
    assert (await town.at(_MINUTE)).breaking == []
    town.heard("10.0.0.7", _NOBODY, _MINUTE)
    assert [row.origin.address for row in (await town.at(5 * _MINUTE)).breaking] == ["10.0.0.7"]
    later = await town.at(7 * _MINUTE)
    assert later.breaking == []
    assert [(row.origin.address, row.breaks, bool(row.why)) for row in later.others] == [("10.0.0.7", False, True)]


async def test_an_instance_that_is_registered_counts_however_long_it_is_silent() -> None:
    town = Town()
    town.heard("10.0.0.2", _NOBODY, _MINUTE, instance="10.0.0.2")
    assert [row.origin.instance_id for row in (await town.at(50 * _MINUTE)).breaking] == ["10.0.0.2"]


async def test_calls_without_a_service_are_shown_and_do_not_count() -> None:
    town = Town()
    town.access.callers.note(Origin(_TENANT, "10.0.0.9"), Told.of(_NOBODY, ()), _MINUTE)
    found = await town.at(50 * _MINUTE)
    assert found.breaking == []
    assert [row.breaks for row in found.others] == [True]

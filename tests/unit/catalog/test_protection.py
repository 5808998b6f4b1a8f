"""Who is kept when heartbeats stop: the fault may be the path's."""

from __future__ import annotations

import itertools

import pytest

from registry.catalog import Catalog, Lapse, Limits
from registry.catalog.leases import TICK
from registry.ledger import Ledger

TENANT = "default/default"


class Town:
    """A catalog with services, and time that passes while some of them beat."""

    def __init__(self, limits: Limits | None = None, **services: int) -> None:
        ids = itertools.count()
        self.catalog = Catalog(limits or Limits(), lambda: f"i{next(ids)}", Ledger())
        self.instances: dict[str, list[tuple[str, str]]] = {}
        for name, count in services.items():
            service = self.catalog.services.register(TENANT, {"appId": "a", "serviceName": name, "version": "1"}, 0)
            check = {"mode": "push", "interval": 5, "times": 3}
            self.instances[name] = [
                (service, self.catalog.instances.register(TENANT, service, {"hostName": "h", "healthCheck": check}, 0))
                for _ in range(count)
            ]

    def pass_time(self, seconds: float, *beating: str) -> list[Lapse]:
        """Let time pass; the named services send their heartbeats, the others do not."""
        lapses = []
        for tick in range(round(seconds / TICK)):
            if tick % round(5 / TICK) == 0:
                for name in beating:
                    for owner, instance in self.instances[name]:
                        self.catalog.instances.heartbeat(TENANT, owner, instance)
            lapses.append(self.catalog.expire(TICK, 0))
        return [lapse for lapse in lapses if lapse.expired or lapse.kept or lapse.recovered]

    def registered(self, name: str) -> int:
        """How many instances of a service are still answered."""
        return len(self.catalog.state.existing(TENANT).instances_of(self.instances[name][0][0]))


def test_an_instance_that_dies_alone_leaves() -> None:
    """One of several, while the others beat."""
    town = Town(weather=3, forecast=3)
    owner, dead = town.instances["weather"].pop()
    town.pass_time(22, "weather", "forecast")
    assert town.registered("weather") == 2
    with pytest.raises(Exception, match="400017"):
        town.catalog.instances.get(TENANT, owner, dead)


def test_the_only_instance_of_a_service_leaves_when_it_dies_alone() -> None:
    """A service with one instance that crashes is gone after its lease, as ever."""
    town = Town(weather=1, forecast=4)
    town.pass_time(22, "forecast")
    assert town.registered("weather") == 0


def test_a_service_whose_instances_all_fall_silent_keeps_its_last_known_ones() -> None:
    """For `last_known_seconds`, and no longer."""
    town = Town(Limits(last_known_seconds=60), weather=2, forecast=8)
    kept = [reason for lapse in town.pass_time(22, "forecast") for _, reason in lapse.kept]
    assert kept == ["last-known", "last-known"]
    town.pass_time(57, "forecast")
    assert town.registered("weather") == 2
    town.pass_time(5, "forecast")
    assert town.registered("weather") == 0


def test_single_instances_that_are_cut_off_together_are_kept() -> None:
    """Three services of one instance each, behind a path that is cut."""
    town = Town(controller=1, consumer=1, provider=1, other=20)
    town.pass_time(90, "other")
    assert [town.registered(name) for name in ("controller", "consumer", "provider")] == [1, 1, 1]


def test_a_heartbeat_ends_the_protection() -> None:
    """What comes back is as any other instance again, and can leave again."""
    town = Town(Limits(last_known_seconds=100), weather=2, forecast=8)
    town.pass_time(30, "forecast")
    recovered = [lease for lapse in town.pass_time(5, "weather", "forecast") for lease in lapse.recovered]
    assert len(recovered) == 2
    assert not town.catalog.state.leases.protected
    town.instances["weather"].pop()
    town.pass_time(30, "weather", "forecast")
    assert town.registered("weather") == 1


def test_protection_can_be_turned_off() -> None:
    """`last_known_seconds` of 0: as without it."""
    town = Town(Limits(last_known_seconds=0), weather=2, forecast=12)
    town.pass_time(22, "forecast")
    assert town.registered("weather") == 0


def test_self_preservation_keeps_all_for_their_time_to_live() -> None:
    """Nearly everything falls silent: kept for another time to live, then gone; what beats stays."""
    town = Town(Limits(last_known_seconds=0), weather=9, forecast=1)
    kept = [reason for lapse in town.pass_time(22, "forecast") for _, reason in lapse.kept]
    assert kept == ["self-preservation"] * 9
    assert town.registered("weather") == 9
    town.pass_time(22, "forecast")
    assert town.registered("weather") == 0
    assert town.registered("forecast") == 1


def test_a_cut_of_everybody_protects_no_service_for_less_time_than_a_cut_of_it_alone() -> None:
    """The whole fleet behind one path that is cut for longer than two times to live: its lists stay, then end with their bound."""
    town = Town(Limits(last_known_seconds=100), weather=6, forecast=6)
    kept = [reason for lapse in town.pass_time(90) for _, reason in lapse.kept]
    assert kept == ["self-preservation"] * 12
    assert (town.registered("weather"), town.registered("forecast")) == (6, 6)
    town.pass_time(35)
    assert (town.registered("weather"), town.registered("forecast")) == (0, 0)


def test_few_instances_do_not_preserve_themselves() -> None:
    """Five or fewer are no fleet to judge by."""
    town = Town(Limits(last_known_seconds=0), weather=5)
    town.pass_time(22)
    assert town.registered("weather") == 0


def test_registering_again_replaces_a_protected_instance() -> None:
    """It was taken for lost, so its new endpoints count."""
    town = Town(weather=2)
    town.pass_time(30)
    owner, name = town.instances["weather"][0]
    document = {"instanceId": name, "hostName": "h", "endpoints": ["rest://new:1"]}
    town.catalog.instances.register(TENANT, owner, document, 0)
    assert b"rest://new:1" in town.catalog.instances.get(TENANT, owner, name).encoded

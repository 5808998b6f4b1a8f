"""What instances must be beside what route rules say: properties, zones, the affinity tag."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from governance.routing.callee import Callee as CalleeState
from governance.routing.errors import NoInstanceError
from governance.routing.own import OwnInstance
from tests.unit.routing.callees import Callee, Instance, calling

_LOAD = "servicecomb.loadbalance."
_SPRING = "spring.cloud.servicecomb.discovery."


def at(*places: str) -> list[Instance]:
    """Instances at places, `region/zone`, with the place and a number as ids."""
    found = []
    for number, place in enumerate(places):
        region, _, zone = place.partition("/")
        center = {"name": "dc", "region": region, "availableZone": zone} if place else {}
        found.append(Instance(f"{place}#{number}", data_center=center))
    return found


OWN = OwnInstance("shop", data_center={"name": "dc", "region": "r1", "availableZone": "z1"})


async def reached(callee: Callee, **headers: str) -> set[str]:
    """The places or names that many calls go to."""
    return {name.partition("#")[0] for name in await callee.often(20, **headers)}


async def reached_at(places: Sequence[str], values: Mapping[str, str], own: OwnInstance = OWN) -> set[str]:
    """The places that many calls go to."""
    callee = Callee(at(*places), own)
    callee.configure(values)
    return await reached(callee)


STRICT = {f"{_SPRING}enabledZoneAware": "true"}
DENY = {**STRICT, f"{_SPRING}denyCrossZoneLoadBalancing": "true"}


@pytest.mark.parametrize(
    ("places", "values", "expected"),
    [
        pytest.param(["r1/z1", "r1/z2", "r2/z1"], {}, {"r1/z1"}, id="a third is enough"),
        pytest.param(
            ["r1/z1"] * 2 + ["r1/z2"] * 2 + ["r2/z3"] * 4, {}, {"r1/z1", "r1/z2"}, id="a quarter is not: region"
        ),
        pytest.param(["r1/z1", "r1/z2", "r1/z2", "r1/z2"], {}, {"r1/z1", "r1/z2"}, id="too few in zone, all in region"),
        pytest.param(["r1/z1"] * 3 + ["r1/z2"], {}, {"r1/z1", "r1/z2"}, id="more than the ceiling: all"),
        pytest.param(["r1/z2"] + ["r2/z2"] * 9, {}, {"r1/z2", "r2/z2"}, id="too few in the region: all"),
        pytest.param(["r2/z1", "r2/z2"], {}, {"r2/z1", "r2/z2"}, id="a zone's name counts within its region"),
        pytest.param(["", "r1/z1"], {}, {"r1/z1"}, id="one that does not say where it is is elsewhere"),
        pytest.param(
            ["r1/z1"] + ["r2/z2"] * 9, {f"{_LOAD}filter.zoneaware.ratio": "10"}, {"r1/z1"}, id="another ratio"
        ),
        pytest.param(
            ["r1/z1"] * 9 + ["r2/z2"], {f"{_LOAD}filter.zoneaware.ratioCeiling": "90"}, {"r1/z1"}, id="another ceiling"
        ),
        pytest.param(
            ["r1/z1", "r2/z2"], {f"{_LOAD}filter.zoneaware.enabled": "false"}, {"r1/z1", "r2/z2"}, id="switched off"
        ),
        pytest.param(
            ["r1/z1", "r2/z2"], {"cse.loadbalance.filter.zoneaware.enabled": "false"}, {"r1/z1", "r2/z2"}, id="by cse."
        ),
        pytest.param(["r1/z2", "r2/z2"], {f"{_LOAD}filter.zoneaware.ratio": "0"}, {"r1/z2"}, id="nobody is not enough"),
        pytest.param(["r1/z1"] + ["r2/z2"] * 9, STRICT, {"r1/z1"}, id="Spring: however few"),
        pytest.param(["r1/z2"] + ["r2/z2"] * 9, STRICT, {"r1/z2"}, id="Spring: then the region"),
        pytest.param(["r2/z1", "r3/z1"], STRICT, {"r2/z1", "r3/z1"}, id="Spring: then all"),
        pytest.param(["r1/z1", "r1/z2"], DENY, {"r1/z1"}, id="Spring: the zone alone"),
    ],
)
async def test_zones(places: Sequence[str], values: Mapping[str, str], expected: set[str]) -> None:
    assert await reached_at(places, values) == expected


async def test_calls_that_may_not_leave_their_zone_go_to_nobody() -> None:
    callee = Callee(at("r1/z2", "r2/z1"), OWN)
    callee.configure(DENY)
    with pytest.raises(NoInstanceError, match="no instance of weather: none is in the caller's zone"):
        await callee.once()
    assert callee.called == []


async def test_a_caller_that_does_not_know_its_zone_calls_all() -> None:
    for values in ({}, STRICT, DENY):
        assert await reached_at(["r1/z1", "r2/z1"], values, OwnInstance("shop")) == {"r1/z1", "r2/z1"}


async def test_zones_count_after_route_rules() -> None:
    """The share is of the instances that the rule leaves."""
    near = {"region": "r1", "availableZone": "z1"}
    instances = [Instance("near", "2", data_center=near), Instance("far", "2"), *[Instance(f"o{n}") for n in range(8)]]
    callee = Callee(instances, OWN, routeRule__weather="[{route: [{weight: 100, tags: {version: '2'}}]}]")
    assert await reached(callee) == {"near"}


PLAIN, TAGGED = Instance("plain"), Instance("tagged", properties={"tag": "x", "size": "l"})


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({f"{_LOAD}weather.transactionControl.options.tag": "x"}, {"tagged"}),
        ({f"{_LOAD}transactionControl.options.tag": "x"}, {"tagged"}),
        ({f"{_LOAD}forecast.transactionControl.options.tag": "x"}, {"plain", "tagged"}),
        (
            {
                f"{_LOAD}weather.transactionControl.options.tag": "x",
                f"{_LOAD}transactionControl.options.tag": "of others",
            },
            {"tagged"},
        ),
        (
            {
                f"{_LOAD}weather.transactionControl.options.tag": "x",
                f"{_LOAD}filter.instanceProperty.enabled": "false",
            },
            {"plain", "tagged"},
        ),
    ],
)
async def test_properties_that_instances_must_have(values: Mapping[str, str], expected: set[str]) -> None:
    callee = Callee([PLAIN, TAGGED])
    callee.configure(values)
    assert await reached(callee) == expected


async def test_properties_that_nobody_has() -> None:
    callee = Callee([PLAIN, TAGGED])
    callee.configure({f"{_LOAD}transactionControl.options.tag": "x", f"{_LOAD}transactionControl.options.size": "s"})
    with pytest.raises(NoInstanceError, match="none has the properties tag=x, size=s"):
        await callee.once()


def environments(*levels: str) -> list[Instance]:
    """Instances by level; an empty one has no such property."""
    return [Instance(level or "none", properties={"environment": level} if level else {}) for level in levels]


PRIORITY = {f"{_LOAD}filter.priorityInstanceProperty.enabled": "true"}


@pytest.mark.parametrize(
    ("own", "levels", "expected"),
    [
        ("a.b.c", ["a.b.c", "a.b", "a", ""], "a.b.c"),
        ("a.b.c", ["a.b.d", "a.b", "a", ""], "a.b"),
        ("a.b.c", ["a.b.c.d", "a", ""], "a"),
        ("a.b.c", ["b", "ab", ""], "none"),
        ("a", ["a.b", "a"], "a"),
        ("", ["a", ""], "none"),
    ],
)
async def test_levels_of_a_property(own: str, levels: Sequence[str], expected: str) -> None:
    callee = Callee(environments(*levels), OwnInstance("shop", properties={"environment": own}))
    assert await reached(callee) == {level or "none" for level in levels}, "it is off unless it is switched on"
    callee.configure(PRIORITY)
    assert await reached(callee) == {expected}


async def test_a_call_can_ask_for_another_level() -> None:
    callee = Callee(environments("dev", "test", ""), OwnInstance("shop", properties={"environment": "dev"}))
    callee.configure(PRIORITY)
    assert await callee.once() == "dev"
    assert await callee.once(calling({"X-Environment": "test.one"})) == "test"
    assert await callee.once(calling(**{"x-environment": "test"})) == "test"
    assert await callee.once(calling({"x-environment": ""})) == "none"


async def test_a_level_that_nobody_has() -> None:
    callee = Callee(environments("test"), OwnInstance("shop", properties={"environment": "dev"}))
    callee.configure(PRIORITY)
    with pytest.raises(NoInstanceError, match="none has environment dev or above"):
        await callee.once()


async def test_endless_levels_of_callers_are_not_kept() -> None:
    callee = Callee(environments("a", ""))
    callee.configure(PRIORITY)
    for number in range(1500):
        assert await callee.once(calling({"x-environment": f"{number}." + "a" * 5000})) == "none"
    (state,) = [one for key, one in callee.rules.processors() if key == "servicecomb.routeRule.weather"]
    assert isinstance(state, CalleeState)
    assert len(state._lists) <= 1000
    assert max(len(level) for *_, level in state._lists) <= 1000


GRAY, BASE = (
    Instance("gray", properties={"affinity-tag": "gray"}),
    Instance("base", properties={"affinity-tag": "base"}),
)
AFFINITY = {f"{_SPRING}enabledAffinityTag": "true"}


@pytest.mark.parametrize(
    ("own", "instances", "expected"),
    [
        ("gray", [GRAY, BASE, PLAIN], {"gray"}),
        ("", [GRAY, BASE, PLAIN], {"plain"}),
        ("red", [GRAY, BASE], {"gray", "base"}),
        ("", [GRAY, BASE], {"gray", "base"}),
    ],
)
async def test_affinity(own: str, instances: Sequence[Instance], expected: set[str]) -> None:
    callee = Callee(instances, OwnInstance("shop", properties={"affinity-tag": own} if own else {}))
    callee.configure(AFFINITY)
    assert await reached(callee) == expected
    callee.configure({})
    assert await reached(callee) == {one.instance_id for one in instances}, "it is off unless it is switched on"


async def test_affinity_does_not_pull_a_lane_back() -> None:
    """Gray traffic in a consumer of the base lane goes on to gray providers."""
    instances = [Instance(lane, properties={"cas_lane_tag": lane, "affinity-tag": lane}) for lane in ("base", "gray")]
    callee = Callee(instances, OwnInstance("shop", properties={"affinity-tag": "base"}))
    lanes = (
        "[{route: [{weight: 100, tags: {cas_lane_tag: gray}}], fallback: [{weight: 100, tags: {cas_lane_tag: base}}]}]"
    )
    callee.configure({**AFFINITY, "servicecomb.globalRouteRule": lanes})
    assert await reached(callee) == {"gray"}

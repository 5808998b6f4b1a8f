"""Who is in the lanes of a group: instances of the components that it names, and those that say the label of a lane themselves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from governance.rules.lanes import LANE_TAG, hindrance
from governance.rules.objects.lane import BASE, Lane, LaneGroup
from governance.rules.runtimes import Runtime
from registry.catalog import Catalog
from registry.catalog.records import Instance, Service
from registry.engine.rules import registered, tagged
from registry.engine.runtimes import runtime_of

AFFINITY_TAG = "affinity-tag"
_COMPONENT = "CAS_COMPONENT_NAME"
"""The property by which the deployment says which component an instance is of; without it, the service's name counts."""

_SAYING_BASE = ((LANE_TAG, BASE), (AFFINITY_TAG, BASE))


@dataclass(frozen=True, slots=True)
class Resident:
    """A registered instance: its component, and the label of its lane as it says it, empty where it says none."""

    service: Service
    instance: Instance
    component: str
    label: str

    @property
    def runtime(self) -> Runtime:
        """The framework of its service."""
        return runtime_of(self.service)


def residents(catalog: Catalog, tenant: str, app: str, environment: str) -> Sequence[Resident]:
    """Every instance of an application in its environment."""
    found = tagged(registered(catalog, tenant, {(app, environment)}))
    return [
        Resident(
            service, one.instance, one.properties.get(_COMPONENT) or service.key.name, one.properties.get(LANE_TAG, "")
        )
        for service, one in found
    ]


def in_lane(lane: Lane, among: Iterable[Resident]) -> Sequence[Resident]:
    """The instances of a lane's components, and of a gray lane those that say its label: that is how they are deployed into it.

    An instance that says another lane is in that one: copies of a component that do not say their component go by their label.
    """
    return [
        one
        for one in among
        if (one.component in lane.components and one.label in ("", lane.label))
        or (one.label == lane.label and not lane.is_base)
    ]


def members(group: LaneGroup, among: Sequence[Resident]) -> Mapping[str, Sequence[Resident]]:
    """The instances of each lane, by its label."""
    return {lane.label: in_lane(lane, among) for lane in group.lanes}


def services_of(group: LaneGroup, among: Sequence[Resident]) -> set[str]:
    """The services that are in a group: those of the instances of its lanes, and what is not registered yet, by its component's name."""
    found = {one.service.key.name for some in members(group, among).values() for one in some}
    return found | (set(group.components) - {one.component for one in among})


def hindrances(group: LaneGroup, among: Sequence[Resident]) -> Iterator[str]:
    """Why services of a group cannot follow lanes."""
    names = services_of(group, among)
    said = {(one.service.key.name, hindrance(one.runtime)) for one in among if one.service.key.name in names}
    for name, why in sorted(said):
        if why:
            yield f"{name} cannot follow lanes: {why}"


def strays(group: LaneGroup, among: Sequence[Resident]) -> Sequence[Resident]:
    """Instances of the group's services that say no lane: requests of every lane go to them."""
    names = services_of(group, among)
    return [one for one in among if not one.label and one.service.key.name in names]


def several_lanes(group: LaneGroup, among: Sequence[Resident]) -> Iterator[str]:
    """The services with instances in more than one lane: without a rule, requests would go to all of them."""
    lanes: dict[str, set[str]] = {}
    for label, some in members(group, among).items():
        for one in some:
            lanes.setdefault(one.service.key.name, set()).add(label)
    for name, labels in sorted(lanes.items()):
        if len(labels) > 1:
            yield f"{name} runs in the lanes {' and '.join(sorted(labels))}"


def mark(catalog: Catalog, tenant: str, before: LaneGroup | None, group: LaneGroup, now: int) -> int:
    """Let instances of a group's components say their lane where they say none; how many did not.

    Those of a component that has left the baseline say it no more. One that has left a gray lane goes on to say so: it is no baseline.
    """
    among = residents(catalog, tenant, group.app, group.environment)
    marked = 0
    for lane in group.lanes:
        for one in in_lane(lane, among):
            if one.label != lane.label:
                own = one.instance.properties
                said = {**own, LANE_TAG: lane.label, AFFINITY_TAG: own.get(AFFINITY_TAG, lane.label)}
                _say(catalog, tenant, one, said, now)
                marked += 1
    if before is not None:
        unmark(catalog, tenant, _left(before, group), among, now)
    return marked


def unmark(catalog: Catalog, tenant: str, lanes: Iterable[Lane], among: Sequence[Resident], now: int) -> None:
    """Let the instances of baseline lanes' components no longer say it."""
    for lane in lanes:
        for one in in_lane(lane, among) if lane.is_base else ():
            own = one.instance.properties
            said = {name: text for name, text in own.items() if (name, text) not in _SAYING_BASE}
            if said != own:
                _say(catalog, tenant, one, said, now)


def _left(before: LaneGroup, after: LaneGroup) -> Iterator[Lane]:
    """The lanes of before with the components that are in none any more."""
    for lane in before.lanes:
        gone = tuple(name for name in lane.components if name not in after.components)
        yield Lane(name=lane.name, label=lane.label, components=gone)


def _say(catalog: Catalog, tenant: str, one: Resident, properties: Mapping[str, str], now: int) -> None:
    catalog.instances.set_properties(tenant, one.service.service_id, one.instance.instance_id, properties, now)

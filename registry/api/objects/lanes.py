"""What lanes ask of the services in them, what a change of them does to instances, and how they are shown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from governance.rules.objects.gray import GrayRelease
from governance.rules.objects.lane import Lane, LaneGroup, routes_of
from governance.rules.printing import plain_record
from governance.rules.runtimes import Family
from registry.api.call import Call
from registry.config.objects import refuse
from registry.config.records import ENABLED, Draft
from registry.engine import Engine
from registry.engine.lanes import (
    Resident,
    hindrances,
    members,
    residents,
    services_of,
    several_lanes,
    strays,
)

_CODE = 409004


def check_members(call: Call, group: LaneGroup) -> None:
    """Raise 409004 for services that cannot follow lanes, or have a route rule of their own, which would switch lanes off for them."""
    engine, tenant = call.engine, call.tenant
    among = residents(engine.catalog, tenant, group.app, group.environment)
    refuse([*hindrances(group, among), *_own_rules(engine, tenant, group, services_of(group, among))], _CODE)


def check_released(call: Call, release: GrayRelease) -> None:
    """Raise 409004 for the gray release of a service in lanes: its route rule would switch them off for it."""
    engine, tenant = call.engine, call.tenant
    groups = engine.config.objects.lane_groups(tenant, release.app, release.environment)
    among = residents(engine.catalog, tenant, release.app, release.environment) if groups else ()
    why = "which a rule of its own would switch off for it: release it by a gray lane"
    names = [group.name for group in groups if release.service in services_of(group, among)]
    refuse([f"{release.service} is in the lanes of group {name}, {why}" for name in names], _CODE)


def check_apart(call: Call, before: LaneGroup, after: LaneGroup | None) -> None:
    """Raise 409004 where no rule would be left, and instances of several lanes would get each other's requests."""
    engine, tenant = call.engine, call.tenant
    others = engine.config.objects.lane_groups(tenant, before.app, before.environment)
    left = [group for group in others if group.name != before.name]
    if routes_of([*left, after] if after is not None else left) is None:
        among = residents(engine.catalog, tenant, before.app, before.environment)
        why = "without the lanes, requests would go to all of them: end the gray instances first"
        refuse([f"{one}: {why}" for one in several_lanes(before, among)], _CODE)


def _own_rules(engine: Engine, tenant: str, group: LaneGroup, services: Iterable[str]) -> Iterator[str]:
    for name in sorted(services):
        item = engine.config.keys.named(tenant, Draft(f"servicecomb.routeRule.{name}", labels=group.place.labels))
        if item is not None and item.draft.status == ENABLED:
            yield f"{name} has a route rule of its own, as by a gray release, and that switches lanes off: finish it first"


def lanes_shown(engine: Engine, tenant: str, group: LaneGroup) -> Mapping[str, object]:
    """The lanes with their components and these with their instances, and who is in none."""
    among = residents(engine.catalog, tenant, group.app, group.environment)
    by_label = members(group, among)
    return {
        "lanes": [_lane(lane, by_label[lane.label]) for lane in group.lanes],
        "strays": list(map(_instance, strays(group, among))),
    }


def _lane(lane: Lane, some: Sequence[Resident]) -> Mapping[str, object]:
    names = [*lane.components, *sorted({one.component for one in some} - set(lane.components))]
    components = [
        {
            "name": name,
            "named": name in lane.components,
            "instances": [_instance(one) for one in some if one.component == name],
        }
        for name in names
    ]
    plain = {"match": lane.match, "weight": lane.weight, "rules": [], **plain_record(lane)}
    return {**plain, "base": lane.is_base, "components": components}


def _instance(one: Resident) -> Mapping[str, object]:
    document = one.instance.document()
    return {
        "instanceId": one.instance.instance_id,
        "service": one.service.key.name,
        "serviceId": one.service.service_id,
        "version": one.service.version,
        "component": one.component,
        "status": one.instance.status,
        "label": one.label,
        "hostName": document.get("hostName", ""),
        "endpoints": document.get("endpoints", []),
        "runtime": str(one.runtime),
    }


def lane_warnings(engine: Engine, tenant: str, group: LaneGroup) -> Iterator[str]:
    """What one should know of a group: components without instances, instances without a lane, runtimes that do not follow."""
    among = residents(engine.catalog, tenant, group.app, group.environment)
    by_label = members(group, among)
    for lane in group.lanes:
        here = {one.component for one in by_label[lane.label]}
        elsewhere = {one.component: one.label for one in among if one.label not in ("", lane.label)}
        for name in lane.components:
            if name not in here:
                why = f"says the lane {elsewhere[name]} itself" if name in elsewhere else "has no instance"
                yield f"{name} of lane {lane.label} {why}"
    for one in strays(group, among):
        yield f"an instance of {one.component} ({one.instance.instance_id}) says no lane: it gets requests of every lane"
    yield from hindrances(group, among)
    names = services_of(group, among)
    unknown = {one.service.key.name for one in among if one.runtime.family is Family.OTHER} & names
    for name in sorted(unknown):
        yield f"nobody knows whether the runtime of {name} follows lanes"

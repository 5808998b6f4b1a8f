"""Objects as answers: what they say, what is there of it, and what it comes to with the instances that are registered."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence

from governance.rules.distribution import Outcome, Plan
from governance.rules.objects.degrade import Degrade
from governance.rules.objects.forms import Object
from governance.rules.objects.gray import GrayRelease, routes_of
from governance.rules.objects.lane import LaneGroup
from governance.rules.printing import plain_record
from governance.rules.reading import readers_of
from governance.rules.routes import RouteRule
from registry.api.objects.lanes import lane_warnings, lanes_shown
from registry.catalog import Catalog
from registry.catalog.records import ProviderKey
from registry.config.objects import Part, Stored
from registry.engine import Engine
from registry.engine.versions import Running, running, versions_up
from registry.monitor import VersionKey


def shown(engine: Engine, tenant: str, stored: Stored) -> Mapping[str, object]:
    """An object as clients read it."""
    one, catalog = stored.one, engine.catalog
    facts: dict[str, object] = {
        "key": one.place.key,
        "labels": dict(one.place.labels),
        "revision": stored.kept.revision if stored.kept is not None else 0,
        "kept": stored.kept is not None,
        "object": document(one),
        "drifted": stored.drifted,
        "items": list(map(_part, stored.parts)),
    }
    if isinstance(one, Degrade):
        return {**facts, "warnings": list(_unknown(catalog, tenant, one, (one.consumer, one.service)))}
    if isinstance(one, LaneGroup):
        absent = _unknown(catalog, tenant, one, (one.gateway, one.target))
        warnings = [*absent, *lane_warnings(engine, tenant, one)]
        return {**facts, **lanes_shown(engine, tenant, one), "warnings": warnings}
    instances = running(catalog, tenant, key_of(one, one.service))
    warnings = [*_unknown(catalog, tenant, one, (one.service,)), *_absent(one, instances)]
    up = [instance for instance in instances or () if instance.up]
    outcome = [_rule(rule, up) for rule in routes_of(one).ordered] if up else []
    return {
        **facts,
        "versions": _versions(engine, tenant, one, instances or ()),
        "outcome": outcome,
        "warnings": warnings,
    }


def document(one: Object) -> Mapping[str, object]:
    """All that an object says, with what it leaves to its defaults."""
    names = {attribute: name for name, (attribute, _) in readers_of(type(one)).items()}
    plain = {names[field.name]: field.default for field in dataclasses.fields(one) if _simple(field.default)}
    return {**plain, **plain_record(one)}


def key_of(one: Object, service: str) -> ProviderKey:
    """A service of the application and environment that an object is about."""
    return ProviderKey(one.environment, one.app, service)


def _simple(default: object) -> bool:
    return isinstance(default, str | int)


def _part(part: Part) -> Mapping[str, object]:
    actual = part.actual.draft.value if part.actual is not None else None
    facts = {"key": part.item.key, "labels": dict(part.item.labels), "value": part.item.value, "differs": part.differs}
    if part.differs != "changed" or actual is None:
        return facts
    lines = difflib.unified_diff(part.item.value.splitlines(), actual.splitlines(), "object", "item", lineterm="", n=2)
    return {**facts, "actual": actual, "diff": list(lines)}


def _unknown(catalog: Catalog, tenant: str, one: Object, names: Iterable[str]) -> Iterator[str]:
    place = f"in application {one.app}" + (f", environment {one.environment}" if one.environment else "")
    for name in names:
        if running(catalog, tenant, key_of(one, name)) is None:
            yield f"no service {name} is registered {place}"


def _absent(release: GrayRelease, instances: Sequence[Running] | None) -> Iterator[str]:
    """What the rule does not cover, or leads to although it is not there. While the new version gets nothing, it need not be there."""
    if instances is None:
        return
    up = versions_up(instances)
    used = {item.tags["version"] for rule in routes_of(release).rules for item in rule.route if item.weight}
    for version in sorted(used - set(up)):
        yield f"no instance of version {version} is up: its requests go to all others"
    for version in up:
        if version not in (release.version, *release.baseline):
            yield f"version {version} is up too, and gets no requests"


def _versions(
    engine: Engine, tenant: str, release: GrayRelease, instances: Sequence[Running]
) -> Sequence[Mapping[str, object]]:
    roles = {**dict.fromkeys(release.baseline, "baseline"), release.version: "gray"}
    names = [*roles, *sorted({one.version for one in instances} - set(roles))]
    return [
        {
            "version": name,
            "role": roles.get(name, "other"),
            "up": sum(one.up for one in instances if one.version == name),
            "instances": sum(one.version == name for one in instances),
            **_told(engine, VersionKey(tenant, release.app, release.environment, release.service, name)),
        }
        for name in names
    ]


def _told(engine: Engine, callee: VersionKey) -> Mapping[str, object]:
    """What consumers told of their calls in the last minute; nothing where they told nothing."""
    sums = engine.monitor.recent(callee, engine.now() // 1000)
    if not sums.calls:
        return {}
    latency = {"mean": round(sums.mean, 1), "p99": round(sums.p99, 1)}
    return {"calls": sums.calls, "errorRate": round(sums.error_rate, 2), **latency}


def _rule(rule: RouteRule, up: Sequence[Running]) -> Mapping[str, object]:
    headers = plain_record(rule.match).get("headers", {}) if rule.match is not None else {}
    return {"headers": headers, "to": [_outcome(one) for one in Plan(rule, tuple(up)).outcomes()]}


def _outcome(outcome: Outcome[Running]) -> Mapping[str, object]:
    return {
        "share": round(float(outcome.share * 100), 2),
        "versions": versions_up(outcome.instances),
        "instances": [one.instance_id for one in outcome.instances],
        "why": outcome.why,
    }

"""What is wrong with rules that are each in order: policies without a group, routes to nobody, rules that switch off others."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

from governance.rules.access import AccessPart
from governance.rules.check import Checked, check
from governance.rules.distribution import Tagged, score
from governance.rules.entries import Entries
from governance.rules.gochassis import Marker
from governance.rules.lanes import LANE_TAG, labels_of
from governance.rules.marker import MatchGroup
from governance.rules.policies import (
    Bulkhead,
    CircuitBreaker,
    InstanceBulkhead,
    InstanceIsolation,
    Mapper,
    Policy,
    RateLimiting,
    Retry,
)
from governance.rules.problems import Code, Notes
from governance.rules.routes import RouteRules
from governance.rules.runtimes import Runtime
from governance.rules.security import SecurityPart

_SAFE = frozenset(("GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"))
"""Methods whose repetition changes no more than the first call did."""
_UNMARKED = "none"
"""In the place of a marker's name: the requests that have none. Go-chassis's own."""


def check_all(
    items: Mapping[str, str], runtimes: Iterable[Runtime] = (), instances: Mapping[str, Sequence[Tagged]] | None = None
) -> Mapping[str, Checked]:
    """Check all items of an application by key, each alone and with the others. `instances` are those registered, by service."""
    who = tuple(runtimes)
    checked = {key: check(key, value, who) for key, value in items.items()}
    together = Together(checked.values(), instances or {})
    return {key: together.with_others(one) for key, one in checked.items()}


class Together:
    """The rules of an application that are in order, by what they are: made once, to check many of them with the others."""

    def __init__(self, checked: Iterable[Checked], instances: Mapping[str, Sequence[Tagged]]) -> None:
        rules = [one.rule for one in checked]
        self.groups = {rule.name: rule for rule in rules if isinstance(rule, MatchGroup)}
        self.policies: dict[str, list[Policy]] = {}
        for rule in rules:
            if isinstance(rule, Policy):
                self.policies.setdefault(rule.name, []).append(rule)
        routes = {rule.service: rule for rule in rules if isinstance(rule, RouteRules)}
        self.referred = {
            rule.match.refer
            for found in routes.values()
            for rule in found.rules
            if rule.match is not None and rule.match.refer
        }
        everyone = routes.get(None)
        self.lanes = {label for _, label in labels_of(everyone)} if everyone is not None else set()
        self.instances = instances
        self.entries = Entries(rules)
        self.limited = {rule.match for rule in rules if isinstance(rule, RateLimiting) and rule.match}
        self.markers = {rule.name for rule in rules if isinstance(rule, MatchGroup | Marker)} | {_UNMARKED}

    def with_others(self, one: Checked) -> Checked:
        """The same with the problems that it has with others."""
        notes = Notes([*one.problems], {(): one.places.get((), Notes().place(())), **one.places})
        match one.rule:
            case MatchGroup():
                self._group(one.rule, notes)
            case Policy():
                self._policy(one.rule, notes)
            case RouteRules():
                self._routes(one.rule, notes)
            case Marker():
                self._marker(one.rule, notes)
            case AccessPart() | SecurityPart():
                self.entries.note(one.rule, notes)
        problems = tuple(sorted(notes.problems, key=lambda problem: problem.at))
        return dataclasses.replace(one, rule=None if notes.failed else one.rule, problems=problems)

    def _group(self, group: MatchGroup, notes: Notes) -> None:
        served = self.policies.get(group.name, ())
        if not served and group.name not in self.referred | self.limited:
            notes.warn(
                (),
                Code.UNPAIRED,
                "no policy has this name, so the group does nothing",
                f"add servicecomb.retry.{group.name}, or another kind",
            )
        for index, one in enumerate(group.matches):
            if one.service_name is not None and any(map(_at_provider, served)):
                why = "a provider of Java Chassis never matches this, one of Spring Cloud Huawei or in Python looks at its caller"
                notes.warn(("matches", index, "serviceName"), Code.NO_CALLEE, why, "leave serviceName away")

    def _policy(self, policy: Policy, notes: Notes) -> None:
        group = self.groups.get(policy.name)
        if isinstance(policy, RateLimiting) and policy.match and policy.match not in self.markers:
            why = f"no marker has the name {policy.match[:100]}, so nothing is limited"
            notes.warn(("match",), Code.UNPAIRED, why, f"add servicecomb.match.{policy.match[:100]}")
        elif group is None and isinstance(policy, RateLimiting) and policy.match:
            return
        elif group is None:
            why = f"servicecomb.matchGroup.{policy.name} is missing or wrong, so the policy never applies"
            notes.warn((), Code.UNPAIRED, why, f"add servicecomb.matchGroup.{policy.name}")
        elif isinstance(policy, Retry) and any(one.method is None or set(one.method) - _SAFE for one in group.matches):
            why = "its group has requests that change something each time, as POST, and they are repeated, too"
            notes.warn((), Code.REPEATS_WRITES, why, f"write method: [GET] in servicecomb.matchGroup.{policy.name}")

    def _marker(self, marker: Marker, notes: Notes) -> None:
        if marker.name not in self.referred | self.limited:
            why = "no rateLimiting and no route rule names the marker, so it does nothing"
            notes.warn((), Code.UNPAIRED, why, f"write match: {marker.name} in a servicecomb.rateLimiting")

    def _routes(self, routes: RouteRules, notes: Notes) -> None:
        present = self.instances.get(routes.service or "", ())
        if routes.service is None:
            present = [one for some in self.instances.values() for one in some]
        if not present:
            return
        in_lane = any(LANE_TAG in one.properties for one in present)
        if routes.service is not None and in_lane and self.lanes and not labels_of(routes):
            why = "the service is in lanes, and a rule of its own switches them off for it"
            notes.error((), Code.LANE, why, "delete the rule, or write the lanes' rules into it")
        for index, rule in enumerate(routes.rules):
            for place, item in enumerate(rule.route):
                _note_tags(item.tags, present, notes, (index, "route", place, "tags"))


def _at_provider(policy: Policy) -> bool:
    of_consumer = isinstance(policy, InstanceIsolation | InstanceBulkhead)
    return isinstance(policy, RateLimiting | CircuitBreaker | Bulkhead | Mapper) and not of_consumer


def _note_tags(tags: Mapping[str, str], present: Sequence[Tagged], notes: Notes, path: tuple[str | int, ...]) -> None:
    if not any(score(tags, one) for one in present):
        written = ", ".join(f"{name}={value}" for name, value in tags.items())
        notes.warn(path, Code.NO_INSTANCE, f"no instance has {written[:200]}", "start one, or correct the tags")
    for name in sorted(set(tags) - {"version"}):
        absent = sum(name not in one.properties for one in present)
        if absent:
            why = f"{absent} of {len(present)} instances have no {name[:100]}, which counts as having the right one"
            notes.warn((*path, name), Code.TAG_ABSENT, why, f"give all instances the property {name[:100]}")

"""What an instance must be to be called, beside what route rules say: properties, zones, the affinity tag."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from governance.invocation.invocation import Invocation, Target
from governance.routing.lots import Targets
from governance.routing.own import OwnInstance
from governance.routing.switches import flag_of, spring_flag_of, text_of, under
from governance.routing.zones import Zones, zones_of

AFFINITY = "affinity-tag"
_LONGEST = 1000


@dataclass(frozen=True, slots=True)
class Affinity:
    """Instances with the caller's own `affinity-tag` go before all others; a caller without one prefers those without one."""

    tag: str | None

    def kept(self, targets: Targets) -> Targets:
        """The instances with the tag, else all."""
        return tuple(one for one in targets if one.properties.get(AFFINITY) == self.tag) or targets


@dataclass(frozen=True, slots=True)
class Filters:
    """For the calls of one callee, in this order. What the zones leave never is nobody, unless they are told so."""

    required: Mapping[str, str]
    priority: str
    own_priority: str
    zones: Zones | None
    affinity: Affinity | None

    def wanted(self, invocation: Invocation) -> str:
        """The value of the property with levels that a call prefers: a header says it, else the context, else it is the caller's own."""
        if not self.priority:
            return ""
        name = f"x-{self.priority}"
        said = invocation.request.folded_headers.get(name.casefold())
        found = invocation.context.get(name, self.own_priority) if said is None else said
        return found[:_LONGEST]

    def kept(self, targets: Targets, wanted: str) -> tuple[Targets, str]:
        """The instances that may be called; where that is nobody, why."""
        if self.required:
            targets = tuple(one for one in targets if self.required.items() <= one.properties.items())
            if not targets:
                return (), f"none has the properties {_shown(self.required)}"
        if self.priority:
            targets = self._of_level(targets, wanted)
            if not targets:
                return (), f"none has {self.priority} {wanted or 'empty'} or above"
        if self.zones is not None:
            targets = self.zones.kept(targets)
        if self.affinity is not None:
            targets = self.affinity.kept(targets)
        return targets, "none is in the caller's zone"

    def _of_level(self, targets: Targets, wanted: str) -> Targets:
        by_level: dict[str, list[Target]] = {}
        for one in targets:
            by_level.setdefault(one.properties.get(self.priority, ""), []).append(one)
        return next((tuple(by_level[level]) for level in _levels(wanted) if level in by_level), ())


def _levels(wanted: str) -> Iterator[str]:
    """`a.b.c`, `a.b`, `a`, and without a value."""
    while wanted:
        yield wanted
        wanted = wanted.rpartition(".")[0]
    yield ""


def _shown(properties: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={text}" for name, text in properties.items())[:200]


def filters_of(values: Mapping[str, str], own: OwnInstance, service: str) -> Filters:
    """What the configuration says for the calls of a service."""
    options: Mapping[str, str] = {}
    if flag_of(values, "filter.instanceProperty.enabled", default=True):
        options = under(values, f"{service}.transactionControl.options") or under(values, "transactionControl.options")
    priority = ""
    if flag_of(values, "filter.priorityInstanceProperty.enabled", default=False):
        priority = text_of(values, "filter.priorityInstanceProperty.key") or "environment"
    return Filters(
        required=options,
        priority=priority,
        own_priority=own.properties.get(priority, ""),
        zones=zones_of(values, own.data_center),
        affinity=Affinity(own.properties.get(AFFINITY)) if spring_flag_of(values, "enabledAffinityTag") else None,
    )

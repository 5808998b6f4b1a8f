"""Which instances a route rule gives a request, and with which share: the steps of Java Chassis from 2.8.10 on, as pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Generic, Protocol, TypeAlias, TypeVar

from governance.rules.routes import RouteItem, RouteRule, RouteRules


class Tagged(Protocol):
    """An instance as rules see it."""

    @property
    def version(self) -> str:
        """Of the instance, else of its service."""

    @property
    def properties(self) -> Mapping[str, str]:
        """Of the service, with those of the instance over them."""


Target = TypeVar("Target", bound=Tagged)


_Assigned: TypeAlias = "tuple[list[tuple[Target, ...]], tuple[Target, ...]]"


@dataclass(frozen=True, slots=True)
class Outcome(Generic[Target]):
    """Instances with the share of requests that goes to them together, and why."""

    share: Fraction
    instances: tuple[Target, ...]
    why: str


def effective(own: RouteRules | None, everyone: RouteRules | None) -> RouteRules | None:
    """The rules that count for a callee: its own replace those for all; the two are never merged."""
    return own if own is not None and own.rules else everyone


def score(tags: Mapping[str, str], instance: Tagged) -> int:
    """How well an instance fits: its number of tags, or 0 where one differs. A tag that the instance does not have counts as fitting."""
    if tags.get("version", instance.version) != instance.version:
        return 0
    others = {name: value for name, value in tags.items() if name != "version"}
    if any(instance.properties.get(name, value) != value for name, value in others.items()):
        return 0
    return len(tags)


def assign(items: Sequence[RouteItem], instances: Sequence[Target]) -> _Assigned[Target]:
    """The instances of each item, and those of none. An instance is of the item that it fits best, of the first where several do."""
    groups: list[list[Target]] = [[] for _ in items]
    unset = []
    for instance in instances:
        scores = [score(item.tags, instance) for item in items]
        best = max(scores, default=0)
        if best:
            groups[scores.index(best)].append(instance)
        else:
            unset.append(instance)
    return [tuple(group) for group in groups], tuple(unset)


def weights_of(items: Sequence[RouteItem]) -> list[int]:
    """The weights of a draw: what is missing to 100 is one more, for an item without instances."""
    weights = [item.weight for item in items]
    missing = 100 - sum(weights)
    return [*weights, missing] if missing > 0 else weights


def draw(weights: Sequence[int], current: Sequence[int]) -> tuple[int, tuple[int, ...]]:
    """One step of smooth weighted round robin: the place that is drawn, and the counters for the next step. They begin at 0."""
    raised = [count + weight for count, weight in zip(current, weights, strict=True)]
    drawn = raised.index(max(raised))
    raised[drawn] -= sum(weights)
    return drawn, tuple(raised)


@dataclass(frozen=True)
class Plan(Generic[Target]):
    """A rule for the instances of a callee: what each draw leads to. Instances are assigned once for many draws."""

    rule: RouteRule
    instances: tuple[Target, ...]

    def falls_back(self, drawn: int) -> bool:
        """Whether a draw has nobody, so that the fallback's items are drawn from, too."""
        groups, _ = self._assigned
        return bool(self.rule.fallback) and not (drawn < len(groups) and groups[drawn])

    def chosen(self, drawn: int, fallback: int) -> tuple[tuple[Target, ...], str]:
        """The instances of two draws, the second of the fallback's items, and why it is these."""
        groups, unset = self._assigned
        if drawn < len(groups) and groups[drawn]:
            return groups[drawn], f"route {drawn + 1}"
        if self.rule.fallback:
            spare, _ = self._spare
            if fallback < len(spare) and spare[fallback]:
                return spare[fallback], f"fallback {fallback + 1}"
        if len(weights_of(self.rule.route)) > len(groups) and unset:
            return unset, "instances that no item names"
        if self.rule.empty_protection:
            return self.instances, "all instances, because nobody else is there"
        return (), "nobody, because the rule has emptyProtection: false"

    @cached_property
    def _assigned(self) -> _Assigned[Target]:
        return assign(self.rule.route, self.instances)

    @cached_property
    def _spare(self) -> _Assigned[Target]:
        return assign(self.rule.fallback, self.instances)

    def outcomes(self) -> tuple[Outcome[Target], ...]:
        """All that can happen, with shares that add up to 1."""
        shares: dict[tuple[tuple[int, ...], str], Fraction] = {}
        found: dict[tuple[tuple[int, ...], str], tuple[Target, ...]] = {}
        for drawn, share in _shares(self.rule.route):
            for second, part in _shares(self.rule.fallback):
                instances, why = self.chosen(drawn, second)
                key = (tuple(map(id, instances)), why)
                shares[key] = shares.get(key, Fraction(0)) + share * part
                found[key] = instances
        return tuple(Outcome(share, found[key], key[1]) for key, share in shares.items())


def _shares(items: Sequence[RouteItem]) -> list[tuple[int, Fraction]]:
    weights = weights_of(items)
    total = sum(weights)
    return [(place, Fraction(weight, total)) for place, weight in enumerate(weights) if weight]

"""Route rules, `servicecomb.routeRule.<service>` and `servicecomb.globalRouteRule`: which instances of a callee a request goes to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from ruamel.yaml.nodes import Node

from governance.rules.conditions import Condition, Operator, condition
from governance.rules.joining import all_of
from governance.rules.marker import (
    Match,
    MatchGroup,
    Request,
    RequestTest,
    header_test,
    tests_without_headers,
)
from governance.rules.problems import Code, Notes, Path
from governance.rules.reading import by, flag, list_of, mapping_by, record_of, some_text, text, whole

_CONDITION = condition([*Operator], folding=True)
_CONDITIONS = mapping_by(_CONDITION)


@dataclass(frozen=True)
class RouteMatch(Match):
    """What a route rule may ask for. `refer`, `source` and `source_tags` are go-chassis's; `refer` names a marker that alone counts."""

    api_path: Condition | None = field(default=None, metadata=by(_CONDITION, "operators on the path"))
    headers: Mapping[str, Condition] = field(
        default_factory=dict, metadata=by(_CONDITIONS, "operators for each header; names in any case")
    )
    queries: Mapping[str, Condition] = field(
        default_factory=dict,
        metadata=by(_CONDITIONS, "operators for each parameter of the query; Java Chassis 3 alone looks at them"),
    )
    http_headers: Mapping[str, Condition] = field(
        default_factory=dict, metadata=by(_CONDITIONS, "go-chassis alone: operators for each header")
    )
    source: str = field(default="", metadata=by(text, "go-chassis alone: the name of the caller"))
    source_tags: Mapping[str, str] = field(
        default_factory=dict, metadata=by(mapping_by(text), "go-chassis alone: properties of the caller")
    )
    refer: str = field(default="", metadata=by(text, "go-chassis alone: a marker, which alone counts then"))

    @cached_property
    def holds(self) -> RequestTest:
        """Whether all but `refer` holds for a request. Values of headers are compared in any case where the rule does not say it."""
        asked = (*self.headers.items(), *self.http_headers.items())
        of_headers = [header_test(name, one, fold=True) for name, one in asked]
        return all_of([*tests_without_headers(self), *of_headers, *_source_tests(self)])


def _source_tests(match: RouteMatch) -> Iterator[RequestTest]:
    source, tags = match.source, match.source_tags.items()
    if source:
        yield lambda request: request.source == source
    if tags:
        yield lambda request: all(request.source_tags.get(name) == value for name, value in tags)


@dataclass(frozen=True, slots=True)
class RouteItem:
    """A share of the requests, in percent, and the tags of the instances that get it."""

    weight: int = field(metadata=by(whole(0), "percent of the requests"))
    tags: Mapping[str, str] = field(
        metadata=by(mapping_by(some_text, empty=False), "of the instances that get them: version, or properties")
    )


_ITEMS = record_of(RouteItem)


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteRule:
    """Of the rules of a callee, the first by precedence, the highest first, whose match holds is the only one that counts."""

    precedence: int | None = field(default=None, metadata=by(whole(-(2**31)), "the highest is tried first"))
    match: RouteMatch | None = field(
        default=None,
        metadata=by(
            record_of(RouteMatch), "as an item of the marker, or of go-chassis: refer, source, sourceTags, httpHeaders"
        ),
    )
    route: tuple[RouteItem, ...] = field(
        metadata=by(list_of(_ITEMS, empty=False), "items of weight, in percent, and tags")
    )
    fallback: tuple[RouteItem, ...] = field(
        default=(), metadata=by(list_of(_ITEMS), "where the drawn item has no instance")
    )
    empty_protection: bool = field(default=True, metadata=by(flag, "nobody else is there: all instances, or none"))


@dataclass(frozen=True)
class RouteRules:
    """All rules of one callee, in their order in the text; `service` is None where they are for all."""

    service: str | None
    rules: tuple[RouteRule, ...]

    @cached_property
    def ordered(self) -> tuple[RouteRule, ...]:
        """By precedence, the highest first."""
        return tuple(sorted(self.rules, key=lambda rule: -(rule.precedence or 0)))


def read_routes(service: str | None, node: Node, notes: Notes) -> RouteRules | None:
    """The rules of a node; None where something is in error."""
    found = list_of(record_of(RouteRule), empty=False)(node, notes, ())
    if found is None:
        return None
    rules = RouteRules(service, found)
    _check_precedence(rules, notes)
    for index, rule in enumerate(rules.rules):
        _check_sum(rule.route, notes, (index, "route"))
        _check_sum(rule.fallback, notes, (index, "fallback"))
    _note_shadowed(rules, notes)
    return rules


def _check_precedence(rules: RouteRules, notes: Notes) -> None:
    """Java fails on every call where rules cannot be compared; equal ones have no order."""
    if len(rules.rules) == 1:
        return
    times = Counter(rule.precedence for rule in rules.rules)
    for index, rule in enumerate(rules.rules):
        if rule.precedence is None:
            notes.error(
                (index,), Code.PRECEDENCE, "precedence is missing, and there are several rules", "add precedence: 1"
            )
        elif times[rule.precedence] > 1:
            why = f"precedence {rule.precedence} is there {times[rule.precedence]} times"
            notes.error(
                (index, "precedence"), Code.PRECEDENCE, why, "write different numbers, the highest is tried first"
            )


def _check_sum(items: tuple[RouteItem, ...], notes: Notes, path: Path) -> None:
    total = sum(item.weight for item in items)
    if total > 100:
        notes.error(path, Code.SUM, f"the weights add up to {total}", "write weights that add up to 100")
    elif items and total < 100:
        rest = 100 - total
        notes.warn(
            path,
            Code.REMAINDER,
            f"the weights add up to {total}; the other {rest} % go to the latest version (Java Chassis before 2.8, go-chassis)"
            " or to instances that no item names, else to all",
            f"add an item with weight {rest}",
        )


def _note_shadowed(rules: RouteRules, notes: Notes) -> None:
    """What stands behind a rule for all requests is never asked."""
    ordered = sorted(enumerate(rules.rules), key=lambda pair: -(pair[1].precedence or 0))
    for place, (index, rule) in enumerate(ordered[:-1]):
        if rule.match is None or matches_all(rule.match):
            behind = ", ".join(str(rules.rules[after].precedence) for after, _ in ordered[place + 1 :])
            why = f"it matches all requests, so the rules of precedence {behind[:100]} are never used"
            notes.warn((index,), Code.SHADOWED, why, "give it the lowest precedence")
            return


def matches_all(match: RouteMatch) -> bool:
    """Whether a match asks for nothing."""
    return match == RouteMatch(name=match.name)


def route_matches(match: RouteMatch | None, request: Request, markers: Mapping[str, MatchGroup]) -> bool:
    """Whether a rule is for a request."""
    if match is None:
        return True
    if match.refer:
        group = markers.get(match.refer)
        return group is not None and group.holds(request)
    return match.holds(request)


def first_match(rules: RouteRules, request: Request, markers: Mapping[str, MatchGroup] = {}) -> RouteRule | None:
    """The one rule that counts for a request; `markers` are the match groups by name. None where no rule is for it."""
    return next((rule for rule in rules.ordered if route_matches(rule.match, request, markers)), None)

"""Objects as items and back, and as the documents that their own items keep."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

from governance.rules.check import check
from governance.rules.objects.degrade import Degrade, check_degrade, degrade_items, degrade_of, degrade_place
from governance.rules.objects.gray import GrayRelease, check_gray, gray_items, gray_of, gray_place, same_routes
from governance.rules.objects.items import Item, Place
from governance.rules.objects.lane import LaneGroup, check_lane_group, lane_items, lane_place
from governance.rules.parsing import ParseError
from governance.rules.problems import Code, Notes, Problem
from governance.rules.reading import read_record, readers_of
from governance.rules.routes import RouteRules
from governance.rules.yaml_nodes import compose

Object: TypeAlias = "GrayRelease | Degrade | LaneGroup"
LONGEST = 16384
"""Characters of a document that is looked into; one that is longer is no object."""
_MOST_MORE = 4096
"""Characters by which one way of writing a rule is longer than another; beyond that it is not read."""


@dataclass(frozen=True, slots=True)
class Form:
    """One kind of object: how its keys begin, its record, and how the keys begin that tell it by its shape.

    `place` says where the object is that has these values of the fields `named`, in their order.
    """

    begin: str
    record: type[GrayRelease] | type[Degrade] | type[LaneGroup]
    shapes: tuple[str, ...]
    named: tuple[str, ...]
    place: Callable[..., Place]

    @property
    def fields(self) -> Sequence[str]:
        """The names in a document."""
        return list(readers_of(self.record))


GRAY = Form(
    "servicecomb.x.gray.", GrayRelease, ("servicecomb.routeRule.",), ("service", "app", "environment"), gray_place
)
DEGRADE = Form(
    "servicecomb.x.degrade.",
    Degrade,
    ("servicecomb.fallback.", "servicecomb.fallbackpolicy."),
    ("consumer", "target", "app", "environment"),
    degrade_place,
)
LANES = Form("servicecomb.x.lane.", LaneGroup, (), ("name", "app", "environment"), lane_place)
FORMS = (GRAY, DEGRADE, LANES)


def expand(one: Object, beside: Iterable[LaneGroup] = ()) -> Sequence[Item]:
    """The item that keeps an object, then those that do what it says. The same object gives the same items.

    `beside` are the other groups of lanes at the place of one: their rule is one item.
    """
    match one:
        case GrayRelease():
            return gray_items(one)
        case Degrade():
            return degrade_items(one)
        case LaneGroup():
            return lane_items(one, beside)


def collapse(items: Iterable[Item]) -> Sequence[Object]:
    """The objects that items stand for: those that are kept, and those whose rules have the shape of one."""
    items = list(items)
    kept = [one for item in items for form in FORMS if (one := read_item(form, item)) is not None]
    known = {(item.key, frozenset(item.labels.items())) for one in kept for item in expand(one)}
    rest = [item for item in items if (item.key, frozenset(item.labels.items())) not in known]
    return [*kept, *_by_shape(rest)]


def _by_shape(items: Sequence[Item]) -> Iterable[Object]:
    places: dict[frozenset[tuple[str, str]], dict[str, str]] = {}
    for item in items:
        places.setdefault(frozenset(item.labels.items()), {})[item.key] = item.value
        if item.key.startswith("servicecomb.routeRule.") and len(item.value) <= LONGEST:
            rule = check(item.key, item.value).rule
            found = gray_of(rule, item.labels) if isinstance(rule, RouteRules) else None
            if found is not None:
                yield found
    for labels, values in places.items():
        yield from degrade_of(values, dict(labels))


def read(form: Form, document: str) -> tuple[Object | None, Sequence[Problem]]:
    """The object of a document in YAML or JSON, None where it has an error, and what is wrong with it."""
    notes = Notes()
    found: Object | None = None
    try:
        node = compose(document) if len(document) <= LONGEST else None
        if node is None:
            notes.error((), Code.MISSING, "there is no document", f"write one with at most {LONGEST} characters")
        else:
            found = read_record(form.record, node, notes, ())
    except ParseError as error:
        notes.places[("?",)] = error.at
        notes.error(("?",), Code.SYNTAX, error.why)
    match found:
        case GrayRelease():
            check_gray(found, notes)
        case Degrade():
            check_degrade(found, notes)
        case LaneGroup():
            check_lane_group(found, notes)
    return (None if notes.failed else found), notes.problems


def read_item(form: Form, item: Item) -> Object | None:
    """The object that an item keeps; None where it keeps none, or one that belongs elsewhere."""
    if not item.key.startswith(form.begin):
        return None
    found = read_kept(form, item.value)
    return found if found is not None and found.place == (item.key, dict(item.labels)) else None


@lru_cache(maxsize=512)
def read_kept(form: Form, document: str) -> Object | None:
    """The object of a document that an item keeps, read once: groups of lanes are asked for at every change of the configuration."""
    return read(form, document)[0]


def same(key: str, one: str, other: str) -> bool:
    """Whether two values of a key do the same, however they are written."""
    if one == other:
        return True
    if abs(len(one) - len(other)) > _MOST_MORE:
        return False
    first, second = check(key, one).rule, check(key, other).rule
    if isinstance(first, RouteRules) and isinstance(second, RouteRules):
        return same_routes(first, second)
    return first is not None and first == second

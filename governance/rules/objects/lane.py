"""Lanes: a group of them leads the requests that enter at a gateway along versions of many services that belong together.

The baseline lane has all components of the application, a gray lane those that are new. At the entry a request is marked with the label of
its lane, by its headers or by share. Each hop then prefers instances of that lane, which say it in a property, and falls back to base.
The groups of an application and environment share one route rule, the one for all services.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

from ruamel.yaml.nodes import Node

from governance.rules.conditions import Condition, Operator
from governance.rules.lanes import LANE_TAG
from governance.rules.objects.items import PREFIX, Item, Place
from governance.rules.pattern import RegexError
from governance.rules.printing import plain_record, print_plain, print_rule
from governance.rules.problems import Code, Notes, Path
from governance.rules.reading import Reader, by, choice, flag, list_of, read_record, some_text, text, whole
from governance.rules.regex import Regex
from governance.rules.routes import RouteItem, RouteMatch, RouteRule, RouteRules

BASE = "base"
"""The label of every baseline lane."""
LANE_HEADER = "x_cse_canary"
"""What carries the label from hop to hop, unless a group names another header."""
CONTENT = "content"
SHARE = "share"
ANY = "any"
GLOBAL_RULE = "servicecomb.globalRouteRule"
_KEY = f"{PREFIX}lane."
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,62}[A-Za-z0-9]")
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?")
_HEADER = re.compile(r"[a-z][a-z0-9_-]{0,63}")
_LONGEST_DESCRIPTION = 128


def _like(pattern: re.Pattern[str], instead: str) -> Reader:
    def read(node: Node, notes: Notes, path: Path) -> str | None:
        found = some_text(node, notes, path)
        if found is None or pattern.fullmatch(found):
            return found
        notes.error(path, Code.EXPRESSION, f"{path[-1]} is {found[:100]!r}", f"write {instead}")
        return None

    return read


_name = _like(_NAME, "2 to 64 letters, digits, - and _, a letter first and no sign last")
# Runtimes differ in whether case counts, so there is one case.
_header = _like(_HEADER, "a header's name in small letters, as type")
_label = _like(_LABEL, "small letters, digits and ._- within them, as gray")


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderRule:
    """What a header of a request that enters must be. Its name counts in any case, its value as it is; a regex must fit all of it."""

    header: str = field(metadata=by(_header))
    condition: str = field(default=Operator.EXACT.value, metadata=by(choice("exact", "prefix", "regex", fold=True)))
    value: str = field(metadata=by(some_text))

    @property
    def test(self) -> Callable[[str], bool]:
        """Whether a value fits, prepared once."""
        return Condition({Operator(self.condition): self.value}).test(fold=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """One lane. `components` are the deployed parts of the application that are in it; `weight` is its share in percent, by share alone."""

    name: str = field(metadata=by(_name))
    label: str = field(metadata=by(_label))
    components: tuple[str, ...] = field(default=(), metadata=by(list_of(some_text)))
    match: str = field(default=ANY, metadata=by(choice(ANY, "all", fold=True)))
    rules: tuple[HeaderRule, ...] = field(
        default=(), metadata=by(list_of(lambda node, notes, path: read_record(HeaderRule, node, notes, path)))
    )
    weight: int = field(default=0, metadata=by(whole(0, 100)))

    @property
    def is_base(self) -> bool:
        """Whether it is the baseline."""
        return self.label == BASE


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneGroup:
    """Lanes of one application and environment behind one entry: the service `target`, reached through the gateway of that name.

    `routing` says whether headers or shares lead into the lanes, `on` whether they do so now; where they do not, all goes to base.
    """

    name: str = field(metadata=by(_name))
    app: str = field(metadata=by(some_text))
    environment: str = field(default="", metadata=by(text))
    description: str = field(default="", metadata=by(text))
    gateway: str = field(metadata=by(some_text))
    target: str = field(metadata=by(some_text))
    header: str = field(default=LANE_HEADER, metadata=by(_header))
    on: bool = field(default=False, metadata=by(flag))
    routing: str = field(default=CONTENT, metadata=by(choice(CONTENT, SHARE, fold=True)))
    lanes: tuple[Lane, ...] = field(
        default=(), metadata=by(list_of(lambda node, notes, path: read_record(Lane, node, notes, path)))
    )
    reason: str = field(default="", metadata=by(text))

    @property
    def place(self) -> Place:
        """Where its item is; the route rule has the same labels."""
        return lane_place(self.name, self.app, self.environment)

    @property
    def gray(self) -> Sequence[Lane]:
        """All lanes but the baseline."""
        return [lane for lane in self.lanes if not lane.is_base]

    @property
    def components(self) -> Mapping[str, Lane]:
        """The lane of each component."""
        return {component: lane for lane in self.lanes for component in lane.components}


def lane_place(name: str, app: str, environment: str) -> Place:
    """Where a group is kept."""
    return Place(f"{_KEY}{name}", {"app": app, "environment": environment})


def check_lane_group(group: LaneGroup, notes: Notes) -> None:
    """Note what single fields do not show."""
    if len(group.description) > _LONGEST_DESCRIPTION:
        most = f"write {_LONGEST_DESCRIPTION} characters at most"
        notes.error(("description",), Code.RANGE, f"the description has {len(group.description)} characters", most)
    if group.lanes and not group.lanes[0].is_base:
        notes.error(("lanes", 0), Code.MISSING, "the first lane is not the baseline", f"begin with the label {BASE}")
    if group.on and not group.gray:
        notes.error(("on",), Code.MISSING, "there is no gray lane to lead requests to", "add one before it is on")
    for what in ("name", "label"):
        names = [str(getattr(lane, what)) for lane in group.lanes]
        _note_twice(names, what, notes)
    _note_twice([*chain(*(lane.components for lane in group.lanes))], "component", notes)
    for index, lane in enumerate(group.lanes):
        _check_rules(lane, notes, ("lanes", index))
    total = sum(lane.weight for lane in group.lanes)
    if group.routing == SHARE and total != 100:
        notes.error(("lanes",), Code.SUM, f"the weights of the lanes add up to {total}", "write weights that make 100")


def _note_twice(names: Sequence[str], what: str, notes: Notes) -> None:
    for name in sorted({name for name in names if names.count(name) > 1}):
        notes.error(("lanes",), Code.TWICE, f"the {what} {name[:100]} is there twice", "keep it in one lane")


def _check_rules(lane: Lane, notes: Notes, path: Path) -> None:
    if lane.is_base and lane.rules:
        notes.error(
            (*path, "rules"), Code.NO_EFFECT, "the baseline gets what no rule leads elsewhere", "leave rules away"
        )
    for at, rule in enumerate(lane.rules):
        if rule.condition == Operator.REGEX:
            try:
                Regex.of(rule.value)
            except RegexError as error:
                why = f"the pattern cannot be used: {error}"
                notes.error((*path, "rules", at, "value"), Code.REGEX, why, "write a simpler pattern, or exact")


def check_beside(group: LaneGroup, beside: Iterable[LaneGroup]) -> Sequence[str]:
    """Why a group cannot be beside others of its application and environment: labels would mean two lanes, components would be in two."""
    why = []
    for other in beside:
        labels = {lane.label for lane in group.gray} & {lane.label for lane in other.gray}
        why += [f"the label {label} is that of a lane of group {other.name}" for label in sorted(labels)]
        shared = sorted(set(group.components) & set(other.components))
        why += [f"{name} is in a lane of group {other.name}" for name in shared]
        if (group.gateway, group.target) == (other.gateway, other.target):
            why.append(f"group {other.name} already leads what {group.gateway} sends to {group.target}")
    return why


def lane_items(group: LaneGroup, beside: Iterable[LaneGroup] = ()) -> Sequence[Item]:
    """The item that keeps a group, then the rule that it shares with those beside it; without any lane there is no rule."""
    kept = Item(*group.place, print_plain(plain_record(group)))
    routes = routes_of([group, *beside])
    return [kept] if routes is None else [kept, Item(GLOBAL_RULE, group.place.labels, print_rule(routes))]


def routes_of(groups: Iterable[LaneGroup]) -> RouteRules | None:
    """The rule of all services for the lanes of groups, whether these are on or not: what is not marked goes to base. None without lanes.

    Each gray lane has a precedence of its own, which runtimes demand. Its fallback is base: without one, they would call every lane.
    """
    laned = sorted((group for group in groups if group.lanes), key=lambda group: group.name)
    if not laned:
        return None
    gray = [(group.header, lane.label) for group in laned for lane in group.gray]
    base = (RouteItem(100, {LANE_TAG: BASE}),)
    rules = [
        RouteRule(
            precedence=1 + len(gray) - at,
            match=RouteMatch(headers={header: Condition({Operator.EXACT: label})}),
            route=(RouteItem(100, {LANE_TAG: label}),),
            fallback=base,
        )
        for at, (header, label) in enumerate(gray)
    ]
    return RouteRules(None, (*rules, RouteRule(precedence=1, route=base)))

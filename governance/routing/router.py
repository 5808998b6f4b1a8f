"""Route rules at work: the draws of one callee, with shares that are exact.

A rule's items are drawn from by smooth weighted round robin, whoever is there. What is drawn then leads to instances.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial

from governance.invocation.invocation import Invocation
from governance.invocation.measures import Measure
from governance.routing.lots import EVERYONE, Lot
from governance.rules.distribution import Plan, draw, weights_of
from governance.rules.marker import MatchGroup, Request
from governance.rules.routes import RouteItem, RouteRule, RouteRules, route_matches


def seen(invocation: Invocation, asked: Collection[str] | None = None) -> Request:
    """The request as route rules see it: its own headers, and the context where it has no such header.

    `asked` are the names, in one case, that count; None is all of them.
    """
    request = invocation.request
    if not invocation.context:
        return request
    own = request.folded_headers
    missing = {
        name: text
        for name, text in invocation.context.items()
        if (folded := name.casefold()) not in own and (asked is None or folded in asked)
    }
    if not missing:
        return request
    counted = request.headers if asked is None else {name: own[name] for name in asked if name in own}
    # As replace() of dataclasses, in half of its time: this is done at most calls of a lane.
    return Request(
        path=request.path,
        method=request.method,
        headers={**missing, **counted},
        queries=request.queries,
        service_name=request.service_name,
        source=request.source,
        source_tags=request.source_tags,
    )


def _asked(rules: RouteRules) -> frozenset[str] | None:
    """The names of the headers that rules ask for, in one case; None where a marker may ask for any."""
    matches = [rule.match for rule in rules.rules if rule.match is not None]
    if any(match.refer for match in matches):
        return None
    return frozenset(name.casefold() for match in matches for name in (*match.headers, *match.http_headers))


class Cycle:
    """Draws by weight. They repeat after at most 100, so they are made beforehand."""

    def __init__(self, items: Sequence[RouteItem]) -> None:
        self._places = tuple(_cycle(weights_of(items)))
        self._drawn = 0

    def draw(self) -> int:
        """The place of the item that is next."""
        place = self._places[self._drawn % len(self._places)]
        self._drawn += 1
        return place

    def drawn(self, place: int) -> int:
        """How often an item has been drawn."""
        rounds, further = divmod(self._drawn, len(self._places))
        return rounds * self._places.count(place) + self._places[:further].count(place)


def _cycle(weights: Sequence[int]) -> Iterator[int]:
    start = current = (0,) * len(weights)
    while True:
        place, current = draw(weights, current)
        yield place
        if current == start:
            return


class _Draws:
    """A rule with its counters."""

    def __init__(self, number: int, rule: RouteRule) -> None:
        self.match = rule.match
        self.rule = rule
        self.route = Cycle(rule.route)
        self.fallback = Cycle(rule.fallback)
        self._number = number
        self._plan = partial(Plan, rule)
        # Without a fallback, a try has nothing to remember beside its draw.
        lots = [self._lot(place) for place in range(len(rule.route) + 1)]
        self._lots = lots if not rule.fallback else None

    def lot(self) -> Lot:
        place = self.route.draw()
        return self._lots[place] if self._lots is not None else self._lot(place)

    def _lot(self, place: int) -> Lot:
        return Lot(self._number, self._plan, place, self.fallback.draw)


class Router:
    """The route rules of one callee, with the counters of their draws. It lasts as long as the rules stay the same."""

    def __init__(self, rules: RouteRules) -> None:
        self._draws = [_Draws(number, rule) for number, rule in enumerate(rules.ordered)]
        self._asked = _asked(rules)

    def lot(self, invocation: Invocation, markers: Mapping[str, MatchGroup]) -> Lot:
        """Draw from the rule that a call is under; `EVERYONE` where it is under none."""
        request = invocation.request if self._asked == frozenset() else seen(invocation, self._asked)
        for draws in self._draws:
            if draws.match is None or route_matches(draws.match, request, markers):
                return draws.lot()
        return EVERYONE

    def measures(self) -> Iterable[Measure]:
        """How often each item was drawn, also one that has no instance."""
        for draws in self._draws:
            precedence = str(draws.rule.precedence or 0)
            for kind, items, cycle in (
                ("route", draws.rule.route, draws.route),
                ("fallback", draws.rule.fallback, draws.fallback),
            ):
                for place in range(len(items)):
                    yield Measure(
                        "draws", cycle.drawn(place), {"precedence": precedence, "item": f"{kind} {place + 1}"}
                    )

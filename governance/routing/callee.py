"""One callee: the draws of its calls, and the instances that each draw leads to, found once for as long as nothing changes."""

from __future__ import annotations

import random
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field

from governance.invocation.invocation import Invocation, Target
from governance.invocation.measures import Measure
from governance.invocation.rulebook import Rulebook
from governance.routing.darklaunch import DarkLauncher
from governance.routing.filters import Filters, filters_of
from governance.routing.lots import EVERYONE, Lot, Plan, Targets
from governance.routing.own import OwnInstance
from governance.routing.router import Router
from governance.rules.routes import RouteRules

_MOST_LISTS = 1000
"""Lists that are kept of one callee; a header can name endless levels of a property."""


@dataclass(eq=False, slots=True)
class Shortlist:
    """The instances of a draw, among which calls are balanced. `turn` counts the calls; where nobody is left, `why`."""

    targets: Targets
    turn: int
    why: str
    _by_id: Mapping[str, Target] = field(default_factory=dict)

    @property
    def by_id(self) -> Mapping[str, Target]:
        """The instances by their ids, made once."""
        if len(self._by_id) != len(self.targets):
            self._by_id = {one.instance_id: one for one in self.targets}
        return self._by_id


class Callee:
    """It lasts as long as the callee's route rules stay the same, and with it the counters of their draws."""

    def __init__(self, service: str, routes: RouteRules | None, own: OwnInstance, dice: random.Random) -> None:
        self._service = service
        self._own = own
        self._dice = dice
        self._router = Router(routes) if routes is not None else None
        self._book: Rulebook | None = None
        self._filters: Filters = filters_of({}, own, service)
        self._launcher: DarkLauncher | None = None
        self._instances: Targets = ()
        self._plans: dict[int, Plan] = {}
        self._lists: dict[Hashable, Shortlist] = {}

    def see(self, book: Rulebook, instances: Targets) -> None:
        """These are the rules and the instances now. Nothing is done where they are what they were."""
        if book is not self._book:
            self._obey(book)
        if instances is not self._instances and instances != self._instances:
            self._instances = instances
            self._plans.clear()
            self._lists.clear()

    def _obey(self, book: Rulebook) -> None:
        self._book = book
        launch = book.darklaunches.get(self._service)
        self._launcher = DarkLauncher(launch, self._dice) if launch is not None else None
        self._filters = filters_of(book.values, self._own, self._service)
        self._plans.clear()
        self._lists.clear()

    def lot(self, invocation: Invocation) -> Lot:
        """Draw for one try of a call."""
        if self._router is not None and self._book is not None:
            return self._router.lot(invocation, self._book.groups)
        return self._launcher.lot(invocation) if self._launcher is not None else EVERYONE

    def shortlist(self, lot: Lot, invocation: Invocation) -> Shortlist:
        """The instances of a draw."""
        plan = self._plans.get(lot.number)
        if plan is None:
            plan = self._plans[lot.number] = lot.plan(self._instances)
        wanted = self._filters.wanted(invocation)
        key = (lot.number, *lot.places(plan), wanted)
        found = self._lists.get(key)
        if found is None:
            if len(self._lists) >= _MOST_LISTS:
                self._lists.clear()
            found = self._lists[key] = self._listed(lot, plan, wanted)
        return found

    def shortlist_of(self, left: Targets, lot: Lot, invocation: Invocation) -> Shortlist:
        """The instances of a draw as though these were all that there are."""
        return self._listed(lot, lot.plan(left), self._filters.wanted(invocation))

    def _listed(self, lot: Lot, plan: Plan, wanted: str) -> Shortlist:
        routed, why = plan.chosen(*lot.places(plan))
        if not routed:
            return Shortlist((), 0, why)
        kept, why = self._filters.kept(routed, wanted)
        # Each consumer begins its round elsewhere, and so does each list: together they spread.
        return Shortlist(kept, self._dice.randrange(len(kept)) if kept else 0, why)

    def measures(self) -> Iterable[Measure]:
        """How often each item of the route rules was drawn."""
        return self._router.measures() if self._router is not None else ()

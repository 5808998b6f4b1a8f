"""The lane of a request that enters: found once, at the entry, by its headers or by a draw. No hop after it draws again."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from governance.invocation.context import lane_spellings
from governance.routing.router import Cycle
from governance.rules.lanes import LANE_TAG
from governance.rules.objects.forms import LANES, read_kept
from governance.rules.objects.lane import ANY, BASE, SHARE, Lane, LaneGroup
from governance.rules.routes import RouteItem

_PLAIN = re.compile(r"[!-~]{1,64}")


@dataclass(frozen=True)
class Mark:
    """The label that a request gets, and the header that carries it."""

    group: str
    label: str
    header: str

    @cached_property
    def headers(self) -> Mapping[str, str]:
        """What says it to servers, in both spellings."""
        return dict.fromkeys(lane_spellings(self.header), self.label)


class Lanes:
    """The entrances of one gateway, by the service that they lead to. A draw goes on for as long as its group stays the same."""

    def __init__(self, gateway: str) -> None:
        self._gateway = gateway
        self._entrances: dict[str, _Entrance] = {}
        self.headers: frozenset[str] = frozenset()
        """What carries labels, of all groups: nobody else may say them."""

    def obey(self, values: Mapping[str, str]) -> None:
        """The configuration is this now. A group that cannot be read counts for nothing: its requests go to base."""
        groups = list(_groups(values))
        before, own = self._entrances, [group for group in groups if group.gateway == self._gateway]
        self.headers = frozenset(name for group in groups for name in lane_spellings(group.header))
        self._entrances = {
            group.target: before[group.target]
            if group.target in before and before[group.target].group == group
            else _Entrance(group)
            for group in own
        }

    def mark(self, target: str, headers: Mapping[str, str], context: Mapping[str, str]) -> Mark | None:
        """The lane of a request to a service, None where no group is about that. Names of `headers` are in small letters.

        What a trusted peer has said in the context stays.
        """
        entrance = self._entrances.get(target)
        return entrance.mark(headers, context) if entrance is not None else None


def _groups(values: Mapping[str, str]) -> Iterable[LaneGroup]:
    for key, value in values.items():
        found = read_kept(LANES, value) if key.startswith(LANES.begin) else None
        if isinstance(found, LaneGroup) and found.place.key == key and found.lanes:
            yield found


class _Entrance:
    """One group, prepared."""

    def __init__(self, group: LaneGroup) -> None:
        self.group = group
        self._marks = {lane.label: Mark(group.name, lane.label, group.header) for lane in group.lanes}
        self._tests = [(lane.label, _test_of(lane)) for lane in group.gray if lane.rules]
        self._labels = [lane.label for lane in group.lanes]
        items = [RouteItem(lane.weight, {LANE_TAG: lane.label}) for lane in group.lanes]
        self._cycle = Cycle(items) if group.routing == SHARE else None

    def mark(self, headers: Mapping[str, str], context: Mapping[str, str]) -> Mark:
        said = context.get(self.group.header, "")
        if _PLAIN.fullmatch(said):
            return self._marks.get(said) or Mark(self.group.name, said, self.group.header)
        return self._marks[self._label(headers) if self.group.on else BASE]

    def _label(self, headers: Mapping[str, str]) -> str:
        if self._cycle is not None:
            return self._labels[self._cycle.draw()]
        return next((label for label, fits in self._tests if fits(headers)), BASE)


def _test_of(lane: Lane) -> Callable[[Mapping[str, str]], bool]:
    tests = [(rule.header, rule.test) for rule in lane.rules]
    enough = any if lane.match == ANY else all
    return lambda headers: enough(name in headers and test(headers[name]) for name, test in tests)

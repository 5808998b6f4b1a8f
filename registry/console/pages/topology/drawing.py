"""The graph as shapes: boxes, curves with their texts, and grounds, for a template to write as SVG."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from registry.console import measures
from registry.console.pages.topology.layout import HEIGHT, WIDTH, Layout, Place, layout
from registry.console.pages.topology.picture import Link, Name, Node, Picture

_COLOURS = 8
_APART = 24
"""Pixels between lines of one pair."""
_HEAD = 8
_BELOW = 46
"""How far a line dips that leads back."""
_LONGEST = 19
"""Characters of a name in a box."""
_TEXT_ACROSS, _TEXT_DOWN = 0.6, 0.7
"""Where on its way to the first column a line has its text: nearer to the end, where lines from one service have parted."""


@dataclass(frozen=True, slots=True)
class Box:
    """A service. `state` is its class: bad, warn, silent, or none."""

    node: Node
    place: Place
    title: str
    state: str
    colours: Sequence[int]


@dataclass(frozen=True, slots=True)
class Curve:
    """Calls. `path` and `head` are of SVG; `x` and `y` are where the text stands, `colour` is that of its lane, 0 for none."""

    link: Link
    path: str
    head: str
    x: int
    y: int
    width: float
    colour: int
    tone: str

    @property
    def is_quiet(self) -> bool:
        """Whether nobody calls now."""
        return not self.link.sums["rate"]


@dataclass(frozen=True, slots=True)
class Drawing:
    """Everything with its place."""

    plan: Layout
    boxes: Sequence[Box]
    curves: Sequence[Curve]
    colours: Mapping[str, int]


def drawing(shown: Picture) -> Drawing:
    """Place all that a picture shows."""
    names = {name.text: name for name in shown.nodes}
    bands = {text: name[:2] for text, name in names.items()}
    plan = layout(bands, {(link.caller.text, link.callee.text) for link in shown.links})
    colours = {lane: place % _COLOURS + 1 for place, lane in enumerate(shown.lanes)}
    boxes = [_box(shown.nodes[name], plan.places[text], colours) for text, name in names.items()]
    return Drawing(plan, boxes, list(_curves(shown.links, plan, colours)), colours)


def state_of(node: Node) -> str:
    """How a service is: the class of what shows it."""
    sums = node.sums
    tone = measures.tone(sums["failureRate"]) if sums["rate"] else ""
    if not sums["registered"]:
        return "bad" if node.known else "silent"
    if tone == "bad" or sums["breakersOpen"]:
        return tone or "warn"
    return tone or ("" if sums["reporting"] else "silent")


def _box(node: Node, place: Place, colours: Mapping[str, int]) -> Box:
    name = node.name.service
    title = name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"
    return Box(node, place, title, state_of(node), [colours[lane] for lane in node.lanes])


def _curves(links: Sequence[Link], plan: Layout, colours: Mapping[str, int]) -> Iterator[Curve]:
    ordered = sorted(links, key=lambda link: (link.caller, link.callee, link.lane))
    for (caller, callee), group in groupby(ordered, key=lambda link: (link.caller, link.callee)):
        several = list(group)
        for number, link in enumerate(several):
            shift = round((number - (len(several) - 1) / 2) * _APART)
            yield _curve(link, _route(caller, callee, plan, shift), colours)


def _curve(link: Link, route: tuple[str, str, int, int], colours: Mapping[str, int]) -> Curve:
    path, head, x, y = route
    rate = link.sums["rate"]
    width = round(min(1.5 + 1.3 * math.log10(1 + rate), 6), 2)
    tone = measures.tone(link.sums["failureRate"]) if rate else ""
    return Curve(link, path, head, x, y, width, colours.get(link.lane, 0), tone)


def _route(caller: Name, callee: Name, plan: Layout, shift: int) -> tuple[str, str, int, int]:
    """A path, its arrow head, and where its text stands."""
    begin, end = plan.places[caller.text], plan.places[callee.text]
    if end.x <= begin.x:
        return _back(begin, end, shift)
    (x, y), target = begin.right, end.left
    stops = [(at_x, at_y + shift) for at_x, at_y in plan.ways.get((caller.text, callee.text), ())]
    y, last = y + shift, (target[0] - _HEAD, target[1] + shift)
    path, label = f"M{x},{y}", None
    for at_x, at_y in (*stops, last):
        middle = (x + at_x) // 2
        path += f" C{middle},{y} {middle},{at_y} {at_x},{at_y}"
        label = label or (round(x + (at_x - x) * _TEXT_ACROSS), round(y + (at_y - y) * _TEXT_DOWN))
        x, y = at_x, at_y
        if (at_x, at_y) != last:
            x += WIDTH
            path += f" H{x}"
    head = f"M{last[0]},{last[1] - 5} L{target[0]},{last[1]} L{last[0]},{last[1] + 5} Z"
    return path, head, *(label or last)


def _back(begin: Place, end: Place, shift: int) -> tuple[str, str, int, int]:
    """A line that leads back, or to the same service: out of the box below, and in from below."""
    x, target = begin.x + WIDTH * 2 // 3 + shift, end.x + WIDTH // 3 + shift
    y, bottom = begin.y + HEIGHT, end.y + HEIGHT
    deep = max(y, bottom) + _BELOW
    path = f"M{x},{y} C{x},{deep} {target},{deep} {target},{bottom + _HEAD}"
    head = f"M{target - 5},{bottom + _HEAD} L{target},{bottom} L{target + 5},{bottom + _HEAD} Z"
    return path, head, (x + target) // 2, (y + bottom) // 8 + deep * 3 // 4

"""Where the services of a graph stand: callers on the left, whom they call on the right, each application in a band of its own.

The same services and calls always come to the same places, so that a picture that is drawn anew does not jump.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple, TypeAlias

Band: TypeAlias = tuple[str, ...]
Pair: TypeAlias = tuple[str, str]
WIDTH, HEIGHT = 172, 68
"""Of a box, in pixels."""
_COLUMN = WIDTH + 140
_ROW = HEIGHT + 26
_VIA = 30
"""The height that a line takes which goes past boxes."""
_MARGIN, _TITLE = 18, 30
_SWEEPS = 4
_ALONE_IN_A_ROW = 4


class _Via(NamedTuple):
    """A line on its way through a column."""

    pair: Pair
    column: int


_Slot: TypeAlias = str | _Via


@dataclass(frozen=True, slots=True)
class Place:
    """The upper left corner of a box."""

    x: int
    y: int

    @property
    def left(self) -> tuple[int, int]:
        """Where calls come in."""
        return self.x, self.y + HEIGHT // 2

    @property
    def right(self) -> tuple[int, int]:
        """Where calls go out."""
        return self.x + WIDTH, self.y + HEIGHT // 2


@dataclass(frozen=True, slots=True)
class Frame:
    """The ground of an application."""

    band: Band
    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Layout:
    """Places by service, the points where each line comes into the columns on its way, the grounds, and the size of all."""

    places: Mapping[str, Place]
    ways: Mapping[Pair, Sequence[tuple[int, int]]]
    frames: Sequence[Frame]
    width: int
    height: int


def layout(bands: Mapping[str, Band], pairs: Iterable[Pair]) -> Layout:
    """Place services, of which `bands` says the application; `pairs` are who calls whom among them."""
    lines = sorted({pair for pair in pairs if pair[0] != pair[1]})
    columns = _columns(sorted(bands), lines)
    slots = dict[_Slot, int](columns.items())
    chains = {pair: _chain(pair, columns) for pair in lines}
    home = dict[_Slot, Band](bands.items())
    for slot in (slot for chain in chains.values() for slot in chain if isinstance(slot, _Via)):
        slots[slot], home[slot] = slot.column, bands[slot.pair[0]]
    connected = {name for pair in lines for name in pair}
    return _placed(_Ordered(slots, home, _neighbours(chains.values())), chains, connected)


def _columns(names: Sequence[str], lines: Sequence[Pair]) -> dict[str, int]:
    """The column of each service: one more than that of whoever calls it. Calls that lead back in a circle do not count."""
    forward = _without_circles(names, lines)
    waiting = dict.fromkeys(names, 0)
    for callees in forward.values():
        for name in callees:
            waiting[name] += 1
    columns = dict.fromkeys(names, 0)
    ready = [name for name in names if not waiting[name]]
    for name in ready:
        for callee in forward[name]:
            columns[callee] = max(columns[callee], columns[name] + 1)
            waiting[callee] -= 1
            if not waiting[callee]:
                ready.append(callee)
    return columns


def _without_circles(names: Sequence[str], lines: Sequence[Pair]) -> Mapping[str, Sequence[str]]:
    """Whom each service calls, without the calls that close a circle; whoever is called by nobody is begun with."""
    calls: dict[str, list[str]] = defaultdict(list)
    called = {callee for _, callee in lines}
    for caller, callee in lines:
        calls[caller].append(callee)
    kept: dict[str, list[str]] = {name: [] for name in names}
    done, open_ = set[str](), set[str]()
    for begin in sorted(names, key=lambda name: (name in called, name)):
        way = [(begin, iter(calls[begin]))] if begin not in done else []
        open_.add(begin)
        while way:
            name, rest = way[-1]
            callee = next(rest, "")
            if not callee:
                way.pop()
                open_.discard(name)
                done.add(name)
            elif callee not in open_:
                kept[name].append(callee)
                if callee not in done:
                    open_.add(callee)
                    way.append((callee, iter(calls[callee])))
    return kept


def _chain(pair: Pair, columns: Mapping[str, int]) -> Sequence[_Slot]:
    """A line with the columns that it goes through between its ends; one that leads back goes below all."""
    between = range(columns[pair[0]] + 1, columns[pair[1]])
    return (pair[0], *(_Via(pair, column) for column in between), pair[1])


def _neighbours(chains: Iterable[Sequence[_Slot]]) -> Mapping[_Slot, Sequence[_Slot]]:
    found: dict[_Slot, list[_Slot]] = defaultdict(list)
    for chain in chains:
        for one, other in pairwise(chain):
            found[one].append(other)
            found[other].append(one)
    return found


class _Ordered:
    """The slots of each column in an order in which few lines cross: each near the middle of its neighbours, within its band."""

    def __init__(
        self, slots: Mapping[_Slot, int], home: Mapping[_Slot, Band], neighbours: Mapping[_Slot, Sequence[_Slot]]
    ) -> None:
        self.home = home
        self._neighbours = neighbours
        self.columns: dict[int, list[_Slot]] = defaultdict(list)
        for slot in sorted(slots, key=lambda one: (home[one], str(one))):
            self.columns[slots[slot]].append(slot)
        self._column_of = slots
        for sweep in range(_SWEEPS):
            self._sweep(forward=sweep % 2 == 0)

    def _sweep(self, *, forward: bool) -> None:
        rows = {slot: place for column in self.columns.values() for place, slot in enumerate(column)}
        for number in sorted(self.columns, reverse=not forward):
            before = number - 1 if forward else number + 1
            column = self.columns[number]
            middles = {slot: self._middle(slot, before, rows) for slot in column}
            column.sort(key=lambda slot: (self.home[slot], middles[slot], str(slot)))
            rows.update({slot: place for place, slot in enumerate(column)})

    def _middle(self, slot: _Slot, column: int, rows: Mapping[_Slot, int]) -> float:
        near = [rows[one] for one in self._neighbours.get(slot, ()) if self._column_of[one] == column]
        return sum(near) / len(near) if near else float(rows[slot])

    def of_band(self, band: Band) -> Mapping[int, Sequence[_Slot]]:
        """The slots of an application by column."""
        return {
            number: mine
            for number, column in sorted(self.columns.items())
            if (mine := [slot for slot in column if self.home[slot] == band])
        }


def _placed(ordered: _Ordered, chains: Mapping[Pair, Sequence[_Slot]], connected: set[str]) -> Layout:
    corners: dict[_Slot, tuple[int, int]] = {}
    frames, top = list[Frame](), 0
    for band in sorted(set(ordered.home.values())):
        corner, bottom = top + _TITLE, top + _TITLE
        columns, alone = _apart(ordered.of_band(band), connected)
        heights = {number: sum(map(_height, column)) for number, column in columns.items()}
        tallest = max(heights.values(), default=0)
        for number, column in columns.items():
            y = corner + (tallest - heights[number]) // 2
            for slot in column:
                corners[slot] = (_MARGIN + number * _COLUMN, y)
                y += _height(slot)
        bottom += tallest
        for place, slot in enumerate(alone):
            row, column_number = divmod(place, _ALONE_IN_A_ROW)
            corners[slot] = (_MARGIN + column_number * (WIDTH + _MARGIN), bottom + row * _ROW)
        bottom += -(-len(alone) // _ALONE_IN_A_ROW) * _ROW
        frames.append(Frame(band, 0, top, 0, bottom - top))
        top = bottom + _MARGIN
    right = max((x for x, _ in corners.values()), default=0) + WIDTH + _MARGIN
    places = {slot: Place(*corner) for slot, corner in corners.items() if isinstance(slot, str)}
    ways = {pair: [_via(*corners[slot]) for slot in chain[1:-1]] for pair, chain in chains.items()}
    grounds = [Frame(one.band, 0, one.y, right, one.height) for one in frames]
    return Layout(places, ways, grounds, right, max(top - _MARGIN, 1))


def _apart(
    columns: Mapping[int, Sequence[_Slot]], connected: set[str]
) -> tuple[Mapping[int, Sequence[_Slot]], Sequence[_Slot]]:
    """Those who call or are called by column, and those who do neither."""
    alone = [slot for column in columns.values() for slot in column if isinstance(slot, str) and slot not in connected]
    rest = {
        number: [slot for slot in column if not isinstance(slot, str) or slot in connected]
        for number, column in columns.items()
    }
    return rest, alone


def _height(slot: _Slot) -> int:
    return _ROW if isinstance(slot, str) else _VIA


def _via(x: int, y: int) -> tuple[int, int]:
    """Where a line comes into a column between boxes; it leaves it straight on."""
    return x, y + _VIA // 2 - (_ROW - HEIGHT) // 2

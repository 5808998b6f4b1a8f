"""The last minutes of an interface or an instance, packed: 19 and 30 bytes a point."""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import ClassVar

SAME_POINT = 3
"""Seconds within which documents make one point, the newest of which counts: some clients send several at a time."""
LARGEST_HALF = 65504.0
"""The largest number that half precision holds: latencies in milliseconds are told up to a minute."""
_SECOND = Struct("<I")


class History:
    """Points in the order of their seconds, each packed by the layout of the class, whose first member is the second."""

    __slots__ = ("_points",)
    layout: ClassVar[Struct]

    def __init__(self) -> None:
        self._points = bytearray()

    def add(self, second: int, kept: int, *values: float) -> None:
        """Add a point and drop what is older than so many seconds. What the clock's future holds, as it was set back, goes, too."""
        points, layout = self._points, self.layout
        size, stale, length = layout.size, 0, len(points)
        while stale < length and _SECOND.unpack_from(points, stale)[0] <= second - kept:
            stale += size
        if stale:
            del points[:stale]
        last = self.last
        while last > second:
            del points[-size:]
            last = self.last
        if points and second - last < SAME_POINT:
            layout.pack_into(points, len(points) - size, last, *values)
        else:
            points += layout.pack(second, *values)

    @property
    def last(self) -> int:
        """The second of the newest point; 0 where there is none."""
        points = self._points
        return _SECOND.unpack_from(points, len(points) - self.layout.size)[0] if points else 0

    def __len__(self) -> int:
        return len(self._points) // self.layout.size

    def copied(self) -> bytes:
        """The points, for another thread to read by `unpacked`."""
        return bytes(self._points)

    @classmethod
    def unpacked(cls, points: bytes) -> Iterator[tuple[float, ...]]:
        """The second and the values of each point."""
        return cls.layout.iter_unpack(points)


class InterfaceHistory(History):
    """Rate, failure rate, mean latency, the latencies of 50, 90 and 99 of 100 calls, and whether the breaker was open."""

    __slots__ = ()
    layout = Struct("<IfeeeeeB")


class InstanceHistory(History):
    """Rate, failure rate, mean latency, that of 99 of 100 calls, breakers open, threads, percent of all cores, bytes of memory."""

    __slots__ = ()
    layout = Struct("<IfeeeHIed")

"""So many at once, and who waits for a place: in the order that they came. Without I/O; who waits is told by the caller."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

Waiter = TypeVar("Waiter")


class Slots(Generic[Waiter]):
    """A number of places. Whoever has one leaves it once."""

    def __init__(self, most: int) -> None:
        self.free = most
        """Places that nobody has. While anyone waits there are none."""
        self._waiting: OrderedDict[Waiter, None] = OrderedDict()

    def take(self) -> bool:
        """Take a place; False where there is none."""
        if self.free <= 0:
            return False
        self.free -= 1
        return True

    def wait(self, waiter: Waiter) -> None:
        """Wait in line."""
        self._waiting[waiter] = None

    def abandon(self, waiter: Waiter) -> bool:
        """Wait no longer; False for one who does not wait, such as one who was given a place."""
        return self._waiting.pop(waiter, waiter) is None

    def leave(self) -> Waiter | None:
        """Leave a place: to the first who waits, who has it from now on, else to anyone who will come."""
        if not self._waiting:
            self.free += 1
            return None
        return self._waiting.popitem(last=False)[0]

"""Which of the stored events are old: told by how many came after them, since revisions have gaps, a wide one at every start."""

from __future__ import annotations

from collections import deque

STEP = 1000
"""One event in so many is remembered, and as many are compacted at a time."""


class Window:
    """The newest stored events, at least `size` of them."""

    def __init__(self, size: int) -> None:
        self._most = size // STEP + 1
        self._marks: deque[int] = deque()
        self._seen = 0

    def saw(self, revision: int) -> None:
        """Note an event that is stored; revisions grow."""
        self._seen += 1
        if self._seen % STEP == 0:
            self._marks.append(revision)

    def left(self) -> int:
        """The revision up to which events have left the window since it was last asked, 0 where none has; some at a time."""
        return self._marks.popleft() if len(self._marks) > self._most else 0

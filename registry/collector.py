"""Keeps the garbage collector's pauses short in a process that holds very many long-lived objects.

A full collection looks at every object, so its pause grows with the catalog: 50 ms and more at 100,000 instances. Almost nothing
in the catalog is ever part of a cycle. So automatic full collections are off; every minute the young objects are collected and the
survivors frozen, which later collections skip; and once an hour everything is thawed and looked at, for cycles that were frozen.
"""

import gc
import time

_FREEZE_EVERY = 60.0
_FULL_EVERY = 3600.0


class Collector:
    """Call `tick` often; it does its work when that is due."""

    def __init__(self) -> None:
        now = time.monotonic()
        self._next_freeze = now
        self._next_full = now + _FULL_EVERY
        gc.set_threshold(20_000, 20, 1_000_000)

    def tick(self) -> None:
        """Collect and freeze, where it is time to."""
        now = time.monotonic()
        if now < self._next_freeze:
            return
        self._next_freeze = now + _FREEZE_EVERY
        if now >= self._next_full:
            self._next_full = now + _FULL_EVERY
            gc.unfreeze()
        gc.collect()
        gc.freeze()

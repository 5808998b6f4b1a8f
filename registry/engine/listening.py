"""Who waits for changes of the configuration now, and which revision each has: what opens a poll or a websocket says so here.

There are as many as polls and websockets may be open. Who pulls from time to time without waiting is not among them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from registry.config.records import Labels


class Listener(NamedTuple):
    """One who waits for items with one of these sets of labels, exactly or at least.

    `instance` is the instance that it says it is, `revision` the one that it has, both empty where it does not say.
    """

    tenant: str
    label_sets: Sequence[Labels]
    exact: bool
    protocol: str
    address: str
    instance: str
    revision: str

    def is_told_of(self, labels: Labels) -> bool:
        """Whether a change of an item with these labels is for it."""
        return any(labels == one if self.exact else labels >= one for one in self.label_sets)


class Listening:
    """Those who listen."""

    def __init__(self) -> None:
        self._by_id: dict[int, Listener] = {}

    def begin(self, listener: Listener) -> None:
        """It waits from now on."""
        self._by_id[id(listener)] = listener

    def end(self, listener: Listener) -> None:
        """It does no more; one that has ended stays so."""
        self._by_id.pop(id(listener), None)

    def of(self, tenant: str) -> Iterable[Listener]:
        """Those of a tenant, in the order in which they began."""
        return [one for one in self._by_id.values() if one.tenant == tenant]

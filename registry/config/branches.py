"""How many items there are under which labels, and under which beginnings of keys: what a tree of them shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from registry.config.records import KeyValue, Labels


class Branch(NamedTuple):
    """The part of a key below a beginning: a whole key, or what several keys begin with, with the dot at its end."""

    prefix: str
    items: int


def by_labels(items: Iterable[KeyValue]) -> Mapping[Labels, int]:
    """How many items have exactly which labels."""
    return Counter(item.label_set for item in items)


def by_prefix(items: Iterable[KeyValue], prefix: str) -> Sequence[Branch]:
    """The branches of keys that begin so, one part further, in the order of the alphabet."""
    found: Counter[str] = Counter()
    for item in items:
        key = item.draft.key
        if key.startswith(prefix):
            part, dot, _ = key[len(prefix) :].partition(".")
            found[prefix + part + dot] += 1
    return [Branch(name, count) for name, count in sorted(found.items())]

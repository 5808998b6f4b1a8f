"""What objects expand to: items of configuration, named by key and labels as the config centre names them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

PREFIX = "servicecomb.x."
"""How the keys of objects begin. No runtime in Java or Go reads them; the SDK looks there for what it has to count."""


class Place(NamedTuple):
    """Key and labels of the item that keeps an object: what it is known by."""

    key: str
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Item:
    """One enabled item of type text."""

    key: str
    labels: Mapping[str, str]
    value: str

"""What readers ask for, as data: for forms, and whoever else explains a rule without knowing each kind of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, TypeVar

from ruamel.yaml.nodes import Node

from governance.rules.problems import Notes, Path

Value = TypeVar("Value")


class Sort(StrEnum):
    """What a value is."""

    TEXT = "text"
    FLAG = "flag"
    WHOLE = "whole"
    NUMBER = "number"
    DURATION = "duration"
    CHOICE = "choice"
    STATUS = "status"
    LIST = "list"
    MAPPING = "mapping"
    CONDITION = "condition"
    RECORD = "record"


@dataclass(frozen=True, slots=True)
class Asks:
    """What a value must be: its bounds (`above` where the lower one is none of them), its words, what it is made of."""

    sort: Sort
    least: float | None = None
    most: float | None = None
    above: bool = False
    words: tuple[str, ...] = ()
    inner: Asks | None = None
    record: type | None = None


class Asking(Generic[Value]):
    """A reader that says what it asks for."""

    __slots__ = ("_read", "asks")

    def __init__(self, asks: Asks, read: Callable[[Node, Notes, Path], Value | None]) -> None:
        self.asks = asks
        self._read = read

    def __call__(self, node: Node, notes: Notes, path: Path) -> Value | None:
        """The value of a node, or None after an error was noted."""
        return self._read(node, notes, path)


def asking(asks: Asks) -> Callable[[Callable[[Node, Notes, Path], Value | None]], Asking[Value]]:
    """Let a reader say what it asks for."""
    return lambda read: Asking(asks, read)


def asks_of(reader: Callable[[Node, Notes, Path], Any]) -> Asks:
    """What a reader asks for: a text, where it does not say it."""
    return reader.asks if isinstance(reader, Asking) else Asks(Sort.TEXT)

"""Reads nodes into typed records: each field of a dataclass names its reader, and what does not fit is noted with its place.

The name of a field in a text is the one of the dataclass in camel case, as Java spells it.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar

from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from governance.rules.asks import Asking, Asks, Sort, asking, asks_of
from governance.rules.durations import parse_duration
from governance.rules.problems import Code, Notes, Path
from governance.rules.scalars import Kind, scalar_of
from governance.rules.yaml_nodes import is_null, place_of

Record = TypeVar("Record")
Value = TypeVar("Value")
Reader: TypeAlias = Callable[[Node, Notes, Path], Any]
"""Gives the value of a node, or None after it noted an error."""
_STATUS = re.compile(r"[0-9x]{3}")
_UNSAID = object()
"""What is given for a text that says nothing, so that the field is as though it were not there."""


def camel(name: str) -> str:
    """`limit_refresh_period` as it is spelled in a text."""
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def by(reader: Reader, about: str = "") -> Mapping[str, Any]:
    """The metadata of a field that is read by a reader; `about` says to people what it is."""
    return {"reader": reader, "about": about}


def readers_of(record: type) -> Mapping[str, tuple[str, Reader]]:
    """Attribute and reader by the name in a text, of a dataclass."""
    found = dataclasses.fields(record)
    return {camel(one.name): (one.name, one.metadata["reader"]) for one in found if "reader" in one.metadata}


def read_record(record: type[Record], node: Node, notes: Notes, path: Path, **given: object) -> Record | None:
    """A record of a mapping; None where something in it is in error. What is null counts as not there."""
    fields = readers_of(record)
    entries = mapping_of(node, notes, path)
    if entries is None:
        return None
    values: dict[str, object] = {}
    whole = True
    for name, inner in entries.items():
        if name not in fields:
            _note_unknown(name, fields, given, notes, path)
        elif not is_null(inner):
            attribute, reader = fields[name]
            value = reader(inner, notes, (*path, name))
            whole = whole and value is not None
            if value is not _UNSAID:
                values[attribute] = value
    for attribute in () if not whole else _missing(record, values, given):
        notes.error(path, Code.MISSING, f"{camel(attribute)} is missing", f"add {camel(attribute)}")
        whole = False
    return record(**given, **values) if whole else None


def record_of(record: type[Record]) -> Asking[Record]:
    """Reads records of a type."""

    @asking(Asks(Sort.RECORD, record=record))
    def read(node: Node, notes: Notes, path: Path) -> Record | None:
        return read_record(record, node, notes, path)

    return read


def _missing(record: type, values: Collection[str], given: Collection[str]) -> list[str]:
    return [
        one.name
        for one in dataclasses.fields(record)
        if one.default is dataclasses.MISSING and one.default_factory is dataclasses.MISSING
        if one.name not in values and one.name not in given
    ]


def _note_unknown(name: str, known: Collection[str], given: Collection[str], notes: Notes, path: Path) -> None:
    """The name of a policy is its key's; Java puts it over the one in the text, so that one is no mistake."""
    if name in given or notes.full:  # to look for what may be meant takes time
        return
    folded = {one.casefold(): one for one in known}
    near = difflib.get_close_matches(name[:100].casefold(), [*folded], 1, 0.65)
    instead = f"write {folded[near[0]]}" if near else f"known are {', '.join(known)}"
    notes.warn((*path, name), Code.UNKNOWN_FIELD, f"{name[:100]} is not known and has no effect", instead)


def mapping_of(node: Node, notes: Notes, path: Path) -> Mapping[str, Node] | None:
    """The entries of a mapping, with what it merges; what is named here goes before that."""
    notes.stands(path, place_of(node))
    if not isinstance(node, MappingNode):
        notes.error(path, Code.TYPE, "a mapping is expected here", "write name: value")
        return None
    entries: dict[str, Node] = {}
    own: set[str] = set()
    for key, inner, merged in _pairs(node, set()):
        notes.spend(place_of(key))
        name = str(key.value) if isinstance(key, ScalarNode) else "?"
        if name in own and not merged:
            notes.places[(*path, name)] = place_of(key)
            notes.error((*path, name), Code.TWICE, f"{name[:100]} is there twice", "keep one of them")
        if name not in entries or not merged:
            entries[name] = inner
            notes.places[(*path, name)] = place_of(key)
        own.update([] if merged else [name])
    return entries


def _pairs(node: MappingNode, seen: set[int]) -> Iterator[tuple[Node, Node, bool]]:
    """Keys, values, and whether they are merged. A mapping may merge itself: each is looked into once."""
    seen.add(id(node))
    merging: list[Node] = []
    for key, inner in node.value:
        if str(key.tag).endswith(":merge"):
            merging += inner.value if isinstance(inner, SequenceNode) else [inner]
        else:
            yield key, inner, False
    for part in merging:
        if isinstance(part, MappingNode) and id(part) not in seen:
            for key, inner, _ in _pairs(part, seen):
                yield key, inner, True


def items_of(node: Node, notes: Notes, path: Path) -> Sequence[Node] | None:
    """The items of a list."""
    notes.stands(path, place_of(node))
    if not isinstance(node, SequenceNode):
        notes.error(path, Code.TYPE, "a list is expected here", "begin each item with - ")
        return None
    for index, item in enumerate(node.value):
        notes.spend(place_of(item))
        notes.places[(*path, index)] = place_of(item)
    return list(node.value)


def list_of(reader: Reader, *, empty: bool = True) -> Asking[tuple[Any, ...]]:
    """A tuple of what a reader makes of each item."""

    @asking(Asks(Sort.LIST, inner=asks_of(reader)))
    def read(node: Node, notes: Notes, path: Path) -> tuple[Any, ...] | None:
        items = items_of(node, notes, path)
        if items is None:
            return None
        if not items and not empty:
            notes.error(path, Code.MISSING, f"{path[-1] if path else 'the list'} is empty", "add an item")
            return None
        values = [reader(item, notes, (*path, index)) for index, item in enumerate(items)]
        return None if None in values else tuple(values)

    return read


def mapping_by(reader: Reader, *, empty: bool = True) -> Asking[dict[str, Any]]:
    """A mapping from names to what a reader makes of each value."""

    @asking(Asks(Sort.MAPPING, inner=asks_of(reader)))
    def read(node: Node, notes: Notes, path: Path) -> dict[str, Any] | None:
        entries = mapping_of(node, notes, path)
        if entries is None:
            return None
        if not entries and not empty:
            notes.error(path, Code.MISSING, f"{path[-1] if path else 'the mapping'} is empty", "add an entry")
            return None
        values = {name: reader(inner, notes, (*path, name)) for name, inner in entries.items()}
        return None if None in values.values() else values

    return read


@asking(Asks(Sort.TEXT))
def text(node: Node, notes: Notes, path: Path) -> str | None:
    """A scalar as it is written; nothing is the empty text."""
    if not isinstance(node, ScalarNode):
        notes.stands(path, place_of(node))
        notes.error(path, Code.TYPE, "a text is expected here", "write a single value")
        return None
    return "" if is_null(node) else str(node.value)


@asking(Asks(Sort.TEXT, least=1))
def some_text(node: Node, notes: Notes, path: Path) -> str | None:
    """A text that is not empty."""
    found = text(node, notes, path)
    if found == "":
        notes.error(path, Code.MISSING, f"{path[-1]} is empty", "write a value")
        return None
    return found


def whole(least: int, most: int = 2**31 - 1) -> Asking[int]:
    """A whole number within bounds."""

    @asking(Asks(Sort.WHOLE, least, most))
    def read(node: Node, notes: Notes, path: Path) -> int | None:
        found = _number(node, notes, path, (Kind.INT,), "a whole number")
        return None if found is None else _bounded(int(found), least, most, notes, path)

    return read


def number(above: float, most: float = math.inf) -> Asking[float]:
    """A number above one bound and not above another."""

    @asking(Asks(Sort.NUMBER, above, most, above=True))
    def read(node: Node, notes: Notes, path: Path) -> float | None:
        found = _number(node, notes, path, (Kind.INT, Kind.FLOAT), "a number")
        value = None if found is None else float(found)
        if value is None or above < value <= most:
            return value
        upper = "" if most == math.inf else f" and at most {most:g}"
        notes.error(path, Code.RANGE, f"{path[-1]} is {value:g}", f"write a number above {above:g}{upper}")
        return None

    return read


def _number(node: Node, notes: Notes, path: Path, kinds: Sequence[Kind], what: str) -> str | None:
    """The printed number of a scalar; Java reads one in quotes, too."""
    written = text(node, notes, path)
    if written is None:
        return None
    scalar = scalar_of(written.strip(), "", plain=True)
    if scalar.kind not in kinds or len(scalar.text) > 300:
        notes.error(path, Code.TYPE, f"{path[-1]} is {written[:100]!r}, which is not {what}", f"write {what}")
        return None
    return scalar.text


def _bounded(value: int, least: int, most: int, notes: Notes, path: Path) -> int | None:
    if least <= value <= most:
        return value
    upper = "" if most >= 2**31 - 1 else f" to {most}"
    instead = f"write a number from {least}{upper}" if upper else f"write {least} or more"
    notes.error(path, Code.RANGE, f"{path[-1]} is {str(value)[:30]}", instead)
    return None


def unless_empty(reader: Reader) -> Asking[object]:
    """The same, where an empty text means the default, as it does for Java."""

    @asking(asks_of(reader))
    def read(node: Node, notes: Notes, path: Path) -> object:
        if not isinstance(node, ScalarNode) or node.value:
            return reader(node, notes, path)
        notes.warn(
            path, Code.NO_EFFECT, f"{path[-1]} is empty, so its default counts", "write a value, or leave it away"
        )
        return _UNSAID

    return read


def duration(least: int) -> Asking[int]:
    """A duration in milliseconds, not below a bound."""

    @asking(Asks(Sort.DURATION, least))
    def read(node: Node, notes: Notes, path: Path) -> int | None:
        written = text(node, notes, path)
        if written is None:
            return None
        try:
            value = parse_duration(written)
        except ValueError as error:
            notes.error(path, Code.DURATION, f"{path[-1]} is {written[:100]!r}, which is no duration", str(error))
            return None
        return _bounded(value, least, 2**63, notes, path)

    return read


@asking(Asks(Sort.FLAG))
def flag(node: Node, notes: Notes, path: Path) -> bool | None:
    """True or false, in any of YAML's words for them."""
    written = text(node, notes, path)
    if written is None:
        return None
    scalar = scalar_of(written.strip(), "", plain=True)
    if scalar.kind is Kind.BOOL:
        return scalar.text == "true"
    notes.error(path, Code.TYPE, f"{path[-1]} is {written[:100]!r}", "write true or false")
    return None


def choice(*known: str, fold: bool = False) -> Asking[str]:
    """One of some words; `fold` where upper and lower case are the same."""
    spelled = {(word.casefold() if fold else word): word for word in known}

    @asking(Asks(Sort.CHOICE, words=known))
    def read(node: Node, notes: Notes, path: Path) -> str | None:
        written = text(node, notes, path)
        if written is None:
            return None
        found = spelled.get(written.casefold() if fold else written)
        if found is None:
            near = [word for word in known if word.casefold() == written.casefold()] or known
            notes.error(path, Code.CHOICE, f"{path[-1]} is {written[:100]!r}", f"write {' or '.join(near)}")
        return found

    return read


@asking(Asks(Sort.STATUS))
def status(node: Node, notes: Notes, path: Path) -> str | None:
    """A status of HTTP; x stands for any digit."""
    written = text(node, notes, path)
    if written is None or _STATUS.fullmatch(written):
        return written
    notes.error(path, Code.RANGE, f"{written[:100]!r} is no status", "write three digits, as 503 or 5xx")
    return None

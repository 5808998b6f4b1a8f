"""Key-values as files, for moving many at once, reviewing and keeping them: what a text in each format says, as edits.

`yaml` is this engine's own, made to be read and edited; `kie` is what KIE's consoles export, as JSON or YAML (protocol: KIE section A.10);
`properties` holds keys and values alone, so that labels are given beside it and everything else of an item stays as it is.
Reading raises `ParseError` with the place in the file. What `file_of` (registry/config/export.py) writes, reading gives back.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum

import orjson
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from governance.rules.parsing import ParseError, Places, Position
from governance.rules.properties import parse_properties
from governance.rules.yaml_nodes import compose, is_null, place_of
from registry.config.edits import Edit
from registry.config.records import DISABLED, ENABLED

_TEXTS = ("key", "value", "value_type", "status", "check")
_MEMBERS = (*_TEXTS, "labels", "priority")
_OWN_NAMES = {
    "key": "key",
    "labels": "labels",
    "type": "value_type",
    "status": "status",
    "priority": "priority",
    "check": "check",
    "value": "value",
}
_START = Position(1, 1)
_DECODER = json.JSONDecoder()
_SPACE = re.compile(r"[ \t\n\r]*")
_LEAST_NUMBER, _MOST_NUMBER = -(2**31), 2**31 - 1
Given = Mapping[str, object]


class Format(StrEnum):
    """The formats of files."""

    YAML = "yaml"
    PROPERTIES = "properties"
    KIE = "kie"


def read_file(text: str, form: Format, labels: Mapping[str, str]) -> Sequence[Edit]:
    """The edits that a file asks for, in its order; `labels` are those of all items of a properties file. Raises `ParseError`."""
    text = text.removeprefix("\ufeff")
    match form:
        case Format.PROPERTIES:
            return [Edit(found.key, labels, found.value, at=found.at) for found in parse_properties(text)]
        case Format.YAML:
            return [_edit(item, at, ENABLED) for item, at in _own_items(text)]
        case Format.KIE:
            items = _json_items(text) if text.lstrip().startswith("{") else _kie_items(text)
            return [_edit(item, at, DISABLED) for item, at in items]


def _edit(item: Given, at: Position, status: str) -> Edit:
    """What an item says: a member that is left out has its default, and nothing of what is there already."""
    texts = {name: _text(item, name, at) for name in _TEXTS}
    if not texts["key"]:
        raise ParseError(at, "the item has no key")
    if "value" not in item:
        raise ParseError(at, f"the item {texts['key'][:256]} has no value")
    return Edit(
        texts["key"],
        _labels(item, at),
        texts["value"],
        texts["value_type"] or "text",
        texts["status"] or status,
        _number(item, at),
        texts["check"],
        at,
    )


def _text(item: Given, name: str, at: Position) -> str:
    given = item.get(name, "")
    if not isinstance(given, str):
        raise ParseError(at, f"{name} must be text")
    return given


def _labels(item: Given, at: Position) -> Mapping[str, str]:
    labels = item.get("labels", {})
    if not isinstance(labels, dict) or not all(isinstance(value, str) for value in labels.values()):
        raise ParseError(at, "labels must be names with texts")
    return labels


def _number(item: Given, at: Position) -> int:
    given = item.get("priority", 0)
    try:
        number = int(given) if isinstance(given, str) else given
    except ValueError:
        number = None
    if isinstance(number, bool) or not isinstance(number, int) or not _LEAST_NUMBER <= number <= _MOST_NUMBER:
        raise ParseError(at, "priority must be a whole number")
    return number


# --- YAML


def _own_items(text: str) -> Iterator[tuple[Given, Position]]:
    """The items of this engine's format. A member that it does not know is an error: it may be a misspelt one."""
    members = _members(_root(text))
    for name, (_, at) in members.items():
        if name != "items":
            hint = "; a KIE export is read with the format kie" if name in ("data", "metadata") else ""
            raise ParseError(at, f"there is no {name[:64]!r} at the top, only items{hint}")
    for node in _sequence(members, "items"):
        item = {}
        for name, (value, at) in _members(node).items():
            if name not in _OWN_NAMES:
                raise ParseError(at, f"an item has no {name[:64]!r}; it may have {', '.join(_OWN_NAMES)}")
            item[_OWN_NAMES[name]] = _plain(value)
        yield item, place_of(node)


def _kie_items(text: str) -> Iterator[tuple[Given, Position]]:
    """The items of a KIE export in YAML. Members that it does not know are those that the engine gives, such as revisions."""
    for node in _sequence(_members(_root(text)), "data"):
        if not is_null(node):
            members = _members(node)
            yield {name: _plain(members[name][0]) for name in _MEMBERS if name in members}, place_of(node)


def _root(text: str) -> Node:
    root = compose(text)
    if root is None:
        raise ParseError(_START, "the file is empty")
    return root


def _sequence(members: Mapping[str, tuple[Node, Position]], name: str) -> Iterable[Node]:
    if name not in members:
        raise ParseError(_START, f"the file has no {name}")
    node, at = members[name]
    if is_null(node):
        return ()
    if not isinstance(node, SequenceNode):
        raise ParseError(at, f"{name} must be a list")
    items: list[Node] = node.value
    return items


def _members(node: Node) -> Mapping[str, tuple[Node, Position]]:
    """The members of a mapping, and where the name of each stands."""
    if not isinstance(node, MappingNode):
        raise ParseError(place_of(node), "names with values are expected here, such as key: timeout")
    members: dict[str, tuple[Node, Position]] = {}
    for name, value in node.value:
        at = place_of(name)
        if not isinstance(name, ScalarNode):
            raise ParseError(at, "a name must be text")
        if name.value in members:
            raise ParseError(at, f"{name.value[:64]!r} is here twice")
        members[name.value] = value, at
    return members


def _plain(node: Node) -> object:
    """A scalar's text as it is written, or the labels of a mapping."""
    if isinstance(node, MappingNode):
        return {name: _scalar(value) for name, (value, _) in _members(node).items()}
    return _scalar(node)


def _scalar(node: Node) -> str:
    if not isinstance(node, ScalarNode):
        raise ParseError(place_of(node), "text is expected here; what has several lines is written as a block after |")
    if is_null(node) and node.value:
        raise ParseError(place_of(node), f"{node.value} is nothing in YAML; put it in quotes if it is meant as text")
    value: str = node.value
    return value


# --- KIE's export as JSON


def _json_items(text: str) -> Iterator[tuple[Given, Position]]:
    try:
        orjson.loads(text)
        elements = list(_json_elements(text))
    except orjson.JSONDecodeError as error:
        raise ParseError(Position(error.lineno, error.colno), error.msg) from error
    except RecursionError as error:
        raise ParseError(_START, "it is nested too deeply") from error
    places = Places(text)
    for item, offset in elements:
        at = places.at(offset)
        if isinstance(item, dict):
            yield {name: item[name] for name in _MEMBERS if item.get(name) is not None}, at
        elif item is not None:
            raise ParseError(at, "an item must be an object")


def _json_elements(text: str) -> Iterator[tuple[object, int]]:
    """The elements of the list `data`, and where each begins; the text is known to be JSON."""
    place = _skip(text, text.index("{") + 1)
    while text[place] != "}":
        name, place = _DECODER.raw_decode(text, place)
        place = _skip(text, _skip(text, place) + 1)
        if name == "data" and text[place] == "[":
            yield from _elements(text, _skip(text, place + 1))
            return
        _, place = _DECODER.raw_decode(text, place)
        place = _skip(text, place)
        place = _skip(text, place + 1) if text[place] == "," else place
    raise ParseError(_START, "the file has no list data")


def _elements(text: str, place: int) -> Iterator[tuple[object, int]]:
    while text[place] != "]":
        value, end = _DECODER.raw_decode(text, place)
        yield value, place
        place = _skip(text, end)
        place = _skip(text, place + 1) if text[place] == "," else place


def _skip(text: str, place: int) -> int:
    """The offset after white space."""
    found = _SPACE.match(text, place)
    assert found is not None  # noqa: S101  it matches the empty text too
    return found.end()

"""What a Java client of KIE makes of an item: one property, or, of a yaml or properties item, the properties that its text has.

The key of a yaml or properties item names nothing then; the keys within its text count. Nested keys are joined by dots, places in a list
are written `[0]`. Protocol: section C.1. The rules are those of Spring's YamlPropertiesFactoryBean and of `java.util.Properties.load`.

A text may be small and mean very much, by aliases or by long keys over many children, so what it may become is bounded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from ruamel.yaml.events import (
    AliasEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from governance.rules.parsing import ParseError, Position, whole_characters
from governance.rules.properties import parse_properties
from governance.rules.scalars import Kind, Scalar, scalar_of
from governance.rules.yaml_nodes import YAML_TROUBLE, parse_error, yaml_reader

DEEPEST = 50
"""Nested collections; this and the next bound are SnakeYAML's."""
MOST_ALIASES = 50
"""Aliases of collections in one document."""
MOST_CHARACTERS = 4_194_304
"""Of all keys and values that one text becomes."""

Node: TypeAlias = "Scalar | list[Node] | dict[Scalar, Node]"
_MAPPING = "tag:yaml.org,2002:map"
_SEQUENCE = "tag:yaml.org,2002:seq"


def flatten(key: str, value: str, value_type: str) -> Mapping[str, str]:
    """The properties of an item. Raises `ParseError` for a yaml or properties text that is none."""
    match value_type:
        case "yaml":
            return flatten_yaml(value)
        case "properties":
            return {found.key: found.value for found in parse_properties(value)}
    return {key: value}


def flatten_yaml(text: str) -> Mapping[str, str]:
    """The properties of all documents of a text, those of later ones over the former. Raises `ParseError`."""
    flat = _Flat()
    try:
        for document in _documents(text):
            if isinstance(document, dict):
                flat.add_mapping("", document, in_list=False)
            elif not (isinstance(document, Scalar) and document.kind is Kind.NULL):
                flat.add("document", document, in_list=True)
    except ParseError:
        raise
    except YAML_TROUBLE as error:
        raise parse_error(text, error) from error
    return flat.properties


def _place(mark) -> Position:  # type: ignore[no-untyped-def]
    return Position(mark.line + 1, mark.column + 1)


@dataclass(slots=True)
class _Flat:
    """The properties so far."""

    properties: dict[str, str] = field(default_factory=dict)
    left: int = MOST_CHARACTERS

    def add(self, path: str, node: Node, *, in_list: bool) -> None:
        """Add what a node has under its path. An empty collection has nothing, and yet costs time: so every node is paid for."""
        self._spend(len(path))
        if isinstance(node, Scalar):
            self._put(path, whole_characters(_text(node)))
        elif isinstance(node, dict):
            self.add_mapping(path, node, in_list=in_list)
        elif not node:
            self._put(path, "")
        for index, item in enumerate(node if isinstance(node, list) else ()):
            self.add(f"{path}[{index}]", item, in_list=True)

    def add_mapping(self, path: str, mapping: Mapping[Scalar, Node], *, in_list: bool) -> None:
        """Add what a mapping has. Within lists Spring takes keys for texts without a look, and fails on others."""
        for key, node in mapping.items():
            if key.kind is Kind.NULL or (in_list and key.kind is not Kind.TEXT):
                raise ValueError(f"a key that is no text: {key.text or 'null'}")
            text = whole_characters(key.text)
            name = text if key.kind is Kind.TEXT else f"[{text}]"
            separator = "" if not path.strip() or name.startswith("[") else "."
            self.add((path if path.strip() else "") + separator + name, node, in_list=in_list)

    def _put(self, path: str, text: str) -> None:
        self._spend(len(text))
        self.properties[path] = text

    def _spend(self, characters: int) -> None:
        self.left -= characters + 1
        if self.left < 0:
            raise ValueError(f"its keys and values have more than {MOST_CHARACTERS} characters")


def _documents(text: str) -> Iterator[Node]:
    reader = yaml_reader()
    reader.version = (1, 1)
    events = iter(reader.parse(text))
    for event in events:
        if isinstance(event, DocumentStartEvent):
            yield _Builder(events).node(next(events), 0)


class _Unfinished:
    """Stands for a collection whose end has not been read."""


@dataclass(slots=True)
class _Builder:
    """Builds one document out of its events."""

    events: Iterator[Event]
    anchors: dict[str, Node | _Unfinished] = field(default_factory=dict)
    aliases: int = 0

    def node(self, event: Event, depth: int) -> Node:
        """The node that begins with the event."""
        if isinstance(event, AliasEvent):
            return self._alias(event)
        if depth > DEEPEST:
            raise ParseError(_place(event.start_mark), f"more than {DEEPEST} collections are nested")
        assert isinstance(event, ScalarEvent | CollectionStartEvent)  # noqa: S101  nothing else begins a node
        if event.anchor is None:
            return self._new(event, depth)
        # An anchor may be given again inside: then that one counts. Until its end, the node itself is none that can be named.
        self.anchors[event.anchor] = unfinished = _Unfinished()
        node = self._new(event, depth)
        if self.anchors[event.anchor] is unfinished:
            self.anchors[event.anchor] = node
        return node

    def _new(self, event: ScalarEvent | CollectionStartEvent, depth: int) -> Node:
        tag = str(event.ctag or "")
        match event:
            case ScalarEvent():
                return _scalar(event, tag)
            case SequenceStartEvent() if tag in ("", "!", _SEQUENCE):
                return self._sequence(depth + 1)
            case MappingStartEvent() if tag in ("", "!", _MAPPING):
                return self._mapping(depth + 1)
        raise ParseError(_place(event.start_mark), f"the tag {tag} is not known")

    def _sequence(self, depth: int) -> list[Node]:
        items = []
        while not isinstance(event := next(self.events), SequenceEndEvent):
            items.append(self.node(event, depth))
        return items

    def _alias(self, event: AliasEvent) -> Node:
        found = self.anchors.get(event.anchor)
        if found is None or isinstance(found, _Unfinished):
            raise ParseError(_place(event.start_mark), f"the alias {event.anchor} is of nothing before it")
        self.aliases += not isinstance(found, Scalar)
        if self.aliases > MOST_ALIASES:
            raise ParseError(_place(event.start_mark), f"more than {MOST_ALIASES} aliases of collections")
        return found

    def _mapping(self, depth: int) -> dict[Scalar, Node]:
        """A mapping with what it merges: its own keys win, then those of what is merged first."""
        mapping: dict[Scalar, Node] = {}
        own: set[Scalar] = set()
        while not isinstance(event := next(self.events), MappingEndEvent):
            key = self.node(event, depth)
            node = self.node(next(self.events), depth)
            if not isinstance(key, Scalar):
                key = Scalar(Kind.COLLECTION, _printed(key))
            if key.kind is Kind.MERGE:
                _merge(mapping, node, event)
            elif key in own:
                raise ParseError(_place(event.start_mark), f"the key {key.text} is there twice")
            else:
                mapping[key] = node
                own.add(key)
        return mapping


def _printed(node: Node) -> str:
    """A node that is a key, as Java prints what it holds."""
    match node:
        case Scalar():
            return "null" if node.kind is Kind.NULL else _text(node)
        case dict():
            return "{" + ", ".join(f"{_printed(key)}={_printed(inner)}" for key, inner in node.items()) + "}"
    return "[" + ", ".join(map(_printed, node)) + "]"


def _text(scalar: Scalar) -> str:
    if scalar.kind is Kind.MERGE:
        raise ValueError("<< is there as a value")
    return scalar.text


def _scalar(event: ScalarEvent, tag: str) -> Scalar:
    try:
        return scalar_of(event.value, tag, plain=event.style is None)
    except ValueError as error:
        raise ParseError(_place(event.start_mark), str(error)) from error


def _merge(mapping: dict[Scalar, Node], node: Node, event: Event) -> None:
    for part in node if isinstance(node, list) else [node]:
        if not isinstance(part, dict):
            raise ParseError(_place(event.start_mark), "<< takes a mapping or a list of mappings")
        for key, inner in part.items():
            mapping.setdefault(key, inner)

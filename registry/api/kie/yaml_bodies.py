"""Bodies in YAML, read as the original's decoder does: a scalar is its text where text is wanted, so `value: 8080` is "8080".

Aliases are followed, as long as the document does not become much larger than its text by that.
"""

from __future__ import annotations

import re

from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from governance.rules.parsing import ParseError, Position
from governance.rules.yaml_nodes import compose, is_null, place_of
from registry.api.shapes import Kind, Shape

_NUMBER = re.compile(r"[+-]?[0-9]{1,10}", re.ASCII)
_GROWTH = 4


def parse_yaml(shape: Shape, body: bytes) -> object:
    """What `decode` takes for a shape. Raises `ParseError`. A megabyte takes seconds."""
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise ParseError(Position(1, 1), f"it is not UTF-8: {error.reason} at byte {error.start}") from error
    root = compose(text)
    try:
        return None if root is None else _with_numbers(shape, _Builder(_GROWTH * len(text)).value(root))
    except RecursionError as error:
        raise ParseError(Position(1, 1), "an alias is inside what it names") from error


class _Builder:
    """Makes plain values of nodes, at most so many nodes and characters."""

    def __init__(self, room: int) -> None:
        self._room = room

    def value(self, node: Node) -> object:
        """Objects, lists and texts; `None` for null."""
        self._take(node)
        match node:
            case MappingNode():
                return self._members(node)
            case SequenceNode():
                return [self.value(item) for item in node.value]
        return None if is_null(node) else node.value

    def _members(self, node: MappingNode) -> dict[str, object]:
        members: dict[str, object] = {}
        for name, value in node.value:
            text = self._name(name)
            if text in members:
                raise ParseError(place_of(name), f"{text[:64]!r} is here twice")
            members[text] = self.value(value)
        return members

    def _name(self, node: Node) -> str:
        self._take(node)
        if not isinstance(node, ScalarNode):
            raise ParseError(place_of(node), "a name must be text")
        return str(node.value)

    def _take(self, node: Node) -> None:
        self._room -= 1 + (len(node.value) if isinstance(node, ScalarNode) else 0)
        if self._room < 0:
            raise ParseError(place_of(node), "aliases make the document too large")


def _with_numbers(shape: Shape, value: object) -> object:
    """The value with numbers in the place of their texts, where the shape wants numbers."""
    if not isinstance(value, dict):
        return value
    for name, given in value.items():
        member = shape.member(name)
        if member is None:
            continue
        if member.kind is Kind.INT and isinstance(given, str) and _NUMBER.fullmatch(given):
            value[name] = int(given)
        elif member.shape is not None and isinstance(given, list):
            value[name] = [_with_numbers(member.shape, item) for item in given]
    return value

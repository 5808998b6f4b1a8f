"""The keys within an item of type yaml or properties, which count instead of the item's own, with their places in its text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

from governance.rules.flatten import flatten_yaml
from governance.rules.parsing import ParseError, Position
from governance.rules.properties import Property, parse_properties
from governance.rules.yaml_nodes import compose, place_of

_BEGINNINGS = ("servicecomb", "cse", "spring")


def keys_inside(value: str, value_type: str) -> Sequence[Property]:
    """The keys that may be of rules; none where the text does not parse. Of equal keys, the last counts."""
    if not any(beginning in value for beginning in _BEGINNINGS):
        return []
    try:
        if value_type == "properties":
            return list({found.key: found for found in parse_properties(value)}.values())
        flat = {key: text for key, text in flatten_yaml(value).items() if key.startswith(_BEGINNINGS)}
        root = compose(value) if flat else None
    except ParseError:
        return []
    return [Property(key, text, _place(root, key)) for key, text in flat.items()]


def _place(node: Node | None, path: str) -> Position:
    """Where a key stands, or, where it is merged from elsewhere, the part of it that stands there."""
    at = Position(1, 1)
    while node is not None and path:
        found = next(((key, inner, name) for key, inner, name in _entries(node) if _begins(path, name)), None)
        if found is None:
            break
        key, node, name = found
        at, path = place_of(key), path.removeprefix(name).removeprefix(".")
    return at


def _entries(node: Node) -> Iterator[tuple[Node, Node, str]]:
    """What a node has: the node that names it, the node that it is, and its name in a flat key."""
    if isinstance(node, MappingNode):
        yield from ((key, inner, str(key.value)) for key, inner in node.value)
    if isinstance(node, SequenceNode):
        yield from ((inner, inner, f"[{place}]") for place, inner in enumerate(node.value))


def _begins(path: str, name: str) -> bool:
    return path.startswith(name) and path[len(name) : len(name) + 1] in ("", ".", "[")

"""Where the values of a file's items stand in it, so that what is wrong within a value can be shown in the file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from governance.rules.parsing import Position
from governance.rules.yaml_nodes import compose
from registry.config.files import Format

_BLOCK = "|"


@dataclass(frozen=True, slots=True)
class ValuePlace:
    """A value in the lines of its file. `first` is the file's line with the value's first, from 0; in a block, each line has its own."""

    value: str
    lines: Sequence[str]
    first: int
    column: int
    block: bool

    def at(self, inner: Position) -> Position | None:
        """The place in the file of a place in the value; None where the value is written in another way than it reads."""
        written = self.value.split("\n")[inner.line - 1]
        raw = self.lines[self.first + inner.line - 1] if self.first + inner.line <= len(self.lines) else ""
        if self.block and raw.endswith(written):
            return Position(self.first + inner.line, len(raw) - len(written) + inner.column)
        if not self.block and inner.line == 1 and raw.startswith(written, self.column):
            return Position(self.first + 1, self.column + inner.column)
        return None


def value_places(text: str, form: Format) -> Sequence[ValuePlace | None]:
    """The places of the values of all items, in their order, of a text that reads; None for each where its format does not say."""
    root = compose(text.removeprefix("\ufeff")) if form is Format.YAML else None
    lines = [line.removesuffix("\r") for line in text.removeprefix("\ufeff").split("\n")]
    return [_place(item, lines) for item in _items(root)]


def _items(root: Node | None) -> Sequence[Node]:
    for name, inner in root.value if isinstance(root, MappingNode) else ():
        if name.value == "items" and isinstance(inner, SequenceNode):
            return list(inner.value)
    return ()


def _place(item: Node, lines: Sequence[str]) -> ValuePlace | None:
    for name, value in item.value if isinstance(item, MappingNode) else ():
        if name.value == "value" and isinstance(value, ScalarNode):
            mark, block = value.start_mark, value.style == _BLOCK
            quoted = value.style in ("'", '"')
            return ValuePlace(str(value.value), lines, mark.line + block, mark.column + quoted, block)
    return None

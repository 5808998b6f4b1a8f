"""YAML as nodes: every scalar with its text as written and its place, nothing built from it.

So `1.10` stays `1.10`, no tag is ever obeyed, and an alias is the node that it names and no copy of it.
"""

from __future__ import annotations

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError
from ruamel.yaml.scanner import Scanner, ScannerError

from governance.rules.parsing import ParseError, Places, Position, whole_characters

YAML_TROUBLE = (YAMLError, ValueError, RecursionError)
_START = Position(1, 1)
_DEEPEST_FLOW = 100


class _Scanner(Scanner):
    """Gives up on brackets that are nested too deeply: from each it would look far ahead, at all that are open."""

    def fetch_flow_collection_start(self, TokenClass: type, to_push: str) -> None:  # noqa: N803  the library's name
        """A bracket opens."""
        if len(self.flow_context) >= _DEEPEST_FLOW:
            raise ScannerError(
                problem=f"more than {_DEEPEST_FLOW} brackets are open", problem_mark=self.reader.get_mark()
            )
        super().fetch_flow_collection_start(TokenClass, to_push)


def yaml_reader() -> YAML:
    """The library's reader of untrusted text."""
    reader = YAML(typ="safe", pure=True)
    reader.Scanner = _Scanner
    return reader


def compose(text: str) -> Node | None:
    """The root of the one document of a text; nothing where it is empty. Raises `ParseError`. A megabyte takes seconds."""
    reader = yaml_reader()
    reader.composer.warn_double_anchors = False  # YAML lets an anchor mean something else later on
    try:
        root: Node | None = reader.compose(text)
    except YAML_TROUBLE as error:
        raise parse_error(text, error) from error
    if root is not None and "\\" in text:
        _make_whole(root)
    return root


def _make_whole(root: Node) -> None:
    """An escape may stand for half a character, which nothing could be done with."""
    waiting, seen = [root], set[int]()
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        match node:
            case ScalarNode():
                node.value = whole_characters(node.value)
            case MappingNode():
                waiting += [part for pair in node.value for part in pair]
            case SequenceNode():
                waiting += node.value


def place_of(node: Node) -> Position:
    """Where a node begins."""
    return Position(node.start_mark.line + 1, node.start_mark.column + 1)


def is_null(node: Node) -> bool:
    """Whether it stands for nothing: `null`, `~` or no text at all, not in quotes."""
    return isinstance(node, ScalarNode) and str(node.tag).endswith(":null")


def parse_error(text: str, error: Exception) -> ParseError:
    """What is wrong with a text that the reader of YAML gave up with one of `YAML_TROUBLE`."""
    if isinstance(error, ReaderError):
        return ParseError(Places(text).at(error.position), f"the character U+{int(error.character):04X} is not allowed")
    if not isinstance(error, MarkedYAMLError):
        return ParseError(_START, "it is nested too deeply" if isinstance(error, RecursionError) else str(error))
    mark = error.problem_mark or error.context_mark
    at = Position(mark.line + 1, mark.column + 1) if mark is not None else _START
    why = str(error.problem or error.context)
    # Some problems are half a sentence: the context is the other.
    why = f"{error.context}, {why}" if why.startswith("but ") else why
    return ParseError(at, " ".join(why.split())[:200])

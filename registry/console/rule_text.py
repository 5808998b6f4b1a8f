"""Rules as forms and as texts, both ways, without losing anything: a text that a form cannot show stays a text.

A form's contents are a tree: texts as they are written, by the names of fields, and by numbers in lists.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from governance.rules.asks import Asks, Sort
from governance.rules.check import check, rule_key
from governance.rules.fields import VALUE, Field, fields_of_key, fields_of_record
from governance.rules.parsing import ParseError
from governance.rules.printing import Plain, print_plain
from governance.rules.yaml_nodes import compose, is_null

Tree: TypeAlias = "str | dict[str, Tree]"
_WHOLE = re.compile(r"[-+]?[0-9]{1,18}")
_NUMBER = re.compile(r"[-+]?[0-9]{1,15}(?:\.[0-9]{1,15})?")
_LISTED = re.compile(r"[\s,]+")
_COMMENT = re.compile(r"(?:^|(?<=\s))#", re.MULTILINE)
_DEEPEST = 12
COMMENT = "it has a comment, which the form would lose"
ALIAS = "it has an anchor, which the form would lose"
UNKNOWN = "it has a field that the form does not know"
TWICE = "it has a field twice"
OTHER = "something else is there than the form has"
PARSE = "it cannot be read"


class StaysTextError(Exception):
    """A text that a form cannot show, why, and where, from 1; `line` is 0 where it is no single place."""

    def __init__(self, why: str, line: int = 0) -> None:
        self.why = why
        self.line = line
        super().__init__(f"line {line}: {why}")


def tree_of(key: str, text: str) -> dict[str, Tree]:
    """The form's contents of a rule's text. Raises `StaysTextError`."""
    fields = _fields(key)
    if _is_value(fields):
        if "\n" in text.strip():
            raise StaysTextError(OTHER)
        return {VALUE: text}
    node = _node(text)
    if node is None:
        return {}
    _refuse_what_is_lost(text, node)
    tree = _branch(fields, node)
    before, after = check(key, text), check(key, text_of(key, tree))
    if before.rule is not None and before.rule != after.rule:
        raise StaysTextError(OTHER)
    return tree


def text_of(key: str, tree: Mapping[str, Tree], base: str = "") -> str:
    """The text of a form's contents: `base`, letter for letter, where they are what that says."""
    fields = _fields(key)
    if _is_value(fields):
        value = tree.get(VALUE, "")
        return value if isinstance(value, str) else ""
    plain = _plain_of(fields, tree)
    if base:
        try:
            if _plain_of(fields, tree_of(key, base)) == plain:
                return base
        except StaysTextError:
            pass
    return json.dumps(plain, indent=2, ensure_ascii=False) + "\n" if _is_json(key) else print_plain(plain)


def posted(pairs: Iterable[tuple[str, str]], root: str) -> dict[str, Tree]:
    """The tree of the fields that a browser sent, whose names are `root` and the way there, with dots between."""
    tree: dict[str, Tree] = {}
    for name, value in pairs:
        first, *way = name.split(".")
        if first != root or not way or len(way) > _DEEPEST:
            continue
        branch = tree
        for step in way[:-1]:
            inner = branch.setdefault(step, {})
            if not isinstance(inner, dict):
                inner = branch[step] = {}
            branch = inner
        branch[way[-1]] = value.replace("\r\n", "\n")
    return tree


def rows(tree: Tree | None) -> Sequence[tuple[str, Tree]]:
    """The parts of a list, in their order."""
    found = tree.items() if isinstance(tree, dict) else ()
    return sorted(((name, one) for name, one in found if name.isdigit()), key=lambda pair: int(pair[0]))


def _fields(key: str) -> Sequence[Field]:
    found = rule_key(key)
    return fields_of_key(found) if found is not None else ()


def _is_value(fields: Sequence[Field]) -> bool:
    return not fields or fields[0].name == VALUE


def _is_json(key: str) -> bool:
    return "darklaunch." in key


def _node(text: str) -> Node | None:
    try:
        return compose(text)
    except ParseError as error:
        raise StaysTextError(PARSE, error.at.line) from error


# --- from nodes


def _refuse_what_is_lost(text: str, root: Node) -> None:
    seen, spans = set[int](), list[tuple[int, int]]()
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if id(node) in seen or node.anchor:
            raise StaysTextError(ALIAS, _line(node))
        seen.add(id(node))
        match node:
            case MappingNode():
                waiting += [part for pair in node.value for part in pair]
            case SequenceNode():
                waiting += node.value
            case ScalarNode():
                spans.append((node.start_mark.index, node.end_mark.index))
    for found in _COMMENT.finditer(text):
        if not any(begin <= found.start() < end for begin, end in spans):
            raise StaysTextError(COMMENT, text.count("\n", 0, found.start()) + 1)


def _branch(fields: Sequence[Field], node: Node) -> dict[str, Tree]:
    if len(fields) == 1 and not fields[0].name:
        return {"": _leaf(fields[0].asks, node)}
    known = {one.name: one for one in fields}
    tree: dict[str, Tree] = {}
    for name, inner in _entries(node):
        if name not in known:
            raise StaysTextError(UNKNOWN, _line(inner))
        if not is_null(inner):
            tree[name] = _leaf(known[name].asks, inner)
    return tree


def _leaf(asks: Asks, node: Node) -> Tree:
    match asks.sort:
        case Sort.RECORD if asks.record is not None:
            return _branch(fields_of_record(asks.record), node)
        case Sort.LIST if asks.inner is not None:
            return _list(asks.inner, node)
        case Sort.CONDITION:
            return _numbered({"operator": name, "value": _scalar(inner)} for name, inner in _entries(node))
        case Sort.MAPPING if asks.inner is not None and asks.inner.sort is Sort.CONDITION:
            return _numbered(
                {"name": name, "operator": operator, "value": _scalar(value)}
                for name, inner in _entries(node)
                for operator, value in _entries(inner)
            )
        case Sort.MAPPING:
            return _numbered({"name": name, "value": _scalar(inner)} for name, inner in _entries(node))
    return _scalar(node)


def _list(inner: Asks, node: Node) -> Tree:
    if not isinstance(node, SequenceNode):
        raise StaysTextError(OTHER, _line(node))
    if inner.sort is Sort.RECORD:
        return {str(place): _leaf(inner, item) for place, item in enumerate(node.value)}
    values = list(map(_scalar, node.value))
    if any(not value or _LISTED.search(value) for value in values):
        raise StaysTextError(OTHER, _line(node))
    return ", ".join(values)


def _numbered(found: Iterable[dict[str, Tree]]) -> Tree:
    return {str(place): one for place, one in enumerate(found)}


def _entries(node: Node) -> Iterable[tuple[str, Node]]:
    if not isinstance(node, MappingNode):
        raise StaysTextError(OTHER, _line(node))
    names = set[str]()
    for key, inner in node.value:
        if not isinstance(key, ScalarNode) or str(key.tag).endswith(":merge"):
            raise StaysTextError(ALIAS, _line(key))
        if key.value in names:
            raise StaysTextError(TWICE, _line(key))
        names.add(key.value)
        yield str(key.value), inner


def _scalar(node: Node) -> str:
    if not isinstance(node, ScalarNode) or is_null(node):
        raise StaysTextError(OTHER, _line(node))
    return str(node.value)


def _line(node: Node) -> int:
    return int(node.start_mark.line) + 1


# --- to plain values


def _plain_of(fields: Sequence[Field], tree: Mapping[str, Tree]) -> Plain:
    if len(fields) == 1 and not fields[0].name:
        return _value(fields[0].asks, tree.get("")) or []
    found = {one.name: _value(one.asks, tree.get(one.name)) for one in fields}
    return {name: value for name, value in found.items() if value is not None}


def _value(asks: Asks, tree: Tree | None) -> Plain:
    """The value of a part of the contents; None where nothing is said."""
    match asks.sort:
        case Sort.RECORD if asks.record is not None:
            return _record(asks.record, tree) or None
        case Sort.LIST if asks.inner is not None and asks.inner.record is not None:
            return [_record(asks.inner.record, one) for _, one in rows(tree)] or None
        case Sort.LIST:
            words = _LISTED.split(tree) if isinstance(tree, str) else ()
            return [_typed(asks.inner or asks, one) for one in words if one] or None
        case Sort.CONDITION:
            return {one["operator"]: one["value"] for one in _texts(tree) if one["value"]} or None
        case Sort.MAPPING:
            return _mapping(asks, tree) or None
    return _typed(asks, tree) if isinstance(tree, str) and tree else None


def _record(record: type, tree: Tree | None) -> Mapping[str, Plain]:
    found = _plain_of(fields_of_record(record), tree if isinstance(tree, dict) else {})
    return found if isinstance(found, Mapping) else {}


def _mapping(asks: Asks, tree: Tree | None) -> Mapping[str, Plain]:
    found: dict[str, Plain] = {}
    for one in _texts(tree):
        if not (one["name"] or one["value"]):
            continue
        if asks.inner is not None and asks.inner.sort is Sort.CONDITION:
            inner = found.get(one["name"])
            found[one["name"]] = {**(inner if isinstance(inner, Mapping) else {}), one["operator"]: one["value"]}
        else:
            found[one["name"]] = one["value"]
    return found


def _texts(tree: Tree | None) -> Iterable[Mapping[str, str]]:
    for _, one in rows(tree):
        given = one if isinstance(one, dict) else {}
        yield {name: _text(given.get(name)) for name in ("name", "operator", "value")}


def _text(tree: Tree | None) -> str:
    return tree if isinstance(tree, str) else ""


def _typed(asks: Asks, text: str) -> Plain:
    """A scalar as people write it; what is none of its kind stays a text, of which the check says what is wrong."""
    if asks.sort in (Sort.WHOLE, Sort.DURATION) and _WHOLE.fullmatch(text):
        return int(text)
    if asks.sort is Sort.NUMBER and _NUMBER.fullmatch(text):
        return float(text) if "." in text else int(text)
    return text == "true" if asks.sort is Sort.FLAG and text in ("true", "false") else text

"""The keys below a prefix as a pydantic model: dots nest, `[0]` makes lists, and texts are read as what the model asks for."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TypeAlias, TypeVar

import orjson
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from governance.sdk.configuration.levels import Value
from governance.sdk.configuration.snapshot import Snapshot
from governance.sdk.references import ConfigurationError, refers

Model = TypeVar("Model", bound=BaseModel)
Tree: TypeAlias = "dict[str, Tree] | list[Tree] | str"
DEEPEST = 50
"""Parts of a key; one with more is taken as one name."""
_PART = re.compile(r"\[([^\]]*)\]|([^.\[]+)")
_LISTS = frozenset(("list_type", "tuple_type", "set_type", "frozen_set_type"))
_OBJECTS = frozenset(("model_type", "dict_type", "model_attributes_type", "dataclass_type"))


def model_of(kind: type[Model], prefix: str, snapshot: Snapshot, *, secrets: bool) -> Model:
    """The model of the keys below a prefix. Raises `ConfigurationError`."""
    written = {key: value for key, value in snapshot.values_as_written.items() if key.startswith(prefix)}
    root: dict[str, Tree] = {}
    # A stronger level's text takes the place of a weaker one's list, and the reverse; at one level the longer keys count.
    for key, value in sorted(written.items(), key=lambda row: (row[1].rank, row[0])):
        _put(root, _parts(key.removeprefix(prefix)), snapshot[key] if secrets else value.text)
    tree = {name: _lists(node) for name, node in root.items()}
    try:
        return kind.model_validate(tree)
    except ValidationError as error:
        problems = error.errors(include_url=False)
    if [problem for problem in problems if _read_text(tree, problem)]:
        try:
            return kind.model_validate(tree)
        except ValidationError as error:
            problems = error.errors(include_url=False)
    # Pydantic's own error would show what references lead to.
    raise ConfigurationError("; ".join(_complaint(problem, prefix, written) for problem in problems[:5])) from None


def _parts(key: str) -> list[str]:
    parts = [f"[{index}]" if index else name for index, name in _PART.findall(key)]
    return parts if 0 < len(parts) <= DEEPEST else [key]


def _put(node: dict[str, Tree], parts: list[str], text: str) -> None:
    *outer, last = parts
    for part in outer:
        inner = node.get(part)
        if not isinstance(inner, dict):
            inner = node[part] = {}
        node = inner
    node[last] = text


def _lists(node: Tree) -> Tree:
    """The node with a list wherever there are places in one; other keys in brackets are names, such as numbers that are keys."""
    if not isinstance(node, dict):
        return node
    inner = {name: _lists(child) for name, child in node.items()}
    numbers = sorted(int(name[1:-1]) for name in inner if re.fullmatch(r"\[\d{1,9}\]", name))
    if inner and len(numbers) == len(inner):
        return [inner[f"[{number}]"] for number in numbers]
    return {name.strip("[]"): child for name, child in inner.items()}


def _read_text(tree: Tree, problem: ErrorDetails) -> bool:
    """Put what a text means in its place, where a list or an object is wanted: JSON, or a list separated by commas; whether it was done."""
    *outer, last = problem["loc"] or [""]
    text = problem["input"]
    if not isinstance(text, str) or problem["type"] not in _LISTS | _OBJECTS:
        return False
    node: object = tree
    for part in outer:
        node = _inner(node, part)
    if _inner(node, last) != text:
        return False
    meaning = _meaning(text, a_list=problem["type"] in _LISTS)
    match node, last:
        case dict(), _:
            node[last] = meaning
        case list(), int():
            node[last] = meaning
    return True


def _inner(node: object, part: int | str) -> object:
    if isinstance(node, list) and isinstance(part, int) and part < len(node):
        return node[part]
    return node.get(part) if isinstance(node, dict) else None


def _meaning(text: str, *, a_list: bool) -> object:
    if text.lstrip().startswith(("[", "{")):
        try:
            return orjson.loads(text)
        except orjson.JSONDecodeError:
            return text
    return [item.strip() for item in text.split(",") if item.strip()] if a_list else text


def _complaint(problem: ErrorDetails, prefix: str, written: Mapping[str, Value]) -> str:
    key = _key(prefix, problem["loc"])
    # What is missing is missing from something.
    about = _key(prefix, problem["loc"][:-1]) if problem["type"] == "missing" else key
    sources = [written[name] for name in sorted(written) if name == about or _is_at(name, about) or _is_at(about, name)]
    shown = f", not {written[key].text[:80]!r}" if key in written else ""
    source = f" (item {sources[0].item} at level {sources[0].level})" if sources else ""
    said = problem["type"] if any(refers(value.text) for value in sources) else problem["msg"]
    return f"{key}: {said}{shown}{source}"


def _key(prefix: str, place: Sequence[int | str]) -> str:
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
    return prefix + path.removeprefix(".")


def _is_at(name: str, key: str) -> bool:
    """Whether a key is below another."""
    return name.startswith((key + ".", key + "["))

"""Where settings come from: a YAML file and the environment, both as text that knows its place."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from governance.sdk.names import FILE_ONLY, KEYS, MAPPINGS, VARIABLES

_NULL = "tag:yaml.org,2002:null"
_MERGE = "tag:yaml.org,2002:merge"
_PLACEHOLDER = re.compile(r"\$\{(?!env:|file:)([^${}:]+)(?::([^${}]*))?\}")
"""Without the references to secrets: who needs one reads it then."""
_MOST_ROUNDS = 20


class SettingsError(Exception):
    """A setting that cannot be used; the text names the place (file, line and column, or the variable) and what is wrong."""


@dataclass(frozen=True, slots=True)
class Given:
    """A value as it was written, under which key and where. A list of a YAML file is joined by commas."""

    text: str
    key: str
    place: str


class Sources:
    """The values of a file (if any) and of the environment. An empty value counts as none."""

    def __init__(self, path: Path | None, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._variables = {folded(name): name for name, value in environ.items() if value}
        entries = [given for given in _entries(path) if given.text] if path else []
        renamed = [
            replace(given, key="servicecomb." + given.key.removeprefix("cse."))
            for given in entries
            if given.key.startswith("cse.")
        ]
        self._entries = [*renamed, *entries]
        self._file = {folded(given.key): given for given in self._entries}

    def setting(self, field: str) -> Given | None:
        """The strongest value of a setting. Raises `SettingsError`."""
        if field in MAPPINGS and (pointed := self._environ.get(self._environ.get(MAPPINGS[field], ""))):
            return Given(pointed, "", f"variable {self._environ[MAPPINGS[field]]}")
        for name in VARIABLES.get(field, ()):
            if self._environ.get(name):
                return Given(self._environ[name], "", f"variable {name}")
        return self.value(KEYS.get(field, ()))

    def value(self, keys: tuple[str, ...]) -> Given | None:
        """The value of the first of these keys that has one; variables before the file. Raises `SettingsError`."""
        for key in keys:
            if key not in FILE_ONLY and (variable := self._variables.get(folded(key))):
                return Given(self._environ[variable], key, f"variable {variable}")
        for key in keys:
            if given := self._file.get(folded(key)):
                return Given(self._resolved(given), key, given.place)
        return None

    def below(self, prefixes: tuple[str, ...]) -> dict[str, str]:
        """What the file has below the first of these prefixes that it knows. Raises `SettingsError`."""
        for prefix in prefixes:
            found = {
                given.key.removeprefix(prefix): self._resolved(given)
                for given in self._entries
                if given.key.startswith(prefix)
            }
            if found:
                return found
        return {}

    def _resolved(self, given: Given) -> str:
        """The text with `${NAME:default}` replaced by a variable, another key of the file, or the default."""

        def stand_in(match: re.Match[str]) -> str:
            name, default = match[1].strip(), match[2]
            if value := self._environ.get(name) or self._environ.get(self._variables.get(folded(name), "")):
                return value
            if known := self._file.get(folded(name)):
                return known.text
            if default is None:
                raise SettingsError(f"{given.place}: ${{{name}}} is no variable and no key of this file")
            return default

        text = given.text
        for _ in range(_MOST_ROUNDS):
            text, count = _PLACEHOLDER.subn(stand_in, text)
            if not count:
                return text
        raise SettingsError(f"{given.place}: {given.text!r} stands for itself")


def folded(name: str) -> str:
    """A name as it is compared: keys and variables differ in case, dots and dashes only."""
    return name.replace(".", "_").replace("-", "").lower()


def parse_properties(variable: str, text: str) -> dict[str, str]:
    """`name:value,name:value` as the Java frameworks read it: a piece without exactly one colon is dropped.

    Raises `SettingsError` for a name that comes twice.
    """
    properties: dict[str, str] = {}
    for piece in text.split(","):
        name, _, value = (part.strip() for part in piece.partition(":"))
        if piece.count(":") != 1 or not name:
            continue
        if name in properties:
            raise SettingsError(f"variable {variable}: the property {name!r} is given twice")
        properties[name] = value
    return properties


def _entries(path: Path) -> Iterator[Given]:
    try:
        root = YAML(typ="safe", pure=True).compose(path.read_text(encoding="utf-8"))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise SettingsError(f"{_place(path, mark)}: {error.problem or error.context}") from error
    except (OSError, UnicodeDecodeError, YAMLError) as error:
        raise SettingsError(f"{path}: {error}") from error
    if root is None:
        return iter(())
    if not isinstance(root, MappingNode):
        raise SettingsError(f"{_place(path, root.start_mark)}: settings are a mapping, such as `servicecomb: …`")
    return _flat(path, root, "")


def _flat(path: Path, node: Node, key: str) -> Iterator[Given]:
    if isinstance(node, ScalarNode):
        yield Given("" if node.tag == _NULL else node.value, key, _place(path, node.start_mark))
    elif isinstance(node, SequenceNode):
        items = [item.value for item in node.value if isinstance(item, ScalarNode) and item.tag != _NULL]
        yield Given(",".join(items), key, _place(path, node.start_mark))
    elif isinstance(node, MappingNode):
        for name, inner in _pairs(path, node):
            yield from _flat(path, inner, f"{key}.{name}" if key and name else key or name)


def _pairs(path: Path, node: MappingNode) -> Iterator[tuple[str, Node]]:
    """The pairs of a mapping; what is merged in (`<<`, no name) comes first, so that its own keys win."""
    seen: set[str] = set()
    merged = [("", inner) for name, inner in node.value if name.tag == _MERGE]
    yield from merged
    for name, inner in node.value:
        if name.tag == _MERGE:
            continue
        if name.value in seen:
            raise SettingsError(f"{_place(path, name.start_mark)}: the key {name.value!r} is given twice")
        seen.add(name.value)
        yield str(name.value), inner


def _place(path: Path, mark: object) -> str:
    line, column = getattr(mark, "line", None), getattr(mark, "column", None)
    return f"{path}:{line + 1}:{column + 1}" if line is not None and column is not None else str(path)

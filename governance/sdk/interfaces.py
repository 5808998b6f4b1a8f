"""The operations of a service by method and path, from its schemas: what the older keys name as `service.schema.operation`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeAlias

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

_METHODS = ("get", "put", "post", "delete", "options", "head", "patch")
Operation: TypeAlias = tuple[str, str]
"""Schema and operation."""
NONE: Operation = ("", "")


class Interfaces:
    """The operations of some schemas, OpenAPI 2 or 3 by schema id. A schema that cannot be read has none."""

    def __init__(self, schemas: Mapping[str, str]) -> None:
        self._operations: dict[tuple[str, int], list[tuple[tuple[str, ...], Operation]]] = {}
        self._patterns: dict[Operation, str] = {}
        for schema, text in schemas.items():
            for method, path, operation in _operations(text):
                parts = _parts(path)
                self._operations.setdefault((method, len(parts)), []).append((parts, (schema, operation)))
                self._patterns[schema, operation] = f"/{'/'.join(parts)}"
        for rows in self._operations.values():
            # A path that is written out counts before one with places for values.
            rows.sort(key=lambda row: sum(part.startswith("{") for part in row[0]))

    def operation(self, method: str, path: str) -> Operation:
        """The schema and the operation of a request; both empty where no schema has it."""
        parts = _parts(path)
        for template, operation in self._operations.get((method, len(parts)), ()):
            if all(a == b or a.startswith("{") for a, b in zip(template, parts, strict=True)):
                return operation
        return NONE

    def pattern(self, operation: Operation) -> str:
        """The path of an operation, with `{name}` for what varies; empty where there is no such operation."""
        return self._patterns.get(operation, "")


def _parts(path: str) -> tuple[str, ...]:
    return tuple(part for part in path.split("/") if part)


def _operations(text: str) -> Iterator[tuple[str, str, str]]:
    """Method, path and operation."""
    try:
        document = YAML(typ="safe", pure=True).load(text)
    except (YAMLError, ValueError):
        return
    if not isinstance(document, dict):
        return
    base, paths = document.get("basePath") or "", document.get("paths")
    for path, item in paths.items() if isinstance(paths, dict) else ():
        for method in _METHODS:
            found = item.get(method) if isinstance(item, dict) else None
            if isinstance(found, dict) and found.get("operationId"):
                yield method.upper(), f"{base}/{path}", str(found["operationId"])

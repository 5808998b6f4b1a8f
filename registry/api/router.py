"""Finds the route of a path. Protocol: Service Center section 1.2.

A pattern's `:name` takes one segment that is not empty. Where a fixed segment and a `:name` both fit, the fixed one wins.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from registry.api.call import Route


@dataclass(slots=True)
class _Node:
    fixed: dict[str, _Node] = field(default_factory=dict)
    named: _Node | None = None
    routes: dict[str, Route] = field(default_factory=dict)


class Router:
    """The table of routes as a tree of path segments."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._root = _Node()
        for route in routes:
            self._add(route)

    def _add(self, route: Route) -> None:
        node = self._root
        for segment in route.path[1:].split("/"):
            if segment.startswith(":"):
                node.named = node.named or _Node()
                node = node.named
            else:
                node = node.fixed.setdefault(segment, _Node())
        if route.method in node.routes:
            raise ValueError(f"{route.method} {route.path} is in the table twice")
        node.routes[route.method] = route

    def find(self, path: str) -> Mapping[str, Route]:
        """The routes of a decoded path by method; empty where the path is unknown."""
        return _walk(self._root, path[1:].split("/"), 0)


def params_of(route: Route, path: str) -> Mapping[str, str]:
    """What the named segments of a route's pattern hold in a path."""
    pairs = zip(route.path.split("/"), path.split("/"), strict=False)
    return {pattern[1:]: segment for pattern, segment in pairs if pattern.startswith(":")}


def _walk(node: _Node, segments: list[str], index: int) -> Mapping[str, Route]:
    if index == len(segments):
        return node.routes
    segment = segments[index]
    if segment in node.fixed:
        found = _walk(node.fixed[segment], segments, index + 1)
        if found:
            return found
    if node.named is not None and segment:
        return _walk(node.named, segments, index + 1)
    return {}

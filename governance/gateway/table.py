"""Which route a request takes: the most specific one that fits. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import quote, unquote_to_bytes

from governance.gateway.config import Route, label
from governance.gateway.heads import BadHeadError
from governance.rules.conditions import Condition

_UNUSUAL = re.compile(rb"%|//|/\.|[\\#;]")
_PARAMETERS = re.compile(rb";[^/]*+")
_SLASHES = re.compile(rb"//+")
_DOTS = re.compile(rb"/\.\.?(?:/|\Z)")


class PathOf(NamedTuple):
    """A request's path as routes see it, and as it was written, both without the query."""

    plain: str
    written: bytes
    query: bytes
    """With its question mark."""


def path_of(target: bytes) -> PathOf:
    """Take a target apart. A path that servers could read as another one is refused: raises `BadHeadError`.

    Routes see letters in place of their codes, one slash in place of several, and no parameters of segments (servlets read `/a;b/c` as
    `/a/c`), so that no way of writing a path goes around a route.
    """
    path, mark, query = target.partition(b"?")
    if not _UNUSUAL.search(path):
        return PathOf(path.decode("ascii"), path, mark + query)
    whole = unquote_to_bytes(path)
    if b"\\" in whole or b"\0" in whole or b"#" in path:
        raise BadHeadError("the path has a sign that servers read in different ways")
    if _DOTS.search(whole.replace(b";", b"/")):
        raise BadHeadError("the path has a segment that means another one")
    plain = _SLASHES.sub(b"/", unquote_to_bytes(_PARAMETERS.sub(b"", path)))
    return PathOf(plain.decode("utf-8", "surrogateescape"), path, mark + query)


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """A route, prepared. `name` is its name in metrics and logs, `prefix` its path without the slash at the end."""

    route: Route
    name: str
    prefix: str
    beneath: str
    conditions: Sequence[tuple[str, Condition]]

    def fits(self, method: str, path: str, headers: Mapping[str, str]) -> bool:
        """Whether a request whose host fits takes it. Names of `headers` are in small letters."""
        if path != self.prefix and not path.startswith(self.beneath):
            return False
        if self.route.methods and method not in self.route.methods:
            return False
        return not self.conditions or all(
            name in headers and condition.holds(headers[name]) for name, condition in self.conditions
        )

    def target(self, path: PathOf) -> bytes:
        """The target of the request that goes on."""
        if self.route.rewrite is None:
            return path.written + path.query
        rest = path.written[len(self.prefix) :]
        if path.written[: len(self.prefix)] != self.prefix.encode() or (rest and rest[0] != 0x2F):
            rest = quote(path.plain[len(self.prefix) :].encode("utf-8", "surrogateescape")).encode()
        return (self.route.rewrite.rstrip("/").encode() + rest or b"/") + path.query

    def plain(self, path: PathOf) -> str:
        """The path of the request that goes on, as rules see it."""
        if self.route.rewrite is None:
            return path.plain
        return self.route.rewrite.rstrip("/") + path.plain[len(self.prefix) :] or "/"


class RouteTable:
    """The routes, by host: those of the very host first, then those of `*.` hosts, the longest first, then those of any host.

    Among them a longer path goes before a shorter one, then one that asks for more headers, then one that names methods, then the earlier.
    """

    def __init__(self, routes: Sequence[Route]) -> None:
        entries = sorted((_entry(route) for route in routes), key=_rank)
        self._exact: dict[str, list[Entry]] = {}
        self._wild: dict[str, list[Entry]] = {}
        self._any = [entry for entry in entries if not entry.route.host]
        for entry in entries:
            host = entry.route.host
            if host.startswith("*."):
                self._wild.setdefault(host[1:], []).append(entry)
            elif host:
                self._exact.setdefault(host, []).append(entry)

    def find(self, host: str, method: str, path: str, headers: Mapping[str, str]) -> Entry | None:
        """The route of a request; None where there is none. `host` is in small letters, without a port."""
        if self._exact or self._wild:
            for entries in self._of_host(host):
                for entry in entries:
                    if entry.fits(method, path, headers):
                        return entry
        for entry in self._any:
            if entry.fits(method, path, headers):
                return entry
        return None

    def _of_host(self, host: str) -> list[list[Entry]]:
        found = [self._exact[host]] if host in self._exact else []
        suffixes = [suffix for suffix in self._wild if host.endswith(suffix)]
        return found + [self._wild[suffix] for suffix in sorted(suffixes, key=len, reverse=True)]


def _entry(route: Route) -> Entry:
    prefix = route.path.rstrip("/")
    return Entry(
        route, label(route), prefix, prefix + "/", [(name.lower(), one) for name, one in route.headers.items()]
    )


def _rank(entry: Entry) -> tuple[int, int, bool]:
    return -len(entry.prefix), -len(entry.conditions), not entry.route.methods

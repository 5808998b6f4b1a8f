"""Spring Cloud Huawei's security policy of a provider: which consumers may make which calls.

Its keys are `spring.cloud.servicecomb.webmvc.public-key.acls.<app|mode|provider>` and `….acls.action.<allow|deny>[<place>].<part>`.
Protocol: governance, 2.11.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

from governance.rules.access import Decision
from governance.rules.marker import METHODS
from governance.rules.problems import Code, Notes
from governance.rules.spring import spelled

MODES = ("permissive", "enforcing")
PARTS = ("id", "consumer", "method", "uri")
_HEADS = ("app", "mode", "provider")
_KEY = re.compile(r"action\.(allow|deny)(\[[0-9]{1,6}\])\.([A-Za-z_-]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class SecurityPart:
    """One key, read: a part of an item of `allow` or of `deny`, or, where these are empty, of the policy itself."""

    effect: str
    item: str
    part: str
    value: str


@dataclass(frozen=True, slots=True)
class SecurityItem:
    """Calls: of one consumer, with one method, to the paths that `uri` fits: `exact`, `*suffix`, `prefix*`, or `*` for any."""

    name: str
    consumer: str
    method: str
    uri: str

    def matches(self, consumer: str, method: str, path: str) -> bool:
        """Whether a call is one of them."""
        return (consumer, method) == (self.consumer, self.method) and self.fits(path)

    def fits(self, path: str) -> bool:
        """Whether a path is one of those. Before a suffix, all of `*` and `/` are left out."""
        if self.uri.startswith(("*", "/*")):
            return path.endswith(self.uri.lstrip("*/"))
        return path.startswith(self.uri[:-1]) if self.uri.endswith("*") else path == self.uri


_ByCall: TypeAlias = Mapping[tuple[str, str], Sequence[SecurityItem]]
"""Items by consumer and method, found once for many calls."""


@dataclass(frozen=True)
class SecurityPolicy:
    """Without a mode, everything passes. With the mode permissive, what does not pass is told and let through."""

    mode: str = ""
    allow: tuple[SecurityItem, ...] = ()
    deny: tuple[SecurityItem, ...] = ()

    def decide(self, consumer: str | None, method: str, path: str) -> Decision:
        """Whether a consumer may make a call: one item of `allow` matches, and none of `deny`. Nobody is None, who may make none."""
        if not self.mode:
            return Decision(allowed=True, why="there is no policy")
        if not consumer:
            return Decision(allowed=False, why="nothing is known of the consumer")
        allowing = _first(self._allowed.get((consumer, method), ()), path)
        if allowing is None:
            return self._unwanted("no item of allow matches")
        denying = _first(self._denied.get((consumer, method), ()), path)
        if denying is not None:
            return self._unwanted(f"deny: {denying.name}")
        return Decision(allowed=True, why=f"allow: {allowing.name}")

    @cached_property
    def _allowed(self) -> _ByCall:
        return _by_call(self.allow)

    @cached_property
    def _denied(self) -> _ByCall:
        return _by_call(self.deny)

    def _unwanted(self, why: str) -> Decision:
        permissive = self.mode == "permissive"
        return Decision(permissive, why, tolerated=permissive)


def _first(items: Iterable[SecurityItem], path: str) -> SecurityItem | None:
    return next((item for item in items if item.fits(path)), None)


def _by_call(items: Iterable[SecurityItem]) -> _ByCall:
    found: dict[tuple[str, str], list[SecurityItem]] = {}
    for item in items:
        found.setdefault((item.consumer, item.method), []).append(item)
    return found


def read_security(rest: str, value: str, notes: Notes) -> SecurityPart | None:
    """Read a key, without its prefix, and its value; None where one is in error."""
    found = _KEY.fullmatch(rest)
    part = spelled(found[3], PARTS) if found is not None else spelled(rest, _HEADS)
    if part is None:
        known = f"{', '.join(_HEADS)}, or action.allow[0] or action.deny[0] and {', '.join(PARTS)}"
        notes.error((), Code.KEY, "the key is no part of a security policy", f"write {known}")
        return None
    if not value.strip():
        notes.error((), Code.MISSING, f"{part} is empty", "write a value, or delete the item")
        return None
    _CHECKS.get(part, _check_name)(value, notes)
    effect, item = (found[1].lower(), found[2]) if found is not None else ("", "")
    return None if notes.failed else SecurityPart(effect, item, part, value)


def _check_name(_value: str, _notes: Notes) -> None:
    """Names are for people."""


def _check_mode(value: str, notes: Notes) -> None:
    """Java compares with permissive, and takes all else for enforcing; so that is no error that would let everything pass."""
    if value not in MODES:
        notes.warn(
            (), Code.CHOICE, f"mode is {value[:100]!r}, which counts as enforcing", f"write {' or '.join(MODES)}"
        )


def _check_method(value: str, notes: Notes) -> None:
    if value not in METHODS:
        instead = value.upper() if value.upper() in METHODS else "one method, and an item for each further one"
        notes.error((), Code.CHOICE, f"no request has the method {value[:100]!r}", f"write {instead}")


def _check_consumer(value: str, notes: Notes) -> None:
    if "*" in value:
        notes.error((), Code.EXPRESSION, "a consumer's name is compared as it is written", "write an item for each one")


def _check_uri(value: str, notes: Notes) -> None:
    suffix = value.startswith(("*", "/*"))
    rest = value.lstrip("*/") if suffix else value[:-1]
    if "*" in rest:
        instead = (
            f"write {value.rstrip('*/')}/*"
            if value.endswith("/**") and not suffix
            else "write exact, *suffix or prefix*"
        )
        notes.error((), Code.EXPRESSION, f"{value[:100]!r} has a * within it, which fits a * alone", instead)
    elif suffix and rest and "/" in value.removesuffix(rest).removeprefix("/"):
        why = f"all * and / before a suffix are left out, so it fits all paths that end in {rest[:100]}"
        notes.warn((), Code.MISREAD, why, f"write *{rest[:100]}, or the whole path")
    elif not suffix and not value.startswith("/"):
        notes.warn((), Code.NEVER_MATCHES, "a path begins with /", f"write /{value[:100]}")


_CHECKS: Mapping[str, Callable[[str, Notes], None]] = {
    "mode": _check_mode,
    "method": _check_method,
    "consumer": _check_consumer,
    "uri": _check_uri,
}


def security_policy(parts: Iterable[SecurityPart]) -> SecurityPolicy:
    """The policy of all parts. An item without its consumer, method and uri is left out."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    for part in parts:
        found.setdefault((part.effect, part.item), {})[part.part] = part.value
    return SecurityPolicy(found.get(("", ""), {}).get("mode", ""), _items(found, "allow"), _items(found, "deny"))


def _items(found: Mapping[tuple[str, str], Mapping[str, str]], effect: str) -> tuple[SecurityItem, ...]:
    listed = [(item, parts) for (one, item), parts in found.items() if one == effect]
    return tuple(
        SecurityItem(parts.get("id", f"{effect}{item}"), parts["consumer"], parts["method"], parts["uri"])
        for item, parts in listed
        if {"consumer", "method", "uri"} <= set(parts)
    )

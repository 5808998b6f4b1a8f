"""What a role allows: permissions matched by resource, verb and label. Protocol: Service Center section 14.7."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeAlias

Labels: TypeAlias = Mapping[str, str]
Permission: TypeAlias = Mapping[str, object]
VERBS: Mapping[str, str] = {"GET": "get", "POST": "create", "PUT": "update", "DELETE": "delete"}
"""What a method does, where its route does not say otherwise."""
ANY = "*"


class Need(NamedTuple):
    """What a request asks for. `labels` has one set for each service that it touches; none: it is about no service in particular."""

    resource: str
    verb: str
    labels: tuple[Labels, ...] = ()

    def __str__(self) -> str:
        """As refusals show it."""
        shown = f"{self.resource}:{self.verb}"
        sets = [{name: value for name, value in one.items() if value} for one in self.labels]
        return f"[{shown}]" + (f" for labels {sets}" if any(sets) else "")


def grants(perms: Iterable[Permission], resource: str, verb: str) -> list[Labels]:
    """The label sets that permissions restrict a resource and a verb to. None at all: it is not allowed; an empty one: without limit."""
    return [
        labels
        for permission in perms
        if _has_verb(permission, verb)
        for kind, labels in _resources(permission)
        if kind == resource
    ]


def allows(granted: Sequence[Labels], labels: Sequence[Labels]) -> bool:
    """Whether a request that touches services of these labels may be made: each must be allowed; of none, it is filtered later."""
    if not granted:
        return False
    return all(sees(granted, one, exact=True) for one in labels)


def sees(granted: Sequence[Labels], labels: Labels, *, exact: bool = False) -> bool:
    """Whether one service is among those allowed. Where lists are filtered, `*` in a `serviceName` is any text; not if `exact`."""
    return any(all(_fits(name, value, labels.get(name, ""), exact) for name, value in own.items()) for own in granted)


def _fits(name: str, wanted: str, given: str, exact: bool) -> bool:
    if not exact and name == "serviceName" and ANY in wanted:
        return _matches(wanted.split(ANY), given)
    return wanted == given


def _matches(parts: list[str], text: str) -> bool:
    """Whether the text is made of these parts with anything between them."""
    first, *middle, last = parts
    if len(text) < len(first) + len(last) or not (text.startswith(first) and text.endswith(last)):
        return False
    at, end = len(first), len(text) - len(last)
    for part in middle:
        found = text.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True


def _has_verb(permission: Permission, verb: str) -> bool:
    verbs = permission.get("verbs")
    return isinstance(verbs, list) and (verb in verbs or ANY in verbs)


def _resources(permission: Permission) -> Iterator[tuple[str, Labels]]:
    resources = permission.get("resources")
    for one in resources if isinstance(resources, list) else ():
        yield one.get("type", ""), one.get("labels") or {}

"""What happened, as it is followed and searched: its kind, whom it is about, and what is shown of it. Values and secrets never are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

import orjson

from governance.rules.check import rule_key

RULE = "rule"
"""Stands for changes of the configuration that are of rules."""
OFTEN = frozenset(("schema", "dependency"))
"""Kinds of which there are very many, and in which few take an interest."""
KINDS = (
    "service",
    "instance",
    "schema",
    "dependency",
    "config",
    RULE,
    "release",
    "gray",
    "account",
    "role",
    "access",
    "protection",
    "alarm",
    "alarm-rule",
    "alarm-silence",
    "alarm-webhook",
)
_NAMES: Mapping[str, tuple[str, ...]] = {
    "service": ("appId", "serviceName", "version", "environment"),
    "instance": ("hostName", "endpoints", "status"),
    "schema": ("summary",),
    "config": ("key", "labels", "value_type", "status"),
    "account": ("name", "roles", "status"),
    "role": ("name", "perms"),
    "access": ("mode", "scope"),
    "release": ("key", "labels", "target", "value"),
    "alarm-rule": ("name", "metric", "condition", "raise", "clear", "for", "severity", "enabled"),
    "alarm-silence": ("alarm", "until", "note", "acknowledged"),
    "alarm-webhook": ("name", "severity", "enabled"),
}
"""What is shown of a record, by its kind."""


class Happening(Protocol):
    """One thing that happened; `service` is the name of the one that it is about, empty where it is about none."""

    @property
    def kind(self) -> str: ...

    @property
    def service(self) -> str: ...

    @property
    def author(self) -> str: ...

    @property
    def is_rule(self) -> bool: ...

    @property
    def texts(self) -> Iterable[str]: ...


def is_rule_key(key: str) -> bool:
    """Whether an item with this key is a rule."""
    return rule_key(key) is not None


def facts_of(kind: str, body: bytes | None) -> Mapping[str, object]:
    """What people are shown of a record."""
    names = _NAMES.get(kind, ())
    if body is None or not names:
        return {}
    document = orjson.loads(body)
    found = document["service"] if kind == "service" else document
    return {name: found[name] for name in names if found.get(name) not in (None, "", [], {})}

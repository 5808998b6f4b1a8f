"""Gradual release: a new value of an item that only some instances get, until it is promoted or dropped.

Who gets it is a `Target`: named instances, a share of all instances, or those with certain properties. An instance that is in a share
stays in it when the share grows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import orjson

from registry.config.records import KeyValue, Labels, id_of

_WHOLE = 2**32


@dataclass(frozen=True, slots=True)
class Target:
    """Which instances get the new value: exactly one of the three says so. `share` is a percentage, 1 to 100."""

    instances: frozenset[str] = frozenset()
    share: int = 0
    properties: Mapping[str, str] = field(default_factory=dict)

    def chooses(self, key_id: str, instance_id: str, properties: Mapping[str, str]) -> bool:
        """Whether an instance with these properties is one of them."""
        if self.share:
            return _place(key_id, instance_id) < self.share / 100
        if self.properties:
            return self.properties.items() <= properties.items()
        return instance_id in self.instances

    def document(self) -> dict[str, object]:
        """As JSON."""
        if self.share:
            return {"share": self.share}
        return {"properties": dict(self.properties)} if self.properties else {"instances": sorted(self.instances)}


@dataclass(frozen=True, slots=True)
class Release:
    """The new value of the item that has this key and these labels; `started` is in milliseconds."""

    tenant: str
    key_id: str
    key: str
    labels: Mapping[str, str]
    value: str
    target: Target
    revision: int
    started: int

    @classmethod
    def decoded(cls, tenant: str, body: bytes, revision: int) -> Release:
        """The record that `body` stores. Raises `ValueError`, `KeyError` or `TypeError` for what is none."""
        document = orjson.loads(body)
        given = document["target"]
        target = Target(frozenset(given.get("instances", ())), given.get("share", 0), given.get("properties", {}))
        key, labels = document["key"], document["labels"]
        name = id_of(tenant, key, labels)
        return cls(tenant, name, key, labels, document["value"], target, revision, document["started"])

    @property
    def path(self) -> str:
        """The journal's key of the record."""
        return f"release/{self.tenant}/{self.key_id}"

    @property
    def body(self) -> bytes:
        """What the journal stores."""
        return orjson.dumps(self.document())

    @property
    def label_set(self) -> Labels:
        """The labels as those of an item."""
        return frozenset(self.labels.items())

    def document(self) -> dict[str, object]:
        """As JSON."""
        facts = {"key": self.key, "labels": dict(self.labels), "value": self.value, "started": self.started}
        return {**facts, "target": self.target.document()}

    def over(self, item: KeyValue) -> KeyValue:
        """The item as a chosen instance sees it: changed when the release began."""
        created = item.create_revision, item.create_time
        updated = max(self.revision, item.revision), max(self.started // 1000, item.update_time)
        return KeyValue.of(item.tenant, replace(item.draft, value=self.value), created=created, updated=updated)


def _place(key_id: str, instance_id: str) -> float:
    """Where an instance stands among all, from 0 to 1: the same for every share, another for every key."""
    digest = hashlib.sha256(f"{key_id}/{instance_id}".encode()).digest()
    return int.from_bytes(digest[:4]) / _WHOLE

"""The records of the config centre. Each is immutable: a change puts a new record in the place of the old one.

A record carries its wire form ready-made (`encoded`), which is what lists answer and what the journal stores. Protocol: KIE section A.3.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import orjson

from registry.ledger import kept_json

Labels: TypeAlias = frozenset[tuple[str, str]]
"""A set of labels. A label with the empty value is not the same as none."""

NO_LABELS: Labels = frozenset()
VALUE_TYPES = ("ini", "json", "text", "yaml", "properties", "xml")
ENABLED = "enabled"
DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class Draft:
    """What a client gives of a key-value; the engine adds the rest."""

    key: str
    value: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    value_type: str = "text"
    status: str = DISABLED
    priority: int = 0
    check: str = ""


@dataclass(frozen=True, slots=True)
class KeyValue:
    """One key with one set of labels. Times are unix seconds; `revision` is that of the last update."""

    tenant: str
    key_id: str
    draft: Draft
    label_set: Labels
    create_revision: int
    revision: int
    create_time: int
    update_time: int
    encoded: bytes

    @classmethod
    def of(
        cls, tenant: str, draft: Draft, *, created: tuple[int, int], updated: tuple[int, int], key_id: str = ""
    ) -> KeyValue:
        """Build the record; `created` and `updated` are a revision and unix seconds each, `key_id` is its id, where that is known."""
        name = key_id or id_of(tenant, draft.key, draft.labels)
        document = {
            "id": name,
            "key": draft.key,
            "value": draft.value,
            "value_type": draft.value_type,
            "priority": draft.priority or None,
            "check": draft.check or None,
            "create_revision": created[0],
            "update_revision": updated[0],
            "status": draft.status,
            "create_time": created[1],
            "update_time": updated[1],
            "labels": dict(sorted(draft.labels.items())) or None,
        }
        encoded = kept_json({member: value for member, value in document.items() if value is not None})
        label_set = frozenset(draft.labels.items())
        return cls(tenant, name, draft, label_set, created[0], updated[0], created[1], updated[1], encoded)

    @classmethod
    def decoded(cls, tenant: str, body: bytes) -> KeyValue:
        """The record that `body` stores. Raises `ValueError`, `KeyError` or `TypeError` for what is none."""
        document = orjson.loads(body)
        optional = {name: document[name] for name in ("labels", "priority", "check") if name in document}
        draft = Draft(
            document["key"],
            document["value"],
            value_type=document["value_type"],
            status=document["status"],
            **optional,
        )
        created = document["create_revision"], document["create_time"]
        return cls.of(tenant, draft, created=created, updated=(document["update_revision"], document["update_time"]))

    @property
    def path(self) -> str:
        """The journal's key of the record."""
        return path_of(self.tenant, self.key_id)

    @property
    def body(self) -> bytes:
        """What the journal stores."""
        return self.encoded

    @property
    def enabled(self) -> bool:
        """Whether clients apply it."""
        return self.draft.status == ENABLED


def path_of(tenant: str, key_id: str) -> str:
    """The journal's key of a key-value."""
    return f"config/{tenant}/{key_id}"


def label_format(labels: Mapping[str, str]) -> str:
    """A set of labels as text: sorted by name, `none` where there is none."""
    return "::".join(f"{name}={value}" for name, value in sorted(labels.items())) or "none"


def id_of(tenant: str, key: str, labels: Mapping[str, str]) -> str:
    """The id that a key with these labels has: the same whenever it is created."""
    return hashlib.sha256(f"{tenant}/{key}/{label_format(labels)}".encode()).hexdigest()

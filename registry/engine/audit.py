"""The audit log: who changed what, in registry, configuration and access alike, read from the journal itself.

It reaches as far back as the journal does: superseded changes stay until `journal_history` others came, those of configuration longer.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from urllib.parse import unquote

import orjson

from registry.storage.port import HISTORIC, HISTORY_KEPT, Event, Journal

_A_READ = 1000
_MOST_READS = 50
_NAMES: Mapping[str, tuple[str, ...]] = {
    "service": ("appId", "serviceName", "version", "environment"),
    "instance": ("hostName", "endpoints", "status"),
    "schema": ("summary",),
    "config": ("key", "labels", "value_type", "status"),
    "account": ("name", "roles", "status"),
    "role": ("name", "perms"),
    "access": ("mode", "scope"),
    "release": ("key", "labels", "target", "value"),
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One change: `record` is its path within the tenant, `facts` say for people what it is; `at` is in milliseconds."""

    revision: int
    at: int
    author: str
    kind: str
    action: str
    record: str
    facts: Mapping[str, object]


async def entries(journal: Journal, tenant: str, before: int) -> AsyncIterator[tuple[int, Entry | None]]:
    """The changes below a revision, the newest first, as many as one request may have looked at.

    Every event's revision comes with its entry, or with nothing where it is another tenant's, so that the reader knows how far it came.
    """
    for _ in range(_MOST_READS):
        events = await journal.recent(before, _A_READ)
        for event in events:
            kind, _, rest = event.key.partition("/")
            own = rest.startswith(tenant + "/")
            yield event.revision, await _entry(journal, event, kind, rest[len(tenant) + 1 :]) if own else None
        if len(events) < _A_READ:
            return
        before = events[-1].revision


async def _entry(journal: Journal, event: Event, kind: str, record: str) -> Entry:
    body = event.body if event.body is not None else await _last_body(journal, event)
    action = await _action(journal, event, kind, record)
    return Entry(event.revision, event.at, event.author, kind, action, unquote(record), _facts(kind, body))


async def _action(journal: Journal, event: Event, kind: str, record: str) -> str:
    """What was done. A release ends by being promoted, which changes its item in the same moment, or by being dropped."""
    if event.body is not None:
        return "UPDATE" if event.replaces else "CREATE"
    if kind != "release":
        return "DELETE"
    tenant = event.key[len("release/") : -len(record)]
    history = await journal.history(f"config/{tenant}{record}", 2 * HISTORY_KEPT)
    promoted = any(version.revision == event.revision + 1 and version.body is not None for version in history)
    return "PROMOTE" if promoted else "DROP"


async def _last_body(journal: Journal, event: Event) -> bytes | None:
    """What was deleted, so that it is shown by its name and not by its id."""
    if not event.key.startswith(HISTORIC):
        return None
    history = await journal.history(event.key, 2 * HISTORY_KEPT)
    return next((former.body for former in history if former.revision < event.revision and former.body), None)


def _facts(kind: str, body: bytes | None) -> Mapping[str, object]:
    names = _NAMES.get(kind, ())
    if body is None or not names:
        return {}
    document = orjson.loads(body)
    found = document["service"] if kind == "service" else document
    return {name: found[name] for name in names if found.get(name)}

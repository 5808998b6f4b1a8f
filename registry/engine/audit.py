"""The audit log: who changed what, in registry, configuration and access alike, read from the journal itself.

It reaches as far back as the journal does: superseded changes stay until `journal_history` others came, those of configuration longer.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from registry.engine.happenings import KINDS, facts_of, is_rule_key
from registry.storage.port import HISTORIC, HISTORY_KEPT, Event, Journal

_A_READ = 1000
_MOST_READS = 50


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
    service: str

    @property
    def is_rule(self) -> bool:
        """Whether it is a change of a rule."""
        return self.kind == "config" and is_rule_key(str(self.facts.get("key", "")))

    @property
    def texts(self) -> Iterable[str]:
        """What is searched."""
        return self.record, self.service, *map(str, self.facts.values())


async def entries(
    journal: Journal, tenant: str, before: int, name_of: Callable[[str], str]
) -> AsyncIterator[tuple[int, Entry | None]]:
    """The changes below a revision, the newest first, as many as one request may have looked at; `name_of` says a service's name by its id.

    Every event's revision comes with its entry, or with nothing where it is another tenant's, so that the reader knows how far it came.
    """
    for _ in range(_MOST_READS):
        events = await journal.recent(before, _A_READ)
        for event in events:
            kind, _, rest = event.key.partition("/")
            own = rest.startswith(tenant + "/")
            if not own or kind not in KINDS:
                yield event.revision, None
                continue
            yield event.revision, await _entry(journal, event, kind, rest[len(tenant) + 1 :], name_of)
        if len(events) < _A_READ:
            return
        before = events[-1].revision


async def _entry(journal: Journal, event: Event, kind: str, record: str, name_of: Callable[[str], str]) -> Entry:
    body = event.body if event.body is not None else await _last_body(journal, event)
    action = await _action(journal, event, kind, record)
    facts = facts_of(kind, body)
    service = _service(kind, record, facts, name_of)
    return Entry(event.revision, event.at, event.author, kind, action, unquote(record), facts, service)


def _service(kind: str, record: str, facts: Mapping[str, object], name_of: Callable[[str], str]) -> str:
    """The name of the service that a record is about; empty where it is about none, or that is gone."""
    if kind == "service":
        return str(facts.get("serviceName", ""))
    if kind in ("instance", "schema", "dependency"):
        return name_of(unquote(record.partition("/")[0]))
    labels = facts.get("labels")
    return str(labels.get("service", "")) if isinstance(labels, Mapping) else ""


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

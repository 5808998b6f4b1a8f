"""The one stream of what happened, which everything that watches reads."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias
from urllib.parse import unquote

import orjson

from registry.catalog.records import CatalogChange, Instance, Service
from registry.config.records import KeyValue
from registry.config.targets import Release
from registry.engine.happenings import KINDS, OFTEN, facts_of, is_rule_key
from registry.ledger import Change

_REMEMBERED = 10000
Position: TypeAlias = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing that happened, as the event stream tells it; `data` is the JSON object, without the author.

    `position` is its place in the stream: the revision of the newest change by then, and how many notices came after that change.
    """

    position: Position
    tenant: str
    service: str
    name: str
    data: bytes
    author: str = ""
    is_rule: bool = False

    @property
    def kind(self) -> str:
        """What it is about."""
        return self.name.partition(".")[0]

    @property
    def texts(self) -> Iterable[str]:
        """What is searched."""
        return (self.data.decode(),)


class Stream:
    """Publishes stored changes and the engine's own notices; remembers the latest for those who reconnect."""

    def __init__(self) -> None:
        self._changes: list[Callable[[Sequence[Change]], None]] = []
        self._listeners: list[Callable[[Notice], None]] = []
        self._recent: deque[Notice | Change] = deque(maxlen=_REMEMBERED)
        self._position: Position = (0, 0)
        self._complete_after: Position = (0, 0)

    def begin_at(self, revision: int) -> None:
        """Take a revision for that of the newest change: what came before it is not remembered."""
        self._position = self._complete_after = (revision, 0)

    def on_changes(self, listener: Callable[[Sequence[Change]], None]) -> None:
        """Call the listener with every batch of stored changes."""
        self._changes.append(listener)

    def listen(self, listener: Callable[[Notice], None]) -> Callable[[], None]:
        """Call the listener with every notice until the returned function is called."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def publish(self, changes: Sequence[Change]) -> None:
        """Tell everyone of stored changes."""
        for listener in self._changes:
            listener(changes)
        for change in changes:
            self._position = (change.revision, 0)
            self._remember(change)
            if self._listeners:
                self._tell(_notice_of(change))

    def note(
        self, at: int, name: str, tenant: str, service: Service | None, *, about: str = "", **facts: object
    ) -> None:
        """Tell of something that is no change of a record, such as a protection that began; `at` is in milliseconds.

        `about` is the name of the service that it is about where that is not given.
        """
        revision, number = self._position
        self._position = (revision, number + 1)
        kind, _, action = name.partition(".")
        data = {"revision": revision, "at": at, "kind": kind, "action": action, "tenant": tenant, **facts}
        if service is not None:
            data["service"] = _service_facts(service)
        notice = Notice(self._position, tenant, service.key.name if service else about, name, orjson.dumps(data))
        self._remember(notice)
        self._tell(notice)

    def since(self, position: Position) -> Iterator[Notice]:
        """What is remembered of the time after a position."""
        for remembered in tuple(self._recent):
            notice = _notice_of(remembered) if _position_of(remembered) > position else None
            if notice is not None:
                yield notice

    def notices(self, tenant: str) -> Iterator[Notice]:
        """What is remembered of a tenant beside changes of records, the newest first."""
        return (one for one in reversed(self._recent) if isinstance(one, Notice) and one.tenant == tenant)

    def times(self, tenant: str, since: int) -> Iterator[int]:
        """When remembered changes of a tenant's records were made, the newest first, back to a time; in milliseconds."""
        for one in reversed(self._recent):
            if isinstance(one, Change):
                if one.at < since:
                    return
                if one.record.path.split("/", 3)[1:3] == tenant.split("/"):
                    yield one.at

    def gap(self, position: Position, tenant: str) -> Notice | None:
        """What tells a client of that position that things may have happened since which are not remembered, if so."""
        if position >= self._complete_after:
            return None
        revision = self._complete_after[0]
        data = {"revision": revision, "kind": "stream", "action": "GAP", "tenant": tenant}
        return Notice(self._complete_after, tenant, "", "stream.GAP", orjson.dumps(data))

    def _remember(self, happened: Notice | Change) -> None:
        if len(self._recent) == _REMEMBERED:
            self._complete_after = _position_of(self._recent[0])
        self._recent.append(happened)

    def _tell(self, notice: Notice | None) -> None:
        for listener in tuple(self._listeners) if notice is not None else ():
            listener(notice)  # type: ignore[arg-type]


def _position_of(happened: Notice | Change) -> Position:
    return happened.position if isinstance(happened, Notice) else (happened.revision, 0)


def _notice_of(change: Change | Notice) -> Notice | None:
    """A change as a notice; those of keys that sign tokens are none."""
    if isinstance(change, Notice):
        return change
    record = change.record
    match record:
        case Instance():
            service = change.service if isinstance(change, CatalogChange) else None
            facts: Mapping[str, object] = {"instance": orjson.Fragment(record.encoded)}
            return _notice(change, "instance", record.tenant, service, facts)
        case Service():
            return _notice(change, "service", record.tenant, record, {})
        case KeyValue():
            draft = record.draft
            notice = _notice(change, "config", record.tenant, None, _item_facts(draft.key, draft.labels))
            return replace(notice, service=draft.labels.get("service", ""), is_rule=is_rule_key(draft.key))
        case Release():
            notice = _notice(change, "release", record.tenant, None, _item_facts(record.key, record.labels))
            return replace(notice, service=record.labels.get("service", ""))
    return _notice_of_record(change)


def _notice_of_record(change: Change) -> Notice | None:
    """A change of a record of which little is said."""
    kind, domain, project, record = change.record.path.split("/", 3)
    if kind not in KINDS:
        return None
    facts = {} if kind in OFTEN else facts_of(kind, change.record.body)
    return _notice(change, kind, f"{domain}/{project}", None, {"record": unquote(record), **facts})


def _notice(change: Change, kind: str, tenant: str, service: Service | None, facts: Mapping[str, object]) -> Notice:
    data: dict[str, object] = {"revision": change.revision, "at": change.at, "kind": kind, "action": change.action}
    data |= {"tenant": tenant, "service": _service_facts(service) if service else {}, **facts}
    name = service.key.name if service else ""
    return Notice((change.revision, 0), tenant, name, f"{kind}.{change.action}", orjson.dumps(data), change.author)


def _item_facts(key: str, labels: Mapping[str, str]) -> Mapping[str, object]:
    """Which item: its value may be a secret, and is asked for by whoever may read it."""
    return {"item": {"key": key, "labels": labels}}


def _service_facts(service: Service) -> Mapping[str, str]:
    key = service.key
    return {
        "environment": key.environment,
        "appId": key.app,
        "serviceName": key.name,
        "version": service.version,
        "serviceId": service.service_id,
    }

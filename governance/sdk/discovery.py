"""Finding providers: the last known good list of each, brought up to date by pulls and by pushes.

A list changes only when the engine says so: a new list, or that the service is gone (400012). An engine that is away, is starting or fails
leaves the list as it was; it is never made empty for that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import structlog

from governance.sdk.client import SERVICE_GONE, Answer, CenterClient, EngineError, EngineUnavailableError
from governance.sdk.model import Instance

log = structlog.get_logger(__name__)
Key = tuple[str, str]
Listener = Callable[[tuple[Instance, ...]], None]


@dataclass(slots=True)
class _Known:
    """What is known of one provider. `pulled` says whether the engine has ever answered about it."""

    revision: str = ""
    instances: tuple[Instance, ...] = ()
    pulled: bool = False
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Discovery:
    """The providers that a service uses. `consumer_id` gives the service's own id once it has one."""

    def __init__(self, client: CenterClient, app: str, consumer_id: Callable[[], str]) -> None:
        self._client = client
        self._app = app
        self._consumer_id = consumer_id
        self._known: dict[Key, _Known] = {}
        self._listeners: dict[Key, list[Listener]] = {}

    async def instances(self, service: str, app: str | None = None) -> tuple[Instance, ...]:
        """The last known instances; asked for the first time, the engine is waited for.

        Raises `EngineUnavailableError` where nothing is known and no address answers.
        """
        key = (app or self._app, service)
        known = self._known.get(key)
        if known is None or not known.pulled:
            await self._pull(key, must=True)
        return self._known[key].instances

    def on_change(self, service: str, listener: Listener, app: str | None = None) -> None:
        """Call the listener with the new list whenever it changes."""
        self._listeners.setdefault((app or self._app, service), []).append(listener)

    def knows(self, service: str) -> bool:
        """Whether a name is that of a provider in use, in this application."""
        known = self._known.get((self._app, service))
        return known is not None and bool(known.instances)

    async def pull_all(self) -> None:
        """Bring every provider in use up to date."""
        for key in list(self._known):
            await self._pull(key)

    async def pull(self, app: str, service: str) -> None:
        """Bring one provider up to date, if it is in use."""
        if (app, service) in self._known:
            await self._pull((app, service))

    async def _pull(self, key: Key, *, must: bool = False) -> None:
        known = self._known.setdefault(key, _Known())
        async with known.lock:
            try:
                answer = await self._client.find(self._consumer_id(), *key, known.revision)
            except EngineError as error:
                if error.code == SERVICE_GONE:
                    known.pulled, known.revision = True, ""
                    self._replace(key, known, ())
                else:
                    log.warning("discovery.refused", service=key[1], error=str(error))
                return
            except EngineUnavailableError as error:
                log.warning("discovery.unanswered", service=key[1], kept=len(known.instances), error=str(error))
                if must and not known.pulled:
                    raise
                return
            self._take(key, known, answer)

    def _take(self, key: Key, known: _Known, answer: Answer) -> None:
        known.pulled = True
        if answer.status == 304:
            return
        try:
            rows = answer.body.get("instances") or []
            found = tuple(Instance.of(*key, row) for row in _objects(rows))
        except ValueError as error:
            log.warning("discovery.unreadable", service=key[1], error=str(error))
            return
        known.revision = answer.revision
        self._replace(key, known, found)

    def _replace(self, key: Key, known: _Known, instances: tuple[Instance, ...]) -> None:
        if instances == known.instances:
            return
        known.instances = instances
        log.info("discovery.changed", service=key[1], instances=len(instances))
        for listener in self._listeners.get(key, ()):
            listener(instances)


def _objects(rows: object) -> Sequence[dict[str, object]]:
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ValueError("instances are a list of objects")
    return rows

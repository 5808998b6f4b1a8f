"""Finding providers: the last known good list of each, brought up to date by pulls and by pushes.

A list changes only when the engine says so. An engine that is away, is starting or fails leaves it as it was. An engine that has lost its
data says that nobody is there until they have registered again: for the time of a lease such an answer empties no list.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from governance.clock import Clock, Pause
from governance.logs import logger
from governance.sdk.calls import Answer, EngineError, EngineUnavailableError
from governance.sdk.client import SERVICE_GONE, CenterClient
from governance.sdk.model import Instance
from governance.sdk.settings import ServiceSettings

_EMPTY_SECONDS = 1.0
_RETRY_SECONDS = 5.0

log = logger(__name__)
Key: TypeAlias = tuple[str, str]
Listener: TypeAlias = Callable[[tuple[Instance, ...]], None]


@dataclass(eq=False, slots=True)
class _Known:
    """What is known of one provider. `answered` says whether the engine has ever told; `asked` is the clock's time of the last pull."""

    revision: str = ""
    instances: tuple[Instance, ...] = ()
    answered: bool = False
    asked: float = float("-inf")
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Discovery:
    """The providers that a service uses. `consumer_id` gives the service's own id once it has one.

    `forgotten` is called where an answer shows that the engine does not know the service itself any more.
    """

    def __init__(
        self,
        client: CenterClient,
        settings: ServiceSettings,
        consumer_id: Callable[[], str],
        forgotten: Callable[[], None],
        clock: Clock,
    ) -> None:
        self._client = client
        self._settings = settings
        self._consumer_id = consumer_id
        self._forgotten = forgotten
        self._clock = clock
        self._known: dict[Key, _Known] = {}
        self._listeners: dict[Key, list[Listener]] = {}
        self._wanted: set[Key] = set()
        self._wake = asyncio.Event()
        self._doubtful_until = float("-inf")

    async def instances(self, service: str, app: str | None = None) -> tuple[Instance, ...]:
        """The last known instances. The engine is waited for where nothing is known yet, and asked again, at most once a second,
        where nobody was there.

        Raises `EngineUnavailableError` or `EngineError` where nothing is known and the engine does not tell.
        """
        key = (app or self._settings.app, service)
        known = self._known.setdefault(key, _Known())
        if not known.instances:
            async with known.lock:
                if not known.answered or self._clock() - known.asked >= _EMPTY_SECONDS:
                    await self._ask(key, known)
        return known.instances

    def on_change(self, service: str, listener: Listener, app: str | None = None) -> None:
        """Call the listener with the new list whenever it changes, beginning with the first that is known."""
        key = (app or self._settings.app, service)
        self._listeners.setdefault(key, []).append(listener)
        known = self._known.setdefault(key, _Known())
        if known.instances:
            self._tell(listener, key, known.instances)
        self.want(*key)

    def doubt(self) -> None:
        """The engine has forgotten the service itself: for the time of a lease, believe no answer that nobody is there.

        What it called a revision before means nothing any more.
        """
        self._doubtful_until = self._clock() + self._settings.lease
        for known in self._known.values():
            known.revision = ""

    def want(self, app: str, service: str) -> None:
        """Let a provider be asked for at once, if it is in use."""
        if (app, service) in self._known:
            self._wanted.add((app, service))
            self._wake.set()

    def want_all(self) -> None:
        """Let every provider in use be asked for at once."""
        self._wanted.update(self._known)
        self._wake.set()

    async def pull_wanted(self, pause: Pause) -> None:
        """Ask for what is wanted until cancelled. What is wanted twice while a pull is under way is asked for once."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            wanted, self._wanted = self._wanted, set()
            if not await self._pull(sorted(wanted)):
                self._wanted |= wanted
                self._wake.set()
                await pause(_RETRY_SECONDS)

    async def pull_regularly(self, pause: Pause) -> None:
        """Ask for everything at each interval until cancelled."""
        while True:
            await pause(self._settings.pull_interval)
            await self._pull(list(self._known))

    async def _pull(self, keys: Sequence[Key]) -> bool:
        """Ask for these; whether the engine answered."""
        for key in keys:
            known = self._known[key]
            try:
                async with known.lock:
                    await self._ask(key, known)
            except EngineUnavailableError as error:
                log.warning("discovery.unanswered", providers=len(keys), error=str(error))
                return False
            except EngineError as error:
                log.warning("discovery.refused", service=key[1], kept=len(known.instances), error=str(error))
        return True

    async def _ask(self, key: Key, known: _Known) -> None:
        consumer_id = self._consumer_id()
        answer = await self._find(consumer_id, key, known.revision)
        # The protocol has one code for "no such provider" and "no such consumer".
        doubtful = answer is None and consumer_id and (known.instances or not known.answered)
        if doubtful and not await self._client.knows_service(consumer_id):
            self._forgotten()
            answer = await self._find("", key, "")
        known.asked = self._clock()
        self._take(key, known, answer or Answer(200, {}, ""))

    async def _find(self, consumer_id: str, key: Key, revision: str) -> Answer | None:
        """The engine's answer; nothing where it knows no such service."""
        try:
            return await self._client.find(consumer_id, *key, revision)
        except EngineError as error:
            if error.code == SERVICE_GONE:
                return None
            raise

    def _take(self, key: Key, known: _Known, answer: Answer) -> None:
        if answer.status == 304:
            return
        try:
            found = _instances(key, answer.body)
        except ValueError as error:
            raise EngineError(answer.status, "", "with an unreadable list", str(error)) from error
        known.answered = True
        if known.instances and not found and (self._settings.empty_protection or self._clock() < self._doubtful_until):
            known.revision = ""
            log.warning("discovery.empty_not_believed", service=key[1], kept=len(known.instances))
            return
        known.revision = answer.revision
        if found == known.instances:
            return
        known.instances = found
        log.info("discovery.changed", service=key[1], instances=len(found))
        for listener in self._listeners.get(key, ()):
            self._tell(listener, key, found)

    def _tell(self, listener: Listener, key: Key, instances: tuple[Instance, ...]) -> None:
        try:
            listener(instances)
        except Exception:
            log.exception("discovery.listener_failed", service=key[1])


def _instances(key: Key, body: Mapping[str, object]) -> tuple[Instance, ...]:
    """The instances of an answer in the order of their ids. Raises `ValueError`."""
    rows = body.get("instances") or []
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ValueError("instances are a list of objects")
    return tuple(sorted((Instance.of(*key, row) for row in rows), key=lambda instance: instance.instance_id))

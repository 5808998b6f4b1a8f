"""Long polls: who waits for which key-values. Protocol: KIE section A.8.

A poll ends with the first stored change that touches its topic, or when its time is over, or when its client leaves. Between the check of
the revision and the registration here nothing else runs, so no change is missed. Time is the event loop's, which no one can set.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

from registry.api.call import Call
from registry.api.connection import HotProtocol
from registry.api.kie.parameters import revision_of
from registry.config.records import KeyValue
from registry.config.state import Kept, Topic
from registry.config.targets import Release
from registry.engine import Engine
from registry.engine.askers import INSTANCE
from registry.engine.listening import Listener
from registry.errors import ConfigError
from registry.ledger import Change

_AT_ONCE = 500
Tell: TypeAlias = Callable[[bool], None]


class Wait:
    """One open poll. `tell` is called once, with whether a change ended it, unless the client leaves before."""

    __slots__ = ("_tell", "listener", "timer", "topic")

    def __init__(self, topic: Topic, listener: Listener, tell: Tell) -> None:
        self.topic = topic
        self.listener = listener
        self.timer: asyncio.TimerHandle | None = None
        self._tell: Tell | None = tell

    def tell(self, changed: bool) -> None:
        """Say how it ended, if that is still wanted."""
        tell, self._tell = self._tell, None
        if tell is not None:
            tell(changed)

    def forget(self) -> None:
        """Let nobody be told."""
        self._tell = None


class Pollers:
    """All open polls, at most `limit` of them, by topic; of topics that are not exact, those of each tenant."""

    def __init__(self, engine: Engine, limit: int) -> None:
        self._limit = limit
        self._listening = engine.listening
        self._waits: dict[Topic, set[Wait]] = {}
        self._open: dict[str, set[Topic]] = {}
        self._closed = False
        self.count = 0
        self.woken = 0
        engine.stream.on_changes(self.publish)

    async def poll(self, call: Call, topic: Topic, seconds: float) -> bool:
        """Wait until a change touches the topic, at most so many seconds; whether one did. Raises 429001 above the limit."""
        woken: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

        def tell(changed: bool) -> None:
            if not woken.done():
                woken.set_result(changed)

        wait = self.begin(topic, seconds, tell, (call.address, call.header(INSTANCE), revision_of(call)))
        protocol = call.request.protocol
        assert isinstance(protocol, HotProtocol)  # noqa: S101  every connection is one
        protocol.when_lost = lambda: tell(False)
        try:
            return await woken
        finally:
            protocol.when_lost = None
            self.leave(wait)

    def begin(self, topic: Topic, seconds: float, tell: Tell, who: tuple[str, str, int | None]) -> Wait:
        """Have `tell` called, later, when a change touches the topic or when so many seconds are over. Raises 429001 above the limit.

        `who` is the address, the instance that it says it is, and the revision that it has.
        """
        if self.count >= self._limit:
            raise ConfigError(429001, f"no quota to wait, max num is {self._limit}")
        wait = Wait(topic, _listener(topic, *who), tell)
        self._listening.begin(wait.listener)
        self._waits.setdefault(topic, set()).add(wait)
        if not topic.exact:
            self._open.setdefault(topic.tenant, set()).add(topic)
        self.count += 1
        loop = asyncio.get_running_loop()
        wait.timer = loop.call_later(0 if self._closed else seconds, self._time_is_over, wait)
        return wait

    def leave(self, wait: Wait) -> None:
        """End a poll, of which nobody is told. One that has ended already stays so."""
        wait.forget()
        self._remove(wait)

    def publish(self, changes: Sequence[Change]) -> None:
        """Wake those whose topics the stored changes touch, once everyone who waits for the same commit is told of it."""
        if not self.count:
            return
        records = [change.record for change in changes if isinstance(change.record, KeyValue | Release)]
        woken = [wait for record in records for topic in self._touched(record) for wait in self._taken(topic)]
        self.woken += len(woken)
        self._tell(woken)

    def close(self) -> None:
        """Let all polls go: their answer is that nothing has changed."""
        self._closed = True
        for topic in tuple(self._waits):
            for wait in self._taken(topic):
                wait.tell(False)

    def _time_is_over(self, wait: Wait) -> None:
        self._remove(wait)
        wait.tell(False)

    def _touched(self, record: Kept) -> Iterable[Topic]:
        """A label that the record lacks counts as an empty one, which is how KIE matches events. Section A.8."""
        labels = dict(record.label_set)
        yield Topic(record.tenant, record.label_set, True)
        for topic in tuple(self._open.get(record.tenant, ())):
            if all(labels.get(name, "") == value for name, value in topic.labels):
                yield topic

    def _taken(self, topic: Topic) -> Iterable[Wait]:
        """The polls of a topic, which wait no more."""
        for wait in tuple(self._waits.get(topic, ())):
            self._remove(wait)
            yield wait

    def _tell(self, woken: Sequence[Wait]) -> None:
        if woken:
            asyncio.get_running_loop().call_soon(self._tell_some, woken)

    def _tell_some(self, woken: Sequence[Wait]) -> None:
        """Not all at once: others are served in between."""
        for wait in woken[:_AT_ONCE]:
            wait.tell(True)
        self._tell(woken[_AT_ONCE:])

    def _remove(self, wait: Wait) -> None:
        waiting = self._waits.get(wait.topic, set())
        if wait not in waiting:
            return
        self.count -= 1
        self._listening.end(wait.listener)
        waiting.discard(wait)
        if wait.timer is not None:
            wait.timer.cancel()
        if not waiting:
            self._forget(wait.topic)

    def _forget(self, topic: Topic) -> None:
        del self._waits[topic]
        if not topic.exact:
            self._open[topic.tenant].discard(topic)
            if not self._open[topic.tenant]:
                del self._open[topic.tenant]


def _listener(topic: Topic, address: str, instance: str, revision: int | None) -> Listener:
    known = "" if revision is None else str(revision)
    return Listener(topic.tenant, (topic.labels,), topic.exact, "kie", address, instance, known)

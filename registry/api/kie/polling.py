"""Long polls: who waits for which key-values. Protocol: KIE section A.8.

A poll ends with the first stored change that touches its topic, or when its time is over, or when its client leaves. Between the check of
the revision and the registration here nothing else runs, so no change is missed.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

from registry.api.call import Call
from registry.api.connection import HotProtocol
from registry.config.records import KeyValue
from registry.config.state import Topic
from registry.engine import Engine
from registry.errors import ConfigError
from registry.ledger import Change

Waiting = dict[Topic, set["asyncio.Future[bool]"]]


class Pollers:
    """All open polls, at most `limit` of them: exact topics in one table, open ones by tenant in another."""

    def __init__(self, engine: Engine, limit: int) -> None:
        self._limit = limit
        self._exact: Waiting = {}
        self._open: dict[str, Waiting] = {}
        self.count = 0
        self.woken = 0
        engine.stream.on_changes(self.publish)

    async def poll(self, call: Call, topic: Topic, seconds: float) -> bool:
        """Wait until a change touches the topic, at most so many seconds; whether one did. Raises 429001 above the limit."""
        if self.count >= self._limit:
            raise ConfigError(429001, f"no quota to wait, max num is {self._limit}")
        woken: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        table = self._table(topic)
        waiting = table.setdefault(topic, set())
        waiting.add(woken)
        self.count += 1
        try:
            return await self._wait(call, woken, seconds)
        finally:
            self.count -= 1
            waiting.discard(woken)
            if not waiting:
                table.pop(topic, None)

    @staticmethod
    async def _wait(call: Call, woken: asyncio.Future[bool], seconds: float) -> bool:
        def leave() -> None:
            if not woken.done():
                woken.set_result(False)

        protocol = call.request.protocol
        if isinstance(protocol, HotProtocol):
            protocol.when_lost = leave
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    return await woken
            return False
        finally:
            if isinstance(protocol, HotProtocol):
                protocol.when_lost = None

    def _table(self, topic: Topic) -> Waiting:
        return self._exact if topic.exact else self._open.setdefault(topic.tenant, {})

    def publish(self, changes: Sequence[Change]) -> None:
        """Wake those whose topics the stored changes touch."""
        if not self.count:
            return
        for change in changes:
            if isinstance(change.record, KeyValue):
                self._touch(change.record)

    def _touch(self, record: KeyValue) -> None:
        self._wake(self._exact.get(Topic(record.tenant, record.label_set, True), ()))
        labels = record.draft.labels
        for topic, waiting in self._open.get(record.tenant, {}).items():
            if all(labels.get(name, "") == value for name, value in topic.labels):
                self._wake(waiting)

    def _wake(self, waiting: Sequence[asyncio.Future[bool]] | set[asyncio.Future[bool]]) -> None:
        for woken in waiting:
            if not woken.done():
                woken.set_result(True)
                self.woken += 1

    def close(self) -> None:
        """Let all polls go: their answer is that nothing has changed."""
        for table in (self._exact, *self._open.values()):
            for waiting in table.values():
                for woken in waiting:
                    if not woken.done():
                        woken.set_result(False)

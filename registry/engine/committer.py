"""Group commit: changes are applied to memory at once, stored together, and acknowledged when they are stored.

While one transaction is on its way to the disk, the changes of all requests that arrive queue up for the next one; so the store is asked
as often as it can answer, not once per request. Whoever caused a change waits for its transaction; watchers hear of it after that.

Where the store fails, nothing that is not stored may stay: the failed changes and all queued behind them (which were decided on top of
them) are taken back, newest first, and every waiter gets 500011. From then on changes are refused at once, until the store, which is
asked every second, takes what it is given again: nothing is shown meanwhile that would be taken back, and no client is the one that tries.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable, Sequence

import structlog

from registry.engine.alarms import BACKEND, Alarms
from registry.engine.window import Window
from registry.errors import RegistryError
from registry.ledger import Change, Ledger
from registry.storage.port import Event, Journal, JournalError

_PROBE_SECONDS = 1.0

log = structlog.get_logger(__name__)

Group = tuple[list[Change], "asyncio.Future[None]"]


class Committer:
    """The only writer of the journal."""

    def __init__(
        self,
        journal: Journal,
        ledger: Ledger,
        alarms: Alarms,
        publish: Callable[[Sequence[Change]], None],
        *,
        batch: int,
        queue: int,
        history: int,
    ) -> None:
        self._journal = journal
        self._ledger = ledger
        self._alarms = alarms
        self._publish = publish
        self._batch = batch
        self.limit = queue
        self.window = Window(history)
        self._queue: deque[Group] = deque()
        self._wake = asyncio.Event()
        self._stopping = False
        self.failing = False
        self.waiting = 0
        self.commits = 0
        self.events = 0
        self.failures = 0
        self.last: asyncio.Future[None] | None = None
        self.observe: Callable[[float], None] = lambda _seconds: None

    def enqueue(self, changes: list[Change]) -> asyncio.Future[None]:
        """Queue the changes; the future is done when they are stored, or fails with 500011 once they are taken back.

        Raises 500011, with nothing queued, where no more can wait or nothing can be stored.
        """
        self._check_room(len(changes))
        stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append((changes, stored))
        self.last = stored
        self.waiting += len(changes)
        self._wake.set()
        return stored

    def _check_room(self, number: int) -> None:
        if self._stopping:
            raise RegistryError(500011, "the engine is stopping")
        if self.failing:
            raise RegistryError(500011, "the journal cannot store changes at the moment")
        if self.waiting + number > self.limit:
            raise RegistryError(500011, "too many changes are waiting")

    @property
    def pending(self) -> asyncio.Future[None] | None:
        """The future of the newest change, while it is not decided: once it is done, so is everything before it."""
        return self.last if self.last is not None and not self.last.done() else None

    async def run(self) -> None:
        """Store what is committed, until `stop`; what was queued by then is stored first."""
        try:
            while self._queue or not self._stopping:
                if self.failing:
                    await self._try_again()
                elif not self._queue:
                    self._wake.clear()
                    await self._wake.wait()
                else:
                    await self._store(self._take())
                    await self.compact()
        finally:
            self._stopping = True
            self._fail([], "the engine has stopped")

    async def _try_again(self) -> None:
        self._wake.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PROBE_SECONDS):
                await self._wake.wait()
        try:
            await self._journal.probe()
        except JournalError as error:
            self._alarms.activate(BACKEND, str(error))
            return
        self.failing = False
        self._alarms.clear(BACKEND)
        log.info("journal.recovered")

    def stop(self) -> None:
        """Take no more changes, and let `run` return."""
        self._stopping = True
        self._wake.set()

    def _take(self) -> list[Group]:
        groups = [self._queue.popleft()]
        size = len(groups[0][0])
        while self._queue and size + len(self._queue[0][0]) <= self._batch:
            groups.append(self._queue.popleft())
            size += len(groups[-1][0])
        return groups

    async def _store(self, groups: list[Group]) -> None:
        changes = [change for group, _ in groups for change in group]
        started = time.perf_counter()
        try:
            await self._journal.append([event_of(change) for change in changes])
        except JournalError as error:
            self.failing = True
            self._alarms.activate(BACKEND, str(error))
            self._fail(groups, str(error))
            return
        self.observe(time.perf_counter() - started)
        self.commits += 1
        self.events += len(changes)
        for change in changes:
            self.window.saw(change.revision)
        self.waiting -= len(changes)
        self._publish(changes)
        for _, stored in groups:
            if not stored.done():
                stored.set_result(None)

    def _fail(self, groups: list[Group], reason: str) -> None:
        groups.extend(self._queue)
        self._queue.clear()
        self.waiting = 0
        if groups:
            self.failures += 1
            log.error("journal.failed", reason=reason, undone=len(groups))
        for changes, stored in reversed(groups):
            self._ledger.undo(changes)
            if not stored.done():
                stored.set_exception(RegistryError(500011, "the change could not be stored and was not made"))
                stored.exception()  # asyncio need not complain where nobody waits

    async def compact(self) -> bool:
        """Drop what is superseded among events that have left the window; whether any had.

        It is no fault where that cannot be done now: the next time does both.
        """
        through = self.window.left()
        if through:
            try:
                await self._journal.compact(through)
            except JournalError as error:
                log.warning("journal.not_compacted", error=str(error))
        return bool(through)


def event_of(change: Change) -> Event:
    """What the journal stores of a change."""
    replaces = change.before.revision if change.before is not None else 0
    body = change.after.body if change.after is not None else None
    return Event(change.revision, replaces, change.record.path, body, change.at, change.author)

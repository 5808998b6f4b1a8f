"""Heartbeats: one call an interval, a batch where a process holds several instances."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from governance.clock import Clock, Pause
from governance.logs import logger
from governance.sdk.calls import EngineError, EngineUnavailableError
from governance.sdk.client import INSTANCE_GONE, SERVICE_GONE, CenterClient
from governance.sdk.registration import Registered

_FAILURES = 3
_RETRY_SECONDS = 5.0

log = logger(__name__)


@dataclass(eq=False, slots=True)
class _Member:
    """One instance that is kept alive; `lost` is called when the engine does not know it any more. `due` is the clock's time."""

    client: CenterClient
    registered: Registered
    interval: float
    lost: Callable[[], None]
    due: float
    failures: int = 0


class Heartbeats:
    """Keeps the leases of its members alive.

    Share one among the services of a process: whoever's turn comes first beats for all of the same engine, in one call, and they fall
    into step.
    """

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._members: dict[Registered, _Member] = {}

    def add(self, client: CenterClient, registered: Registered, interval: float, lost: Callable[[], None]) -> None:
        """Keep an instance alive from now on; `interval` is seconds."""
        self._members[registered] = _Member(client, registered, interval, lost, self._clock())

    def remove(self, registered: Registered) -> None:
        """Let an instance be."""
        self._members.pop(registered, None)

    async def run(self, registered: Registered, pause: Pause) -> None:
        """Beat whenever this member is due, until it is removed or lost."""
        while (member := self._members.get(registered)) is not None:
            if member.due <= self._clock():
                await self._beat(self._due_with(member))
            await pause(max(member.due - self._clock(), 0.0))

    def _due_with(self, first: _Member) -> Sequence[_Member]:
        """The member, and those of the same engine that would be due in less than half an interval."""
        now = self._clock()
        others = (member for member in self._members.values() if member.client.scope == first.client.scope)
        return [member for member in others if member.due - member.interval / 2 <= now]

    async def _beat(self, members: Sequence[_Member]) -> None:
        for member in members:
            member.due = self._clock() + member.interval
        try:
            unknown = await _renew(members)
        except (EngineError, EngineUnavailableError) as error:
            log.warning("heartbeat.failed", error=str(error))
            refused = isinstance(error, EngineError) and error.status < 500
            for member in members:
                member.due = self._clock() + min(member.interval, _RETRY_SECONDS)
                if refused:
                    self._failed(member, at_once=False)
        else:
            for member in members:
                if member.registered in unknown:
                    self._failed(member, at_once=True)
                else:
                    member.failures = 0

    def _failed(self, member: _Member, *, at_once: bool) -> None:
        """Lost are those that the engine forgot, and those refused three times in a row."""
        member.failures += 1
        if (at_once or member.failures >= _FAILURES) and self._members.get(member.registered) is member:
            self.remove(member.registered)
            member.lost()


async def _renew(members: Sequence[_Member]) -> frozenset[Registered]:
    """Renew the leases; those that the engine does not know."""
    client, first = members[0].client, members[0].registered
    if len(members) > 1:
        pairs = [(member.registered.service_id, member.registered.instance_id) for member in members]
        return frozenset(Registered(*pair) for pair in await client.heartbeats(pairs))
    try:
        await client.heartbeat(first.service_id, first.instance_id)
    except EngineError as error:
        if error.code in (INSTANCE_GONE, SERVICE_GONE):
            return frozenset((first,))
        raise
    return frozenset()

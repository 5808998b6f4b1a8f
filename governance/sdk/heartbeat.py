"""Heartbeats: one call an interval, a batch where a process holds several instances."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from governance.sdk.client import CenterClient, EngineError, EngineUnavailableError
from governance.sdk.registration import Registered

_FAILURES = 3

log = structlog.get_logger(__name__)
Pause = Callable[[float], Awaitable[None]]


@dataclass(slots=True)
class _Member:
    """One instance that is kept alive; `lost` is called when the engine does not know it any more."""

    registered: Registered
    lost: Callable[[], None]
    failures: int = 0


class Heartbeats:
    """Keeps the leases of its members alive. Members that share a `Heartbeats` share its calls.

    It runs for as long as it has members, in the task of whoever called `run`.
    """

    def __init__(self) -> None:
        self._members: dict[Registered, _Member] = {}

    def add(self, registered: Registered, lost: Callable[[], None]) -> None:
        """Keep an instance alive."""
        self._members[registered] = _Member(registered, lost)

    def remove(self, registered: Registered) -> None:
        """Let an instance be."""
        self._members.pop(registered, None)

    def leads(self, registered: Registered) -> bool:
        """Whether this member is the one that makes the calls for all: the first that is left."""
        return next(iter(self._members), None) == registered

    async def run(self, client: CenterClient, registered: Registered, interval: float, pause: Pause) -> None:
        """Beat until cancelled, when it is this member's turn to."""
        while True:
            if self.leads(registered):
                await self.beat(client)
            await pause(interval)

    async def beat(self, client: CenterClient) -> None:
        """Renew every lease once. A member that the engine forgot, or that failed three times in a row, is lost."""
        members = list(self._members.values())
        try:
            if len(members) == 1:
                await client.heartbeat(members[0].registered.service_id, members[0].registered.instance_id)
                unknown = []
            else:
                pairs = [(member.registered.service_id, member.registered.instance_id) for member in members]
                unknown = [Registered(*pair) for pair in await client.heartbeats(pairs)]
        except EngineError as error:
            log.warning("heartbeat.refused", error=str(error))
            for member in members:
                self._failed(member, at_once=error.code in ("400017", "400012"))
            return
        except EngineUnavailableError as error:
            log.warning("heartbeat.unanswered", error=str(error))
            return
        for member in members:
            if member.registered in unknown:
                self._failed(member, at_once=True)
            else:
                member.failures = 0

    def _failed(self, member: _Member, *, at_once: bool) -> None:
        member.failures += 1
        if at_once or member.failures >= _FAILURES:
            self.remove(member.registered)
            member.lost()


async def pause_for(seconds: float) -> None:
    """The pause of real life."""
    await asyncio.sleep(seconds)

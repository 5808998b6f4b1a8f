"""Being told of changes: a long poll for each level, which the engine answers when something at that level changes. Section A.8."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

import aiohttp

from governance.clock import Clock, Pause
from governance.logs import logger
from governance.sdk.account import Account
from governance.sdk.addresses import AddressPool
from governance.sdk.calls import EngineCall, EngineError, EngineUnavailableError, Json, good, rows_of
from governance.sdk.configuration.levels import Level
from governance.sdk.settings import ServiceSettings

log = logger(__name__)
INSTANCE = "X-Waggle-Instance"
"""The header by which a gradual release knows the instance."""
_UNKNOWN = "-1"
_LONGEST_PAUSE = 30.0
_SHORTEST_ROUND = 0.2
Answered: TypeAlias = Callable[[Level, Sequence[Json]], Awaitable[bool]]


class ConfigClient:
    """Asks for levels. It needs `session` before the first call."""

    def __init__(self, settings: ServiceSettings, pool: AddressPool, account: Account, instance_id: str) -> None:
        self.pool = pool
        self._account = account
        self.session: aiohttp.ClientSession | None = None
        self._settings = settings
        self._path = f"/v1/{settings.project}/kie/kv"
        self._headers = {INSTANCE: instance_id} if instance_id else {}

    async def poll(self, level: Level, revision: str) -> tuple[str, Sequence[Json] | None]:
        """A level's items and their revision; `None` where nothing has changed. Raises `EngineError`, `EngineUnavailableError`."""
        assert self.session is not None  # noqa: S101  whoever polls has opened it
        query, seconds = [*level.query, ("revision", revision)], self._settings.request_timeout
        if revision != _UNKNOWN:
            query.append(("wait", f"{max(1, round(self._settings.config_wait * 1000))}ms"))
            seconds += self._settings.config_wait
        asked = EngineCall(method="GET", path=self._path, query=query, headers=self._headers, seconds=seconds)
        answer = await self._account.answer_to(self.session, self.pool, asked)
        if answer.status == 304:
            return revision, None
        if not good(answer).revision.isdigit() or not isinstance(answer.body.get("data"), list):
            raise EngineError(answer.status, "", "without items and X-Kie-Revision", "is this address a config centre?")
        return answer.revision, rows_of(answer.body, "data")


class LevelPolls:
    """Follows one level. `answered` is given its items, and says whether that changed anything."""

    def __init__(self, client: ConfigClient, level: Level, answered: Answered, clock: Clock) -> None:
        self._client = client
        self._level = level
        self._answered = answered
        self._clock = clock
        self._revision = _UNKNOWN
        self._failures = 0
        self._asked_again = False
        self._current: asyncio.Timeout | None = None

    def again(self) -> None:
        """Ask now, whatever is known."""
        if self._current is not None and not self._asked_again:
            self._current.reschedule(asyncio.get_running_loop().time())
        self._asked_again = True

    async def run(self, pause: Pause) -> None:
        """Follow until cancelled; after an error from 1 s, later up to 30 s, pass before the next try."""
        while True:
            if self._asked_again:
                self._asked_again, self._revision = False, _UNKNOWN
            try:
                async with asyncio.timeout(None) as self._current:
                    items = await self._poll(pause)
            except TimeoutError:
                continue
            finally:
                self._current = None
            if items is not None and not await self._answered(self._level, items):
                await pause(_SHORTEST_ROUND)

    async def _poll(self, pause: Pause) -> Sequence[Json] | None:
        """Ask once; the items where they may have changed. It takes a while where there are none."""
        began = self._clock()
        try:
            revision, items = await self._client.poll(self._level, self._revision)
        except (EngineError, EngineUnavailableError) as error:
            self._complain(error)
            await pause(_after(self._failures))
            return None
        self._revision = revision
        self._failures = 0
        # An engine that does not wait is not asked without a pause.
        if items is None and self._clock() - began < _SHORTEST_ROUND:
            await pause(_SHORTEST_ROUND)
        return items

    def _complain(self, error: Exception) -> None:
        self._failures += 1
        if self._failures == 1:
            log.warning("config.unanswered", level=self._level.name, error=str(error))


def _after(failures: int) -> float:
    """Seconds to wait, spread so that the instances of a service do not come back together."""
    longest = min(2.0 ** min(failures - 1, 10), _LONGEST_PAUSE)
    return max(1.0, longest * random.uniform(0.5, 1.0))  # noqa: S311  spreading, not cryptography

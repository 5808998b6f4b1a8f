"""The account that a service logs in with: a token for all its calls, fetched when the first needs it and renewed before it ends.

An engine whose access control is off has no tokens (404). It is asked again after a minute, and as soon as it refuses a call: whoever turns
access control on need not start services anew. A wrong password is tried seldom enough that no account is locked by it.
"""

from __future__ import annotations

import asyncio
import base64
import os
import random
import time
from collections.abc import Mapping

import aiohttp
import orjson

from governance.clock import Clock
from governance.logs import logger
from governance.sdk.addresses import AddressPool
from governance.sdk.calls import Answer, EngineCall, EngineUnavailableError, answer_to
from governance.sdk.references import ConfigurationError, References, is_reference
from governance.sdk.settings import ServiceSettings

_SOON = 10.0
"""Seconds until the next login after one that was not answered by yes or no."""
_MINUTE = 60.0
_SELDOM = 16 * 60.0
"""The same after two refusals: of three in a quarter of an hour the engine locks the account, for this address."""
_USUAL_LIFE = 12 * 3600.0
_LONGEST_LIFE = 24 * 3600.0
_HALF_OPEN = "401302"
"""The code of a refusal while nothing else is refused; it is never a reason to lock."""

log = logger(__name__)


class Account:
    """The token of a service's account, where it has one. `pool` has the engine's addresses; `now` is the time of day in seconds."""

    def __init__(
        self,
        settings: ServiceSettings,
        pool: AddressPool,
        clock: Clock = time.monotonic,
        now: Clock = time.time,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._settings = settings
        self._pool = pool
        self._clock = clock
        self._now = now
        self._references = References(os.environ if environ is None else environ, ("/",))
        self._is_used = bool(settings.account_name) and settings.account_enabled
        self._headers: Mapping[str, str] = {}
        self._changed = asyncio.Event()
        self._lock = asyncio.Lock()
        self._due = self._again_at = float("-inf")
        self._refusals = 0
        self._told = ""

    async def answer_to(self, session: aiohttp.ClientSession, pool: AddressPool, asked: EngineCall) -> Answer:
        """The answer to a call with the token; to the call with a new one where that was refused. Raises `EngineUnavailableError`."""
        sent = await self.headers(session)
        answer = await answer_to(session, pool, asked.having(sent))
        if answer.status == 401 and await self.renewed(session, sent):
            answer = await answer_to(session, pool, asked.having(self._headers))
        return answer

    async def headers(self, session: aiohttp.ClientSession) -> Mapping[str, str]:
        """What a call carries: nothing without an account or without a token. Where it is time to, it logs in first."""
        if self._is_due and not (self._headers and self._lock.locked()):
            async with self._lock:
                if self._is_due:
                    await self._log_in(session)
        return self._headers

    async def renewed(self, session: aiohttp.ClientSession, refused: Mapping[str, str]) -> bool:
        """Whether there is another token than one that was refused, after a login where one may help."""
        async with self._lock:
            if self._is_used and self._headers == refused and self._clock() >= self._again_at:
                self._again_at = self._clock() + _MINUTE
                await self._log_in(session)
        return self._headers != refused

    async def another_than(self, sent: Mapping[str, str]) -> None:
        """Wait until calls carry something else: for what keeps a connection open for longer than a token lives."""
        while self._headers == sent:
            await self._changed.wait()

    @property
    def _is_due(self) -> bool:
        return self._is_used and self._clock() >= self._due

    async def _log_in(self, session: aiohttp.ClientSession) -> None:
        try:
            asked = EngineCall(
                method="POST",
                path="/v4/token",
                body={"name": self._settings.account_name, "password": self._password()},
                headers={"X-Domain-Name": self._settings.domain, "Content-Type": "application/json"},
                seconds=self._settings.request_timeout,
            )
            self._heed(await answer_to(session, self._pool, asked))
        except (ConfigurationError, EngineUnavailableError) as error:
            self._due = self._clock() + _SOON
            self._tell("account.not_logged_in", str(error))

    def _password(self) -> str:
        """As it is now: files with secrets change. Raises `ConfigurationError`."""
        text = self._settings.account_password.get_secret_value()
        return self._references.resolved("account_password", text) if is_reference(text) else text

    def _heed(self, answer: Answer) -> None:
        token = answer.body.get("token")
        if answer.status == 200 and isinstance(token, str) and token:
            self._take(token)
        elif answer.status == 404:
            self._due = self._clock() + _MINUTE
            self._tell("account.not_needed", "")
        elif answer.status in (401, 403):
            self._wait_after_refusal(answer)
        else:
            self._due = self._clock() + (_MINUTE if answer.status == 429 else _SOON)
            self._tell("account.not_logged_in", f"the engine answered {answer.status}")

    def _take(self, token: str) -> None:
        self._headers = {"Authorization": f"Bearer {token}"}
        self._changed.set()
        self._changed = asyncio.Event()
        self._refusals = 0
        # Services that were started together do not come back together.
        self._due = self._clock() + _life(token, self._now()) * random.uniform(0.7, 0.9)  # noqa: S311  spreading, not cryptography
        self._tell("account.logged_in", "")

    def _wait_after_refusal(self, answer: Answer) -> None:
        """After a refusal that may lock the account, being refused a call is no reason to try again sooner."""
        code = str(answer.body.get("errorCode", ""))
        self._due = self._clock() + _MINUTE
        if code != _HALF_OPEN:
            self._refusals += 1
            self._due = self._again_at = self._clock() + (_MINUTE if self._refusals == 1 else _SELDOM)
        self._tell("account.refused", f"{answer.status} {code}".strip())

    def _tell(self, event: str, why: str) -> None:
        """Once for each thing that happens, however often it happens."""
        if (told := f"{event} {why}") == self._told:
            return
        self._told = told
        account = self._settings.account_name
        if event in ("account.logged_in", "account.not_needed"):
            log.info(event, account=account)
        else:
            log.warning(event, account=account, error=why)


def _life(token: str, now: float) -> float:
    """Seconds that a token lives on, by its own word; the usual, where it has none or our clock says that it has ended."""
    try:
        claims = token.split(".")[1]
        left = float(orjson.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["exp"]) - now
    except (LookupError, TypeError, ValueError):
        return _USUAL_LIFE
    return min(left, _LONGEST_LIFE) if left > 0 else _USUAL_LIFE

"""Sends alarms to webhooks: each has a queue of its own and somebody who works on it, so that one that hangs holds nobody up.

What is sent, how it is signed and when it is sent again is described in docs/alarms.md. This is the one place from which the engine calls
an address, and it is one that an operator set.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import uuid
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field

import aiohttp
import orjson
import structlog

from registry.alarms import Alarm, Alarming, Webhook
from registry.engine.reach import CheckedResolver, Reach, RefusedAddressError
from registry.errors import RegistryError

ATTEMPTS = 10
"""How often a message is tried to be sent."""
_LONGEST_PAUSE = 300.0
_AGAIN = (408, 425, 429)
"""Refusals that are for now; so is every 5xx."""
_LONGEST_HEAD = 8190
_HOOK = tuple[str, str]
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Sending:
    """Messages that wait for one webhook at most, seconds of one try, seconds until the second try, and networks that are allowed."""

    queue: int = 1000
    timeout: float = 10.0
    retry: float = 1.0
    allow: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a try: the status that was answered, 0 where none was, and in words what went wrong."""

    status: int
    error: str = ""

    @property
    def done(self) -> bool:
        """Whether the message was taken."""
        return 200 <= self.status < 300

    @property
    def again(self) -> bool:
        """Whether to try it once more later."""
        return self.status in _AGAIN or self.status >= 500 or (self.status == 0 and "refused address" not in self.error)


@dataclass(slots=True)
class _Line:
    """What waits for one webhook, and what became of what was sent."""

    waiting: deque[tuple[str, bytes]]
    filled: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None
    last: Outcome | None = None
    last_at: int = 0
    sent: int = 0
    lost: int = 0


class Webhooks:
    """Use it as `async with webhooks.running():`. What waits when that ends is lost: the next engine raises anew what lasts."""

    def __init__(self, alarming: Alarming, sending: Sending, now: Callable[[], int]) -> None:
        self._alarming = alarming
        self._sending = sending
        self._now = now
        self._reach = Reach(sending.allow)
        self._lines: dict[_HOOK, _Line] = {}
        self._session: aiohttp.ClientSession | None = None
        self.counts = {"delivered": 0, "retried": 0, "lost": 0}

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Send while the block lasts."""
        connector = aiohttp.TCPConnector(
            resolver=CheckedResolver(self._reach), use_dns_cache=False, limit=100, force_close=True
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=self._sending.timeout),
            trust_env=False,
            auto_decompress=False,
            max_line_size=_LONGEST_HEAD,
            max_field_size=_LONGEST_HEAD,
        )
        try:
            yield
        finally:
            tasks = [line.task for line in self._lines.values() if line.task is not None]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._session.close()
            self._session = None

    @property
    def waiting(self) -> int:
        """Messages that wait."""
        return sum(len(line.waiting) for line in self._lines.values())

    def send(self, event: str, alarm: Alarm, document: Mapping[str, object]) -> None:
        """Queue a message for every webhook of the alarm's tenant that wants it. Returns at once."""
        hooks = self._alarming.state.table(alarm.tenant).webhooks.values()
        wanting = [hook for hook in hooks if hook.wants(alarm.severity)]
        if wanting and self._session is not None:
            body = _body(event, alarm.tenant, self._now(), {"alarm": document})
            for hook in wanting:
                self._queue(hook, body)

    async def test(self, hook: Webhook) -> Outcome:
        """Send a test message now, once; what became of it."""
        line = self._line(hook)
        outcome = await self._try(hook, uuid.uuid4().hex, _body("test", hook.tenant, self._now(), {}))
        self._note(line, outcome)
        return outcome

    def drop(self, tenant: str, name: str) -> None:
        """A webhook was deleted: nothing waits for it any more, and nothing of it is remembered."""
        line = self._lines.pop((tenant, name), None)
        if line is not None and line.task is not None:
            line.task.cancel()

    def state(self, hook: Webhook) -> Mapping[str, object]:
        """What waits for a webhook and what became of what was sent, since the engine's start."""
        line = self._lines.get((hook.tenant, hook.name))
        if line is None:
            return {"waiting": 0, "delivered": 0, "lost": 0}
        last = line.last or Outcome(0)
        counts = {"waiting": len(line.waiting), "delivered": line.sent, "lost": line.lost}
        return {**counts, "lastAt": line.last_at, "lastStatus": last.status, "lastError": last.error}

    def _line(self, hook: Webhook) -> _Line:
        return self._lines.setdefault((hook.tenant, hook.name), _Line(deque(maxlen=self._sending.queue)))

    def _queue(self, hook: Webhook, body: bytes) -> None:
        line = self._line(hook)
        if len(line.waiting) == self._sending.queue:
            self._lose(line, hook.name, "its queue is full: the oldest message gave way")
        line.waiting.append((uuid.uuid4().hex, body))
        line.filled.set()
        if line.task is None or line.task.done():
            line.task = asyncio.create_task(self._work((hook.tenant, hook.name), line))

    async def _work(self, key: _HOOK, line: _Line) -> None:
        """Send what waits, in its order, until the webhook is switched off or deleted."""
        while True:
            while line.waiting:
                delivery, body = line.waiting[0]
                if not await self._deliver(key, line, delivery, body):
                    line.waiting.clear()
                    return
                if line.waiting and line.waiting[0][0] == delivery:
                    line.waiting.popleft()
            line.filled.clear()
            await line.filled.wait()

    async def _deliver(self, key: _HOOK, line: _Line, delivery: str, body: bytes) -> bool:
        """Try until it is taken, refused for good, or lost; whether the webhook is still there and on. It is read anew for each try."""
        for attempt in range(ATTEMPTS):
            try:
                hook = self._alarming.webhook(*key)
            except RegistryError:
                return False
            if not hook.enabled:
                return False
            outcome = await self._try(hook, delivery, body)
            self._note(line, outcome)
            if outcome.done:
                return True
            if not outcome.again:
                break
            self.counts["retried"] += 1
            await asyncio.sleep(min(self._sending.retry * 2**attempt, _LONGEST_PAUSE))
        self._lose(line, key[1], line.last.error if line.last else "")
        return True

    async def _try(self, hook: Webhook, delivery: str, body: bytes) -> Outcome:
        assert self._session is not None  # noqa: S101  it is asked while it runs
        try:
            self._reach.check_url(hook.url)
            headers = _headers(hook, delivery, body, self._now() // 1000)
            async with self._session.post(hook.url, data=body, headers=headers, allow_redirects=False) as response:
                response.close()  # whatever the body is, nobody reads it
                status = response.status
        except RefusedAddressError as error:
            return Outcome(0, f"refused address: {error}")
        except TimeoutError:
            return Outcome(0, f"no answer within {self._sending.timeout:g} s")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return Outcome(0, _why(error))
        return Outcome(status, "" if 200 <= status < 300 else _refusal(status))

    def _note(self, line: _Line, outcome: Outcome) -> None:
        line.last, line.last_at = outcome, self._now()
        if outcome.done:
            line.sent += 1
            self.counts["delivered"] += 1

    def _lose(self, line: _Line, name: str, why: str) -> None:
        line.lost += 1
        self.counts["lost"] += 1
        log.warning("webhook.lost", webhook=name, reason=why)


def _body(event: str, tenant: str, at: int, more: Mapping[str, object]) -> bytes:
    return orjson.dumps({"version": 1, "event": event, "tenant": tenant, "at": at, **more})


def _headers(hook: Webhook, delivery: str, body: bytes, second: int) -> dict[str, str]:
    """The delivery's id is the same for all tries; the signature is over the time of the try, a dot, and the body."""
    headers = {"Content-Type": "application/json", "User-Agent": "waggle", "X-Waggle-Delivery": delivery}
    if hook.secret:
        signed = hmac.new(hook.secret.encode(), f"{second}.".encode() + body, hashlib.sha256).hexdigest()
        headers |= {"X-Waggle-Timestamp": str(second), "X-Waggle-Signature": f"sha256={signed}"}
    return headers


def _refusal(status: int) -> str:
    return "it redirects, which is not followed" if 300 <= status < 400 else f"it answered {status}"


def _why(error: Exception) -> str:
    """In words without the address, which may have a secret in it."""
    if isinstance(error, aiohttp.ClientConnectorError):
        if isinstance(error.os_error, RefusedAddressError):
            return f"refused address: {error.os_error}"
        return f"no connection ({error.os_error.strerror or type(error.os_error).__name__})"
    return type(error).__name__

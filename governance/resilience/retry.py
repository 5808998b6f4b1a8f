"""Repeats calls that failed in a way that may pass: policy retry, else the older keys of load balancing (governance.md 2.3, 3.4)."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator

from governance.clock import Pause, pause_for
from governance.invocation.chain import Proceed
from governance.invocation.invocation import Invocation, LocalReply, Reply
from governance.invocation.live import LiveRules
from governance.invocation.measures import Measure
from governance.invocation.rulebook import Rulebook
from governance.resilience.backoff import wait_seconds
from governance.resilience.fault import FaultInjectionStage
from governance.resilience.older import Callee, OlderRule, ReadOnce, state_key
from governance.resilience.replies import Discard, leave
from governance.resilience.time_limit import TimeLimiterStage
from governance.rules.legacy import Settings, setting_of
from governance.rules.policies import Retry, status_matches

_OLDER_STATUSES = ("490", "502", "503")


class RetriesExhaustedError(Exception):
    """The last try failed, too, and the policy says failAfterMaxAttempts. `reply` is what the last one brought."""

    def __init__(self, policy: str, reply: Reply) -> None:
        self.reply = reply
        super().__init__(f"retry {policy}: the last try brought {reply.status}, too")


class RetryCounts:
    """How calls ended, by the kinds of resilience4j."""

    def __init__(self) -> None:
        self._ended: Counter[tuple[str, bool]] = Counter()

    def ended(self, how: str, further: int) -> None:
        """A call is over, after so many further tries."""
        self._ended[how, further > 0] += 1

    def measures(self) -> Iterator[Measure]:
        """Calls by kind."""
        for how in ("successful", "failed"):
            yield Measure("calls", self._ended[how, False], {"kind": f"{how}_without_retry"})
            yield Measure("calls", self._ended[how, True], {"kind": f"{how}_with_retry"})


class RetryStage:
    """Tries again after a retriable error or a listed status. A body that cannot be sent twice is not: then only what was never sent is.

    `retriable` says which errors may pass, `discard` lets go of the replies that are not handed on, `dice` is a chance from 0 up to 1.
    """

    name = "retry"

    def __init__(
        self,
        rules: LiveRules,
        *,
        retriable: Callable[[Exception], bool],
        discard: Discard = leave,
        pause: Pause = pause_for,
        dice: Callable[[], float] = random.random,
    ) -> None:
        self._rules = rules
        self._older = ReadOnce(rules, _older_retry)
        self._retriable = retriable
        self._discard = discard
        self._pause = pause
        self._dice = dice

    async def __call__(self, invocation: Invocation, proceed: Proceed) -> Reply:
        """The reply of the last try. Raises its error, or `RetriesExhaustedError`."""
        policy = self._rules.book.applied(Retry, invocation.request)
        if policy is not None:
            return await self._repeated(policy, self._rules.processor(policy, RetryCounts), invocation, proceed)
        older = self._older.of(invocation)
        if older is not None:
            counts = self._rules.state(older.key, older, RetryCounts)
            return await self._repeated(older.rule, counts, invocation, proceed)
        return await proceed(invocation)

    async def _repeated(self, policy: Retry, counts: RetryCounts, invocation: Invocation, proceed: Proceed) -> Reply:
        further = 0
        while True:
            last = further == policy.max_attempts
            try:
                reply = await proceed(invocation)
            except Exception as error:
                if last or not (invocation.replayable and self._retriable(error)):
                    counts.ended("failed", further)
                    raise
            else:
                failed = status_matches(policy.retry_on_response_status, reply.status)
                if last or not (failed and _repeatable(invocation, reply)):
                    counts.ended("failed" if failed else "successful", further)
                    if failed and last and policy.fail_after_max_attempts:
                        raise RetriesExhaustedError(policy.name, reply)
                    return reply
                self._discard(reply)
            further += 1
            await self._pause(wait_seconds(policy, further, self._dice()))


def _repeatable(invocation: Invocation, reply: Reply) -> bool:
    by = reply.by if isinstance(reply, LocalReply) else ""
    if by == FaultInjectionStage.name:
        return False
    # All other refusals but that of the time limiter are made before anything is sent.
    return invocation.replayable or by not in ("", TimeLimiterStage.name)


def _older_retry(book: Rulebook, callee: Callee) -> OlderRule[Retry] | None:
    further = _number(book.settings, "retryOnNext", callee) + _number(book.settings, "retryOnSame", callee)
    if not setting_of(book.settings, "loadbalance", "", "retryEnabled", callee) or further == 0:
        return None
    policy = Retry(
        name=callee[0],
        max_attempts=further,
        wait_duration=_number(book.settings, "waitDuration", callee),
        retry_on_response_status=_OLDER_STATUSES,
    )
    key = state_key("retry", "Consumer", callee)
    return OlderRule(key, policy, lambda now: _older_retry(now, callee) is not None)


def _number(settings: Settings, name: str, callee: Callee) -> int:
    return int(setting_of(settings, "loadbalance", "", name, callee) or 0)

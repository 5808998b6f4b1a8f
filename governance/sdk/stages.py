"""Which stages a call passes, and in which order: that of Java Chassis 3 for a consumer, of Spring Cloud Huawei for a provider."""

from __future__ import annotations

import asyncio
import errno
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import aiohttp

from governance.clock import Clock, Pause, pause_for
from governance.invocation.chain import Stage
from governance.invocation.invocation import Invocation, Target
from governance.invocation.live import LiveRules
from governance.resilience.access_control import AccessControlStage
from governance.resilience.bulkhead import BulkheadStage
from governance.resilience.circuit_breaker import CircuitBreakerStage
from governance.resilience.fallback import FallbackStage
from governance.resilience.fault import FaultInjectionStage
from governance.resilience.flow_control import FlowControlStage
from governance.resilience.identifier_rate_limiting import IdentifierRateLimitingStage
from governance.resilience.instance_bulkhead import InstanceBulkheadStage
from governance.resilience.instance_isolation import InstanceIsolationStage
from governance.resilience.older_isolation import OlderIsolationStage
from governance.resilience.rate_limiting import RateLimitingStage
from governance.resilience.replies import Discard, Keep, leave
from governance.resilience.retry import RetryStage
from governance.resilience.time_limit import TimeLimiterStage
from governance.routing.own import OwnInstance
from governance.routing.pick import Pick
from governance.sdk.answers import kept, let_go
from governance.sdk.providers import Providers

Isolated: TypeAlias = Callable[[Invocation, Target], bool]
"""Whether an instance is put aside for a call."""


@dataclass(frozen=True, slots=True)
class Transport:
    """What stages must know of the client that makes the calls."""

    retriable: Callable[[Exception], bool]
    """Whether an error may be gone at the next try."""
    unsent: Callable[[BaseException], bool]
    """Whether an error says that nothing was sent."""
    discard: Discard = leave
    keep: Keep | None = None


_RESET = (errno.ECONNRESET, errno.EPIPE, errno.EHOSTUNREACH, errno.ENETUNREACH)


def outbound(
    rules: LiveRules,
    own: OwnInstance,
    providers: Providers,
    *,
    clock: Clock = time.monotonic,
    pause: Pause = pause_for,
    dice: random.Random | None = None,
    watching: Sequence[Stage] = (),
) -> Sequence[Stage]:
    """The stages of calls that go out, the outermost first. Those that are `watching` see each try, and change nothing."""

    async def find(invocation: Invocation) -> Sequence[Target]:
        return await providers.usable(invocation.service, invocation.app or None)

    def pick(isolated: Isolated) -> Stage:
        return Pick(rules, own, find, isolated=isolated, unsent=is_unsent, clock=clock, dice=dice)

    aiohttps = Transport(retriable=is_retriable, unsent=is_unsent, discard=let_go, keep=kept)
    return outbound_by(rules, pick, aiohttps, clock=clock, pause=pause, watching=watching)


def outbound_by(
    rules: LiveRules,
    pick: Callable[[Isolated], Stage],
    transport: Transport,
    *,
    clock: Clock = time.monotonic,
    pause: Pause = pause_for,
    watching: Sequence[Stage] = (),
) -> Sequence[Stage]:
    """The stages of calls that go out by any client. `pick` makes the stage that chooses the instance."""
    isolation, older = InstanceIsolationStage(rules, clock=clock), OlderIsolationStage(rules, clock=clock)

    def isolated(invocation: Invocation, target: Target) -> bool:
        return isolation.isolated(invocation, target) or older.isolated(invocation, target)

    return (
        FallbackStage(rules, "Consumer", keep=transport.keep, discard=transport.discard, clock=clock),
        FlowControlStage(rules, "Consumer", clock=clock),
        RetryStage(rules, retriable=transport.retriable, discard=transport.discard, pause=pause),
        pick(isolated),
        FaultInjectionStage(rules, pause=pause),
        older,
        isolation,
        InstanceBulkheadStage(rules, pause=pause),
        *watching,
        TimeLimiterStage(rules),
    )


def inbound(
    rules: LiveRules, *, clock: Clock = time.monotonic, pause: Pause = pause_for, breaker_status: int = 429
) -> Sequence[Stage]:
    """The stages of requests that come in, the outermost first. Gateways refuse by 503 where a breaker is open."""
    return (
        AccessControlStage(rules),
        FlowControlStage(rules, "Provider", clock=clock),
        IdentifierRateLimitingStage(rules, clock=clock, pause=pause),
        RateLimitingStage(rules, clock=clock, pause=pause),
        CircuitBreakerStage(rules, clock=clock, status=breaker_status),
        BulkheadStage(rules, pause=pause),
        FallbackStage(rules, "Provider", clock=clock),
    )


def is_unsent(error: BaseException) -> bool:
    """Whether an error says that nothing was sent: connecting failed, or the connection was gone before the first byte."""
    # Where a body is under way, aiohttp raises another error for a connection that is gone.
    unsent = aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError | aiohttp.ClientConnectionResetError
    return isinstance(error, unsent)


def is_retriable(error: BaseException) -> bool:
    """Whether an error may be gone at the next try: refused, timed out, reset, closed, no route, or TLS that failed."""
    if is_unsent(error) or isinstance(error, asyncio.TimeoutError | aiohttp.ServerDisconnectedError):
        return True
    # aiohttp knows no number where the connection was gone when it wrote the body.
    closed = isinstance(error, aiohttp.ClientOSError) and error.errno is None
    return closed or (isinstance(error, OSError) and error.errno in _RESET)

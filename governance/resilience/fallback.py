"""Something else in place of a call that fails, or that must not be made: the older keys of bizkeeper (governance.md 3.1, 3.2)."""

from __future__ import annotations

import time
from collections.abc import Iterator

from governance.clock import Clock
from governance.invocation.chain import Proceed
from governance.invocation.invocation import Invocation, LocalReply, Reply
from governance.invocation.live import LiveRules
from governance.invocation.measures import Measure
from governance.logs import logger
from governance.resilience.bizkeeper import Bizkeeper, read_bizkeeper
from governance.resilience.older import ReadOnce, Side
from governance.resilience.replies import Discard, Keep, leave
from governance.resilience.retry import RetriesExhaustedError
from governance.resilience.rolling_breaker import Admission, BreakerRule, Outcome, RollingBreaker
from governance.resilience.timeouts import within

# An HTTP client has no exception for a callee that is not there behind a proxy: these statuses stand for it.
_FAILURES = {"Consumer": frozenset({490, 502, 503, 504}), "Provider": frozenset({590})}
_STATUS = {"Consumer": 490, "Provider": 590}
log = logger(__name__)


class BizkeeperState:
    """One operation's breaker, its calls under way, and the last good reply where one is kept."""

    def __init__(self, rule: BreakerRule, clock: Clock) -> None:
        self._breaker = RollingBreaker(rule)
        self._clock = clock
        self._ended = dict.fromkeys(Outcome, 0)
        self._refused = 0
        self.running = 0
        self.fallbacks = 0
        self.kept: Reply | None = None
        self.told = False
        """Whether it was said that no policy is set."""

    def enter(self, most: int) -> Admission:
        """Ask to call, with at most so many calls at once."""
        if self.running >= most:
            self._breaker.turned_away(self._clock())
            admission = Admission.REFUSED
        else:
            admission = self._breaker.enter(self._clock())
        if admission is Admission.REFUSED:
            self._refused += 1
        else:
            self.running += 1
        return admission

    def leave(self, admission: Admission, outcome: Outcome) -> None:
        """A call that was let through has ended."""
        self.running -= 1
        self._ended[outcome] += 1
        self._breaker.leave(admission, outcome, self._clock())

    def measures(self) -> Iterator[Measure]:
        """What resilience4j says of a breaker, and how often something else was given."""
        yield Measure("calls", self._ended[Outcome.SUCCESS], {"kind": "successful"})
        yield Measure("calls", self._ended[Outcome.ERROR], {"kind": "failed"})
        yield Measure("not.permitted.calls", self._refused)
        yield Measure("fallbacks", self.fallbacks)
        yield Measure("failure.rate", self._breaker.error_rate(self._clock()))
        yield Measure("state", self._breaker.is_open, {"state": "open"})
        yield Measure("state", not self._breaker.is_open, {"state": "closed"})


class FallbackStage:
    """Does nothing where no key names the callee. `keep` makes a reply one that fromcache can give again; without it, nothing is kept."""

    name = "fallback"

    def __init__(
        self,
        rules: LiveRules,
        side: Side,
        *,
        keep: Keep | None = None,
        discard: Discard = leave,
        clock: Clock = time.monotonic,
    ) -> None:
        self._rules = rules
        self._found = ReadOnce(rules, lambda book, callee: read_bizkeeper(book, side, callee))
        self._keep = keep
        self._discard = discard
        self._clock = clock
        self._failures = _FAILURES[side]
        self._status = _STATUS[side]

    async def __call__(self, invocation: Invocation, proceed: Proceed) -> Reply:
        """The reply of the call, or another in its place. Raises what the call raises where there is none."""
        found = self._found.of(invocation)
        if found is None:
            return await proceed(invocation)
        breaker = found.breaker
        state = self._rules.state(breaker.key, breaker, lambda: BizkeeperState(breaker.rule, self._clock))
        if found.force:
            return self._fall_back(found, state, self._error("calls are switched off"))
        admission = state.enter(found.most_calls)
        if admission is Admission.REFUSED:
            full = state.running >= found.most_calls
            why = "too many calls at once" if full else "the circuit breaker is open"
            return self._fall_back(found, state, self._error(why))
        return await self._called(found, state, admission, invocation, proceed)

    async def _called(
        self, found: Bizkeeper, state: BizkeeperState, admission: Admission, invocation: Invocation, proceed: Proceed
    ) -> Reply:
        outcome = Outcome.GIVEN_UP
        try:
            reply = await self._reply(found, state, invocation, proceed)
            outcome = Outcome.ERROR if reply.status in self._failures else Outcome.SUCCESS
        except Exception as error:
            outcome = Outcome.ERROR
            instead = self._instead(found, state)
            if instead is None:
                raise
            if isinstance(error, RetriesExhaustedError):
                self._discard(error.reply)
            return instead
        finally:
            state.leave(admission, outcome)
        return self._fall_back(found, state, reply) if outcome is Outcome.ERROR else reply

    async def _reply(self, found: Bizkeeper, state: BizkeeperState, invocation: Invocation, proceed: Proceed) -> Reply:
        if found.timeout is None:
            reply = await proceed(invocation)
        else:
            timely = await within(found.timeout, invocation, proceed)
            reply = self._error(f"no answer within {found.timeout:g} s") if timely is None else timely
        if found.policy == "fromcache" and self._keep is not None and _is_good(reply):
            reply = state.kept = await self._keep(reply)
        return reply

    def _fall_back(self, found: Bizkeeper, state: BizkeeperState, reply: Reply) -> Reply:
        """What is given in place of a reply, which is let go then; itself where nothing is."""
        instead = self._instead(found, state)
        if instead is None:
            return reply
        self._discard(reply)
        return instead

    def _instead(self, found: Bizkeeper, state: BizkeeperState) -> Reply | None:
        if not (found.falls_back or found.force):
            return None
        if not found.policy:
            self._tell(found, state)
            return None
        state.fallbacks += 1
        if found.policy == "throwexception":
            return self._error("a fallback is given in place of the call")
        kept = state.kept if found.policy == "fromcache" else None
        return LocalReply(200, by=self.name) if kept is None else kept

    def _error(self, why: str) -> LocalReply:
        return LocalReply(self._status, why, by=self.name)

    def _tell(self, found: Bizkeeper, state: BizkeeperState) -> None:
        if not state.told:
            state.told = True
            log.warning("fallback.no_policy", key=found.breaker.key, reply="as the call brought it")


def _is_good(reply: Reply) -> bool:
    """Whether the callee has said it, and that all went well."""
    return 200 <= reply.status < 300 and not (isinstance(reply, LocalReply) and reply.by)

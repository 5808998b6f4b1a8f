"""When calls are let through to something that fails: a circuit breaker, without I/O and without a clock of its own.

CLOSED      Calls go on. How each went is recorded in a window: of the last calls, or of the last seconds. Once the window has the minimum
            number of calls (of a window of calls no more than its size), the breaker opens when the share of failed calls or the share of
            slow calls, those that took longer than a duration, reaches its threshold.
OPEN        Calls are refused. The first one after the wait finds the breaker half-open.
HALF_OPEN   So many calls may try; further ones are refused. When as many as are permitted have ended, or the minimum where that is less,
            the shares of these calls decide: open again, or closed with an empty window.
FORCED_OPEN Calls are refused for as long as the rule says so.

A call belongs to the state that it was let through in. What is known of it after that state has ended says nothing of the new one, and
is not recorded. A trial that is abandoned, or that nobody answered, gives its place to another call.
"""

from __future__ import annotations

from enum import Enum

from governance.resilience.window import CountWindow, Tally, TimeWindow, Window
from governance.rules.policies import CircuitBreaker


class State(Enum):
    """What a breaker does with calls. The values are the names in metrics."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"
    FORCED_OPEN = "forced_open"


class Event(Enum):
    """What a breaker may change its state at."""

    REACHED = "a share reached its threshold"
    RECOVERED = "the trials kept below both thresholds"
    WAITED = "the wait in the open state is over"


TRANSITIONS = {
    (State.CLOSED, Event.REACHED): State.OPEN,
    (State.OPEN, Event.WAITED): State.HALF_OPEN,
    (State.HALF_OPEN, Event.REACHED): State.OPEN,
    (State.HALF_OPEN, Event.RECOVERED): State.CLOSED,
}
"""All changes there are. In any other state, an event changes nothing."""


class Breaker:
    """The breaker of a policy. `now`, everywhere, is seconds of one clock. Raises `ValueError` where the size of the window is none."""

    def __init__(self, policy: CircuitBreaker, *, forced_open: bool = False) -> None:
        self._policy = policy
        self._size = policy.window
        self._wait = policy.wait_duration_in_open_state / 1000
        self._slow = policy.slow_call_duration_threshold / 1000
        self._until = 0.0
        self._period = 0
        self._enter(State.FORCED_OPEN if forced_open else State.CLOSED, 0.0)

    @property
    def state(self) -> State:
        """The state. A breaker whose wait is over is open until the next call comes."""
        return self._state

    def refuses_until(self) -> float:
        """When it will let a call try again; a time in the past where it lets calls through now."""
        return {State.OPEN: self._until, State.FORCED_OPEN: float("inf")}.get(self._state, float("-inf"))

    def admit(self, now: float) -> int | None:
        """A ticket for a call that may go on; None for one that is refused. Each ticket is told to `record` or `release` once."""
        if self._state is State.OPEN and now >= self._until:
            self._happened(Event.WAITED, now)
        if self._state is State.CLOSED:
            return self._period
        if self._state is State.HALF_OPEN and self._trials > 0:
            self._trials -= 1
            return self._period
        return None

    def record(self, ticket: int, now: float, *, failed: bool, took: float) -> None:
        """A call has ended, after so many seconds."""
        if ticket != self._period:
            return
        self._window.record(now, failed=failed, slow=took > self._slow)
        event = self._verdict(self._window.tally(now))
        if event is not None:
            self._happened(event, now)

    def release(self, ticket: int) -> None:
        """A call was abandoned, or was not made; nothing is known of how it would have gone."""
        if ticket == self._period and self._state is State.HALF_OPEN:
            self._trials += 1

    def tally(self, now: float) -> Tally:
        """The calls that are recorded at present."""
        return self._window.tally(now)

    def rates(self, now: float) -> tuple[float, float]:
        """The shares, in percent, of failed and of slow calls; -1 while fewer than the minimum are recorded."""
        tally = self._window.tally(now)
        if tally.calls < self._minimum:
            return -1.0, -1.0
        return tally.failed * 100 / tally.calls, tally.slow * 100 / tally.calls

    def _verdict(self, tally: Tally) -> Event | None:
        if tally.calls < self._minimum:
            return None
        policy = self._policy
        failing = tally.failed * 100 >= policy.failure_rate_threshold * tally.calls
        slow = tally.slow * 100 >= policy.slow_call_rate_threshold * tally.calls
        return Event.REACHED if failing or slow else Event.RECOVERED

    def _happened(self, event: Event, now: float) -> None:
        following = TRANSITIONS.get((self._state, event))
        if following is not None:
            self._enter(following, now)

    def _enter(self, state: State, now: float) -> None:
        self._state = state
        self._period += 1
        self._trials = self._policy.permitted_number_of_calls_in_half_open_state
        if state is State.OPEN:
            # The window stays to be looked at: why it opened.
            self._until = now + self._wait
        else:
            self._window, self._minimum = self._fresh_window(state)

    def _fresh_window(self, state: State) -> tuple[Window, int]:
        """A window, and the number of calls in it from which on their shares count."""
        least = self._policy.minimum_number_of_calls
        if state is not State.HALF_OPEN and self._policy.sliding_window_type == "TIME_BASED":
            return TimeWindow(self._size), least
        size = self._trials if state is State.HALF_OPEN else self._size
        return CountWindow(size), min(least, size)

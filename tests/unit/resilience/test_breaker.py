"""The breaker: its sequences, and against a naive one that keeps everything."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from governance.resilience.breaker import Breaker, State
from governance.rules.policies import CircuitBreaker

TEN = CircuitBreaker(
    name="ten",
    sliding_window_type="COUNT_BASED",
    sliding_window_size="10",
    minimum_number_of_calls=10,
    permitted_number_of_calls_in_half_open_state=3,
    wait_duration_in_open_state=5000,
    slow_call_duration_threshold=1000,
)


def _calls(breaker: Breaker, now: float, *failed: bool, took: float = 0.0) -> None:
    for one in failed:
        ticket = breaker.admit(now)
        assert ticket is not None
        breaker.record(ticket, now, failed=one, took=took)


def _opened(policy: CircuitBreaker = TEN) -> Breaker:
    breaker = Breaker(policy)
    _calls(breaker, 0.0, *[True] * min(10, policy.minimum_number_of_calls))
    assert breaker.state is State.OPEN
    return breaker


def test_five_failures_of_ten_open_it_and_the_first_call_after_the_wait_finds_it_half_open() -> None:
    breaker = Breaker(TEN)
    _calls(breaker, 0.0, *[True, False] * 4, True)
    assert breaker.state is State.CLOSED, "nine are below the minimum"
    assert breaker.rates(0.0) == (-1, -1)
    _calls(breaker, 0.0, False)
    assert breaker.state is State.OPEN
    assert breaker.rates(0.0) == (50, 0)
    assert breaker.admit(4.9) is None
    assert breaker.state is State.OPEN
    assert breaker.admit(5.0) is not None
    assert breaker.state is State.HALF_OPEN


def test_one_failure_fewer_leaves_it_closed() -> None:
    breaker = Breaker(TEN)
    _calls(breaker, 0.0, *[True] * 4, *[False] * 6)
    assert breaker.state is State.CLOSED
    _calls(breaker, 0.0, True)
    assert breaker.rates(0.0) == (40, 0), "the oldest failure has left the window"


def test_a_minimum_above_the_size_of_a_window_of_calls_is_its_size() -> None:
    breaker = Breaker(replace(TEN, minimum_number_of_calls=100))
    _calls(breaker, 0.0, *[True] * 10)
    assert breaker.state is State.OPEN


def test_in_a_window_of_seconds_old_failures_do_not_count() -> None:
    breaker = Breaker(replace(TEN, sliding_window_type="TIME_BASED", minimum_number_of_calls=4))
    _calls(breaker, 0.0, True, True, True)
    _calls(breaker, 10.0, True)
    assert breaker.state is State.CLOSED
    _calls(breaker, 10.0, True, True, True)
    assert breaker.state is State.OPEN


def test_slow_calls_open_it_as_failures_do() -> None:
    breaker = Breaker(replace(TEN, slow_call_rate_threshold=30))
    _calls(breaker, 0.0, *[False] * 3, took=1.5)
    _calls(breaker, 0.0, *[False] * 7, took=1.0)
    assert breaker.state is State.OPEN
    assert breaker.rates(0.0) == (0, 30), "a call that took just as long as the duration is not slow"


@pytest.mark.parametrize(("failed", "state"), [(1, State.CLOSED), (2, State.OPEN)])
def test_the_trials_decide(failed: int, state: State) -> None:
    breaker = _opened()
    tickets = [breaker.admit(5.0) for _ in range(4)]
    assert tickets[3] is None, "three may try"
    for number, ticket in enumerate(tickets[:3]):
        assert ticket is not None
        assert breaker.state is State.HALF_OPEN
        breaker.record(ticket, 5.0, failed=number < failed, took=0.0)
    assert breaker.state is state
    assert (breaker.admit(9.9) is None) is (state is State.OPEN)
    assert breaker.admit(10.0) is not None


def test_it_closes_with_an_empty_window() -> None:
    breaker = _opened()
    _calls(breaker, 5.0, False, False, False)
    _calls(breaker, 5.0, *[True] * 9)
    assert breaker.state is State.CLOSED
    _calls(breaker, 5.0, True)
    assert breaker.state is State.OPEN


def test_fewer_trials_decide_where_the_minimum_is_less() -> None:
    breaker = _opened(replace(TEN, minimum_number_of_calls=2))
    _calls(breaker, 5.0, False, False)
    assert breaker.state is State.CLOSED


def test_trials_are_counted_as_calls_where_the_window_is_of_seconds() -> None:
    breaker = _opened(replace(TEN, sliding_window_type="TIME_BASED", sliding_window_size="1"))
    for second in (5.0, 50.0):
        _calls(breaker, second, False)
        assert breaker.state is State.HALF_OPEN
    _calls(breaker, 500.0, False)
    assert breaker.state is State.CLOSED


def test_a_trial_that_is_abandoned_gives_its_place_to_another() -> None:
    breaker = _opened()
    tickets = [breaker.admit(5.0) for _ in range(3)]
    assert breaker.admit(5.0) is None
    for ticket in tickets:
        assert ticket is not None
        breaker.release(ticket)
    _calls(breaker, 5.0, False, False, False)
    assert breaker.state is State.CLOSED


def test_a_call_of_the_time_before_says_nothing_of_the_trials() -> None:
    breaker = Breaker(TEN)
    old = breaker.admit(0.0)
    assert old is not None
    _calls(breaker, 0.0, *[True] * 10)
    trial = breaker.admit(5.0)
    assert trial is not None
    for _ in range(5):
        breaker.record(old, 5.0, failed=True, took=0.0)
        breaker.release(old)
    assert breaker.state is State.HALF_OPEN
    assert breaker.tally(5.0).calls == 0
    assert [breaker.admit(5.0) is not None for _ in range(3)] == [True, True, False], "no place came from nowhere"


def test_forced_open_refuses_for_ever() -> None:
    breaker = Breaker(TEN, forced_open=True)
    assert breaker.admit(0.0) is None
    assert breaker.admit(1e9) is None
    assert breaker.state is State.FORCED_OPEN


@dataclass
class _Call:
    """A call of the naive breaker."""

    ticket: int
    life: int


class AgainstANaiveBreaker(RuleBasedStateMachine):
    """The naive one keeps the list of all calls of the state that it is in, and counts it anew each time."""

    @initialize(
        by_time=st.booleans(),
        size=st.integers(1, 6),
        minimum=st.integers(1, 8),
        permitted=st.integers(1, 4),
        threshold=st.sampled_from([1.0, 33.0, 50.0, 100.0]),
        slow=st.sampled_from([25.0, 100.0]),
    )
    def begin(self, by_time: bool, size: int, minimum: int, permitted: int, threshold: float, slow: float) -> None:
        self.policy = CircuitBreaker(
            name="any",
            sliding_window_type="TIME_BASED" if by_time else "COUNT_BASED",
            sliding_window_size=str(size),
            minimum_number_of_calls=minimum,
            permitted_number_of_calls_in_half_open_state=permitted,
            failure_rate_threshold=threshold,
            slow_call_rate_threshold=slow,
            slow_call_duration_threshold=1000,
            wait_duration_in_open_state=4000,
        )
        self.breaker, self.now = Breaker(self.policy), 500.0
        self.state, self.life, self.opened = State.CLOSED, 0, 0.0
        self.ended: list[tuple[float, bool, bool]] = []
        self.trying, self.running = 0, list[_Call]()

    @rule(seconds=st.sampled_from([0.0625, 0.0625, 0.25, 1.0, 4.0]))
    def passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(failed=st.lists(st.booleans(), max_size=8))
    def some_come_and_end_at_once(self, failed: list[bool]) -> None:
        for one in failed:
            before = len(self.running)
            self.comes()
            if len(self.running) > before:
                self._end(self.running.pop(), failed=one, slow=False)

    @rule()
    def comes(self) -> None:
        if self.state is State.OPEN and self.now >= self.opened + 4:
            self._is(State.HALF_OPEN)
        permitted = self.policy.permitted_number_of_calls_in_half_open_state
        allowed = self.state is State.CLOSED or (
            self.state is State.HALF_OPEN and self.trying + len(self.ended) < permitted
        )
        ticket = self.breaker.admit(self.now)
        assert (ticket is not None) is allowed
        assert self.breaker.state is self.state
        if ticket is not None:
            self.running.append(_Call(ticket, self.life))
            self.trying += 1

    @precondition(lambda self: self.running)
    @rule(data=st.data(), failed=st.booleans(), slow=st.booleans())
    def ends(self, data: st.DataObject, failed: bool, slow: bool) -> None:
        self._end(self._one(data), failed=failed, slow=slow)

    def _end(self, one: _Call, *, failed: bool, slow: bool) -> None:
        self.breaker.record(one.ticket, self.now, failed=failed, took=2.0 if slow else 0.5)
        if one.life == self.life:
            self.trying -= 1
            self.ended.append((self.now, failed, slow))
            self._decide()
        assert self.breaker.state is self.state

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def is_abandoned(self, data: st.DataObject) -> None:
        one = self._one(data)
        self.breaker.release(one.ticket)
        self.trying -= one.life == self.life

    def _one(self, data: st.DataObject) -> _Call:
        return self.running.pop(data.draw(st.integers(0, len(self.running) - 1)))

    def _decide(self) -> None:
        policy, size = self.policy, self.policy.window
        if self.state is State.HALF_OPEN:
            size = policy.permitted_number_of_calls_in_half_open_state
        if self.state is State.CLOSED and policy.sliding_window_type == "TIME_BASED":
            seen = [one for one in self.ended if int(one[0]) > int(self.now) - size]
            least = policy.minimum_number_of_calls
        else:
            seen, least = self.ended[-size:], min(policy.minimum_number_of_calls, size)
        if len(seen) < least:
            return
        failed = sum(one[1] for one in seen) / len(seen) * 100 >= policy.failure_rate_threshold
        slow = sum(one[2] for one in seen) / len(seen) * 100 >= policy.slow_call_rate_threshold
        if failed or slow:
            self._is(State.OPEN)
        elif self.state is State.HALF_OPEN:
            self._is(State.CLOSED)

    def _is(self, state: State) -> None:
        self.state, self.life, self.opened = state, self.life + 1, self.now
        self.ended, self.trying = [], 0


AgainstANaiveBreaker.TestCase.settings = settings(max_examples=150, stateful_step_count=50, deadline=None)
TestAgainstANaiveBreaker = AgainstANaiveBreaker.TestCase

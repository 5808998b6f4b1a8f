"""Load balancing: in which order the instances of a list are tried. The first gets the call, the others where it cannot be reached."""

from __future__ import annotations

import random
from bisect import bisect
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Protocol

from governance.invocation.invocation import Target
from governance.invocation.measures import Measure
from governance.routing.callee import Shortlist
from governance.routing.lots import Targets

RECOMPUTED = 1000
"""Calls after which the weights of WeightedResponse are found anew."""
SLOW = 0.010
"""Seconds: where no instance takes longer on average, WeightedResponse goes round."""
_MOST_LATENCIES = 10_000
_MOST_LISTS = 100
"""Lists of one callee that are remembered: as many as a route rule has items at most."""


class Balancer(Protocol):
    """One way to choose. `now` is the clock's time in seconds."""

    def order(self, shortlist: Shortlist, now: float, *, again: bool) -> Iterator[Target]:
        """All instances of a list that is not empty, the one that is chosen first; `again` where the call has been tried before."""

    def done(self, target: Target, seconds: float, *, failed: bool) -> None:
        """A call has taken so long."""


class RoundRobin:
    """One after another. Every call starts with the next."""

    def order(self, shortlist: Shortlist, now: float, *, again: bool) -> Iterator[Target]:
        """The second choice differs from round to round, so that the calls of one that is gone are shared by all the others."""
        targets, turn = shortlist.targets, shortlist.turn
        # A repetition is no turn: else, of two instances, the one that fails would get every call's first try.
        turn -= again
        shortlist.turn = turn + 1
        rounds, first = divmod(turn, len(targets))
        yield targets[first]
        others = targets[first + 1 :] + targets[:first]
        second = rounds % max(1, len(others))
        yield from others[second:]
        yield from others[:second]

    def done(self, target: Target, seconds: float, *, failed: bool) -> None:
        """What has been does not count."""


class Random:
    """Any of them, each as likely."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice

    def order(self, shortlist: Shortlist, now: float, *, again: bool) -> Iterator[Target]:
        """By chance."""
        return _beginning_with(self._dice.randrange(len(shortlist.targets)), shortlist.targets, self._dice)

    def done(self, target: Target, seconds: float, *, failed: bool) -> None:
        """What has been does not count."""


def _beginning_with(first: int, targets: Targets, dice: random.Random) -> Iterator[Target]:
    yield targets[first]
    others = [*targets[:first], *targets[first + 1 :]]
    dice.shuffle(others)
    yield from others


@dataclass(slots=True)
class _Latency:
    """`average` is of the calls between the last two times that weights were found, 0 where there were none; the others are since then."""

    average: float = 0.0
    calls: int = 0
    seconds: float = 0.0


class WeightedResponse:
    """The slower an instance answers, the fewer calls it gets: its weight is the sum of the averages of all the others.

    A new instance counts as the fastest. Where none takes longer than 10 ms, and before the first 1,000 calls, it goes round.
    """

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        self._round = RoundRobin()
        self._latencies: dict[str, _Latency] = {}
        self._calls = 0
        self._weights: dict[Shortlist, list[float]] = {}

    def order(self, shortlist: Shortlist, now: float, *, again: bool) -> Iterator[Target]:
        """By chance and weight."""
        sums = self._sums(shortlist)
        if not sums:
            return self._round.order(shortlist, now, again=again)
        first = min(bisect(sums, self._dice.random() * sums[-1]), len(sums) - 1)
        return _beginning_with(first, shortlist.targets, self._dice)

    def _sums(self, shortlist: Shortlist) -> list[float]:
        """The weights, each added to those before; nothing where they do not count."""
        sums = self._weights.get(shortlist)
        if sums is None:
            if len(self._weights) >= _MOST_LISTS:
                self._weights.clear()
            sums = self._weights[shortlist] = [*self._found(shortlist.targets)]
        return sums

    def _found(self, targets: Targets) -> Iterator[float]:
        known = (self._latencies.get(one.instance_id) for one in targets)
        averages = [latency.average if latency is not None else 0.0 for latency in known]
        if len(targets) < 2 or max(averages) <= SLOW:
            return iter(())
        total = sum(averages)
        return accumulate(total - average for average in averages)

    def done(self, target: Target, seconds: float, *, failed: bool) -> None:
        """The weights are found anew after 1,000 calls."""
        latency = self._latencies.setdefault(target.instance_id, _Latency())
        latency.calls += 1
        # Who fails at once is not fast.
        latency.seconds += max(seconds, latency.average) if failed else seconds
        self._calls += 1
        if self._calls % RECOMPUTED == 0:
            self._recompute()

    def _recompute(self) -> None:
        if len(self._latencies) > _MOST_LATENCIES:
            self._latencies = {name: latency for name, latency in self._latencies.items() if latency.calls}
        for latency in self._latencies.values():
            if latency.calls:
                latency.average = latency.seconds / latency.calls
                latency.calls, latency.seconds = 0, 0.0
        self._weights.clear()

    def measures(self) -> Iterable[Measure]:
        """Nothing: the protocol has no measures of load balancing."""
        return ()


@dataclass(slots=True)
class _Session:
    """An instance that is stuck to. `used` is the clock's time of the last call."""

    used: float
    failures: int = 0


class SessionStickiness:
    """The same instance for as long as calls keep coming and do not fail one after another; the next one is that of a round.

    Where route rules lead to several lists, each list has its own, unless one that is stuck to is in it.
    """

    def __init__(self, idle: float, failures: int) -> None:
        self._idle = idle
        self._failures = failures
        self._round = RoundRobin()
        self._sessions: dict[str, _Session] = {}

    def order(self, shortlist: Shortlist, now: float, *, again: bool) -> Iterator[Target]:
        """The one that is stuck to, then the others."""
        left = self._leave(now)
        stuck = next((name for name in self._sessions if name in shortlist.by_id), None)
        if stuck is None:
            stuck = self._next(shortlist, now, left, again=again)
        self._sessions[stuck].used = now
        yield shortlist.by_id[stuck]
        yield from (one for one in self._round.order(shortlist, now, again=again) if one.instance_id != stuck)

    def _leave(self, now: float) -> set[str]:
        """End sessions that are over; those that failed too often."""
        over = {name for name, one in self._sessions.items() if now - one.used > self._idle}
        failed = {name for name, one in self._sessions.items() if one.failures >= self._failures}
        for name in over | failed:
            del self._sessions[name]
        return failed

    def _next(self, shortlist: Shortlist, now: float, left: set[str], *, again: bool) -> str:
        names = [one.instance_id for one in self._round.order(shortlist, now, again=again)]
        name = next((name for name in names if name not in left), names[0])
        if len(self._sessions) >= _MOST_LISTS:
            del self._sessions[next(iter(self._sessions))]
        self._sessions[name] = _Session(now)
        return name

    def done(self, target: Target, seconds: float, *, failed: bool) -> None:
        """A success ends a row of failures."""
        session = self._sessions.get(target.instance_id)
        if session is not None:
            session.failures = session.failures + 1 if failed else 0

    def measures(self) -> Iterable[Measure]:
        """Nothing: the protocol has no measures of load balancing."""
        return ()

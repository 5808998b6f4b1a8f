"""The stage that chooses the instance for each try of a call.

Isolation, then the route rule or dark launch, properties, zones, affinity, then load balancing. An instance that cannot be reached is
passed over, as though it were not there.
"""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass

from governance.clock import Clock
from governance.invocation.chain import Proceed
from governance.invocation.invocation import Invocation, LocalReply, Reply, Target
from governance.invocation.live import LiveRules
from governance.routing.balancers import Balancer
from governance.routing.balancing import Balancing
from governance.routing.callee import Callee, Shortlist
from governance.routing.errors import NoInstanceError
from governance.routing.lots import Lot, Targets
from governance.routing.own import OwnInstance
from governance.rules.policies import Retry

_PICKS = 17
"""Draws of a repetition, to find an instance that was not tried: as many as Java Chassis makes."""
_FAILURES = (408, 490, 503)
"""Statuses that count as failures of an instance."""
_REFUSALS = ("faultInjection", "instanceIsolation", "instanceBulkhead")
"""What comes between the choice and the call: its replies tell nothing of the instance."""


@dataclass(eq=False, slots=True)
class _Try:
    """One try of a call. `earlier` is how many instances were tried before it, `why` says why there is nobody
    to call.
    """

    invocation: Invocation
    callee: Callee
    balancer: Balancer
    instances: Targets
    earlier: int
    heeds_isolation: bool = True
    why: str = ""

    def tried(self, target: Target) -> bool:
        """Whether an instance was called, in this try or before."""
        return target.instance_id in self.invocation.tried

    def failed(self, target: Target) -> bool:
        """Whether an instance could not be reached in this try."""
        return target.instance_id in self.invocation.tried[self.earlier :]

    @property
    def begun(self) -> bool:
        """Whether anyone has been called in this try."""
        return len(self.invocation.tried) > self.earlier


class Pick:
    """Chooses `invocation.target`, appends its id to `invocation.tried` and calls it.

    `find` gives the instances that can be called: the same tuple for as long as nothing changes, so that what is found out is kept.
    `isolated` says whether an instance is put aside for a call. `unsent` says of an error that nothing was sent: then the next instance is
    called. Raises `NoInstanceError` where there is nobody to call, and what the call raises.
    """

    name = "loadbalance"

    def __init__(
        self,
        rules: LiveRules,
        own: OwnInstance,
        find: Callable[[Invocation], Awaitable[Sequence[Target]]],
        *,
        isolated: Callable[[Invocation, Target], bool],
        unsent: Callable[[BaseException], bool],
        clock: Clock = time.monotonic,
        dice: random.Random | None = None,
    ) -> None:
        self._rules = rules
        self._own = own
        self._find = find
        self._isolated = isolated
        self._unsent = unsent
        self._clock = clock
        self._dice = dice or random.Random()  # noqa: S311 - to spread calls, not to keep a secret
        self._balancing = Balancing(rules, self._dice)

    async def __call__(self, invocation: Invocation, proceed: Proceed) -> Reply:
        """Call one instance, and others while these cannot be reached."""
        this = self._begun(invocation, tuple(await self._find(invocation)))
        unreached: Exception | None = None
        for target in self._candidates(this):
            invocation.target = target
            invocation.tried.append(target.instance_id)
            began = self._clock()
            try:
                reply = await proceed(invocation)
            except Exception as error:
                this.balancer.done(target, self._clock() - began, failed=True)
                if not invocation.replayable or not self._unsent(error):
                    raise
                unreached = error
                continue
            if not isinstance(reply, LocalReply) or reply.by not in _REFUSALS:
                this.balancer.done(target, self._clock() - began, failed=reply.status in _FAILURES)
            return reply
        raise unreached or NoInstanceError(invocation.service, this.why)

    def _begun(self, invocation: Invocation, instances: Targets) -> _Try:
        book, service = self._rules.book, invocation.service
        if not instances:
            raise NoInstanceError(service, "none is known")
        name = f"{invocation.app}:{service}" if invocation.app else service
        routes = book.routes_to(service)
        callee = self._rules.state(
            f"servicecomb.routeRule.{name}", routes, lambda: Callee(service, routes, self._own, self._dice)
        )
        callee.see(book, instances)
        return _Try(invocation, callee, self._balancing.of(invocation, name), instances, len(invocation.tried))

    def _candidates(self, this: _Try) -> Iterator[Target]:
        """Whom to call, one after another while they cannot be reached."""
        if this.earlier:
            yield from self._same_again(this)
        lot, shortlist = self._drawn(this)
        yield from self._of_lot(this, lot, shortlist)
        if not this.begun and not this.why:
            # All are put aside, so that counts for none.
            this.heeds_isolation = False
            yield from self._of_lot(this, lot, shortlist)

    def _of_lot(self, this: _Try, lot: Lot, shortlist: Shortlist) -> Iterator[Target]:
        """Those of a draw. Where all of these are out, it leads to others, as though these were not there."""
        while shortlist.targets:
            yield from self._in_turn(this, shortlist)
            left = self._left(this)
            if not left:
                return
            shortlist = this.callee.shortlist_of(left, lot, this.invocation)
        this.why = shortlist.why

    def _in_turn(self, this: _Try, shortlist: Shortlist) -> Iterator[Target]:
        """Those of a list that are not put aside; at last those that were tried in earlier tries alone, which are better than nobody."""
        tried = this.invocation.tried
        again = this.earlier > 0 or not this.heeds_isolation
        for target in this.balancer.order(shortlist, self._clock(), again=again):
            if target.instance_id not in tried and not self._is_aside(this, target):
                yield target
        for target in shortlist.targets if this.earlier else ():
            if not this.failed(target) and not self._is_aside(this, target):
                yield target

    def _is_aside(self, this: _Try, target: Target) -> bool:
        return this.heeds_isolation and self._isolated(this.invocation, target)

    def _left(self, this: _Try) -> Targets:
        return tuple(one for one in this.instances if not this.failed(one) and not self._is_aside(this, one))

    def _drawn(self, this: _Try) -> tuple[Lot, Shortlist]:
        """A draw with its instances. A repetition draws again while all of these have been tried."""
        for _ in range(_PICKS if this.earlier else 1):
            lot = this.callee.lot(this.invocation)
            shortlist = this.callee.shortlist(lot, this.invocation)
            if not this.earlier or not all(map(this.tried, shortlist.targets)):
                break
        return lot, shortlist

    def _same_again(self, this: _Try) -> Iterator[Target]:
        """The instance of the try before, where the repetition is to be there."""
        tried = this.invocation.tried
        policy = self._rules.book.applied(Retry, this.invocation.request)
        asked = policy.retry_on_same if policy is not None else 0
        asked = asked or self._balancing.retries_on_same(this.invocation)
        if len(tried) - len(set(tried)) >= asked:
            return
        for target in this.instances:
            if target.instance_id == tried[-1] and not self._isolated(this.invocation, target):
                yield target

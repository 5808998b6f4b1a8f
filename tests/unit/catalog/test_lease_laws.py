"""Laws of leases and of their protection, whatever the population, whoever beats, and however the clock's ticks fall."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from registry.catalog import Limits
from registry.catalog.leases import TICK, Lease, Leases
from tests.unit.catalog.test_protection import Town

NUMBERS = st.integers(0, 5)


class LeaseMachine(RuleBasedStateMachine):
    """Leases against a model that looks at every one of them at every tick."""

    @initialize(times=st.lists(st.floats(0.3, 20), min_size=6, max_size=6))
    def begin(self, times: list[float]) -> None:
        """Six leases that begin together."""
        self.leases = Leases()
        self.all = [
            Lease(self.leases, "t", "s", str(number), ttl=ttl, interval=ttl / 4) for number, ttl in enumerate(times)
        ]
        self.ends: dict[Lease, float] = {}
        self.protected: dict[Lease, float] = {}
        for lease in self.all:
            self._start(lease)

    def _start(self, lease: Lease) -> None:
        self.leases.start(lease)
        self.ends[lease] = self.leases.now + lease.ttl

    @rule(number=NUMBERS)
    def beat(self, number: int) -> None:
        """A heartbeat gives a living lease its whole time again."""
        lease = self.all[number]
        if lease.alive:
            lease.beat()
            self.ends[lease] = self.leases.now + lease.ttl

    @rule(number=NUMBERS)
    def end(self, number: int) -> None:
        """An instance is unregistered."""
        lease = self.all[number]
        self.leases.end(lease)
        self.ends.pop(lease, None)
        self.protected.pop(lease, None)

    @rule(number=NUMBERS)
    def start(self, number: int) -> None:
        """It is registered again."""
        if not self.all[number].alive:
            self._start(self.all[number])

    @rule(seconds=st.floats(0, 5), keep=st.booleans())
    def pass_time(self, seconds: float, keep: bool) -> None:
        """Time passes in ticks; what is overdue is protected for two seconds once, or ends."""
        for _ in range(round(seconds / TICK)):
            for lease in self.leases.advance(TICK):
                assert self._until(lease) + TICK <= self.leases.now + 1e-9, "never early"
                if keep and lease not in self.protected:
                    self.leases.protect(lease, 2.0, "why")
                    self.protected[lease] = self.leases.now + 2.0
                else:
                    self.end(int(lease.instance_id))
            for lease in self.leases.recovered():
                assert self.ends[lease] > self.leases.now
                del self.protected[lease]

    def _until(self, lease: Lease) -> float:
        return max(self.ends[lease], self.protected.get(lease, 0.0))

    @invariant()
    def nobody_is_forgotten(self) -> None:
        """Every living lease is one of the model's, and none is more than a second late."""
        assert self.leases.alive == set(self.ends)
        assert set(self.leases.protected) == set(self.protected)
        assert all(self._until(lease) + 1 + 2 * TICK > self.leases.now for lease in self.ends)


LeaseMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestLeaseLaws = LeaseMachine.TestCase

SERVICES = ("a", "b", "c", "d")
LIMITS = st.builds(
    Limits,
    protection_min_instances=st.integers(0, 12),
    protection_ratio=st.sampled_from([0.1, 0.5, 0.8, 1.0]),
    protection_max_seconds=st.sampled_from([0.0, 5.0, 60.0]),
    last_known_ratio=st.sampled_from([0.1, 0.8, 1.0]),
    last_known_seconds=st.sampled_from([0.0, 10.0, 60.0]),
)


@settings(max_examples=60, deadline=None)
@given(LIMITS, st.lists(st.integers(1, 4), min_size=4, max_size=4), st.sets(st.sampled_from(SERVICES)))
def test_protection_only_delays(limits: Limits, sizes: list[int], beating: set[str]) -> None:
    """Whoever beats stays; whoever is silent is kept at most once, for its bound, and leaves; nobody is lost on the way."""
    town = Town(limits, **dict(zip(SERVICES, sizes, strict=True)))
    silent = set(SERVICES) - beating
    longest = 20 + 20 + limits.last_known_seconds + limits.protection_max_seconds
    lapses = town.pass_time(longest + 5, *sorted(beating))
    names = {name: {instance for _, instance in town.instances[name]} for name in SERVICES}
    kept = [lease.instance_id for lapse in lapses for lease, _ in lapse.kept]
    expired = [instance.instance_id for lapse in lapses for instance in lapse.expired]
    assert [town.registered(name) for name in SERVICES] == [
        0 if name in silent else len(names[name]) for name in SERVICES
    ]
    assert sorted(expired) == sorted(instance for name in silent for instance in names[name])
    assert set(kept) <= set(expired)
    assert len(set(kept)) == len(kept)
    assert not [lapse for lapse in lapses if lapse.recovered]


def test_a_lease_that_is_over_is_silent_even_where_it_is_shorter_than_the_interval() -> None:
    """`instance_ttl` may be less than one and a half intervals; such instances are protected too."""
    town = Town(Limits(instance_ttl=5), weather=2, other=8)
    kept = []
    for _ in range(4):
        for owner, instance in town.instances["other"]:
            town.catalog.instances.heartbeat("default/default", owner, instance)
        kept += [reason for lapse in town.pass_time(2) for _, reason in lapse.kept]
    assert kept == ["last-known"] * 2

"""Places: never more taken than there are, in the order of coming, and none lost."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from governance.resilience.slots import Slots


class Places(RuleBasedStateMachine):
    """Against two plain lists: who has a place, and who waits."""

    @initialize(most=st.integers(0, 4))
    def begin(self, most: int) -> None:
        self.most, self.slots = most, Slots[int](most)
        self.inside, self.line, self.number = list[int](), list[int](), 0

    @rule(waits=st.booleans())
    def comes(self, waits: bool) -> None:
        self.number += 1
        has = self.slots.take()
        assert has is (len(self.inside) < self.most)
        if has:
            self.inside.append(self.number)
        elif waits:
            self.slots.wait(self.number)
            self.line.append(self.number)

    @precondition(lambda self: self.inside)
    @rule(data=st.data())
    def leaves(self, data: st.DataObject) -> None:
        self.inside.remove(data.draw(st.sampled_from(self.inside)))
        following = self.slots.leave()
        assert following == (self.line[0] if self.line else None)
        self.inside += self.line[:1]
        del self.line[:1]

    @precondition(lambda self: self.line)
    @rule(data=st.data())
    def waits_no_longer(self, data: st.DataObject) -> None:
        one = data.draw(st.sampled_from(self.line))
        assert self.slots.abandon(one)
        self.line.remove(one)

    @rule(number=st.integers(0, 30))
    def one_who_does_not_wait_gives_up(self, number: int) -> None:
        if number not in self.line:
            assert not self.slots.abandon(number)

    @invariant()
    def every_place_is_free_or_had(self) -> None:
        if hasattr(self, "slots"):
            assert self.slots.free == self.most - len(self.inside) >= 0


Places.TestCase.settings = settings(max_examples=100, stateful_step_count=50, deadline=None)
TestPlaces = Places.TestCase

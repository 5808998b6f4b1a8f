"""By which silences an alarm is silenced, found without a look at every one of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.alarms.records import Silence
from registry.alarms.state import State
from registry.ledger import Ledger

TENANT = "default/default"
IDS = ("slow//mall/cart", "slow//mall/c*", "slow//mall/shop", "busy//mall/cart")
NOW = 10
_SILENCES = st.builds(
    Silence,
    st.just(TENANT),
    st.sampled_from((*IDS, "slow/*", "*", "????//mall/cart", "other")),
    st.sampled_from((NOW - 1, NOW, NOW + 1)),
    st.just("somebody"),
    st.just(0),
    st.just(""),
    st.booleans(),
    st.just(1),
)


@given(st.lists(st.tuples(st.booleans(), _SILENCES), max_size=30))
def test_they_are_those_that_cover_it(steps: list[tuple[bool, Silence]]) -> None:
    """Whatever was put and taken away before."""
    state = State(Ledger(), TENANT)
    kept: dict[str, Silence] = {}
    for put, silence in steps:
        before = kept.pop(silence.name, None)
        if put:
            kept[silence.name] = silence
        if put or before is not None:
            state.apply(before, silence if put else None)
    for alarm in IDS:
        wanted = {one.name: one.until for one in kept.values() if one.covers(alarm, NOW)}
        assert {one.name: one.until for one in state.table(TENANT).silences_of(alarm, NOW)} == wanted


@pytest.mark.parametrize("acknowledged", [True, False])
def test_an_acknowledgement_is_of_one_alarm_whatever_stands_in_its_id(acknowledged: bool) -> None:
    silence = Silence(TENANT, "slow//mall/c*", NOW + 1, "somebody", 0, "", acknowledged, 1)
    state = State(Ledger(), TENANT)
    state.apply(None, silence)
    found = list(state.table(TENANT).silences_of("slow//mall/cart", NOW))
    assert found == ([] if acknowledged else [silence])

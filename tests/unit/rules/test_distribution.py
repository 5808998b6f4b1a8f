"""Which instances a route rule gives requests, and with which share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from governance.rules.distribution import Plan, assign, draw, score, weights_of
from governance.rules.routes import RouteItem, RouteRule

_VALUES = st.sampled_from(["1", "2", "a"])
_TAGS = st.dictionaries(st.sampled_from(["version", "zone", "lane"]), _VALUES, min_size=1)


@dataclass(frozen=True, eq=False)
class Instance:
    """One of a callee."""

    version: str
    properties: Mapping[str, str] = field(default_factory=dict)


INSTANCES = st.lists(
    st.builds(Instance, _VALUES, st.dictionaries(st.sampled_from(["zone", "lane"]), _VALUES)), max_size=5
).map(tuple)


def _items(least: int) -> st.SearchStrategy[tuple[RouteItem, ...]]:
    return st.lists(st.builds(RouteItem, st.integers(0, 25), _TAGS), min_size=least, max_size=4).map(tuple)


RULES = st.builds(RouteRule, route=_items(1), fallback=_items(0), empty_protection=st.booleans())


def test_scores() -> None:
    assert score({"version": "1", "zone": "a"}, Instance("1", {"zone": "a"})) == 2
    assert score({"version": "1", "zone": "a"}, Instance("1")) == 2, "a tag that is not there fits"
    assert score({"version": "1"}, Instance("2")) == 0
    assert score({"version": "1", "zone": "a"}, Instance("1", {"zone": "b"})) == 0


def test_an_instance_is_of_the_item_that_it_fits_best() -> None:
    items = [
        RouteItem(50, {"version": "1"}),
        RouteItem(50, {"version": "1", "zone": "a"}),
        RouteItem(0, {"version": "1"}),
    ]
    plain, zoned, other = Instance("1", {"zone": "b"}), Instance("1", {"zone": "a"}), Instance("2")
    assert assign(items, [plain, zoned, other]) == ([(plain,), (zoned,), ()], (other,))


def test_an_absent_version_goes_to_the_fallback_or_to_all() -> None:
    """Not to the other version alone."""
    old = Instance("1")
    route = (RouteItem(20, {"version": "2"}), RouteItem(80, {"version": "1"}))
    spare = Instance("3")
    outcomes = Plan(RouteRule(route=route), (old, spare)).outcomes()
    assert {outcome.instances: outcome.share for outcome in outcomes} == {
        (old, spare): Fraction(1, 5),
        (old,): Fraction(4, 5),
    }
    rescued = Plan(RouteRule(route=route, fallback=(RouteItem(100, {"version": "3"}),)), (old, spare)).outcomes()
    assert {outcome.instances: outcome.share for outcome in rescued} == {
        (spare,): Fraction(1, 5),
        (old,): Fraction(4, 5),
    }


@given(RULES, INSTANCES)
def test_shares_add_up_and_nobody_else_is_given(rule: RouteRule, instances: tuple[Instance, ...]) -> None:
    outcomes = Plan(rule, instances).outcomes()
    assert sum(outcome.share for outcome in outcomes) == 1
    assert all(outcome.why and all(one in instances for one in outcome.instances) for outcome in outcomes)
    if rule.empty_protection and instances:
        assert all(outcome.instances for outcome in outcomes)


@given(st.lists(st.integers(0, 25), min_size=1, max_size=4))
def test_a_hundred_draws_are_exactly_the_weights(shares: list[int]) -> None:
    weights = weights_of([RouteItem(share, {"version": "1"}) for share in shares])
    assert sum(weights) == 100
    current: tuple[int, ...] = (0,) * len(weights)
    drawn: Counter[int] = Counter()
    for _ in range(100):
        place, current = draw(weights, current)
        drawn[place] += 1
    assert [drawn[place] for place in range(len(weights))] == weights
    assert set(current) == {0}

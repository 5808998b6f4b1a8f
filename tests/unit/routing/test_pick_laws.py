"""Whatever fails, whoever is isolated and however often a call is repeated: what always holds of a choice."""

from __future__ import annotations

from collections.abc import Collection

from hypothesis import given, settings
from hypothesis import strategies as st

from governance.routing.errors import NoInstanceError
from governance.rules.distribution import Plan
from governance.rules.printing import print_rule
from governance.rules.routes import RouteItem, RouteRule, RouteRules
from tests.unit.routing.callees import Callee, Instance, UnreachableError, calling

_VERSIONS = st.sampled_from(["1", "2", "3"])
_INSTANCES = st.lists(_VERSIONS, min_size=1, max_size=6).map(
    lambda some: tuple(Instance(f"i{number}", version) for number, version in enumerate(some))
)
_ITEMS = st.builds(RouteItem, st.integers(0, 50), st.fixed_dictionaries({"version": _VERSIONS}))
_RULES = st.builds(
    RouteRule,
    route=st.lists(_ITEMS, min_size=1, max_size=2).map(tuple),
    fallback=st.lists(_ITEMS, max_size=2).map(tuple),
    empty_protection=st.booleans(),
)
_NAMES = st.sets(st.integers(0, 5).map(lambda number: f"i{number}"))
_BALANCERS = st.sampled_from(["RoundRobin", "Random", "WeightedResponse", "SessionStickiness"])


def _reachable(rule: RouteRule, instances: Collection[Instance]) -> set[str]:
    """Whom the rule may give a call where these alone are there."""
    return {one.instance_id for outcome in Plan(rule, tuple(instances)).outcomes() for one in outcome.instances}


@settings(max_examples=200, deadline=None)
@given(_RULES, _INSTANCES, _NAMES, _NAMES, _BALANCERS, st.integers(1, 4))
async def test_a_choice(
    rule: RouteRule, instances: tuple[Instance, ...], gone: set[str], aside: set[str], balancer: str, tries: int
) -> None:
    callee = Callee(
        instances,
        routeRule__weather=print_rule(RouteRules("weather", (rule,))),
        loadbalance__all=f"rule: {balancer}",
    )
    callee.gone, callee.aside = gone, aside
    put_aside = aside if any(one.instance_id not in aside for one in instances) else set()
    there = [one for one in instances if one.instance_id not in put_aside]
    call = calling()
    for _ in range(tries):
        before = len(call.tried)
        reached = None
        try:
            reached = await callee.once(call)
        except UnreachableError:
            assert gone & set(call.tried[before:])
        except NoInstanceError:
            assert not rule.empty_protection
            assert call.tried[before:] == [], "who cannot be reached is an error of its own"
        called = call.tried[before:]
        assert len(set(called)) == len(called), "nobody is called twice in one try"
        assert not put_aside & set(called)
        assert called[-1:] == ([reached] if reached is not None else called[-1:])
        assert set(called[:-1]) <= gone
        for place, name in enumerate(called):
            left = [one for one in there if one.instance_id not in called[:place]]
            assert name in _reachable(rule, left), "each step is what the rule says of those that are left"
        if reached is None and rule.empty_protection:
            assert {one.instance_id for one in there} <= gone


@settings(max_examples=50, deadline=None)
@given(_INSTANCES, _BALANCERS, st.integers(0, 2**32))
async def test_repetitions_reach_everyone(instances: tuple[Instance, ...], balancer: str, seed: int) -> None:
    callee = Callee(instances, seed=seed, loadbalance__all=f"rule: {balancer}")
    call = calling()
    for _ in instances:
        await callee.once(call)
    assert sorted(call.tried) == [one.instance_id for one in instances]

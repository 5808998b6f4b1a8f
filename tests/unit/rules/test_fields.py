"""The fields of rules as data: a form that is made of them says what each is, what it may be, and what it is by default."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from governance.rules.asks import Sort
from governance.rules.check import check, rule_key
from governance.rules.fields import VALUE, Field, fields_of, fields_of_key, fields_of_record, kinds
from governance.rules.obedience import Does, obedience
from governance.rules.objects.degrade import Degrade
from governance.rules.objects.gray import GrayRelease
from governance.rules.runtimes import Runtime


def _all(fields: list[Field]) -> Iterator[Field]:
    for one in fields:
        yield one
        yield from _all(list(one.fields))


@pytest.mark.parametrize("kind", kinds())
def test_every_field_of_every_kind_says_what_it_is(kind: str) -> None:
    found = list(_all(list(fields_of(kind))))
    assert found
    for one in found:
        assert one.about or not one.name, one.name


@pytest.mark.parametrize("record", [GrayRelease, Degrade])
def test_so_do_those_of_objects(record: type) -> None:
    assert all(one.about for one in fields_of_record(record))


def test_a_field_has_its_bounds_and_its_default() -> None:
    retry = {one.name: one for one in fields_of("retry")}
    assert (retry["maxAttempts"].asks.sort, retry["maxAttempts"].asks.least, retry["maxAttempts"].default) == (
        Sort.WHOLE,
        1,
        3,
    )
    assert retry["initialInterval"].asks.sort is Sort.DURATION
    assert retry["retryStrategy"].asks.words == ("FixedInterval", "RandomBackoff")
    factor = retry["randomizationFactor"].asks
    assert (factor.least, factor.most, factor.above) == (0, 1, True)
    required = [one.name for one in fields_of("identifierRateLimiting") if one.required]
    assert required == ["identifier"]


@pytest.mark.parametrize(
    ("key", "sort", "default"),
    [
        ("servicecomb.isolation.Consumer.forecast.timeoutInMilliseconds", Sort.WHOLE, 30_000),
        ("servicecomb.loadbalance.forecast.strategy.name", Sort.CHOICE, "RoundRobin"),
        ("servicecomb.flowcontrol.Provider.qps.limit.ANY", Sort.WHOLE, None),
        ("servicecomb.publicKey.accessControl.white.edge.rule", Sort.TEXT, None),
    ],
)
def test_a_rule_that_is_a_single_value_has_one_field(key: str, sort: Sort, default: object) -> None:
    found = rule_key(key)
    assert found is not None
    (only,) = fields_of_key(found)
    assert (only.name, only.asks.sort, only.default) == (VALUE, sort, default)


def test_who_obeys_a_rule_and_who_does_not() -> None:
    python, java = Runtime("waggle-python", "0.1.0"), Runtime("servicecomb-java-chassis", "ServiceComb:2.7.9")
    other = Runtime("homemade", "1")
    checked = check("servicecomb.faultInjection.slow", "type: delay\ndelayTime: 10", [java, python])

    def does(runtime: Runtime) -> Does:
        return obedience(runtime, checked.problems, sound=checked.rule is not None).does

    assert (does(python), does(java), does(other)) == (Does.OBEYS, Does.IGNORES, Does.UNKNOWN)
    marker = check("servicecomb.matchGroup.m", "matches: [{queries: {a: {exact: b}}}]", [java, python])
    misread = obedience(java, marker.problems, sound=True)
    assert misread.does is Does.MISREADS
    assert "queries" in misread.why
    assert obedience(python, (), sound=False).does is Does.IGNORES

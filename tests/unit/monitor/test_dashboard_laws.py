"""Documents of one instance merge, sums are sums, and nothing grows beyond its bound: whatever comes in whatever order."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from registry.errors import RegistryError
from registry.monitor import Bounds, Dashboard, VersionKey
from registry.monitor.history import SAME_POINT
from registry.monitor.names import called_by, is_provided
from registry.monitor.reporter import Reporter
from registry.monitor.series import STEP, Curve, steps, summed
from registry.monitor.totals import Totals
from registry.monitor.uploads import LARGEST, Reading, Resources, Upload, plausible, share_of_failures

UNHURRIED = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""The machine may be busy."""
NOW = 1_800_000_000
KEY = VersionKey("default/default", "mall", "", "weather", "1.0.0")
_NAMES = tuple(f"Provider.weather.w.{letter}" for letter in "abcdef")
_READINGS = st.builds(
    lambda name, rate, latency, share, *, is_open: reading(name, rate, latency, share, is_open=is_open),
    st.sampled_from(_NAMES),
    st.floats(0, LARGEST, width=32),
    st.floats(0, 60_000, width=32),
    st.floats(0, 1, width=32),
    is_open=st.booleans(),
)
_SEVERAL = st.lists(_READINGS, max_size=6, unique_by=lambda one: one.name)


def reading(
    name: str, rate: float = 1, latency: float = 1, share: float = 0, p99: float = 0, *, is_open: bool = False
) -> Reading:
    """An interface of a document."""
    return Reading(name, rate, latency, (0, p99, 0, 0, 0, 0, 0), share, 10, 1, 0, 0, is_open)


def upload(interfaces: Sequence[Reading] = (), instance: str = "i", **facts: int) -> Upload:
    """A document."""
    return Upload("s", instance, "h", Resources(**facts), interfaces)  # type: ignore[arg-type]


def nobody(_name: str) -> bool:
    return False


def board(**bounds: int) -> Dashboard:
    return Dashboard(Bounds(**bounds))


def only(dashboard: Dashboard) -> Reporter:
    (one,) = dashboard.reporters(KEY.tenant)
    return one


@UNHURRIED
@given(_SEVERAL, st.integers(1, 4), st.randoms(use_true_random=False))
def test_the_union_of_documents_is_the_same_in_whatever_order_they_come(
    interfaces: list[Reading], parts: int, dice: random.Random
) -> None:
    whole, split = board(), board()
    whole.add(KEY, upload(interfaces), NOW, nobody)
    documents = [interfaces[part::parts] for part in range(parts)]
    dice.shuffle(documents)
    for one in documents:
        split.add(KEY, upload(one), NOW + 1, nobody)
    a, b = only(whole), only(split)
    assert {one.name: one for one in a.fresh(NOW)} == {one.name: one for one in b.fresh(NOW)}
    assert a.totals.rate == pytest.approx(b.totals.rate)
    assert (a.totals.breakers_open, a.totals.p99) == (b.totals.breakers_open, b.totals.p99)


@UNHURRIED
@given(st.lists(_SEVERAL, min_size=1, max_size=5))
def test_of_each_interface_the_newest_counts(documents: list[list[Reading]]) -> None:
    dashboard, wanted = board(), dict[str, Reading]()
    for second, interfaces in enumerate(documents, NOW):
        dashboard.add(KEY, upload(interfaces), second, nobody)
        wanted |= {one.name: one for one in interfaces}
    found = {one.name: (one.rate, one.breaker_open) for one in only(dashboard).fresh(NOW + len(documents))}
    assert found == {name: (one.rate, one.breaker_open) for name, one in wanted.items()}


@UNHURRIED
@given(st.lists(_SEVERAL, max_size=5))
def test_totals_are_the_sums_of_instances_and_interfaces(instances: list[list[Reading]]) -> None:
    dashboard, sums = board(), Totals()
    for number, interfaces in enumerate(instances):
        dashboard.add(KEY, upload(interfaces, str(number), threads=number, memory=number * 10), NOW, nobody)
    for one in dashboard.reporters(KEY.tenant):
        sums.add(one.totals)
    every = [one for interfaces in instances for one in interfaces]
    assert sums.rate == pytest.approx(sum(one.rate for one in every), rel=1e-6)
    assert sums.took == pytest.approx(sum(one.rate * one.latency for one in every), rel=1e-6)
    assert sums.failing == pytest.approx(sum(one.rate * one.failure_rate for one in every), rel=1e-5, abs=1e-9)
    assert sums.breakers_open == sum(one.breaker_open for one in every)
    assert sums.instances == len(instances)
    assert sums.threads * 10 == sums.memory == sum(range(len(instances))) * 10


@UNHURRIED
@given(st.lists(st.tuples(st.integers(-400, 400), _SEVERAL), max_size=40))
def test_history_keeps_its_time_and_its_length_also_when_the_clock_goes_back(
    steps_made: list[tuple[int, list[Reading]]],
) -> None:
    dashboard, second = board(seconds=60), NOW
    for step, interfaces in steps_made:
        second += step
        dashboard.add(KEY, upload(interfaces), second, nobody)
        reporter = only(dashboard)
        histories = [reporter.history, *(one.history for one in reporter.interfaces.values())]
        for one in histories:
            seconds = [values[0] for values in one.unpacked(one.copied())]
            assert seconds == sorted(seconds)
            assert all(b - a >= SAME_POINT for a, b in itertools.pairwise(seconds))
        told = [values[0] for values in reporter.history.unpacked(reporter.history.copied())]
        assert all(second - 60 < one <= second for one in told)
        assert dashboard.interfaces == len(reporter.interfaces)


def test_an_interface_or_an_instance_is_stale_after_three_of_its_own_intervals() -> None:
    dashboard = board()
    for second in range(0, 60, 20):
        names = _NAMES[:2] if second == 0 else _NAMES[:1]
        dashboard.add(KEY, upload([reading(name) for name in names]), NOW + second, nobody)
    one = only(dashboard)
    assert one.interval == 20
    assert len(list(one.fresh(NOW + 60))) == 2
    assert [fresh.name for fresh in one.fresh(NOW + 61)] == [_NAMES[0]]
    assert not one.is_stale(NOW + 100)
    assert one.is_stale(NOW + 101)


def test_a_stale_instance_is_forgotten_once_it_has_unregistered_else_when_its_time_is_over() -> None:
    dashboard = board(seconds=300)
    for name in ("here", "gone"):
        dashboard.add(KEY, upload([reading(_NAMES[0])], name), NOW, nobody)

    def registered(one: Reporter) -> bool:
        return one.instance_id == "here"

    dashboard.sweep(NOW + 30, registered)
    assert dashboard.instances == 2
    dashboard.sweep(NOW + 31, registered)
    assert [one.instance_id for one in dashboard.reporters(KEY.tenant)] == ["here"]
    dashboard.sweep(NOW + 300, registered)
    assert (dashboard.instances, dashboard.interfaces) == (0, 0)


def test_instances_and_interfaces_have_bounds_and_what_is_lost_is_counted() -> None:
    dashboard = board(instances=2, interfaces=3, all_interfaces=4)
    every = [reading(name) for name in _NAMES]
    dashboard.add(KEY, upload(every, "a"), NOW, nobody)
    dashboard.add(KEY, upload(every, "b"), NOW, nobody)
    assert [len(one.interfaces) for one in dashboard.reporters(KEY.tenant)] == [3, 1]
    assert (dashboard.interfaces, dashboard.lost_interfaces) == (4, 8)
    with pytest.raises(RegistryError, match="400100"):
        dashboard.add(KEY, upload([], "c"), NOW + 30, nobody)
    assert dashboard.lost_instances == 1
    dashboard.add(KEY, upload([], "b"), NOW + 30, nobody)
    dashboard.add(KEY, upload([], "c"), NOW + 31, nobody)
    assert [one.instance_id for one in dashboard.reporters(KEY.tenant)] == ["b", "c"], "the stale one gave way"


def test_a_series_holds_each_value_until_the_next_and_sums_instances_that_report_at_different_times() -> None:
    dashboard = board()
    for instance, offset in (("a", 0), ("b", 7)):
        for second in range(offset, 60, 10):
            document = upload([reading(_NAMES[0], 2, p99=5)], instance)
            dashboard.add(KEY, document, NOW + second, nobody)
    curves = [Curve(one.history.copied(), one.patience) for one in dashboard.reporters(KEY.tenant)]
    points = summed(curves, steps(NOW + 59, 300))
    assert [point.second for point in points] == list(range(NOW, NOW + 60, STEP))
    assert [point.totals.instances for point in points] == [1, *([2] * 11)]
    assert [point.totals.rate for point in points] == [2, *([4] * 11)]
    assert [point.second for point in summed(curves, steps(NOW + 200, 100))] == []


@pytest.mark.parametrize(
    ("told", "failures", "total", "share"),
    [
        (0.25, 0, 0, 0.25),
        (0.0, 3, 10, 0.0),
        (3, 0, 12, 0.25),
        (1, 0, 4, 0.25),
        (1, 4, 4, 1),
        (1.5, 30, 10, 1),
        (7, 0, 0, 0),
        (-1, 1, 4, 0.25),
    ],
)
def test_the_failure_rate_is_a_share_whatever_clients_mean_by_it(
    told: float, failures: int, total: int, share: float
) -> None:
    assert share_of_failures(told, failures, total) == share


def test_the_first_cpu_of_a_java_process_is_not_believed() -> None:
    assert (plausible(167491.3), plausible(99.5), plausible(-1)) == (None, 99.5, None)


@pytest.mark.parametrize(
    ("name", "provided", "called"),
    [
        ("Provider.weather.w.show", True, ""),
        ("Provider.GET /show/{id}", True, ""),
        ("Provider.weather", True, ""),
        ("Provider.limit-all", False, ""),
        ("Consumer.forecast.f.get", False, "forecast"),
        ("Consumer.forecast.com.example.F.get", False, "forecast"),
        ("Consumer.pay.eu", False, "pay.eu"),
        ("Consumer.pay.eu.p.do", False, "pay.eu"),
        ("Consumer.unknown.u.get", False, "unknown"),
        ("Consumer.isolate-all", False, ""),
        ("other", False, ""),
    ],
)
def test_names_tell_what_an_interface_is(name: str, provided: bool, called: str) -> None:
    assert is_provided(name, "weather") == provided
    assert called_by(name, lambda service: service in ("forecast", "pay.eu")) == called


def test_who_serves_nothing_is_summed_by_what_it_calls() -> None:
    dashboard = board()
    dashboard.add(KEY, upload([reading("Consumer.forecast.f.get", 3)]), NOW, nobody)
    assert only(dashboard).totals.rate == 3
    dashboard.add(KEY, upload([reading("Provider.weather.w.show", 1)]), NOW, nobody)
    assert only(dashboard).totals.rate == 1
    assert [(one.service, one.rate) for one in only(dashboard).calls] == [("forecast", 3)]

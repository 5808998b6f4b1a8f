"""What an address of the dashboard is about, and the order of its lists."""

from __future__ import annotations

from registry.console.pages.dashboard.lists import Order
from registry.console.pages.dashboard.scope import Scope

WEATHER = {"app": "map", "environment": "", "service": "weather"}


def test_an_empty_environment_is_one_of_its_own() -> None:
    assert Scope.of({"app": "map"}).query == {"app": ["map"]}
    assert Scope.of({"app": "map", "environment": ""}).query == {"app": ["map"], "environment": [""]}
    assert not Scope.of({"app": "", "q": "x"}).chosen


def test_the_way_to_it_has_an_address_for_each_step() -> None:
    crumbs = Scope.of({**WEATHER, "environment": "production"}).crumbs()
    assert [text for text, _ in crumbs] == ["map · production", "weather"]
    assert crumbs[0][1] == "/console/dashboard?app=map&environment=production"


def test_a_column_sorts_numbers_from_the_largest_and_then_turns() -> None:
    order = Order.of(Scope.of(WEATHER), {"list": "instances"})
    assert (order.kind, order.sort, order.descending) == ("instances", "service", False)
    by_rate = order.by("rate")
    assert (by_rate.descending, by_rate.by("rate").descending) == (True, False)
    assert order.by("instanceId").descending is False


def test_what_there_is_no_list_or_column_of_is_the_first() -> None:
    order = Order.of(Scope.of(WEATHER), {"list": "colours", "sort": "colour", "descending": "1"})
    assert (order.kind, order.sort, order.descending) == ("versions", "version", False)
    assert Order.of(Scope.of(WEATHER), {"list": "interfaces", "sort": "p50"}).sort == "interface"

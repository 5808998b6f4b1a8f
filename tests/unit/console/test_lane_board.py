"""A group of lanes as it is drawn: services in the order of the calls, components in the row of their lane."""

from __future__ import annotations

from typing import Any

from registry.console.pages.lanes.board import Board, drawn


def _component(name: str, *services: str) -> dict[str, Any]:
    """A component with an instance of each of these services."""
    return {"name": name, "instances": [{"service": service} for service in services]}


def _board(base: list[dict[str, Any]], gray: list[dict[str, Any]], calls: list[tuple[str, str]]) -> Board:
    lanes = [{"label": "base", "components": base}, {"label": "gray", "components": gray}]
    return drawn({"object": {"target": "door"}, "lanes": lanes}, calls)


def test_columns_are_in_the_order_of_the_calls_from_the_entry_on() -> None:
    base = [_component(name, name) for name in ("store", "middle", "door")]
    board = _board(base, [], [("door", "middle"), ("middle", "store"), ("store", "door"), ("other", "store")])
    assert list(board.services) == ["door", "middle", "store"]


def test_what_no_call_reaches_comes_last_as_the_lane_names_it() -> None:
    base = [_component(name, name) for name in ("second", "first", "door")]
    assert list(_board(base, [], []).services) == ["door", "second", "first"]


def test_a_component_is_below_its_service_in_the_row_of_its_lane() -> None:
    board = _board([_component("door", "door"), _component("store", "store")], [_component("blue", "store")], [])
    assert list(board.services) == ["door", "store"]
    assert [[one["name"] for one in cell] for cell in board.rows[1].cells] == [[], ["blue"]]
    assert board.rows[1].instances == 1


def test_a_component_that_does_not_run_is_below_the_service_with_which_its_name_begins() -> None:
    base = [_component("door", "door"), _component("door-to-cellar", "door-to-cellar")]
    board = _board(base, [_component("door-gray"), _component("attic")], [])
    assert list(board.services) == ["door", "door-to-cellar", "attic"]
    assert [[one["name"] for one in cell] for cell in board.rows[1].cells] == [["door-gray"], [], ["attic"]]


def test_services_that_run_in_several_lanes_are_named() -> None:
    base = [_component("door", "door"), _component("store", "store")]
    board = _board(base, [_component("store-gray", "store"), _component("door-gray")], [])
    assert board.apart == ["store"]

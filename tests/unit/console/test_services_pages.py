"""Pairs as people write them, and small curves as they are drawn."""

from __future__ import annotations

import pytest

from registry.console import sparks
from registry.console.pages.services.pairs import NO_PAIR, TWICE, PairsError, pairs_in, written


def test_pairs_are_read_and_written_one_a_line() -> None:
    text = " b = 2\n\na=x=y\nempty=\n"
    assert pairs_in(text) == {"b": "2", "a": "x=y", "empty": ""}
    assert written(pairs_in(text)) == "a=x=y\nb=2\nempty="
    assert pairs_in(" \n") == {}


@pytest.mark.parametrize(
    ("text", "why", "line", "name"),
    [("a=1\nno pair", NO_PAIR, 2, "no pair"), ("=1", NO_PAIR, 1, "=1"), ("a=1\n\na=2", TWICE, 3, "a")],
)
def test_what_is_no_pair_is_named_with_its_line(text: str, why: str, line: int, name: str) -> None:
    with pytest.raises(PairsError) as caught:
        pairs_in(text)
    assert (caught.value.text, caught.value.line, caught.value.name) == (why, line, name)


def test_a_curve_goes_from_left_to_right_with_the_largest_at_the_top() -> None:
    assert sparks.line([0, 5, 10]) == "0.0,26.0 60.0,14.0 120.0,2.0"
    assert sparks.area([0, 5, 10]) == "0,28 0.0,26.0 60.0,14.0 120.0,2.0 120,28"
    assert sparks.line([0, 0]) == "0.0,26.0 120.0,26.0"


def test_a_single_value_is_no_curve() -> None:
    assert sparks.line([3]) == sparks.area([3]) == sparks.line([]) == ""

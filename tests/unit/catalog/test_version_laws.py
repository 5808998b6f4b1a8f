"""Laws of versions and of the rules that select them. Protocol: Service Center sections 4.5 and 7.11."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from registry.catalog.versions import parse_version, version_filter

VERSIONS = st.lists(st.integers(0, 32767), min_size=1, max_size=4).map(lambda parts: ".".join(map(str, parts)))
RULES = VERSIONS | VERSIONS.map(lambda version: f"{version}+") | st.just("latest")
RANGES = st.tuples(VERSIONS, VERSIONS).map("-".join)


def _selected(rule: str, versions: list[str]) -> set[str]:
    wanted = version_filter(rule, versions)
    return {version for version in versions if wanted(version)}


@given(VERSIONS, VERSIONS, VERSIONS)
@example("1.9", "1.10", "1.10.0")
def test_the_order_is_total_and_by_number(first: str, second: str, third: str) -> None:
    """Any two compare, transitively; parts compare as numbers, not as text."""
    one, two, three = map(parse_version, (first, second, third))
    assert (one < two) + (one == two) + (one > two) == 1
    assert one < three or not one < two or not two < three
    padded = [[*map(int, text.split(".")), 0, 0, 0][:4] for text in (first, second)]
    assert (one < two) == (padded[0] < padded[1])


@given(st.lists(VERSIONS, unique=True), RULES | RANGES)
def test_a_rule_selects_some_of_what_is_there(versions: list[str], rule: str) -> None:
    """Never anything else, and the same whatever the order in which versions are registered."""
    selected = _selected(rule, versions)
    assert selected <= set(versions)
    if rule != "latest":
        assert selected == _selected(rule, versions[::-1])


@given(st.lists(VERSIONS, unique_by=parse_version), VERSIONS, VERSIONS)
def test_a_range_is_what_lies_between_two_minimums(versions: list[str], first: str, second: str) -> None:
    """`a-b` is `a+` without `b+`, whichever is lower."""
    low, high = sorted((first, second), key=parse_version)
    assert _selected(f"{first}-{second}", versions) == _selected(f"{low}+", versions) - _selected(f"{high}+", versions)


@given(st.lists(VERSIONS, unique_by=parse_version), VERSIONS, VERSIONS)
def test_a_higher_minimum_selects_no_more(versions: list[str], first: str, second: str) -> None:
    low, high = sorted((first, second), key=parse_version)
    assert _selected(f"{high}+", versions) <= _selected(f"{low}+", versions)


@given(st.lists(VERSIONS, min_size=1, unique_by=parse_version))
def test_zero_selects_all_and_latest_one_of_them(versions: list[str]) -> None:
    """`0+` and `0.0.0.0+` are how clients ask for every version."""
    assert _selected("0+", versions) == _selected("0.0.0.0+", versions) == set(versions)
    assert len(_selected("latest", versions)) == 1
    assert _selected("latest", []) == set()


@given(st.lists(VERSIONS, unique=True), VERSIONS)
def test_an_exact_rule_is_a_text(versions: list[str], version: str) -> None:
    """1.0 is not 1.0.0, though neither is above the other: existence compares texts as well."""
    assert _selected(version, versions) == {version} & set(versions)


@given(st.text(max_size=12))
@example("1.0.0+1")
@example("1-2-3")
@example("latest ")
@example("\u0661+")
def test_any_text_is_a_rule_or_refused(rule: str) -> None:
    """By `ValueError`, which the API answers as 400001, and never by anything else."""
    try:
        wanted = version_filter(rule, ["1.0.0"])
    except ValueError:
        return
    assert wanted("1.0.0") in (True, False)


@pytest.mark.parametrize("rule", ["1.0.0+1", "1-2-3", "latest ", "\u0661+", "-", "1-", "-1", "1+-2+"])
def test_near_misses_are_refused(rule: str) -> None:
    with pytest.raises(ValueError, match="form"):
        version_filter(rule, ["1.0.0"])

"""Versions and the rules that select them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.catalog.versions import parse_version, version_filter

VERSIONS = st.lists(st.integers(0, 32767), min_size=1, max_size=4).map(lambda parts: ".".join(map(str, parts)))


@given(VERSIONS)
def test_missing_parts_count_as_zero(version: str) -> None:
    """1.0 and 1.0.0.0 are one place in the order."""
    if version.count(".") < 3:
        assert parse_version(version) == parse_version(f"{version}.0")


@pytest.mark.parametrize("text", ["", "1.", ".1", "1.2.3.4.5", "a", "1.32768", "-1", "1..2", "\uff11", "1\n"])
def test_what_is_no_version_is_refused(text: str) -> None:
    """Nothing but one to four numbers up to 32767."""
    with pytest.raises(ValueError, match=r"form|above"):
        parse_version(text)


@given(st.lists(VERSIONS, min_size=1, unique_by=parse_version), VERSIONS)
def test_a_minimum_splits_the_versions(versions: list[str], least: str) -> None:
    """`v+` takes exactly what is not below v."""
    wanted = version_filter(f"{least}+", versions)
    assert all(wanted(version) == (parse_version(version) >= parse_version(least)) for version in versions)


@given(st.lists(VERSIONS, min_size=1, unique_by=parse_version))
def test_latest_takes_one_and_it_is_the_newest(versions: list[str]) -> None:
    """`latest` takes the one version that no other is newer than."""
    taken = [version for version in versions if version_filter("latest", versions)(version)]
    assert taken == [max(versions, key=parse_version)]


@given(VERSIONS, VERSIONS, VERSIONS)
def test_a_range_is_the_same_from_either_end(first: str, second: str, version: str) -> None:
    """`a-b` is `b-a`, takes the lower bound and leaves out the upper."""
    forward = version_filter(f"{first}-{second}", [])(version)
    assert forward == version_filter(f"{second}-{first}", [])(version)
    low, high = sorted((parse_version(first), parse_version(second)))
    assert forward == (low <= parse_version(version) < high)


@pytest.mark.parametrize("rule", ["x", "1.0.0-", "+", "1.0.0++", "latest+"])
def test_what_is_no_rule_is_refused(rule: str) -> None:
    """A rule that means nothing selects nothing silently nowhere."""
    with pytest.raises(ValueError, match="form"):
        version_filter(rule, ["1.0.0"])

"""Durations, as Java reads them, and what to write instead of what it does not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.rules.durations import parse_duration, print_duration


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("0", 0), ("500", 500), ("-1", -1), ("9999999999", 9_999_999_999), ("1S", 1000), ("0.5s", 500),
        ("1M", 60_000), ("1H30M", 5_400_000),
        ("10s", 10_000), ("-0.5S", -500), ("1H-1M", 3_540_000), ("0,25S", 250), ("1.S", 1000),
    ],
)  # fmt: skip
def test_what_java_reads(text: str, milliseconds: int) -> None:
    assert parse_duration(text) == milliseconds


@pytest.mark.parametrize(
    ("text", "instead"),
    [
        ("500ms", "write 500 or 0.5S"), ("1000 ms", "write 1000 or 1S"), ("PT1S", "write 1S"),
        ("pt0.5s", "write 0.5S"), ("1d", "write 24H"),
        ("", "as 500"), ("soon", "as 500"), ("12345678901", "as 500"), (" 1S", "as 500"), ("S", "as 500"),
        ("1M1H", "as 500"), ("-", "as 500"),
    ],
)  # fmt: skip
def test_what_it_does_not_read(text: str, instead: str) -> None:
    with pytest.raises(ValueError, match=instead):
        parse_duration(text)


@given(st.integers(-(2**62), 2**62))
def test_what_is_printed_is_read_as_the_same(milliseconds: int) -> None:
    assert parse_duration(print_duration(milliseconds)) == milliseconds


@given(st.text("0123456789HMSPTDhms.,+- "))
def test_any_text_is_a_duration_or_none(text: str) -> None:
    try:
        assert isinstance(parse_duration(text), int)
    except ValueError as error:
        assert str(error).startswith("write ")

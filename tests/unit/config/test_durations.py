"""Durations as Go reads them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.api.kie.durations import seconds_of


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("+0", 0),
        ("-0", 0),
        ("0s", 0),
        ("10s", 10),
        ("100ms", 0.1),
        ("1h2m3.5s", 3723.5),
        ("1.5h", 5400),
        (".5s", 0.5),
        ("5.s", 5),
        ("1us", 1e-6),
        ("1µs", 1e-6),
        ("1μs", 1e-6),
        ("1000000000ns", 1),
        ("-1.5m", -90),
        ("+5s", 5),
        ("1s1s", 2),
        ("1ms1h", 3600.001),
    ],
)
def test_a_duration(text: str, seconds: float) -> None:
    assert seconds_of(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "invalid duration"),
        ("5", "missing unit in duration"),
        ("1h5", "missing unit in duration"),
        ("5.5", "missing unit in duration"),
        ("1.2.3s", "missing unit in duration"),
        ("s", "invalid duration"),
        (".", "invalid duration"),
        (".s", "invalid duration"),
        ("-", "invalid duration"),
        ("+-5s", "invalid duration"),
        (" 5s", "invalid duration"),
        ("5s ", 'unknown unit "s "'),
        ("5 s", 'unknown unit " s"'),
        ("5S", 'unknown unit "S"'),
        ("5d", 'unknown unit "d"'),
        ("5sec", 'unknown unit "sec"'),
        ("1e3s", 'unknown unit "e"'),
        ("\u0665s", "invalid duration"),
        ("9223372037s", "invalid duration"),
        ("-2562048h", "invalid duration"),
        ("9" * 60 + "s", "invalid duration"),
        ("1" * 65, "invalid duration"),
        ("nan", "invalid duration"),
        ("infs", "invalid duration"),
    ],
)
def test_no_duration(text: str, problem: str) -> None:
    """In Go's words."""
    with pytest.raises(ValueError, match=r"^time: ") as raised:
        seconds_of(text)
    assert problem in str(raised.value)


@given(st.text("0123456789.+-hmsnuµ ", max_size=20))
def test_any_text_is_a_duration_or_none(text: str) -> None:
    """Never anything else, and never one that is not finite."""
    try:
        seconds = seconds_of(text)
    except ValueError:
        return
    assert abs(seconds) <= 2**63 / 1e9

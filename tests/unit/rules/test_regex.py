"""Patterns that fit whole texts: as Python's own engine says, and never slow."""

from __future__ import annotations

import random
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.rules.pattern import LONGEST_PATTERN, RegexError
from governance.rules.regex import LONGEST_TEXT, MOST_STEPS, Regex

_ATOMS = st.sampled_from(["a", "b", ".", "[ab]", "[^a]", r"\d", r"\w", r"\.", "[a-c0-9]", r"\S"])
_PATTERNS = st.recursive(
    _ATOMS,
    lambda inner: (
        st.builds("({}|{})".format, inner, inner)
        | st.builds("{}{}".format, inner, inner)
        | st.builds("(?:{}){}".format, inner, st.sampled_from(["*", "+", "?", "{2}", "{1,3}", "{2,}", "*?"]))
    ),
    max_leaves=8,
)


@given(_PATTERNS, st.text("abc1. ", max_size=8))
def test_it_fits_what_pythons_engine_fits(pattern: str, text: str) -> None:
    assert Regex.of(pattern).fits(text) == bool(re.fullmatch(pattern, text, re.ASCII))


def test_more_steps_than_are_kept_change_nothing() -> None:
    pattern = Regex("a*.b")
    for code in range(0x4E00, 0x4E00 + 2 * MOST_STEPS):
        assert pattern.fits(f"aa{chr(code)}b")
        assert not pattern.fits(f"aa{chr(code)}a")


@given(st.text(max_size=30))
def test_any_pattern_is_read_or_refused(pattern: str) -> None:
    try:
        Regex.of(pattern).fits("gray")
    except RegexError as error:
        assert str(error)


@pytest.mark.parametrize(
    "pattern", ["(a+)+$", "(a|a)*", "(.*)*(.*)*(.*)*b", "(((a*)*)*)*b", "a?" * 80 + "a" * 80, "(.{0,30}){0,30}b"]
)
def test_no_pattern_is_slow(pattern: str) -> None:
    """In seconds of the processor. An engine that goes back needs longer than the world has for these."""
    text = "a" * (LONGEST_TEXT - 1) + "!"
    before = time.process_time()
    assert not Regex.of(pattern).fits(text)
    assert time.process_time() - before < 5


def test_texts_that_nobody_sent_before_are_not_slow() -> None:
    """In seconds of the processor. Each of these reaches states that the one before did not, so nothing that is kept helps."""
    pattern = Regex("(.*a.{100}.{100}.{100}.{100}.{100}.{100}.{100}.{100}.{90}).*")
    chance = random.Random(7)
    texts = ["".join(chance.choices("ab", k=LONGEST_TEXT)) for _ in range(50)]
    before = time.process_time()
    assert not any(pattern.fits(text) for text in texts)
    assert time.process_time() - before < 5


@pytest.mark.parametrize(
    "pattern",
    [
        "(",
        ")",
        "[a",
        "*a",
        "a**",
        "a++",
        "(?=a)",
        "(?<x>a)",
        r"\1",
        r"\p{L}",
        "a{",
        "a{3,2}",
        "a{101}",
        "[b-a]",
        "[a[b]]",
        "a^b",
        "\\",
        r"\bword",
    ],
)
def test_what_is_wrong_or_not_known_is_refused(pattern: str) -> None:
    with pytest.raises(RegexError):
        Regex.of(pattern)


def test_patterns_and_texts_are_bounded() -> None:
    with pytest.raises(RegexError, match="characters"):
        Regex.of("a" * (LONGEST_PATTERN + 1))
    with pytest.raises(RegexError, match="parts"):
        Regex.of("((a{100}){100}){100}")
    assert Regex.of(".*").fits("a" * LONGEST_TEXT)
    assert not Regex.of(".*").fits("a" * (LONGEST_TEXT + 1))


def test_ends_may_be_marked() -> None:
    assert Regex.of("^gray$").fits("gray")
    assert Regex.of("gray\\$").fits("gray$")
    assert not Regex.of("^gray$").fits("grayish")
    assert Regex.of("").fits("")

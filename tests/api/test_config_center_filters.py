"""`keyFilter` means what the same regular expression means elsewhere, and takes no time that a client could choose."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from registry.api.config_center.filters import key_filter
from registry.errors import ConfigError

PIECES = st.lists(st.sampled_from(("a", "b", ".", ".*", ".+", r"\\.", "|", "-")), max_size=8).map("".join)
KEYS = st.text(st.sampled_from("ab.-"), max_size=12)


@given(st.sampled_from(("", "^")), PIECES, st.sampled_from(("", "$")), KEYS)
@example("^", "a.*b.*a", "$", "aba")
@example("", ".+", "$", "")
def test_it_finds_what_a_regular_expression_finds(begin: str, middle: str, end: str, key: str) -> None:
    pattern = begin + middle + end
    assert key_filter(pattern)(key) == bool(re.search(pattern.replace("$", r"\Z"), key))


@pytest.mark.parametrize("pattern", ["[a-z]", "(a)", "a*", "a+", "a?", "a{2}", r"\d", "a$b", "a^b", "\\", "x" * 257])
def test_what_is_not_known_is_refused(pattern: str) -> None:
    with pytest.raises(ConfigError, match="keyFilter"):
        key_filter(pattern)


@pytest.mark.parametrize("pattern", [".*a" * 80 + ".*b$", "^" + ".+a" * 80 + "c", "|".join([".*a.*a.*a.*b"] * 15)])
def test_no_expression_keeps_the_engine_busy(pattern: str) -> None:
    """The longest key, of which each part fits at every place: what backtracks takes longer than the universe."""
    fits = key_filter(pattern)
    started = time.process_time()
    assert not fits("a" * 2048)
    assert time.process_time() - started < 5

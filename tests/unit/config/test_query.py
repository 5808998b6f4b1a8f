"""Keys of queries against naive matchers, and what of a list one asks for."""

from __future__ import annotations

import fnmatch
import time

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from registry.config import Config
from registry.config.query import Query, answer, find, key_test
from registry.config.records import Draft
from registry.config.state import Topic
from registry.ledger import Ledger

TENANT = "default/default"
ALL = Topic(TENANT, frozenset(), False)
KEY = st.text("aAb.-:_", max_size=8)
PATTERN = st.text("aAb.-:_*", max_size=8)


def _naive(pattern: str, key: str) -> bool:
    """By every way to cut the key: slow, and plain to see."""
    if not pattern:
        return not key
    if pattern[0] == "*":
        return any(_naive(pattern[1:], key[start:]) for start in range(len(key) + 1))
    return bool(key) and key[0] == pattern[0] and _naive(pattern[1:], key[1:])


@given(PATTERN, KEY)
@example("*", "")
@example("a*a", "a")
@example("*aab*ab", "aaabaab")
@example("**", "x")
def test_wildcards_match_as_the_naive_matcher_does(pattern: str, key: str) -> None:
    """Anchored at both ends, whatever the case; an empty one matches everything."""
    wanted = not pattern or _naive(pattern.lower(), key.lower())
    assert key_test(f"wildcard({pattern})")(key) == wanted
    assert not pattern or wanted == fnmatch.fnmatchcase(key.lower(), pattern.lower())


@given(st.text("aAb.", max_size=4), KEY)
def test_prefixes_and_exact_keys(text: str, key: str) -> None:
    """Whatever the case; no key at all is every key."""
    assert key_test(f"beginWith({text})")(key) == key.lower().startswith(text.lower())
    assert key_test(text)(key) == (not text or text.lower() == key.lower())


def test_a_pattern_cannot_take_long() -> None:
    """The worst patterns that fit against the longest key: the naive way would take for ever."""
    key = "a" * 2047 + "b"
    started = time.process_time()
    for pattern in ("a*" * 58 + "c", "*a" * 58 + "*", "*" * 117):
        fits = key_test(f"wildcard({pattern})")
        for _ in range(100):
            fits(key)
    assert time.process_time() - started < 2


@pytest.fixture
def config() -> Config:
    """Items k0 to k9, every other one disabled, with labels by thirds."""
    made = Config(Ledger(), 100)
    for number in range(10):
        status = "enabled" if number % 2 else "disabled"
        made.keys.create(TENANT, Draft(f"k{number}", f"v{number}", {"third": str(number % 3)}, status=status), 1000)
    return made


def test_what_is_asked_for_together_holds_together(config: Config) -> None:
    """Key, value, status and labels; and the total counts what is found before the page is cut."""
    topic = Topic(TENANT, frozenset({("third", "0")}), False)
    found = find(config.state, Query(topic, "wildcard(k*)", "v", "enabled"))
    assert [item.draft.key for item in found] == ["k9", "k3"]
    body = orjson.loads(answer(config.state, Query(topic, status="disabled", offset=1, limit=1)))
    assert (body["total"], [row["key"] for row in body["data"]]) == (2, ["k0"])


@given(st.integers(0, 12), st.integers(1, 12))
def test_pages_are_pieces_of_the_list(offset: int, limit: int) -> None:
    """Every page, also past the end."""
    state = Config(Ledger(), 100)
    for number in range(10):
        state.keys.create(TENANT, Draft(f"k{number}"), 1000)
    whole = [item.draft.key for item in find(state.state, Query(ALL))]
    page = orjson.loads(answer(state.state, Query(ALL, offset=offset, limit=limit)))
    assert page["total"] == 10
    assert [row["key"] for row in page["data"]] == whole[offset : offset + limit]


def test_asking_leaves_no_trace(config: Config) -> None:
    """A project that nobody wrote to has no table, and answers that are kept ready are bounded."""
    before = len(list(config.state.tables()))
    for number in range(10_050):
        assert answer(config.state, Query(Topic(f"default/p{number}", frozenset(), True))) == b'{"total":0,"data":[]}'
    assert len(list(config.state.tables())) == before
    assert len(config.state._ready) <= 10_000

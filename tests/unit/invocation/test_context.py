"""What travels along: both headers are read and written, and no bytes of theirs can hurt."""

from __future__ import annotations

import json
from urllib.parse import quote

from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from governance.invocation import context

_NAMES = st.text(min_size=1, max_size=20)


def test_both_headers_are_read_and_java_chassis_counts_first() -> None:
    headers = {
        "X-CSE-Context": '{"user":"tom","n":1}',
        "X-Invocation-Context": quote('{"user":"ann","lane":"gray"}'),
        "x-cse-canary": "gray",
    }
    assert context.read(CIMultiDict(headers)) == {"user": "tom", "lane": "gray", "x_cse_canary": "gray"}


def test_what_is_no_context_counts_for_nothing() -> None:
    for text in ("", "{", "[]", '"x"', "\udcff", "%ff%fe", "{" * 20_000):
        assert context.read({"x-cse-context": text, "x-invocation-context": text}) == {}


def test_the_block_has_its_own_context() -> None:
    assert context.current() == {}
    with context.having(user="tom"), context.having(lane="gray"):
        assert dict(context.current()) == {"user": "tom", "lane": "gray"}
    assert context.current() == {}


@given(st.dictionaries(_NAMES, st.text(max_size=50), max_size=5))
def test_what_is_written_is_read_again(values: dict[str, str]) -> None:
    values.pop("x_cse_canary", None)
    headers = context.written(values)
    assert all(text.isascii() and text.isprintable() for text in headers.values())
    assert context.read({"x-cse-context": headers.get("x-cse-context", "")}) == values or _has_surrogates(values)


@given(
    st.dictionaries(st.sampled_from(["x-cse-context", "x-invocation-context", "x_cse_canary"]), st.text(max_size=200))
)
def test_no_header_can_hurt(headers: dict[str, str]) -> None:
    found = context.read(headers)
    json.dumps(found)
    context.written(found)


def _has_surrogates(values: dict[str, str]) -> bool:
    return any("\ud800" <= char <= "\udfff" for name, text in values.items() for char in name + text)

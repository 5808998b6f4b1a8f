"""What travels along: both headers are read and written, and no bytes of theirs can hurt."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest
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


def test_what_java_chassis_2_routes_by_counts_as_context_and_goes_on() -> None:
    """Section 4.4: the headers that it lifts are JSON within its context."""
    sent = {"X-RouterContext": json.dumps({"type": "gray", "user": "ann"}), "user": "tom"}
    found = context.read({"x-cse-context": json.dumps(sent)})
    assert found == {"type": "gray", **sent}, "what stands in the context itself goes first"
    assert context.read(context.written(found)) == found
    assert context.read({"x-cse-context": '{"X-RouterContext":"{"}'}) == {"X-RouterContext": "{"}


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
    assert context.read({"x-cse-context": headers.get("x-cse-context", "")}) == _whole(values)
    assert context.read({"x-invocation-context": headers.get("x-invocation-context", "")}) == _whole(values)


@given(
    st.dictionaries(st.sampled_from(["x-cse-context", "x-invocation-context", "x_cse_canary"]), st.text(max_size=200))
)
def test_no_header_can_hurt(headers: dict[str, str]) -> None:
    found = context.read(headers)
    json.dumps(found)
    context.written(found)


@pytest.mark.parametrize(
    "value", ["a\r\nx-evil: 1", "a\nb", "\x00", "\x7f", "a: b", "é", "日本", "\U0001f600", '"}', "%0d%0a"]
)
def test_a_value_cannot_become_a_header(value: str) -> None:
    values = {"user": value, value: "name", "x_cse_canary": value}
    headers = context.written(values)
    assert set(headers) <= {"x-cse-context", "x-invocation-context", *context.LANE_HEADERS}
    assert all(text.isascii() and text.isprintable() for text in headers.values())
    assert context.read({"x-cse-context": headers["x-cse-context"]}) == values


def test_half_a_character_does_not_cost_the_whole_context() -> None:
    """As a header has it that is no UTF-8."""
    headers = context.written({"user": "tom", "type": "a\udcff", "\ud800": "x"})
    for name in ("x-cse-context", "x-invocation-context"):
        assert context.read({name: headers[name]}) == {"user": "tom", "type": "a\ufffd", "\ufffd": "x"}


def test_what_nobody_would_read_is_not_sent() -> None:
    fits = context.LARGEST - len('{"a":""}')
    assert len(context.written({"a": "x" * fits})["x-cse-context"]) == context.LARGEST
    assert context.read(context.written({"a": "x" * fits})) == {"a": "x" * fits}
    assert context.written({"a": "x" * (fits + 1), "x_cse_canary": "gray"}) == dict.fromkeys(
        context.LANE_HEADERS, "gray"
    )
    assert context.read({"x-cse-context": '{"a":"' + "x" * (fits + 1) + '"}'}) == {}


def test_what_is_too_long_in_its_encoding_goes_in_the_other_header_alone() -> None:
    values = {"a": "é" * 2500}
    headers = context.written(values)
    assert list(headers) == ["x-cse-context"]
    assert context.read(headers) == values


@pytest.mark.parametrize("lane", ["gray", "a.b-c_d~", "x" * 256])
def test_a_lane_goes_in_both_spellings(lane: str) -> None:
    headers = context.written({"x_cse_canary": lane})
    assert (headers["x_cse_canary"], headers["x-cse-canary"]) == (lane, lane)
    for name in context.LANE_HEADERS:
        assert context.read(CIMultiDict({name.title(): lane})) == {"x_cse_canary": lane}


def _whole(values: dict[str, str]) -> dict[str, str]:
    """The values without halves of characters; the last of names that become the same counts."""
    return {_mended(name): _mended(value) for name, value in values.items()}


def _mended(text: str) -> str:
    return "".join("\ufffd" if "\ud800" <= char <= "\udfff" else char for char in text)

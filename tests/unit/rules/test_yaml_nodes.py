"""YAML as nodes: texts as they are written, with their places, and nothing that cannot be stored or answered."""

from __future__ import annotations

import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode

from governance.rules.parsing import ParseError, Position
from governance.rules.yaml_nodes import compose, is_null, place_of


def _scalar(text: str) -> str:
    node = compose(text)
    assert isinstance(node, ScalarNode)
    return str(node.value)


def test_scalars_are_as_they_are_written() -> None:
    for text in ("1.10", "yes", "010", "2001-01-01", "1:30", "~"):
        assert _scalar(text) == text
    assert _scalar('"a\\tb"') == "a\tb"


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ('"\\ud83d\\ude00"', "😀"),
        ('"a\\ud83db"', "a\ufffdb"),
        ('"\\ude00"', "\ufffd"),
        ('"\\U0001F600"', "😀"),
    ],
)
def test_halves_of_characters_become_whole_ones(text: str, read: str) -> None:
    assert _scalar(text) == read
    node = compose(f"- {{{text}: &a [{text}]}}\n- *a\n")
    assert node is not None
    (name, value), alias = node.value[0].value[0], node.value[1]
    assert (name.value, value.value[0].value) == (read, read)
    assert alias is value, "an alias is the node itself"


def test_a_node_that_contains_itself_is_no_defect() -> None:
    node = compose('&a {"\\ud800": *a}')
    assert isinstance(node, MappingNode)
    assert node.value[0][1] is node


def test_places_and_nulls() -> None:
    node = compose("a:\n  - b: null\n  -\n  - 'null'\n")
    assert node is not None
    items: list[Node] = node.value[0][1].value
    assert [place_of(item) for item in items] == [Position(2, 5), Position(3, 4), Position(4, 5)]
    assert [is_null(item) for item in items] == [False, True, False]
    assert compose("# nothing\n") is None


def test_an_anchor_may_be_used_again_without_a_word() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        node = compose("- &a x\n- &a y\n- *a\n")
    assert node is not None
    assert node.value[2].value == "y"


@given(
    st.lists(
        st.sampled_from([*"[]{}:,-#&*!|>'\"\\% \nab\x07", "\\ud800", "\\x", "&a ", "*a", "---\n", "? "]), max_size=25
    )
)
def test_any_text_is_read_or_refused_with_a_place(pieces: list[str]) -> None:
    try:
        compose("".join(pieces))
    except ParseError as error:
        assert error.at.line >= 1
        assert error.at.column >= 1

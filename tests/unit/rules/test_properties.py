"""Java properties are read as Java reads them, and every key has its place.

`java_properties.jsonl` holds what `java.util.Properties.load` of JDK 17 made of fixed and random texts; `null` where it threw.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.rules.parsing import ParseError, Places, Position
from governance.rules.properties import parse_properties

RECORDED = [json.loads(line) for line in (Path(__file__).parent / "java_properties.jsonl").read_text().splitlines()]


def _read(text: str) -> dict[str, str] | None:
    try:
        return {found.key: found.value for found in parse_properties(text)}
    except ParseError:
        return None


def test_every_text_is_read_as_java_read_it() -> None:
    assert len(RECORDED) > 200
    assert sum(record["properties"] is None for record in RECORDED) > 10
    assert [record for record in RECORDED if _read(record["text"]) != record["properties"]] == []


def test_a_key_has_its_place() -> None:
    text = "# c\n  a = 1\n\nb\\\n  c = \\\n  2\n"
    found = {row.key: (row.value, row.at) for row in parse_properties(text)}
    assert found == {"a": ("1", Position(2, 3)), "bc": ("2", Position(4, 1))}


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("a=\\u12", Position(1, 3)),
        ("a=1\n  b=x\\uzzzz", Position(2, 6)),
        ("a=x\\\n   y\\\n \\u1", Position(3, 2)),
        ("\\u=1", Position(1, 1)),
    ],
)
def test_a_broken_escape_has_its_place(text: str, at: Position) -> None:
    with pytest.raises(ParseError, match="hexadecimal") as caught:
        parse_properties(text)
    assert caught.value.at == at


@given(st.text(alphabet="a=: \t\\\n\r#!u0é", max_size=40))
def test_any_text_is_read_or_refused_with_a_place_in_it(text: str) -> None:
    try:
        parse_properties(text)
    except ParseError as error:
        lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        assert 1 <= error.at.column <= len(lines[error.at.line - 1])


@pytest.mark.parametrize("text", ["a\\\n" * 100_000, "\\\n" * 100_000, "\\\\" * 150_000, "a=" + "=: " * 100_000])
def test_the_time_does_not_grow_faster_than_the_text(text: str) -> None:
    begun = time.process_time()
    parse_properties(text)
    assert time.process_time() - begun < 5


@given(st.text(alphabet="ab\n", max_size=30))
def test_places_count_lines_and_columns_from_one(text: str) -> None:
    places, line, column = Places(text), 1, 1
    for offset, letter in enumerate(text):
        assert places.at(offset) == Position(line, column)
        line, column = (line + 1, 1) if letter == "\n" else (line, column + 1)

"""What is wrong within a value is found in its file."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.rules.parsing import Position
from registry.config.export import file_of
from registry.config.files import Format, read_file
from registry.config.places import value_places
from registry.config.records import ENABLED, Draft, KeyValue

_HEAD = "items:\n  - key: a\n"


@pytest.mark.parametrize(
    ("written", "inner", "place"),
    [
        ("    value: |\n      x: 1\n      y: 2\n", Position(2, 4), Position(5, 10)),
        ("    value: |-\n      - a\n\n      - b\n", Position(3, 1), Position(6, 7)),
        ("    value: |2\n        x: 1\n", Position(1, 3), Position(4, 9)),
        ("    value: x\n", Position(1, 1), Position(3, 12)),
        ("    value: 'rate: x'\n", Position(1, 7), Position(3, 19)),
        ('    value: "rate: x"\n', Position(1, 1), Position(3, 13)),
        ('    value: "a: 1\\nb: 2"\n', Position(2, 1), None),
        ("    value: 'it''s'\n", Position(1, 4), None),
        ("    value: >\n      a\n      b\n", Position(1, 3), None),
    ],
)
def test_a_place_in_a_value_is_one_in_the_file(written: str, inner: Position, place: Position | None) -> None:
    (found,) = value_places(_HEAD + written, Format.YAML)
    assert found is not None
    assert found.at(inner) == place


def test_other_formats_do_not_say_it() -> None:
    assert value_places("a=b\n", Format.PROPERTIES) == []
    assert value_places("items:\n  - key: a\n    value: *b\n  - &b x\n"[:8], Format.YAML) == []


_TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=40)


@given(st.lists(st.text("ab: -\n#'\"|", max_size=30) | _TEXT, min_size=1, max_size=4))
def test_what_is_found_in_an_exported_file_is_what_is_in_the_value(values: list[str]) -> None:
    drafts = [Draft(f"k{place}", value, {}, status=ENABLED) for place, value in enumerate(values)]
    items = [KeyValue.of("t/t", draft, created=(1, 1), updated=(1, 1)) for draft in drafts]
    text = file_of(items, Format.YAML)
    lines = text.split("\n")
    edits = read_file(text, Format.YAML, {})
    for edit, place in zip(edits, value_places(text, Format.YAML), strict=True):
        assert edit.value is not None
        assert place is not None
        for number, line in enumerate(edit.value.split("\n"), 1):
            at = place.at(Position(number, 1))
            if at is not None:
                assert lines[at.line - 1][at.column - 1 :].startswith(line)

"""What Java clients make of an item, this engine makes of it as well.

`java_yaml.jsonl` holds what Java itself made of random texts: Spring 5.3.31's YamlPropertiesFactoryBean on SnakeYAML 1.33, each property
read by `getProperty`; `null` where it threw.
"""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.rules.flatten import MOST_CHARACTERS, flatten, flatten_yaml
from governance.rules.parsing import ParseError
from governance.rules.scalars import Kind, scalar_of

RECORDED = [json.loads(line) for line in (Path(__file__).parent / "java_yaml.jsonl").read_text().splitlines()]


def _flat(text: str) -> dict[str, str] | None:
    try:
        return dict(flatten_yaml(text))
    except ParseError:
        return None


def test_every_text_becomes_what_java_made_of_it() -> None:
    assert sum(record["java"] is not None for record in RECORDED) > 200
    assert sum(record["java"] is None for record in RECORDED) > 50
    assert [record for record in RECORDED if _flat(record["yaml"]) != record["java"]] == []


def test_nested_keys_are_joined_and_lists_are_counted() -> None:
    text = "server:\n  port: 8080\n  hosts: [a, {name: b}]\n  none:\n  empty: {}\n  nothing: []\n"
    assert _flat(text) == {
        "server.port": "8080",
        "server.hosts[0]": "a",
        "server.hosts[1].name": "b",
        "server.none": "",
        "server.nothing": "",
    }


def test_later_documents_win() -> None:
    assert _flat("a: 1\nb: 1\n---\na: 2\n") == {"a": "2", "b": "1"}


def test_a_text_of_nothing_has_no_properties() -> None:
    assert _flat("") == _flat("---\n") == _flat("# only a comment\n") == {}


@pytest.mark.parametrize("day", ["2020-01-01", "2001-12-14t21:59:43.10-05:00"])
def test_a_date_stays_as_it_is_written(day: str) -> None:
    """Java prints it in its own time zone, which nobody else knows."""
    assert scalar_of(day, "", plain=True).kind is Kind.TIMESTAMP
    assert _flat(f"since: {day}") == {"since": day}


@pytest.mark.parametrize(
    ("text", "where", "why"),
    [
        ("a: b: c", "line 1, column 5", "mapping values are not allowed here"),
        ("a: 1\nb: 'x", "line 2, column 6", "found unexpected end of stream"),
        ("a: 1\na: 2", "line 2, column 1", "the key a is there twice"),
        ("a: \x01", "line 1, column 4", "the character U+0001 is not allowed"),
        ("a: *b", "line 1, column 4", "the alias b is of nothing before it"),
        ("a: &b [*b]", "line 1, column 8", "the alias b is of nothing before it"),
        ("a: !java.net.URL x", "line 1, column 4", "the tag !java.net.URL is not known"),
        ("a: !!int x", "line 1, column 4", "what is tagged as int is none"),
        ("<<: 1", "line 1, column 1", "<< takes a mapping or a list of mappings"),
        ("[" * 60 + "]" * 60, "line 1, column 52", "more than 50 collections are nested"),
    ],
)
def test_what_does_not_parse_is_told_with_its_place(text: str, where: str, why: str) -> None:
    with pytest.raises(ParseError, match=re.escape(f"{where}: {why}")):
        flatten_yaml(text)


@pytest.mark.parametrize(
    "text",
    [
        "a0: &0 [x]\n" + "".join(f"a{n}: &{n} [{','.join([f'*{n - 1}'] * 6)}]\n" for n in range(1, 9)),
        "a0: &0 {}\n" + "".join(f"a{n}: &{n} [{','.join([f'*{n - 1}'] * 6)}]\n" for n in range(1, 9)),
        "? " + "k" * 60_000 + "\n:\n" + "".join(f" - {n}\n" for n in range(5_000)),
        "a: &x [1]\nb: [" + ",".join(["*x"] * 51) + "]",
        "a: " + "9" * 1100 + "\nb: [" + "[" * 20_000,
    ],
    ids=["many aliases", "aliases of nothing", "a long key over many children", "51 aliases", "deep"],
)
def test_a_small_text_that_means_very_much_is_refused_soon(text: str) -> None:
    started = time.process_time()
    with pytest.raises(ParseError):
        flatten_yaml(text)
    assert time.process_time() - started < 20


@given(st.text(st.sampled_from("ab01:-[]{}&*!|>'\"#%<~.,? \n\t"), max_size=60))
def test_no_text_breaks_the_reader(text: str) -> None:
    flat = _flat(text)
    if flat is not None:
        assert sum(map(len, (*flat, *flat.values()))) <= MOST_CHARACTERS
        json.dumps(flat, ensure_ascii=False).encode()


@pytest.mark.parametrize("kind", ["text", "json", "ini", "xml"])
def test_other_types_are_one_property(kind: str) -> None:
    assert flatten("rule", "a: 1", kind) == {"rule": "a: 1"}


def test_the_key_of_yaml_and_properties_is_dropped() -> None:
    assert flatten("dropped", "a: {b: 1.10}", "yaml") == {"a.b": "1.1"}
    text = "# comment\na.b = 1.10\nlong = x\\\n  y\n\\u00e9: z\n"
    assert flatten("dropped", text, "properties") == {"a.b": "1.10", "long": "xy", "é": "z"}


def test_halves_of_a_character_become_one_and_a_half_alone_is_replaced() -> None:
    assert _flat(r'a: "\ud83d\ude00 \ud83d"') == {"a": "😀 \ufffd"}
    assert _flat(r'? ["\ud83d\ude00"]' + "\n: 1") == {"[[😀]]": "1"}

"""A value is what its type says, or the refusal says where it is not."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.rules.parsing import ParseError
from registry.config.records import VALUE_TYPES, Draft
from registry.config.values import check_value, refuse_unparsable
from registry.errors import ConfigError

GOOD = [
    ("text", "anything: [at all"),
    ("text", ""),
    ("json", '{"a": [1, null, "\\u00e9"]}'),
    ("json", "3"),
    ("yaml", ""),
    ("yaml", "a: 1\n---\nb: [x, {y: z}]\n"),
    ("properties", ""),
    ("properties", "# only a comment\na b\n"),
    ("ini", ""),
    ("ini", "top = 1\n; c\n[a b] # c\nkey: value\n  and more\n\tand more\n[c]\n"),
    ("xml", "<a/>"),
    ("xml", '<?xml version="1.0" encoding="utf-16"?>\n<é b="1"><!-- c --><![CDATA[<]]>&lt;</é>\n'),
]
BAD = [
    ("json", "", "line 1, column 1: .*empty"),
    ("json", '{\n "a": tru }', "line 2, column 7: "),
    ("json", "[NaN]", "line 1, column 2: "),
    ("json", "[" * 5000, "line 1, column 1026: depth"),
    ("yaml", "a: 1\n b: 2", "line 2, column 3: mapping values are not allowed here"),
    ("yaml", "a: 1\na: 2", "line 2, column 1: .*twice"),
    ("yaml", "a: !!java.net.URL x", "line 1, column 4: the tag"),
    ("yaml", "k: \x07", r"line 1, column 4: the character U\+0007 is not allowed"),
    ("properties", "a=1\nb=\\u00g1", "line 2, column 3: .*hexadecimal"),
    ("ini", "a = 1\nfoo\n", "line 2, column 1: a name with ="),
    ("ini", "[a]\n  more", "line 2, column 3: a name with ="),
    ("ini", "  [a", "line 1, column 3: .*closing"),
    ("ini", "[ ]", "line 1, column 1: .*no name"),
    ("ini", "[a] b", "line 1, column 4: .*comment"),
    ("ini", "x=1\n= 1", "line 2, column 1: .*no name"),
    ("xml", "", "line 1, column 1: no element found"),
    ("xml", "<a>\n  <b></c></a>", "line 2, column 8: mismatched tag"),
    ("xml", "<a>&nbsp;</a>", "line 1, column 4: undefined entity"),
    ("xml", "<a/>\n<b/>", "line 2, column 1: junk"),
]


@pytest.mark.parametrize(("value_type", "value"), GOOD)
def test_what_parses_is_taken(value_type: str, value: str) -> None:
    check_value(value_type, value)
    refuse_unparsable(Draft("k", value, value_type=value_type))


@pytest.mark.parametrize(("value_type", "value", "said"), BAD)
def test_what_does_not_parse_is_refused_with_its_place(value_type: str, value: str, said: str) -> None:
    with pytest.raises(ParseError) as caught:
        check_value(value_type, value)
    assert re.match(said, str(caught.value)), str(caught.value)
    with pytest.raises(ConfigError) as refused:
        refuse_unparsable(Draft("k", value, value_type=value_type))
    assert refused.value.error.code == 400006
    assert refused.value.detail == f"as {value_type}, {caught.value}"


_LAUGHS = "".join(f'<!ENTITY {b} "{f"&{a};" * 50}">' for a, b in zip("abcdefg", "bcdefgh", strict=True))


@pytest.mark.parametrize(
    "value",
    [
        '<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>',
        '<?xml version="1.0"?>\n<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
        '<!DOCTYPE a [<!ENTITY % p SYSTEM "http://127.0.0.1:1/x"> %p;]><a/>',
        f'<!DOCTYPE l [<!ENTITY a "ha">{_LAUGHS}]><l>&h;</l>',
    ],
)
def test_xml_may_not_define_entities(value: str) -> None:
    begun = time.process_time()
    with pytest.raises(ParseError, match="DOCTYPE"):
        check_value("xml", value)
    assert time.process_time() - begun < 1


def test_a_small_yaml_that_means_gigabytes_is_refused_at_once() -> None:
    levels = "".join(f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True))
    begun = time.process_time()
    with pytest.raises(ParseError):
        check_value("yaml", f"a: &a [x, x, x, x, x, x, x, x, x]\n{levels}")
    assert time.process_time() - begun < 5


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? ", "<a>", "[a]\n", "\\\n", "&a ", '{"a":'])
@pytest.mark.parametrize("value_type", VALUE_TYPES)
def test_deep_and_long_values_are_no_defect(value_type: str, opening: str) -> None:
    begun = time.process_time()
    try:
        check_value(value_type, opening * 3000)
    except ParseError as error:
        assert error.why
    assert time.process_time() - begun < 10


_PIECES = st.sampled_from(
    [*"[]{}:,-=#;&*!|>'\"\\<>/?% \t\r\nab0\x00\x85\ufeff\u2028é😀", "<a>", "<!", "\\u00", "&a", "*a", "<<: "]
)


@given(st.sampled_from(VALUE_TYPES), st.lists(_PIECES, max_size=25).map("".join))
def test_any_text_parses_or_is_refused_with_a_place(value_type: str, value: str) -> None:
    try:
        check_value(value_type, value)
    except ParseError as error:
        assert error.at.line >= 1
        assert error.at.column >= 1
        assert error.at.line <= len(value.splitlines()) + 1
        assert error.why

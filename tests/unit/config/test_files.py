"""Items as files: what is written is read back, what is wrong has its place, and importing an export changes nothing."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from governance.rules.parsing import ParseError, Position
from registry.config import Config
from registry.config.edits import Action, Edit, carry_out, plan
from registry.config.export import file_of
from registry.config.files import Format, read_file
from registry.config.records import Draft, KeyValue
from registry.ledger import Ledger

TENANT = "default/default"
_NASTY = st.sampled_from(
    [*"\n \t:#-'\"\\=!|>{}[]&*%@`~?,\r\x00\x7f\x85\xa0\u2028\ufeffé😀", "null", "true", "1.10", "<<", "---"]
)
TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=("Cs",)), max_size=20), st.lists(_NASTY, max_size=15).map("".join)
)
LABELS = st.dictionaries(
    st.sampled_from(["app", "service", "environment", "null", "on", "x.y", "1"]),
    st.sampled_from(["", "mall", "1.0.0", "1.10", "true", "0x1", "NULL", "a-b"]),
    max_size=4,
)
DRAFTS = st.builds(
    Draft,
    st.one_of(
        st.from_regex(r"[a-zA-Z0-9._:@#/-]{1,12}", fullmatch=True), st.sampled_from(["null", "1.0", "-", "#a", ":"])
    ),
    TEXTS,
    LABELS,
    st.sampled_from(["text", "yaml", "json", "xml"]),
    st.sampled_from(["enabled", "disabled"]),
    st.integers(-(2**31), 2**31 - 1),
    st.text(st.characters(max_codepoint=127), max_size=5),
)


def _name(draft: Draft | Edit) -> tuple[str, frozenset[tuple[str, str]]]:
    return draft.key, frozenset(draft.labels.items())


ITEMS = st.lists(DRAFTS, unique_by=_name, max_size=4)


def _records(*drafts: Draft) -> list[KeyValue]:
    return [KeyValue.of(TENANT, draft, created=(2, 2), updated=(2, 2)) for draft in drafts]


def _read(text: str, form: Format = Format.YAML) -> list[Draft]:
    return [edit.over(None) for edit in read_file(text, form, {})]


@given(ITEMS, st.sampled_from([Format.YAML, Format.KIE]))
def test_what_is_written_is_read_back(drafts: list[Draft], form: Format) -> None:
    text = file_of(_records(*drafts), form)
    assert {_name(draft): draft for draft in _read(text, form)} == {_name(draft): draft for draft in drafts}


@given(st.lists(DRAFTS, unique_by=lambda draft: draft.key, max_size=4), LABELS)
def test_properties_have_keys_and_values_and_nothing_else(drafts: list[Draft], labels: dict[str, str]) -> None:
    text = file_of(_records(*drafts), Format.PROPERTIES)
    assert text.isascii(), "Java reads properties as Latin-1, unless it is told otherwise"
    edits = read_file(text, Format.PROPERTIES, labels)
    assert {edit.key: edit.value for edit in edits} == {draft.key: draft.value for draft in drafts}
    assert all(edit.labels == labels for edit in edits)
    assert all((edit.value_type, edit.status, edit.priority, edit.check) == (None,) * 4 for edit in edits)


@given(ITEMS, st.sampled_from(Format))
def test_importing_an_export_changes_nothing(drafts: list[Draft], form: Format) -> None:
    config = Config(Ledger(), 1000)
    if form is Format.PROPERTIES:
        drafts = [draft for draft in drafts if not draft.labels]
    for draft in drafts:
        config.keys.set(TENANT, draft, 5000)
    before = dict(config.state.table(TENANT).by_id)
    edits = read_file(file_of(before.values(), form), form, {})
    steps = plan(config.keys, TENANT, edits, prune=before.values())
    assert [step.action for step in steps] == [Action.UNCHANGED] * len(drafts)
    carry_out(config.keys, TENANT, steps, 6000)
    assert config.state.table(TENANT).by_id == before


@given(ITEMS)
def test_other_readers_of_yaml_read_the_same(drafts: list[Draft]) -> None:
    found = YAML(typ="safe", pure=True).load(file_of(_records(*drafts), Format.YAML))["items"]
    read = {(row["key"], frozenset(row.get("labels", {}).items())): row["value"] for row in found}
    assert read == {_name(draft): draft.value for draft in drafts}


def test_the_order_of_a_file_is_not_that_of_the_changes() -> None:
    drafts = [Draft(key, "1", {"app": app}) for key in "bac" for app in ("y", "x")]
    for form in Format:
        assert file_of(_records(*drafts), form) == file_of(_records(*reversed(drafts)), form)


def test_a_yaml_file_is_made_to_be_read() -> None:
    text = file_of(
        _records(
            Draft("timeout", "2s", {"environment": "", "app": "mall"}, status="enabled"),
            Draft("conf", "a:\n  b: 1\n", {}, "yaml", priority=2),
            Draft("odd", "true", status="enabled"),
        ),
        Format.YAML,
    )
    assert text == (
        "items:\n"
        "  - key: timeout\n"
        '    labels: {app: mall, environment: ""}\n'
        "    value: 2s\n"
        "  - key: conf\n"
        "    type: yaml\n"
        "    status: disabled\n"
        "    priority: 2\n"
        "    value: |\n"
        "      a:\n"
        "        b: 1\n"
        "  - key: odd\n"
        '    value: "true"\n'
    )


def test_scalars_are_taken_as_they_are_written() -> None:
    text = "items:\n- {key: 1.0, value: 1.10, labels: {version: 1.10, on: yes}}\n- key: e\n  value:\n# end\n"
    assert _read(text) == [
        Draft("1.0", "1.10", {"version": "1.10", "on": "yes"}, status="enabled"),
        Draft("e", "", status="enabled"),
    ]


def test_what_a_file_leaves_out_has_its_default() -> None:
    assert _read("items:\n- key: a\n  value: 1\n") == [Draft("a", "1", status="enabled")]
    kie = {"data": [None, {"key": "a", "value": "1", "id": "x", "update_time": 3}]}
    assert _read(json.dumps(kie), Format.KIE) == [Draft("a", "1", status="disabled")], "as KIE has it"
    edit = read_file("a=1", Format.PROPERTIES, {})[0]
    stored = Draft("a", "0", {}, "yaml", "disabled", 7, "c")
    assert edit.over(stored) == Draft("a", "1", {}, "yaml", "disabled", 7, "c")


def test_a_kie_export_may_be_json_or_yaml() -> None:
    rows = [
        {"key": "a", "value": "x", "labels": {"app": "m"}, "status": "enabled", "priority": -3, "value_type": "ini"}
    ]
    wanted = [Draft("a", "x", {"app": "m"}, "ini", "enabled", -3)]
    document = {"metadata": {"version": "1.0", "annotations": {}}, "data": rows}
    assert _read(json.dumps(document), Format.KIE) == wanted
    assert _read("\ufeff\n" + json.dumps(document, indent="\t"), Format.KIE) == wanted
    text = "metadata: {}\ndata:\n- key: a\n  value: x\n  labels: {app: m}\n  status: enabled\n  priority: -3\n  value_type: ini\n"
    assert _read(text, Format.KIE) == wanted


def test_places_of_items_are_those_in_the_file() -> None:
    text = '{\n "x": [1, {"data": [2]}],\n "data": [ {"key": "a", "value": ""},\n\n  {"key": "b", "value": ""}]}'
    assert [edit.at for edit in read_file(text, Format.KIE, {})] == [Position(3, 12), Position(5, 3)]
    text = "# c\nitems:\n- key: a\n  value: 1\n-   key: b\n    value: 1\n"
    assert [edit.at for edit in read_file(text, Format.YAML, {})] == [Position(3, 3), Position(5, 5)]


BAD = [
    (Format.YAML, "", "line 1, column 1: the file is empty"),
    (Format.YAML, "items: [\n", "line 2, column 1: "),
    (Format.YAML, "- a", "line 1, column 1: names with values"),
    (Format.YAML, "\nitem: []", "line 2, column 1: there is no 'item' at the top"),
    (Format.YAML, "data: []", "line 1, column 1: .*format kie"),
    (Format.YAML, "items: {}", "line 1, column 1: items must be a list"),
    (Format.YAML, "items:\n- 3", "line 2, column 3: names with values"),
    (Format.YAML, "items:\n- key: a\n  lables: {}", "line 3, column 3: an item has no 'lables'"),
    (Format.YAML, "items:\n- key: a\n  key: b", "line 3, column 3: 'key' is here twice"),
    (Format.YAML, "items:\n- value: b", "line 2, column 3: the item has no key"),
    (Format.YAML, "items:\n- key: b", "line 2, column 3: the item b has no value"),
    (Format.YAML, "items:\n- key: a\n  value: {b: 1}", "line 2, column 3: value must be text"),
    (Format.YAML, "items:\n- key: a\n  value: [b]", "line 3, column 10: text is expected"),
    (Format.YAML, "items:\n- key: a\n  value: ~", "line 3, column 10: ~ is nothing"),
    (Format.YAML, "items:\n- {key: a, value: 1, labels: [app]}", "line 2, column 30: text is expected"),
    (Format.YAML, "items:\n- {key: a, value: 1, labels: app}", "line 2, column 3: labels must be"),
    (Format.YAML, "items:\n- {key: a, value: 1, labels: {a: {b: c}}}", "line 2, column 34: text is expected"),
    (Format.YAML, "items:\n- {key: a, value: 1, priority: high}", "line 2, column 3: priority must be a whole number"),
    (Format.YAML, "items:\n- {key: a, value: 1, ? [b] : c}", "line 2, column 24: a name must be text"),
    (Format.YAML, "items:\n- &a [*a]", "line 2, column 3: names with values"),
    (
        Format.YAML,
        "items: []\n---\nitems: []",
        "line 2, column 1: expected a single document in the stream, but found another",
    ),
    (Format.KIE, "{", "line 1, column 2: "),
    (Format.KIE, "{}", "line 1, column 1: the file has no list data"),
    (Format.KIE, '{"data":{}}', "line 1, column 1: the file has no list data"),
    (Format.KIE, '{"data":\n [{"key": "é", "value": ""}, 3]}', "line 2, column 30: an item must be an object"),
    (Format.KIE, '{"data":[\n{"key":"a","value":3}]}', "line 2, column 1: value must be text"),
    (Format.KIE, '{"data":[{"key":"a","value":"3","priority":true}]}', "line 1, column 10: priority"),
    (Format.KIE, '{"data":[{"key":"a","value":"3","labels":{"a":1}}]}', "line 1, column 10: labels"),
    (Format.KIE, '{"data":' + "[" * 1500, "line 1, column "),
    (Format.KIE, '{"data":' + "[" * 1010 + "]" * 1010 + "}", "line 1, column 1"),
    (Format.KIE, "data: 3", "line 1, column 1: data must be a list"),
    (Format.KIE, "metadata: {}", "line 1, column 1: the file has no data"),
    (Format.PROPERTIES, "a=1\nb=\\u1", "line 2, column 3: "),
]


@pytest.mark.parametrize(("form", "text", "said"), BAD)
def test_what_is_wrong_has_its_place(form: Format, text: str, said: str) -> None:
    with pytest.raises(ParseError) as caught:
        _read(text, form)
    assert re.match(said, str(caught.value)), str(caught.value)


@given(
    st.sampled_from(Format),
    st.lists(
        st.one_of(_NASTY, st.sampled_from(["items:\n", "- key: ", "value: ", '{"data":[', "}]}", "&a ", "*a"])),
        max_size=20,
    ),
)
def test_any_text_is_read_or_refused_with_a_place(form: Format, pieces: list[str]) -> None:
    try:
        _read("".join(pieces), form)
    except ParseError as error:
        assert error.at.line >= 1
        assert error.at.column >= 1

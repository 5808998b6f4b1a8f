"""The rules of keys, values, labels and queries, at their edges."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.config.records import Draft
from registry.config.rules import check_change, check_draft, check_id, check_project, check_query
from registry.errors import ConfigError


def _detail(check: object, *given: object) -> str:
    """The detail of the refusal; empty where it is allowed."""
    try:
        check(*given)  # type: ignore[operator]
    except ConfigError as error:
        assert error.error.code == 400001
        return error.detail
    return ""


LABEL_NAMES = {
    "a": True,
    "ab": True,
    "a" * 32: True,
    "a-b": True,
    "a_.-b": True,
    "a" + "-" * 30 + "b": True,
    "": False,
    "-": False,
    "a-": False,
    "-a": False,
    "a_": False,
    "a" * 33: False,
    "a" + "-" * 31 + "b": False,
    "a\n": False,
    "ä": False,
    "a b": False,
    "a:b": False,
    "\u0661": False,
}


@pytest.mark.parametrize(("name", "allowed"), LABEL_NAMES.items())
def test_names_of_labels(name: str, allowed: bool) -> None:
    """1 to 32 characters; a name of two has nothing but letters and digits."""
    assert (_detail(check_draft, Draft("k", labels={name: "v"})) == "") == allowed
    assert (_detail(check_query, {name: "v"}, "", "", "") == "") == allowed


@pytest.mark.parametrize(
    ("value", "allowed"),
    [
        ("", True),
        ("a" * 160, True),
        ("a" + "." * 158 + "b", True),
        ("1.0.0", True),
        ("a" * 161, False),
        ("a" + "." * 159 + "b", False),
        ("a.", False),
        (".a", False),
        ("a\n", False),
        ("a b", False),
        ("ä", False),
    ],
)
def test_values_of_labels(value: str, allowed: bool) -> None:
    """Up to 160 characters; the empty value is one."""
    assert (_detail(check_draft, Draft("k", labels={"a": value})) == "") == allowed
    assert (_detail(check_query, {"a": value}, "", "", "") == "") == allowed


@given(st.text(max_size=12))
def test_any_text_as_a_label_is_allowed_or_named(text: str) -> None:
    """Nothing else happens, whatever the text."""
    for labels in ({text: "v"}, {"a": text}):
        detail = _detail(check_draft, Draft("k", labels=labels))
        assert detail == "" or detail.startswith("validate failed, field: KVDoc.Labels[")


@pytest.mark.parametrize(
    ("key", "allowed"),
    [
        ("", True),
        ("a" * 128, True),
        ("a._:-1", True),
        ("beginWith()", True),
        ("wildcard()", True),
        ("beginWith(a.b)", True),
        ("wildcard(*a*)", True),
        ("a" * 129, False),
        ("a*", False),
        ("beginWith(a*)", False),
        ("wildcard(a", False),
        ("wildcard(a)b", False),
        ("Wildcard(a)", False),
        ("beginWith(a)\n", False),
        ("a b", False),
        ("(a)", False),
    ],
)
def test_queried_keys(key: str, allowed: bool) -> None:
    """Shorter than a key may be; the words of a pattern in their own case."""
    assert (_detail(check_query, {}, key, "", "") == "") == allowed


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        *[(name, True) for name in ("default", "a", "a" * 256, "a-b.c_d")],
        *[(name, False) for name in ("", "-a", "a-", "a" * 257, "a b", "a\n", "\u00e4", "a/b")],
    ],
)
def test_projects(name: str, allowed: bool) -> None:
    """The name of a project, as the original has it; the refusal says of which request."""
    detail = _detail(check_project, "KVDoc", name)
    assert (detail == "") == allowed
    assert allowed or detail.startswith("validate failed, field: KVDoc.Project, rule: ")


def test_lengths_are_of_characters() -> None:
    """Characters beyond the basic plane count once."""
    assert _detail(check_draft, Draft("k", "\U0001f600" * 131072)) == ""
    assert _detail(check_draft, Draft("k", "x" * 131073)) == "validate failed, field: KVDoc.Value, rule: max = 131072"
    assert _detail(check_change, "\U0001f600" * 131072, "") == ""
    assert _detail(check_query, {}, "", "\U0001f600" * 128, "") == ""
    assert _detail(check_id, "GetKVRequest", "x" * 64) == ""
    assert _detail(check_id, "GetKVRequest", "x" * 65) == "validate failed, field: GetKVRequest.ID, rule: max = 64"


def test_a_stored_status_is_one_of_the_two() -> None:
    """The empty one is for changes and queries, where it means nothing."""
    assert _detail(check_draft, Draft("k", status="")) != ""
    assert _detail(check_draft, Draft("k", value_type="")) != ""
    assert _detail(check_change, "", "") == ""
    assert _detail(check_query, {}, "", "", "") == ""
    assert _detail(check_change, "", "on").endswith("rule: ^$|^(enabled|disabled)$")

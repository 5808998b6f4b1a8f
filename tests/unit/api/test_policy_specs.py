"""Specs of governance policies: what is sent as JSON is stored as YAML, and read from it as the same."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from governance.rules.parsing import ParseError
from governance.rules.printing import Plain
from registry.api.service_center.policies import KINDS, belongs_to_group, policy_name, prefix_of, spec_of, spec_text
from registry.errors import RegistryError

ODD = [
    "yes",
    "No",
    "~",
    "null",
    "1.10",
    "010",
    "1:30",
    "<<",
    "=",
    "#",
    "2020-01-01",
    "\x00",
    "\x7f",
    "\u2028",
    "\ufeff",
    "🐝",
    "你好",
]
TEXTS = st.text(st.characters(codec="utf-8"), max_size=12) | st.sampled_from([*ODD, "- a", "a: b"])
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS
)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=10
)
BOMB = "k0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"k{n}: &a{n} [{'*a' + str(n - 1) + ', '}*a{n - 1}]\n" for n in range(1, 40)
)
LONG = "s: &s " + "x" * 9000 + "\nl: [" + "*s, " * 9000 + "]"
DEEP = "a: " + "[" * 60 + "]" * 60


@given(st.dictionaries(TEXTS, VALUES, max_size=4))
@example({"a": 1e22, "b": -0.0, "c": 5e-324, "d": 2**64 - 1, "e": {}, "f": [[], [{}]], "x" * 2000: [{"y" * 2000: 1}]})
def test_a_spec_is_read_as_it_was_written(spec: dict[str, Plain]) -> None:
    written = spec_text("retry", spec)
    found = spec_of(written)
    assert found == spec
    assert repr(spec_of(spec_text("retry", found))) == repr(found)


@given(st.text(max_size=60) | st.text("&*a:[]{}-<>!|,'\"\n 0.1eE", max_size=60))
@example("a: &x {b: *x}")
@example("a: !!int x")
@example("? [1, 2]\n: 3")
@example("<<: {a: 1}\nb: .inf\nc: .nan\nd: 0x1F\ne: !!str 1")
def test_no_text_does_more_than_fail_to_parse(text: str) -> None:
    try:
        found = spec_of(text)
    except ParseError as error:
        assert error.at.line >= 1
        return
    assert isinstance(found, dict)


def test_yaml_of_others_is_read_as_java_reads_it() -> None:
    text = "base: &b {rate: 010, on: yes}\nlimits:\n  <<: *b\n  wait: 1:30\nquoted: '010'\nempty:\n"
    assert spec_of(text) == {
        "base": {"rate": 8, "on": True},
        "limits": {"wait": 90, "rate": 8, "on": True},
        "quoted": "010",
        "empty": None,
    }


@pytest.mark.parametrize("text", ["", "- a", "word", "a: [1", BOMB, LONG, DEEP])
def test_what_is_no_mapping_or_too_much_does_not_parse(text: str) -> None:
    with pytest.raises(ParseError):
        spec_of(text)


def test_a_spec_that_is_nested_too_deeply_is_refused() -> None:
    nested: Plain = 1
    for _ in range(300):
        nested = [nested]
    with pytest.raises(RegistryError, match="more than 50 levels deep"):
        spec_text("retry", {"a": nested})


@pytest.mark.parametrize("kind", KINDS)
def test_a_key_is_of_one_kind(kind: str) -> None:
    """Names may have dots; the old keys of Java Chassis begin with the same words, and are no policies."""
    assert [policy_name(other, f"{prefix_of(kind)}a.b") for other in KINDS if other != kind] == [""] * 7
    assert policy_name(kind, f"{prefix_of(kind)}a.b") == "a.b"
    assert policy_name(kind, prefix_of(kind)) == ""
    assert policy_name("loadbalance", "servicecomb.loadbalance.x.strategy.name") == ""


def test_what_belongs_to_a_group() -> None:
    """Policies of all kinds that are bound to it by their name, those that Service Center does not know among them; no route rules."""
    bound = ["matchGroup", "retry", "identifierRateLimiting", "instanceBulkhead", "timeLimiter"]
    assert all(belongs_to_group(f"servicecomb.{kind}.a", "a") for kind in bound)
    others = ["servicecomb.retry.a.a", "servicecomb.retry.b", "servicecomb.routeRule.a", "a", "servicecomb.nope.a"]
    assert not any(belongs_to_group(key, "a") for key in others)

"""Dimensions and label sets name each other: the mapping's laws."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.config.dimensions import APPLICATION, ENVIRONMENTS, Dimension, environment_of

NAMES = st.from_regex(r"[a-zA-Z0-9]([a-zA-Z0-9_.-]{0,20}[a-zA-Z0-9])?", fullmatch=True)
ENVIRONMENT = st.sampled_from(("", *ENVIRONMENTS))
LABELS = st.dictionaries(
    st.sampled_from(("app", "service", "version", "environment", "public")), st.sampled_from(("", "a", "production"))
)


@st.composite
def dimensions(draw: st.DrawFn) -> Dimension:
    """Every dimension there is, an application's own level too."""
    parts = draw(st.lists(NAMES, max_size=3))
    return Dimension(**dict(zip(("app", "service", "version"), parts, strict=False)))


@given(dimensions(), ENVIRONMENT)
def test_a_dimension_becomes_labels_and_comes_back(dimension: Dimension, environment: str) -> None:
    assert Dimension.of_labels(dimension.labels(environment)) == (dimension, environment)


@given(LABELS)
def test_labels_that_name_a_dimension_are_its_labels(labels: dict[str, str]) -> None:
    found = Dimension.of_labels(labels)
    if found is not None:
        assert found[0].labels(found[1]) == labels


@given(dimensions())
def test_a_dimension_is_read_from_its_own_text(dimension: Dimension) -> None:
    if dimension.service or not dimension.app:
        assert Dimension.parse(str(dimension)) == dimension
    else:
        assert str(dimension) == APPLICATION, "an application's own level is shown as a part of everyone's"


@given(dimensions(), ENVIRONMENT)
def test_what_is_read_goes_from_everyone_to_the_client_itself(dimension: Dimension, environment: str) -> None:
    levels = dimension.levels(environment)
    assert levels[0].label_sets[0] == frozenset({("environment", environment)})
    if dimension.service:
        assert levels[-1].name == str(dimension) or str(dimension) in [level.name for level in levels]
    own = frozenset(dimension.labels(environment).items())
    assert own in [labels for level in levels for labels in level.label_sets], "what is written to it is read from it"
    names = [level.name for level in levels]
    assert len(set(names)) == len(names), "each name is there once"


@given(dimensions(), ENVIRONMENT, ENVIRONMENT)
def test_environments_share_nothing(dimension: Dimension, one: str, other: str) -> None:
    seen = [
        {labels for level in dimension.levels(name) for labels in level.label_sets}
        for name in dict.fromkeys((one, other))
    ]
    assert len(seen) == 1 or not seen[0] & seen[1]


def test_the_levels_of_a_version_are_the_four_of_the_protocol() -> None:
    levels = Dimension.parse("cart@mall#1.0.0").levels("testing")
    assert [(level.name, [dict(sorted(labels)) for labels in level.label_sets]) for level in levels] == [
        ("application", [{"environment": "testing"}, {"app": "mall", "environment": "testing"}]),
        ("cart@mall", [{"app": "mall", "environment": "testing", "service": "cart"}]),
        ("darklaunch@mall", [{"app": "mall", "environment": "testing", "service": "darklaunch"}]),
        (
            "cart@mall#1.0.0",
            [{"app": "mall", "environment": "testing", "service": "cart", "version": "1.0.0"}],
        ),
    ]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("application", ["application"]),
        ("cart@mall", ["application", "cart@mall", "darklaunch@mall"]),
        ("darklaunch@mall", ["application", "darklaunch@mall"]),
        ("cart@mall#1.0.0!blue,green", ["application", "cart@mall", "darklaunch@mall", "cart@mall#1.0.0"]),
        ("订单@商城", ["application", "订单@商城", "darklaunch@商城"]),
    ],
)
def test_a_text_names_its_levels(text: str, names: list[str]) -> None:
    assert [level.name for level in Dimension.parse(text).levels("")] == names


@pytest.mark.parametrize(
    "text",
    ["", "cart", "@mall", "cart@", "cart@mall#", "a@b@c", "a#1@b", "a@b#1#2", "!x", "a" * 250 + "@mall#1"]
    + [f"ca{mark}rt@mall" for mark in ' \t\n$%^&+()/\\[]"\x00'],
)
def test_what_is_no_dimension_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a dimension "):
        Dimension.parse(text)


@pytest.mark.parametrize("text", ["", "prod", "Production", "production ", "default"])
def test_an_unknown_environment_is_none(text: str) -> None:
    assert environment_of(text) == ""


@pytest.mark.parametrize("text", ENVIRONMENTS)
def test_a_known_environment_is_itself(text: str) -> None:
    assert environment_of(text) == text


@pytest.mark.parametrize(
    "labels",
    [
        {},
        {"app": "mall"},
        {"app": "mall", "environment": "staging"},
        {"app": "", "environment": ""},
        {"service": "cart", "environment": ""},
        {"app": "mall", "version": "1", "environment": ""},
        {"app": "mall", "service": "cart", "environment": "", "public": ""},
        {"public": ""},
    ],
)
def test_labels_that_only_kie_knows_name_no_dimension(labels: dict[str, str]) -> None:
    assert Dimension.of_labels(labels) is None

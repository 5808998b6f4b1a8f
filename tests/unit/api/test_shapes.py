"""Bodies: whatever JSON comes, it is read or refused by 400001; what is read keeps every rule."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from registry.api.service_center import ROUTES, shapes
from registry.api.shapes import Kind, Member, Rule, Shape, decode, read, validate
from registry.errors import RegistryError

SHAPES = list(dict.fromkeys(route.body for route in ROUTES if route.body is not None))
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def _near(shape: Shape, depth: int = 3) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with the members of a shape, each of its own type or of another."""
    members = {member.name: _value(member, depth) | JSON for member in shape.members}
    return st.fixed_dictionaries({}, optional=members)


def _value(member: Member, depth: int) -> st.SearchStrategy[Any]:
    text = st.text(max_size=8)
    if member.rule.pattern is not None:
        text |= st.from_regex(member.rule.pattern, fullmatch=True)
    inner = _near(member.shape, depth - 1) if member.shape and depth else st.just({})
    by_kind: dict[Kind, st.SearchStrategy[Any]] = {
        Kind.TEXT: text,
        Kind.INT: st.integers(-2, 70000),
        Kind.FLAG: st.booleans(),
        Kind.TEXTS: st.lists(text, max_size=3),
        Kind.MAP: st.dictionaries(text, text, max_size=3),
        Kind.OBJECT: inner,
        Kind.OBJECTS: st.lists(inner | st.none(), max_size=3),
    }
    return by_kind[member.kind]


def _accepted(shape: Shape, value: object) -> dict[str, object] | None:
    """What is read of a value, or nothing where it is refused; any other exception is a failure of the test."""
    try:
        decoded = decode(shape, value)
        validate(shape, decoded)
    except RegistryError as error:
        assert error.error.code == 400001
        assert error.detail
        return None
    return decoded


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_any_json_is_read_or_refused(shape: Shape, data: st.DataObject) -> None:
    """And what was read, read again, is the same; and it can be written as JSON."""
    decoded = _accepted(shape, data.draw(_near(shape) | JSON))
    if decoded is not None:
        again = json.loads(orjson.dumps(decoded))
        assert again == decoded
        assert _accepted(shape, again) == decoded


@given(st.binary(max_size=40), st.sampled_from(SHAPES))
@example(b"\xff", shapes.SERVICE)
@example(b"[" * 100000, shapes.SERVICE)
@example(b'{"serviceName":"\\udc00"}', shapes.SERVICE)
def test_any_bytes_are_read_or_refused(body: bytes, shape: Shape) -> None:
    """Nothing but the documented refusal."""
    try:
        read(shape, body)
    except RegistryError as error:
        assert error.error.code == 400001


@given(st.dictionaries(st.text(max_size=8), JSON, max_size=3))
def test_unknown_members_are_left_out(unknown: dict[str, object]) -> None:
    """Clients send more than the protocol has, and misspell it."""
    known = {member.name.lower() for member in shapes.INSTANCE.members}
    added = {name: value for name, value in unknown.items() if name.lower() not in known}
    assert decode(shapes.INSTANCE, {**added, "hostName": "h"}) == {"hostName": "h"}


def test_names_match_whatever_their_case_and_the_last_one_counts() -> None:
    """As Go reads JSON; `null` is as good as nothing."""
    assert read(shapes.INSTANCE, b'{"HostName":"a","HOSTNAME":"b","hostname":null}') == {"hostName": "b"}
    assert read(shapes.INSTANCE, b'{"hostName":"a","hostname":""}') == {}


def test_empty_members_are_left_out_at_every_depth() -> None:
    """An answer never shows what is empty; an empty object is still an object."""
    service = {
        "description": "",
        "properties": {},
        "schemas": [],
        "paths": [{"path": "/", "property": {}}],
        "framework": {},
    }
    read_back = decode(shapes.SERVICE, service)
    assert read_back.keys() == {"paths", "framework", "appId", "version", "level", "status"}
    assert read_back["paths"] == [{"path": "/"}]


@pytest.mark.parametrize(
    ("service", "detail"),
    [
        ({}, "field 'MicroService.ServiceName' invalid value '' does not match rule: {Min: 1, Max: 128, Regexp: "),
        (
            {"serviceName": "a b", "appId": "c d"},
            "field 'MicroService.AppId' invalid value 'c d' does not match rule: {Max: 160",
        ),
        (
            {"serviceName": "a", "version": "1.x"},
            "field 'MicroService.Version' invalid value '1.x' does not match rule: {Max: 64, Regexp: the form x[.y[.z]] where x",
        ),
        ({"serviceName": "a", "version": "1.32768"}, "field 'MicroService.Version' invalid value '1.32768'"),
        ({"serviceName": "a", "schemas": ["b", "-"]}, "field 'MicroService.Schemas' invalid value '-'"),
        ({"serviceName": "a", "paths": [None]}, "field 'MicroService.Paths' invalid nil pointer"),
        ({"serviceName": "a", "framework": {"name": "-"}}, "field 'FrameWork.Name' invalid value '-'"),
    ],
)
def test_the_first_broken_rule_is_named(service: dict[str, object], detail: str) -> None:
    """In the order of the protocol's fields, in the words that the original has."""
    with pytest.raises(RegistryError) as refused:
        validate(shapes.SERVICE, decode(shapes.SERVICE, service))
    assert refused.value.detail.startswith(detail)


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({"instance": {"hostName": 7}}, "instance.hostName: a string is expected, not a number"),
        ({"instance": {"endpoints": "x"}}, "instance.endpoints: a list of strings is expected, not a string"),
        ({"instance": {"endpoints": [True]}}, "instance.endpoints: a string is expected, not a boolean"),
        ({"instance": {"properties": {"a": 1}}}, "instance.properties.a: a string is expected, not a number"),
        ({"instance": {"healthCheck": []}}, "instance.healthCheck: an object is expected, not a list"),
        ({"instance": []}, "instance: an object is expected, not a list"),
        ([], "the body: an object is expected, not a list"),
    ],
)
def test_a_wrong_type_is_named_with_its_place(body: object, detail: str) -> None:
    with pytest.raises(RegistryError) as refused:
        decode(shapes.REGISTER_INSTANCE, body)
    assert refused.value.detail == detail


@given(st.text(max_size=12), st.integers(0, 8), st.integers(0, 8))
def test_the_least_length_counts_bytes_and_the_largest_characters(text: str, least: int, most: int) -> None:
    """Section 4.5; 0 is no bound."""
    fits = len(text.encode()) >= least and (not most or len(text) <= most)
    assert Rule(least, most).text_ok(text) == fits

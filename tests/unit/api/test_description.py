"""The API's description says what the handlers do, and the way to them is the same as by a plain search."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.api.call import JSON_TYPE, TEXT_TYPE, WEBSOCKET, Route
from registry.api.gate import accepts_gzip
from registry.api.openapi import describe
from registry.api.router import Router, params_of
from registry.api.service_center import ROUTES
from registry.api.shapes import decode, validate

DESCRIBED: Any = describe(ROUTES)
WITH_BODY = [route for route in ROUTES if route.sample is not None]


def _name(route: Route) -> str:
    return f"{route.method} {route.path}"


def _operation(route: Route) -> Any:
    return DESCRIBED["paths"][re.sub(r":(\w+)", r"{\1}", route.path)][route.method.lower()]


def test_every_route_is_described_once_under_a_name_of_its_own() -> None:
    operations = [_operation(route) for route in ROUTES]
    assert sum(len(path) for path in DESCRIBED["paths"].values()) == len(ROUTES)
    assert len({operation["operationId"] for operation in operations}) == len(ROUTES)
    assert all(len(operation["summary"]) > 5 for operation in operations)


@pytest.mark.parametrize("route", WITH_BODY, ids=_name)
def test_the_sample_of_a_body_is_accepted_by_its_rules(route: Route) -> None:
    """And its shape is what is described."""
    assert route.body is not None
    decoded = decode(route.body, route.sample)
    validate(route.body, decoded)
    content = _operation(route)["requestBody"]["content"]["application/json"]
    assert content["example"] == route.sample
    assert content["schema"]["properties"].keys() == set(route.body.by_name)


@pytest.mark.parametrize("route", ROUTES, ids=_name)
def test_parameters_of_the_path_are_described_and_required(route: Route) -> None:
    described = {row["name"]: row["required"] for row in _operation(route)["parameters"] if row["in"] == "path"}
    assert described == dict.fromkeys(re.findall(r":(\w+)", route.path), True)


@pytest.mark.parametrize("route", ROUTES, ids=_name)
def test_answers_are_described_as_they_are(route: Route) -> None:
    """Success by its content type, 304 where a revision is taken, refusals by the error."""
    responses = _operation(route)["responses"]
    takes_revision = any(parameter.name == "rev" for parameter in route.parameters)
    assert ("304" in responses) == takes_revision
    assert ("101" in responses) == (route.answers == WEBSOCKET)
    expected = {JSON_TYPE: ["application/json"], TEXT_TYPE: ["text/plain"]}
    if route.answers in expected:
        assert list(responses["200"]["content"]) == expected[route.answers]
    assert "application/json" in responses["400"]["content"]


def test_rules_of_members_are_described() -> None:
    """Down to the last object of an object."""
    body = _operation(next(route for route in ROUTES if _name(route) == "POST /v4/:project/registry/microservices"))
    service = body["requestBody"]["content"]["application/json"]["schema"]["properties"]["service"]
    assert service["required"] == ["serviceName"]
    assert service["properties"]["serviceName"]["maxLength"] == 128
    assert service["properties"]["framework"]["properties"]["version"] == {"type": "string", "maxLength": 64}
    assert service["properties"]["paths"]["items"]["properties"]["property"]["type"] == "object"
    for rule in re.findall(r"\^\(\?:.*?\)\$", str(service)):
        re.compile(rule.replace("\\\\", "\\"))


def test_an_answer_that_is_a_list_is_described_as_one() -> None:
    listed = DESCRIBED["paths"]["/v1/{project}/gov/{kind}"]["get"]["responses"]["200"]["content"]
    assert listed == {"application/json": {"schema": {"type": "array", "items": {"type": "object"}}}}


SEGMENTS = st.sampled_from(
    [
        "v4",
        "default",
        "registry",
        "microservices",
        "instances",
        "x",
        "heartbeat",
        "status",
        "action",
        "govern",
        "",
        "schemas",
        "tags",
    ]
)
KNOWN = st.builds(
    lambda route, segment: re.sub(r":\w+", segment, route.path), st.sampled_from(ROUTES), SEGMENTS | st.just("display")
)
PATHS = KNOWN | st.lists(SEGMENTS, max_size=8).map(lambda segments: "/" + "/".join(segments))


def _plain(path: str) -> Mapping[str, Route]:
    """The routes whose pattern fits a path; where several patterns fit, those with the earliest fixed segment."""
    fitting: dict[tuple[bool, ...], dict[str, Route]] = {}
    for route in ROUTES:
        pattern = "/".join("[^/]+" if part.startswith(":") else re.escape(part) for part in route.path.split("/"))
        if re.fullmatch(pattern, path):
            named = tuple(part.startswith(":") for part in route.path.split("/"))
            fitting.setdefault(named, {})[route.method] = route
    return fitting[min(fitting)] if fitting else {}


@given(PATHS | st.text(max_size=20).map(lambda text: "/" + text))
def test_a_path_leads_where_a_plain_search_leads(path: str) -> None:
    found = Router(ROUTES).find(path)
    assert found == _plain(path)
    for method, route in found.items():
        assert method == route.method
        assert all(params_of(route, path).values())


@given(st.text(alphabet="gzip,;q=0.1 *-deflate", max_size=30))
def test_accept_encoding_is_read_whatever_it_says(header: str) -> None:
    """Only where gzip is named, and not with a weight of nothing."""
    accepted = accepts_gzip(header)
    assert accepted in (True, False)
    assert not accepted or "gzip" in header
    assert accepts_gzip(f"gzip, {header}")
    assert not accepts_gzip(f"gzip;q=0, {header}")

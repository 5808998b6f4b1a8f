"""Which operation a request is, by the schemas of a service."""

from __future__ import annotations

import pytest

from governance.samples.weathermap.schemas import FORECAST
from governance.sdk.interfaces import Interfaces

ORDERS = """\
openapi: 3.0.0
paths:
  /orders/{id}:
    get: {operationId: one}
    delete: {operationId: remove}
  /orders/last:
    get: {operationId: last}
  /orders/{id}/lines:
    parameters: [{name: id, in: path}]
    get: {summary: without a name}
"""


@pytest.mark.parametrize(
    ("method", "path", "operation"),
    [
        ("GET", "/forecast/show", ("forecast", "getForecast")),
        ("POST", "/forecast/show", ("", "")),
        ("GET", "/orders/7", ("orders", "one")),
        ("GET", "//orders/7/", ("orders", "one")),
        ("DELETE", "/orders/7", ("orders", "remove")),
        ("GET", "/orders/last", ("orders", "last")),
        ("GET", "/orders/7/lines", ("", "")),
        ("GET", "/", ("", "")),
    ],
)
def test_an_operation_is_found_by_method_and_path(method: str, path: str, operation: tuple[str, str]) -> None:
    assert Interfaces({"forecast": FORECAST, "orders": ORDERS}).operation(method, path) == operation


@pytest.mark.parametrize("text", ["", "[", "- 1", "paths: 1", "paths: {/a: 1}", "paths: {/a: {get: 1}}", "\x00"])
def test_a_schema_that_cannot_be_read_has_no_operations(text: str) -> None:
    assert Interfaces({"a": text}).operation("GET", "/a") == ("", "")

"""The API's description, made from the table of routes, so that it cannot say anything else."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from registry import __version__
from registry.api.call import Parameter, Route, Tenancy
from registry.errors import CATALOGUE

_ERROR = {
    "type": "object",
    "required": ["errorCode", "errorMessage"],
    "properties": {
        "errorCode": {"type": "string", "enum": [str(code) for code in CATALOGUE]},
        "errorMessage": {"type": "string"},
        "detail": {"type": "string"},
    },
}
_STATUSES = {"400": "Refused: see errorCode", "403": "Forbidden", "500": "The engine failed: see errorCode"}


def describe(routes: Iterable[Route]) -> Mapping[str, object]:
    """The OpenAPI 3.0 document of a table of routes."""
    paths: dict[str, dict[str, object]] = {}
    for route in routes:
        path = re.sub(r":(\w+)", r"{\1}", route.path)
        paths.setdefault(path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.0.3",
        "info": {
            "title": "Waggle",
            "version": __version__,
            "description": "Microservice registry that speaks the Apache ServiceComb protocols.",
        },
        "paths": paths,
        "components": {"schemas": {"Error": _ERROR}},
    }


def _operation(route: Route) -> Mapping[str, object]:
    described: dict[str, object] = {
        "summary": route.about,
        "operationId": re.sub(r"\W+", "_", f"{route.method} {route.path}").strip("_"),
        "tags": [route.resource],
        "parameters": [*_path_parameters(route), *map(_parameter, _shared(route)), *map(_parameter, route.parameters)],
        "responses": {"200": {"description": "Done"}, "304": {"description": "Not modified"}, **_errors()},
    }
    if route.sample is not None:
        content = {"application/json": {"schema": _schema_of(route.sample), "example": route.sample}}
        described["requestBody"] = {"required": True, "content": content}
    return described


def _errors() -> Mapping[str, object]:
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    return {status: {"description": about, "content": content} for status, about in _STATUSES.items()}


def _path_parameters(route: Route) -> list[Mapping[str, object]]:
    names = re.findall(r":(\w+)", route.path)
    return [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]


def _shared(route: Route) -> tuple[Parameter, ...]:
    if route.tenancy is Tenancy.NONE:
        return ()
    return (Parameter("X-Domain-Name", "the domain; `default` where it is missing", where="header"),)


def _parameter(parameter: Parameter) -> Mapping[str, object]:
    return {
        "name": parameter.name,
        "in": parameter.where,
        "description": parameter.about,
        "required": parameter.required,
        "schema": {"type": "string"},
    }


def _schema_of(sample: object) -> Mapping[str, object]:
    match sample:
        case dict():
            return {"type": "object", "properties": {name: _schema_of(value) for name, value in sample.items()}}
        case list():
            return {"type": "array", "items": _schema_of(sample[0])}
        case _:
            return {"type": "string"}

"""The API's description, made from the table of routes and the shapes of bodies, so that it cannot say anything else."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from registry import __version__
from registry.api.call import NOTHING, WEBSOCKET, Parameter, Route, Tenancy
from registry.api.shapes import Kind, Member, Rule, Shape
from registry.errors import CATALOGUE

Schema = Mapping[str, object]
_ERROR = {
    "type": "object",
    "required": ["errorCode", "errorMessage"],
    "properties": {
        "errorCode": {"type": "string", "enum": [str(code) for code in CATALOGUE]},
        "errorMessage": {"type": "string"},
        "detail": {"type": "string"},
    },
}
_JSON = "application/json"
_TEXT = "text/plain"
_REFUSED = {_JSON: {"schema": {"$ref": "#/components/schemas/Error"}}}
_IN_TEXT = {_TEXT: {"schema": {"type": "string"}}}
_REFUSALS: Mapping[str, Schema] = {
    "400": {
        "description": "Refused: see errorCode; text where the request line itself is",
        "content": {**_REFUSED, **_IN_TEXT},
    },
    "401": {"description": "No token, or one that does not count", "content": _REFUSED},
    "403": {"description": "Forbidden", "content": _REFUSED},
    "404": {"description": "No such path", "content": _IN_TEXT},
    "405": {"description": "The path has no such method", "content": _IN_TEXT},
    "500": {"description": "The engine failed: see errorCode", "content": _REFUSED},
}
_LARGEST_INT = 2**31 - 1


def describe(routes: Iterable[Route]) -> Schema:
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


def _operation(route: Route) -> Schema:
    described: dict[str, object] = {
        "summary": route.about,
        "operationId": re.sub(r"\W+", "_", f"{route.method} {route.path}").strip("_"),
        "tags": [route.resource],
        "parameters": [*map(_parameter, (*_of_path(route), *_shared(route), *route.parameters))],
        "responses": {**_success(route), **_REFUSALS, **_failures(route)},
    }
    if route.body is not None or route.sample is not None:
        schema = _schema_of_shape(route.body) if route.body is not None else _schema_of_sample(route.sample)
        example = {} if route.sample is None else {"example": route.sample}
        described["requestBody"] = {"required": True, "content": {_JSON: {"schema": schema, **example}}}
    return described


def _success(route: Route) -> Mapping[str, Schema]:
    if route.answers == WEBSOCKET:
        return {"101": {"description": "A websocket"}}
    if route.answers == NOTHING:
        return {"204": {"description": "Done"}}
    media = route.answers.partition(";")[0]
    one: Schema = {"type": "object" if media == _JSON else "string"}
    schema = {"type": "array", "items": one} if route.listed else one
    done = {"200": {"description": "Done", "content": {media: {"schema": schema}}}}
    if any(parameter.name in ("rev", "revision") for parameter in route.parameters):
        return {**done, "304": {"description": "Not modified"}}
    return done


def _failures(route: Route) -> Mapping[str, Schema]:
    content = {_JSON: {"schema": {"type": "object"}}}
    return {str(status): {"description": about, "content": content} for status, about in route.failures.items()}


def _of_path(route: Route) -> Iterable[Parameter]:
    described = {parameter.name for parameter in route.parameters if parameter.where == "path"}
    for name in re.findall(r":(\w+)", route.path):
        if name not in described:
            yield Parameter(name, f"the {name} of the path", "path", required=True)


def _shared(route: Route) -> Iterable[Parameter]:
    if route.tenancy in (Tenancy.V3, Tenancy.V4, Tenancy.CONFIG):
        yield Parameter("X-Domain-Name", "the domain; `default` where it is missing", where="header")
    if route.tenancy is Tenancy.QUERY:
        yield Parameter("domain", "the domain; `default` where it is missing")
        yield Parameter("project", "the project; `default` where it is missing")
    if route.tenancy is Tenancy.V3:
        yield Parameter("X-Tenant-Name", "the domain, before X-Domain-Name", where="header")


def _parameter(parameter: Parameter) -> Schema:
    return {
        "name": parameter.name,
        "in": parameter.where,
        "description": parameter.about,
        "required": parameter.required,
        "schema": _schema_of_text(parameter.rule or Rule()),
    }


def _schema_of_shape(shape: Shape) -> Schema:
    schema: dict[str, object] = {
        "type": "object",
        "properties": {member.name: _schema_of_member(member) for member in shape.members},
    }
    required = sorted(name for name in shape.required if not shape.by_name[name].default)
    return {**schema, "required": required} if required else schema


def _schema_of_member(member: Member) -> Schema:
    least, most = member.items
    match member.kind:
        case Kind.TEXT:
            return _schema_of_text(member.rule)
        case Kind.FLAG | Kind.NUMBER:
            return {"type": "boolean" if member.kind is Kind.FLAG else "number"}
        case Kind.INT:
            return {"type": "integer", "minimum": least, "maximum": most or _LARGEST_INT}
        case Kind.MAP:
            bounds = _bounds("Properties", least, most)
            return {"type": "object", "additionalProperties": _schema_of_text(member.rule), **bounds}
        case Kind.OBJECT:
            return _schema_of_shape(member.shape) if member.shape is not None else {"type": "object"}
    items = _schema_of_shape(member.shape) if member.shape is not None else _schema_of_text(member.rule)
    return {"type": "array", "items": items, **_bounds("Items", least, most)}


def _schema_of_text(rule: Rule) -> Schema:
    schema: dict[str, object] = {"type": "string", **_bounds("Length", rule.minimum, rule.maximum)}
    if rule.pattern is not None:
        schema["pattern"] = f"^(?:{rule.pattern.pattern})$"
    return schema


def _bounds(what: str, least: int, most: int) -> Schema:
    bounds = {f"min{what}": least, f"max{what}": most}
    return {name: bound for name, bound in bounds.items() if bound}


def _schema_of_sample(sample: object) -> Schema:
    match sample:
        case dict():
            return {"type": "object", "properties": {name: _schema_of_sample(value) for name, value in sample.items()}}
        case list():
            return {"type": "array", "items": _schema_of_sample(sample[0])}
        case _:
            return {"type": "string"}

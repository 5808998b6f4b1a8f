"""The Service Center API: its table of routes. Protocol: Service Center section 3.

Every v4 route of the registry that the original also serves under `/registry/v3` is listed once and served under both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from aiohttp import web

from registry.api.call import TEXT_TYPE, WEBSOCKET, Call, Handler, Parameter, Reply, Route, Tenancy
from registry.api.service_center import (
    admin,
    discovery,
    govern,
    governance,
    instances,
    parameters,
    schemas,
    services,
    shapes,
)

_V4 = "/v4/:project/registry"
_V3 = "/registry/v3"
_SERVICE = f"{_V4}/microservices/:serviceId"
_SCHEMA = f"{_SERVICE}/schemas/:schemaId"
_INSTANCE = f"{_SERVICE}/instances/:instanceId"
_GOVERN = "/v4/:project/govern"
_ADMIN = "/v4/:project/admin"
_POLICIES = "/v1/:project/gov"

_NAMED = {"serviceName": "demo", "appId": "default", "version": "1.0.0"}
_NEW_INSTANCE = {"instance": {"hostName": "host-1", "endpoints": ["rest://127.0.0.1:8080"]}}
_CONTENT = {"schema": "swagger: '2.0'", "summary": "abc"}
_PROPERTIES = {"properties": {"name": "value"}}
_DEPENDENCY = {"dependencies": [{"consumer": _NAMED, "providers": [{"serviceName": "other"}]}]}
_NEW_POLICY = {
    "name": "orders",
    "selector": {"app": "mall", "environment": ""},
    "spec": {"maxAttempts": 2},
}
_CHANGED_POLICY = {"spec": {"maxAttempts": 3}, "status": "enabled"}
_NO_SELF = (Parameter("noSelf", "1: without the service itself"),)


async def watch(call: Call) -> Reply | web.StreamResponse:
    """GET microservices/:serviceId/watcher."""
    assert call.listeners is not None  # noqa: S101  the gate gives them to every call
    return await call.listeners.watch(call)


async def beat(call: Call) -> Reply | web.StreamResponse:
    """GET microservices/:serviceId/instances/:instanceId/heartbeat."""
    assert call.listeners is not None  # noqa: S101  the gate gives them to every call
    return await call.listeners.beat(call)


def _row(
    method: str,
    path: str,
    handler: Handler,
    section: str,
    *query: Parameter,
    resource: str = "service",
    **more: object,
) -> Route:
    about = (handler.__doc__ or "").strip().splitlines()[0]
    described: Sequence[Parameter] = (*parameters.of_path(path), *query)
    return Route(method, path, handler, resource, about, parameters=described, section=section, **more)  # type: ignore[arg-type]


def _done(method: str, path: str, handler: Handler, section: str, *query: Parameter, **more: object) -> Route:
    """A route whose success is an empty answer."""
    return _row(method, path, handler, section, *query, answers=TEXT_TYPE, **more)  # type: ignore[arg-type]


_SERVICES = (
    _row("GET", f"{_V4}/existence", services.exists, "5.3", *parameters.EXISTENCE),
    _row("GET", f"{_V4}/microservices", services.list_all, "5.4", parameters.WITH_SHARED),
    _row(
        "POST",
        f"{_V4}/microservices",
        services.register,
        "5.1",
        body=shapes.REGISTER_SERVICE,
        sample={"service": _NAMED},
    ),
    _row(
        "DELETE",
        f"{_V4}/microservices",
        services.delete_many,
        "5.5",
        body=shapes.DELETE_SERVICES,
        sample={"serviceIds": ["x"]},
    ),
    _row("GET", _SERVICE, services.get, "5.4"),
    _done("DELETE", _SERVICE, services.delete, "5.5", parameters.FORCE),
    _done(
        "PUT",
        f"{_SERVICE}/properties",
        services.set_properties,
        "5.6",
        body_limit="max_properties_body_bytes",
        body=shapes.PROPERTIES,
        sample=_PROPERTIES,
    ),
    _row("GET", f"{_SERVICE}/tags", services.get_tags, "5.7"),
    _done(
        "POST",
        f"{_SERVICE}/tags",
        services.replace_tags,
        "5.7",
        body=shapes.TAGS,
        sample={"tags": {"name": "value"}},
    ),
    _done(
        "PUT",
        f"{_SERVICE}/tags/:key",
        services.set_tag,
        "5.7",
        Parameter("value", "the new value", required=True, rule=shapes.TAG_RULE),
    ),
    _done("DELETE", f"{_SERVICE}/tags/:key", services.delete_tags, "5.7"),
    _row("GET", f"{_SERVICE}/providers", discovery.providers, "8", *_NO_SELF),
    _row("GET", f"{_SERVICE}/consumers", discovery.consumers, "8", *_NO_SELF),
)
_SCHEMAS = (
    _row(
        "GET",
        f"{_SERVICE}/schemas",
        schemas.list_all,
        "6",
        parameters.WITH_SCHEMA,
        resource="service/schema",
    ),
    _done(
        "POST",
        f"{_SERVICE}/schemas",
        schemas.replace,
        "6",
        resource="service/schema",
        body=shapes.REPLACE_SCHEMAS,
        sample={"schemas": [{"schemaId": "hello", **_CONTENT}]},
    ),
    _row("GET", _SCHEMA, schemas.get, "6", resource="service/schema"),
    _done(
        "PUT",
        _SCHEMA,
        schemas.upload,
        "6",
        resource="service/schema",
        body=shapes.UPLOAD_SCHEMA,
        sample=_CONTENT,
    ),
    _done("DELETE", _SCHEMA, schemas.delete, "6", resource="service/schema"),
)
_INSTANCES = (
    _row("GET", f"{_V4}/instances", discovery.find, "7.5", *parameters.FIND),
    _row("GET", f"{_SERVICE}/instances", discovery.of_service, "7.11", *parameters.CONSUMER),
    _row(
        "POST",
        f"{_SERVICE}/instances",
        instances.register,
        "7.1",
        body_limit="max_instance_body_bytes",
        body=shapes.REGISTER_INSTANCE,
        sample=_NEW_INSTANCE,
    ),
    _row("GET", _INSTANCE, discovery.one, "7.11", *parameters.CONSUMER),
    _done("DELETE", _INSTANCE, instances.unregister, "7.2"),
    _done(
        "PUT",
        f"{_INSTANCE}/properties",
        instances.set_properties,
        "7.9",
        body_limit="max_properties_body_bytes",
        body=shapes.PROPERTIES,
        sample=_PROPERTIES,
    ),
    _done(
        "PUT",
        f"{_INSTANCE}/status",
        instances.set_status,
        "7.8",
        Parameter("value", "UP, DOWN, STARTING, TESTING or OUTOFSERVICE", required=True, rule=shapes.STATUS_RULE),
    ),
    _done("PUT", f"{_INSTANCE}/heartbeat", instances.heartbeat, "7.3"),
    _row(
        "PUT",
        f"{_V4}/heartbeats",
        instances.heartbeats,
        "7.4",
        body=shapes.BEATS,
        sample={"instances": [{"serviceId": "x", "instanceId": "y"}]},
    ),
    _row("GET", f"{_SERVICE}/watcher", watch, "9.1", answers=WEBSOCKET),
)
_BOTH = (*_SERVICES, *_SCHEMAS, *_INSTANCES)
_ONLY_V4 = (
    _row("GET", f"{_V4}/health", admin.health, "10", resource="public"),
    _row("GET", f"{_V4}/version", admin.version_v4, "10", resource="public"),
    _row("GET", f"{_INSTANCE}/heartbeat", beat, "9.3", answers=WEBSOCKET),
    _row(
        "POST",
        f"{_V4}/instances/action",
        discovery.batch,
        "7.7",
        Parameter("type", "query", required=True),
        parameters.CONSUMER_ID,
        body=shapes.BATCH_FIND,
        verb="get",
        sample={"services": [{"service": {"appId": "default", "serviceName": "demo"}}]},
    ),
    _done(
        "PUT",
        f"{_V4}/instances/status",
        instances.set_many_status,
        "7.10",
        body=shapes.MANY_STATUS,
        sample={"matches": _PROPERTIES, "status": "DOWN"},
    ),
    _done("POST", f"{_V4}/dependencies", discovery.add_dependencies, "8", body=shapes.DEPENDENCIES, sample=_DEPENDENCY),
    _done(
        "PUT",
        f"{_V4}/dependencies",
        discovery.replace_dependencies,
        "8",
        body=shapes.DEPENDENCIES,
        sample=_DEPENDENCY,
    ),
)
_OVERVIEWS = (
    _row("GET", "/health", admin.health, "10", resource="public", tenancy=Tenancy.NONE),
    _row("GET", "/version", admin.version_v3, "10", resource="public", tenancy=Tenancy.NONE),
    _row("GET", f"{_GOVERN}/microservices", govern.details, "11.1", *parameters.GOVERN),
    _row("GET", f"{_GOVERN}/microservices/:serviceId", govern.one, "11.1"),
    _row("GET", f"{_GOVERN}/relations", govern.relations, "11.1", parameters.WITH_SHARED),
    _row("GET", f"{_GOVERN}/apps", govern.apps, "11.1", parameters.ENVIRONMENT, parameters.WITH_SHARED),
    _row("GET", f"{_GOVERN}/statistics", govern.statistics, "11.1"),
    _row("GET", f"{_ADMIN}/alarms", admin.alarms, "11.2", resource="ops"),
    _done("DELETE", f"{_ADMIN}/alarms", admin.forget_alarms, "11.2", resource="ops"),
    _row(
        "GET",
        f"{_ADMIN}/dump",
        admin.dump,
        "11.2",
        Parameter("options", "comma list of info, cache, all"),
        resource="ops",
    ),
    _row("GET", f"{_ADMIN}/clusters", admin.clusters, "11.2", resource="ops"),
)


def _policies(method: str, path: str, handler: Handler, *query: Parameter, **more: object) -> Route:
    """A route of governance policies: the config centre refuses in it, and 404, 409 and 422 are its words."""
    row = _row(method, _POLICIES + path, handler, "12", *query, resource="governance", **more)
    described = {404: "There is no such policy", **row.failures}
    return replace(
        row,
        handler=governance.in_tenant(handler),
        refused=governance.in_registry_words,
        body_limit="max_config_body_bytes",
        failures=described,
    )


_GOVERNANCE = (
    _policies(
        "POST",
        "/:kind",
        governance.create,
        body=shapes.POLICY,
        sample=_NEW_POLICY,
        failures={409: "The policy is there with this selector", 422: "The quota is reached"},
    ),
    _policies("GET", "/display", governance.display, *parameters.POLICIES, listed=True),
    _policies("GET", "/:kind", governance.list_all, *parameters.POLICIES, listed=True),
    _policies("GET", "/:kind/:id", governance.get),
    _policies("PUT", "/:kind/:id", governance.update, body=shapes.POLICY, sample=_CHANGED_POLICY, answers=TEXT_TYPE),
    _policies("DELETE", "/:kind/:id", governance.delete, answers=TEXT_TYPE),
)
_ALIASES = tuple(replace(route, path=_V3 + route.path.removeprefix(_V4), tenancy=Tenancy.V3) for route in _BOTH)
ROUTES: tuple[Route, ...] = (*_BOTH, *_ONLY_V4, *_ALIASES, *_OVERVIEWS, *_GOVERNANCE)

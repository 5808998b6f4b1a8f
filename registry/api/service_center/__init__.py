"""The Service Center API: its table of routes. Protocol: Service Center section 3.

Every v4 route of the registry that the original also serves under `/registry/v3` is listed once and served under both.
"""

from __future__ import annotations

from collections.abc import Iterator

from aiohttp import web

from registry.api.call import Call, Handler, Parameter, Route, Tenancy
from registry.api.service_center import admin, discovery, govern, instances, schemas, services

_V4 = "/v4/:project/registry"
_V3 = "/registry/v3"
_SERVICE = "/microservices/:serviceId"
_INSTANCE = f"{_SERVICE}/instances/:instanceId"

_FIND = (
    Parameter("appId", "the provider's application", required=True),
    Parameter("serviceName", "the provider's name or alias", required=True),
    Parameter("env", "the provider's environment, where no consumer is named"),
    Parameter("tags", "comma list of tag keys that the service must have"),
    Parameter("rev", "the revision that the client has: 304 where it is current"),
    Parameter("noCache", "1 or true: ignore rev"),
    Parameter("filterVersion", "this engine's own: only versions that a rule selects (latest, 1.0+, 1.0-2.0, 1.0.0)"),
    Parameter("filterProperty", "this engine's own, repeatable: name:value that instances must have"),
    Parameter("X-ConsumerId", "the service that asks", where="header"),
)
_CONSUMER = _FIND[3:6] + _FIND[8:]
_NO_SELF = (Parameter("noSelf", "1: without the service itself"),)
_EXISTENCE = (
    Parameter("type", "microservice or schema", required=True),
    *(Parameter(name, "the service") for name in ("appId", "serviceName", "version", "env")),
    *(Parameter(name, "the schema") for name in ("serviceId", "schemaId")),
)
_GOVERN = (
    Parameter("options", "comma list of tags, instances, schemas, dependencies, statistics, all"),
    *(Parameter(name, "exact match") for name in ("appId", "serviceName", "env")),
    Parameter("property", "repeatable: name:value that services must have"),
    Parameter("withShared", "1 or true: the shared services too"),
    Parameter("countOnly", "1: count instances"),
)
_NAMED = {"serviceName": "demo", "appId": "default", "version": "1.0.0"}
_BODY_INSTANCE = {"instance": {"hostName": "host-1", "endpoints": ["rest://127.0.0.1:8080"]}}


async def watch(call: Call) -> web.StreamResponse:
    """GET microservices/:serviceId/watcher."""
    assert call.listeners is not None  # noqa: S101  the gate gives them to every call
    return await call.listeners.watch(call)


async def beat(call: Call) -> web.StreamResponse:
    """GET microservices/:serviceId/instances/:instanceId/heartbeat."""
    assert call.listeners is not None  # noqa: S101  the gate gives them to every call
    return await call.listeners.beat(call)


def _row(method: str, path: str, handler: Handler, resource: str, section: str, **more: object) -> Route:
    about = (handler.__doc__ or "").strip().splitlines()[0]
    return Route(method, _V4 + path, handler, resource, about, section=section, **more)  # type: ignore[arg-type]


_BOTH = (
    _row("GET", "/health", admin.health, "public", "10"),
    _row("GET", "/existence", services.exists, "service", "5.3", parameters=_EXISTENCE),
    _row("GET", "/microservices", services.list_all, "service", "5.4", parameters=(_GOVERN[5],)),
    _row("POST", "/microservices", services.register, "service", "5.1", sample={"service": _NAMED}),
    _row("DELETE", "/microservices", services.delete_many, "service", "5.5", sample={"serviceIds": ["x"]}),
    _row("GET", _SERVICE, services.get, "service", "5.4"),
    _row(
        "DELETE",
        _SERVICE,
        services.delete,
        "service",
        "5.5",
        parameters=(Parameter("force", "1 or true: with instances and dependants"),),
    ),
    _row(
        "PUT",
        f"{_SERVICE}/properties",
        services.set_properties,
        "service",
        "5.6",
        body_limit="max_properties_body_bytes",
        sample={"properties": {"name": "value"}},
    ),
    _row("GET", f"{_SERVICE}/tags", services.get_tags, "service", "5.7"),
    _row("POST", f"{_SERVICE}/tags", services.replace_tags, "service", "5.7", sample={"tags": {"name": "value"}}),
    _row(
        "PUT",
        f"{_SERVICE}/tags/:key",
        services.set_tag,
        "service",
        "5.7",
        parameters=(Parameter("value", "the new value", required=True),),
    ),
    _row("DELETE", f"{_SERVICE}/tags/:key", services.delete_tags, "service", "5.7"),
    _row(
        "GET",
        f"{_SERVICE}/schemas",
        schemas.list_all,
        "service/schema",
        "6",
        parameters=(Parameter("withSchema", "1: with content"),),
    ),
    _row(
        "POST",
        f"{_SERVICE}/schemas",
        schemas.replace,
        "service/schema",
        "6",
        sample={"schemas": [{"schemaId": "hello", "summary": "abc", "schema": "swagger: '2.0'"}]},
    ),
    _row("GET", f"{_SERVICE}/schemas/:schemaId", schemas.get, "service/schema", "6"),
    _row(
        "PUT",
        f"{_SERVICE}/schemas/:schemaId",
        schemas.upload,
        "service/schema",
        "6",
        sample={"schema": "swagger: '2.0'", "summary": "abc"},
    ),
    _row("DELETE", f"{_SERVICE}/schemas/:schemaId", schemas.delete, "service/schema", "6"),
    _row("GET", f"{_SERVICE}/providers", discovery.providers, "service", "8", parameters=_NO_SELF),
    _row("GET", f"{_SERVICE}/consumers", discovery.consumers, "service", "8", parameters=_NO_SELF),
    _row("GET", "/instances", discovery.find, "service", "7.5", parameters=_FIND),
    _row("GET", f"{_SERVICE}/instances", discovery.of_service, "service", "7.11", parameters=_CONSUMER),
    _row(
        "POST",
        f"{_SERVICE}/instances",
        instances.register,
        "service",
        "7.1",
        body_limit="max_instance_body_bytes",
        sample=_BODY_INSTANCE,
    ),
    _row("GET", _INSTANCE, discovery.one, "service", "7.11", parameters=_CONSUMER),
    _row("DELETE", _INSTANCE, instances.unregister, "service", "7.2"),
    _row(
        "PUT",
        f"{_INSTANCE}/properties",
        instances.set_properties,
        "service",
        "7.9",
        body_limit="max_properties_body_bytes",
        sample={"properties": {"name": "value"}},
    ),
    _row(
        "PUT",
        f"{_INSTANCE}/status",
        instances.set_status,
        "service",
        "7.8",
        parameters=(Parameter("value", "UP, DOWN, STARTING, TESTING or OUTOFSERVICE", required=True),),
    ),
    _row("PUT", f"{_INSTANCE}/heartbeat", instances.heartbeat, "service", "7.3"),
    _row(
        "PUT",
        "/heartbeats",
        instances.heartbeats,
        "service",
        "7.4",
        sample={"instances": [{"serviceId": "x", "instanceId": "y"}]},
    ),
    _row("GET", f"{_SERVICE}/watcher", watch, "service", "9.1"),
)
_DEPENDENCY = {"consumer": _NAMED, "providers": [{"serviceName": "other"}]}
_ONLY_V4 = (
    _row("GET", "/version", admin.version_v4, "public", "10"),
    _row("GET", f"{_INSTANCE}/heartbeat", beat, "service", "9.3"),
    _row(
        "POST",
        "/instances/action",
        discovery.batch,
        "service",
        "7.7",
        parameters=(Parameter("type", "query", required=True), _FIND[8]),
        sample={"services": [{"service": {"appId": "default", "serviceName": "demo"}}]},
    ),
    _row(
        "PUT",
        "/instances/status",
        instances.set_many_status,
        "service",
        "7.10",
        sample={"matches": {"properties": {"name": "value"}}, "status": "DOWN"},
    ),
    _row("POST", "/dependencies", discovery.add_dependencies, "service", "8", sample={"dependencies": [_DEPENDENCY]}),
    _row(
        "PUT", "/dependencies", discovery.replace_dependencies, "service", "8", sample={"dependencies": [_DEPENDENCY]}
    ),
)


def _plain(method: str, path: str, handler: Handler, resource: str, section: str, **more: object) -> Route:
    about = (handler.__doc__ or "").strip().splitlines()[0]
    return Route(method, path, handler, resource, about, section=section, **more)  # type: ignore[arg-type]


_OVERVIEWS = (
    _plain("GET", "/health", admin.health, "public", "10", tenancy=Tenancy.NONE),
    _plain("GET", "/version", admin.version_v3, "public", "10", tenancy=Tenancy.NONE),
    _plain("GET", f"{_V3}/version", admin.version_v3, "public", "10", tenancy=Tenancy.NONE),
    _plain("GET", "/v4/:project/govern/microservices", govern.details, "service", "11.1", parameters=_GOVERN),
    _plain("GET", "/v4/:project/govern/microservices/:serviceId", govern.one, "service", "11.1"),
    _plain("GET", "/v4/:project/govern/relations", govern.relations, "service", "11.1", parameters=(_GOVERN[5],)),
    _plain("GET", "/v4/:project/govern/apps", govern.apps, "service", "11.1", parameters=(_GOVERN[3], _GOVERN[5])),
    _plain("GET", "/v4/:project/govern/statistics", govern.statistics, "service", "11.1"),
    _plain("GET", "/v4/:project/admin/alarms", admin.alarms, "ops", "11.2"),
    _plain("DELETE", "/v4/:project/admin/alarms", admin.forget_alarms, "ops", "11.2"),
    _plain(
        "GET",
        "/v4/:project/admin/dump",
        admin.dump,
        "ops",
        "11.2",
        parameters=(Parameter("options", "comma list of info, cache, all"),),
    ),
    _plain("GET", "/v4/:project/admin/clusters", admin.clusters, "ops", "11.2"),
)


def _aliases() -> Iterator[Route]:
    for route in _BOTH:
        path = _V3 + route.path.removeprefix(_V4)
        yield Route(
            route.method,
            path,
            route.handler,
            route.resource,
            route.about,
            Tenancy.V3,
            route.body_limit,
            route.parameters,
            route.sample,
            route.section,
        )


ROUTES: tuple[Route, ...] = (*_BOTH, *_ONLY_V4, *_aliases(), *_OVERVIEWS)

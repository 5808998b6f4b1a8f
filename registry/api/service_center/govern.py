"""Overviews for consoles. Protocol: Service Center section 11.1."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import orjson

from registry.api.call import Call, Reply, json_reply
from registry.api.checks import checked, comma_list, flag, zero_or_one
from registry.api.service_center import shapes
from registry.api.service_center.schemas import schema_document
from registry.api.service_center.services import service_id
from registry.api.stored import of_stored
from registry.catalog.records import Service
from registry.catalog.views import Selection

_ALL = ("tags", "instances", "schemas", "dependencies", "statistics")


@of_stored
async def details(call: Call) -> Reply:
    """GET govern/microservices: chosen services with what `options` asks for."""
    options = set(comma_list(call, "options"))
    if "all" in options:
        options.update(_ALL)
    with_shared, count_only = flag(call, "withShared"), zero_or_one(call, "countOnly")
    statistics = {"statistics": _counts(call, with_shared=with_shared)} if "statistics" in options else {}
    if options == {"statistics"}:
        return json_reply(statistics)
    query = call.query
    properties = [_pair(text) for name, text in call.pairs if name == "property"]
    selection = Selection(
        query.get("appId", ""), query.get("serviceName", ""), query.get("env", ""), properties, with_shared
    )
    found = call.engine.catalog.views.select(call.tenant, selection)
    chosen = [service for service in found if call.sees(service.labels)]
    shown = [_detail(call, service, options, count_only=count_only) for service in chosen]
    return json_reply({**({"allServicesDetail": shown} if shown else {}), **statistics})


@of_stored
async def one(call: Call) -> Reply:
    """GET govern/microservices/:serviceId: everything about one service."""
    service = call.engine.catalog.services.get(call.tenant, service_id(call))
    detail = {
        "microService": service.document,
        "instances": _instances(call, service, ()),
        **_extras(call, service, _ALL),
        "microServiceVersions": call.engine.catalog.views.versions(service),
    }
    return json_reply({"service": {name: part for name, part in detail.items() if part}})


@of_stored
async def statistics(call: Call) -> Reply:
    """GET govern/statistics."""
    return json_reply({"statistics": _counts(call, with_shared=False)})


@of_stored
async def apps(call: Call) -> Reply:
    """GET govern/apps."""
    environment = checked(shapes.ENVIRONMENT_RULE, "GetAppsRequest.Environment", call.query.get("env", ""))
    with_shared = flag(call, "withShared")
    found = call.engine.catalog.views.apps(
        call.tenant, environment, with_shared=with_shared, sees=lambda service: call.sees(service.labels)
    )
    return json_reply({"appIds": found} if found else {})


@of_stored
async def relations(call: Call) -> Reply:
    """GET govern/relations: the graph of calls."""
    services, lines = call.engine.catalog.views.relations(call.tenant, with_shared=flag(call, "withShared"))
    shown = [
        {"from": _node(consumer), "to": _far_node(provider), "type": "", "color": "", "descriptor": ""}
        for consumer, provider in lines
    ]
    nodes = [_node(service) for service in services]
    return json_reply({"nodes": nodes or None, "lines": shown or None, "circles": None})


def _pair(text: str) -> tuple[str, str]:
    name, _, value = text.partition(":")
    return name, value


def _detail(call: Call, service: Service, options: Collection[str], *, count_only: bool) -> Mapping[str, object]:
    document = {name: value for name, value in service.document.items() if name != "schemas"}
    parts: dict[str, object] = {"microService": document}
    if count_only:
        wanted = "instances" in options
        count = len(call.engine.catalog.state.existing(call.tenant).instances_of(service.service_id))
        parts["statics"] = {"instances": {"count": count} if count else {}} if wanted else {}
    elif "instances" in options:
        parts["instances"] = _instances(call, service, ("properties",))
    parts |= _extras(call, service, options)
    return {name: part for name, part in parts.items() if part or name == "statics"}


def _extras(call: Call, service: Service, options: Collection[str]) -> Mapping[str, object]:
    parts: dict[str, object] = {}
    catalog = call.engine.catalog
    if "schemas" in options:
        parts["schemaInfos"] = [schema_document(schema, with_content=True) for schema in catalog.schemas.of(service)]
    if "dependencies" in options:
        parts["providers"] = _others(service, catalog.graph.providers(call.tenant, service.service_id))
        parts["consumers"] = _others(service, catalog.graph.consumers(call.tenant, service.service_id))
    if "tags" in options:
        parts["tags"] = service.tags
    return parts


def _others(service: Service, found: Sequence[Service]) -> Sequence[Mapping[str, object]]:
    return [other.document for other in found if other.service_id != service.service_id]


def _instances(call: Call, service: Service, hidden: Collection[str]) -> Sequence[object]:
    instances = call.engine.catalog.state.existing(call.tenant).instances_of(service.service_id).values()
    if not hidden:
        return [orjson.Fragment(instance.encoded) for instance in instances]
    kept = call.engine.catalog.limits.instance_properties
    shown = []
    for instance in instances:
        document = {name: value for name, value in instance.document().items() if name not in hidden}
        properties = {name: value for name, value in instance.properties.items() if name in kept}
        shown.append({**document, **({"properties": properties} if properties else {})})
    return shown


def _counts(call: Call, *, with_shared: bool) -> Mapping[str, Mapping[str, int]]:
    counts = call.engine.catalog.views.counts(call.tenant, with_shared=with_shared)
    return {name: {member: number for member, number in numbers.items() if number} for name, numbers in counts.items()}


def _node(service: Service) -> Mapping[str, str]:
    return {
        "id": service.service_id,
        "name": service.key.name,
        "appId": service.key.app,
        "version": service.version,
        "type": "",
        "color": "",
        "position": "",
    }


def _far_node(service: Service) -> Mapping[str, str]:
    return {**_node(service), "appId": "", "version": ""}

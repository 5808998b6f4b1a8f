"""Microservices, their tags and properties. Protocol: Service Center section 5."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from registry.api.call import EMPTY, Call, Reply, json_reply
from registry.api.checks import checked, flag
from registry.api.service_center import shapes
from registry.api.shapes import Rule, parse, read, validate
from registry.api.stored import of_stored
from registry.catalog.records import ProviderKey
from registry.errors import RegistryError, invalid


def service_id(call: Call) -> str:
    """The service id of the path."""
    return checked(shapes.SERVICE_ID_RULE, "GetServiceRequest.ServiceId", call.params["serviceId"])


async def register(call: Call) -> Reply:
    """POST microservices: the service, then its tags and instances."""
    given = read(shapes.REGISTER_SERVICE, call.body)
    service = given.get("service")
    if not isinstance(service, dict):
        raise invalid("Request body is empty")
    validate(shapes.SERVICE, service)
    engine, catalog, tenant = call.engine, call.engine.catalog, call.tenant
    name = await call.execute(lambda: catalog.services.register(tenant, service, engine.now()))
    try:
        await _register_belongings(call, name, given)
    except RegistryError as error:
        if error.error.status >= 500:
            raise
        raise invalid(f"errMessages: [{error.detail or error.error.message}]") from error
    return json_reply({"serviceId": name})


async def _register_belongings(call: Call, name: str, given: Mapping[str, object]) -> None:
    tags, instances = given.get("tags"), given.get("instances")
    if not tags and not instances:
        return
    validate(shapes.REGISTER_SERVICE, given)
    catalog, tenant, now = call.engine.catalog, call.tenant, call.engine.now()

    def command() -> None:
        if isinstance(tags, dict) and tags:
            catalog.tags.replace(tenant, name, tags, now)
        for instance in instances if isinstance(instances, list) else ():
            catalog.instances.register(tenant, name, instance, now)

    await call.execute(command)


@of_stored
async def list_all(call: Call) -> Reply:
    """GET microservices."""
    found = call.engine.catalog.services.list(call.tenant, with_shared=flag(call, "withShared"))
    services = [service for service in found if call.sees(service.labels)]
    return json_reply({"services": [service.document for service in services]} if services else {})


@of_stored
async def get(call: Call) -> Reply:
    """GET microservices/:serviceId."""
    return json_reply({"service": call.engine.catalog.services.get(call.tenant, service_id(call)).document})


@of_stored
async def exists(call: Call) -> Reply:
    """GET existence: of a version of a service, or of a schema."""
    query = call.query
    match query.get("type"):
        case "microservice":
            return _service_exists(call, query)
        case "schema":
            return _schema_exists(call, query)
    raise invalid("Only micro-service and schema can be used as type.")


def _service_exists(call: Call, query: Mapping[str, str]) -> Reply:
    app = checked(shapes.APP_RULE, "GetExistenceRequest.AppId", query.get("appId", ""))
    name = checked(shapes.FIND_NAME_RULE, "GetExistenceRequest.ServiceName", query.get("serviceName", ""))
    version = checked(shapes.VERSION_RULE, "GetExistenceRequest.Version", query.get("version", ""))
    environment = checked(shapes.ENVIRONMENT_RULE, "GetExistenceRequest.Environment", query.get("env", ""))
    key = ProviderKey(environment, app, name)
    return json_reply({"serviceId": call.engine.catalog.services.exists(call.tenant, key, version)})


def _schema_exists(call: Call, query: Mapping[str, str]) -> Reply:
    owner = checked(shapes.SERVICE_ID_RULE, "GetExistenceRequest.ServiceId", query.get("serviceId", ""))
    name = checked(shapes.SCHEMA_ID_RULE, "GetExistenceRequest.SchemaId", query.get("schemaId", ""))
    schema = call.engine.catalog.schemas.get(call.tenant, owner, name)
    return json_reply({"serviceId": owner, "schemaId": name}, {"X-Schema-Summary": schema.summary})


async def delete(call: Call) -> Reply:
    """DELETE microservices/:serviceId."""
    name, force = service_id(call), call.query.get("force", "")
    if force not in ("", "true", "1", "false", "0"):
        raise invalid("parameter force must be false or true")
    engine, tenant = call.engine, call.tenant
    await call.execute(lambda: engine.catalog.services.delete(tenant, name, engine.now(), force=force in ("true", "1")))
    return EMPTY


async def delete_many(call: Call) -> Reply:
    """DELETE microservices: each on its own; the answer says what became of which."""
    given = read(shapes.DELETE_SERVICES, call.body)
    validate(shapes.DELETE_SERVICES, given)
    names, force = given["serviceIds"], bool(given.get("force"))
    assert isinstance(names, list)  # noqa: S101  validated
    outcomes: list[Mapping[str, str]] = []
    for name in dict.fromkeys(names):
        try:
            await _delete_one(call, name, force=force)
            outcomes.append({"serviceId": name})
        except RegistryError as error:
            outcomes.append({"errMessage": f"{error.error.message}({error.detail})", "serviceId": name})
    return json_reply({"services": outcomes})


async def _delete_one(call: Call, name: str, *, force: bool) -> None:
    engine, tenant = call.engine, call.tenant
    await call.execute(lambda: engine.catalog.services.delete(tenant, name, engine.now(), force=force))


async def set_properties(call: Call) -> Reply:
    """PUT microservices/:serviceId/properties. The ids of the path count, whatever the body says."""
    properties = read(shapes.PROPERTIES, call.body).get("properties", {})
    engine, tenant, name = call.engine, call.tenant, service_id(call)
    assert isinstance(properties, dict)  # noqa: S101  decoded as a map
    await call.execute(lambda: engine.catalog.services.set_properties(tenant, name, properties, engine.now()))
    return EMPTY


@of_stored
async def get_tags(call: Call) -> Reply:
    """GET microservices/:serviceId/tags."""
    tags = call.engine.catalog.tags.get(call.tenant, service_id(call))
    return json_reply({"tags": tags} if tags else {})


async def replace_tags(call: Call) -> Reply:
    """POST microservices/:serviceId/tags."""
    body = parse(call.body)
    for name, value in body.items() if isinstance(body, dict) else ():
        if not isinstance(value, dict | None) or not all(isinstance(text, str) for text in (value or {}).values()):
            raise invalid(f"{name}: an object of strings is expected")
    given = read(shapes.TAGS, call.body)
    validate(shapes.TAGS, given)
    engine, tenant, name = call.engine, call.tenant, service_id(call)
    tags = given.get("tags", {})
    assert isinstance(tags, dict)  # noqa: S101  decoded as a map
    await call.execute(lambda: engine.catalog.tags.replace(tenant, name, tags, engine.now()))
    return EMPTY


async def set_tag(call: Call) -> Reply:
    """PUT microservices/:serviceId/tags/:key?value=."""
    key = checked(shapes.TAG_RULE, "UpdateServiceTagRequest.Key", call.params["key"])
    value = checked(shapes.TAG_RULE, "UpdateServiceTagRequest.Value", call.query.get("value", ""))
    engine, tenant, name = call.engine, call.tenant, service_id(call)
    await call.execute(lambda: engine.catalog.tags.set(tenant, name, key, value, engine.now()))
    return EMPTY


async def delete_tags(call: Call) -> Reply:
    """DELETE microservices/:serviceId/tags/:key, where the key may be a comma list."""
    keys: Sequence[str] = [
        checked(shapes.TAG_RULE, "DeleteServiceTagsRequest.Keys", key) for key in call.params["key"].split(",")
    ]
    if len(keys) > 100:
        raise invalid(f"field 'DeleteServiceTagsRequest.Keys' has {len(keys)} items: {Rule(1, 100).describe()}")
    engine, tenant, name = call.engine, call.tenant, service_id(call)
    await call.execute(lambda: engine.catalog.tags.delete(tenant, name, keys, engine.now()))
    return EMPTY

"""Schemas of services. Protocol: Service Center section 6."""

from __future__ import annotations

from registry.api.call import EMPTY, Call, Reply, json_reply
from registry.api.checks import checked, zero_or_one
from registry.api.service_center import shapes
from registry.api.service_center.services import service_id
from registry.api.shapes import read, validate
from registry.api.stored import of_stored
from registry.catalog.schemas import SchemaContent
from registry.errors import RegistryError, invalid


def _schema_id(call: Call) -> str:
    return checked(shapes.SCHEMA_ID_RULE, "GetSchemaRequest.SchemaId", call.params["schemaId"])


@of_stored
async def get(call: Call) -> Reply:
    """GET schemas/:schemaId: the content; the summary is in a header."""
    schema = call.engine.catalog.schemas.get(call.tenant, service_id(call), _schema_id(call))
    return json_reply({"schema": schema.content}, {"X-Schema-Summary": schema.summary})


@of_stored
async def list_all(call: Call) -> Reply:
    """GET schemas, with their content where `withSchema=1`."""
    with_content = zero_or_one(call, "withSchema")
    schemas = call.engine.catalog.schemas.list(call.tenant, service_id(call))
    listed = [schema_document(schema, with_content=with_content) for schema in schemas]
    return json_reply({"schemas": listed} if listed else {})


def schema_document(schema: SchemaContent, *, with_content: bool) -> dict[str, str]:
    """A schema as lists show it."""
    document = {"schemaId": schema.schema_id, "summary": schema.summary}
    if with_content:
        document["schema"] = schema.content
    return {name: value for name, value in document.items() if value}


async def upload(call: Call) -> Reply:
    """PUT schemas/:schemaId."""
    if call.engine.catalog.limits.schema_read_only:
        raise RegistryError(403001, "schema modify is disabled")
    given = read(shapes.UPLOAD_SCHEMA, call.body)
    validate(shapes.UPLOAD_SCHEMA, given)
    schema = SchemaContent(_schema_id(call), str(given.get("summary", "")), str(given["schema"]))
    engine, tenant, name = call.engine, call.tenant, service_id(call)
    await call.execute(lambda: engine.catalog.schemas.upload(tenant, name, schema, engine.now()))
    return EMPTY


async def replace(call: Call) -> Reply:
    """POST schemas: these and no others."""
    if call.engine.catalog.limits.schema_read_only:
        raise RegistryError(403001, "schema modify is disabled")
    given = read(shapes.REPLACE_SCHEMAS, call.body)
    try:
        validate(shapes.REPLACE_SCHEMAS, given)
    except RegistryError as error:
        raise invalid("Invalid request.") from error
    items = given["schemas"]
    assert isinstance(items, list)  # noqa: S101  validated
    schemas = [SchemaContent(item["schemaId"], item["summary"], item["schema"]) for item in items]
    engine, tenant, name = call.engine, call.tenant, service_id(call)
    await call.execute(lambda: engine.catalog.schemas.replace(tenant, name, schemas, engine.now()))
    return EMPTY


async def delete(call: Call) -> Reply:
    """DELETE schemas/:schemaId: the content goes, the declaration stays."""
    engine, tenant, name, schema = call.engine, call.tenant, service_id(call), _schema_id(call)
    await call.execute(lambda: engine.catalog.schemas.delete(tenant, name, schema, engine.now()))
    return EMPTY

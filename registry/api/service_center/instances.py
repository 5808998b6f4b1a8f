"""Instances: registration, heartbeats, status and properties. Protocol: Service Center section 7."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from registry.api.call import EMPTY, Call, Reply, json_reply
from registry.api.checks import checked
from registry.api.service_center import shapes
from registry.api.service_center.services import service_id
from registry.api.shapes import read, validate
from registry.engine import Engine
from registry.errors import RegistryError, invalid

BAD_JSON = "Unmarshal error"
"""What the original says of any body of these routes that it cannot read."""


def instance_id(call: Call) -> str:
    """The instance id of the path."""
    return checked(shapes.INSTANCE_ID_RULE, "HeartbeatRequest.InstanceId", call.params["instanceId"])


async def register(call: Call) -> Reply:
    """POST microservices/:serviceId/instances."""
    return registered(await call.execute(registration(call.engine, call.tenant, service_id(call), call.body)))


def registration(engine: Engine, tenant: str, owner: str, body: bytes) -> Callable[[], str]:
    """The command that registers the instance of a body and returns its id. Raises 400001."""
    given = read(shapes.REGISTER_INSTANCE, body, BAD_JSON)
    validate(shapes.REGISTER_INSTANCE, given)
    instance = given["instance"]
    assert isinstance(instance, dict)  # noqa: S101  validated
    return lambda: engine.catalog.instances.register(tenant, owner, instance, engine.now())


def registered(name: str) -> Reply:
    """The answer to a registration."""
    return json_reply({"instanceId": name})


async def unregister(call: Call) -> Reply:
    """DELETE microservices/:serviceId/instances/:instanceId."""
    engine, tenant, owner, name = call.engine, call.tenant, service_id(call), instance_id(call)
    await call.execute(lambda: engine.catalog.instances.unregister(tenant, owner, name, engine.now()))
    return EMPTY


async def heartbeat(call: Call) -> Reply:
    """PUT microservices/:serviceId/instances/:instanceId/heartbeat: the lease is renewed when this answers 200."""
    call.engine.catalog.instances.heartbeat(call.tenant, service_id(call), instance_id(call))
    return EMPTY


async def heartbeats(call: Call) -> Reply:
    """PUT heartbeats: many at once; the answer says which failed."""
    return json_reply({"instances": [_beat(call, owner, name) for owner, name in batch_of(call.body)]})


def batch_of(body: bytes) -> Sequence[tuple[str, str]]:
    """The service and instance ids of a batch, each pair once. Raises 400001."""
    beats = read(shapes.BEATS, body, BAD_JSON).get("instances")
    if not isinstance(beats, list) or not beats:
        raise invalid("Request format invalid.")
    if None in beats:
        raise invalid("Request format invalid: an instance is null.")
    if len(beats) > shapes.MOST_BEATS:
        raise invalid(f"Request format invalid: {len(beats)} instances, of {shapes.MOST_BEATS} at most.")
    return list({(str(beat.get("serviceId", "")), str(beat.get("instanceId", ""))): None for beat in beats})


def _beat(call: Call, owner: str, name: str) -> Mapping[str, str]:
    outcome = {"serviceId": owner, "instanceId": name}
    try:
        call.engine.catalog.instances.heartbeat(call.tenant, owner, name)
    except RegistryError as error:
        outcome["errMessage"] = f"{error.error.message}({error.detail})"
    return {key: value for key, value in outcome.items() if value}


async def set_status(call: Call) -> Reply:
    """PUT microservices/:serviceId/instances/:instanceId/status?value=."""
    status = checked(shapes.STATUS_RULE, "UpdateInstanceStatusRequest.Status", call.query.get("value", ""))
    engine, tenant, owner, name = call.engine, call.tenant, service_id(call), instance_id(call)
    await call.execute(lambda: engine.catalog.instances.set_status(tenant, owner, name, status, engine.now()))
    return EMPTY


async def set_properties(call: Call) -> Reply:
    """PUT microservices/:serviceId/instances/:instanceId/properties. The ids of the path count, whatever the body says."""
    properties = read(shapes.PROPERTIES, call.body, BAD_JSON).get("properties", {})
    assert isinstance(properties, dict)  # noqa: S101  decoded as a map
    engine, tenant, owner, name = call.engine, call.tenant, service_id(call), instance_id(call)
    await call.execute(lambda: engine.catalog.instances.set_properties(tenant, owner, name, properties, engine.now()))
    return EMPTY


async def set_many_status(call: Call) -> Reply:
    """PUT instances/status: all instances whose properties match."""
    given = read(shapes.MANY_STATUS, call.body, BAD_JSON)
    validate(shapes.MANY_STATUS, given)
    matches, status = given.get("matches"), str(given["status"])
    properties = matches.get("properties", {}) if isinstance(matches, dict) else {}
    engine, tenant = call.engine, call.tenant
    await call.execute(lambda: engine.catalog.instances.set_status_where(tenant, properties, status, engine.now()))
    return EMPTY

"""Registering a service and its instance, in the order in which the Java frameworks do it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from governance.sdk.client import CenterClient
from governance.sdk.settings import ServiceSettings

FRAMEWORK = {"name": "waggle-python", "version": "0.1.0"}


@dataclass(frozen=True, slots=True)
class Registered:
    """The ids that the engine knows a service and its instance by."""

    service_id: str
    instance_id: str


async def register(client: CenterClient, settings: ServiceSettings, instance_id: str | None) -> Registered:
    """Make sure that the service, its schemas and the instance are registered. Raises `EngineError`, `EngineUnavailableError`."""
    service_id = await client.service_id()
    if service_id is None:
        service_id = await client.register_service(service_document(settings))
    elif settings.service_properties:
        await client.set_service_properties(service_id, settings.service_properties)
    await _upload_schemas(client, service_id, settings.schemas)
    name = await client.register_instance(service_id, instance_document(settings, instance_id))
    return Registered(service_id, name)


async def _upload_schemas(client: CenterClient, service_id: str, schemas: Mapping[str, str]) -> None:
    known = await client.schema_summaries(service_id) if schemas else {}
    for name, content in schemas.items():
        summary = hashlib.sha256(content.encode()).hexdigest()
        if known.get(name) != summary:
            await client.upload_schema(service_id, name, content, summary)


def service_document(settings: ServiceSettings) -> dict[str, object]:
    """The service as it is registered."""
    document = {
        "appId": settings.app,
        "serviceName": settings.name,
        "version": settings.version,
        "environment": settings.environment,
        "description": settings.description,
        "alias": settings.alias,
        "schemas": list(settings.schemas),
        "properties": settings.service_properties,
        "framework": FRAMEWORK,
        "registerBy": "SDK",
    }
    return {name: value for name, value in document.items() if value}


def instance_document(settings: ServiceSettings, instance_id: str | None) -> dict[str, object]:
    """The instance as it is registered."""
    zone = settings.data_center
    document = {
        "instanceId": instance_id,
        "hostName": settings.host_name,
        "endpoints": list(settings.endpoints),
        "status": settings.status,
        "properties": settings.instance_properties,
        "healthCheck": {
            "mode": "push",
            "interval": max(1, round(settings.heartbeat_interval)),
            "times": settings.heartbeat_times,
        },
        "dataCenterInfo": {"name": zone.name, "region": zone.region, "availableZone": zone.zone} if zone else None,
    }
    return {name: value for name, value in document.items() if value}

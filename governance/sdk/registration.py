"""Registering a service and its instance, in the order in which the Java frameworks do it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version

from governance.sdk.calls import Json
from governance.sdk.client import CenterClient
from governance.sdk.endpoints import published
from governance.sdk.settings import ServiceSettings

FRAMEWORK = {"name": "waggle-python", "version": version("waggle-engine")}


@dataclass(frozen=True, slots=True)
class Registered:
    """The ids that the engine knows a service and its instance by."""

    service_id: str
    instance_id: str


async def register_service(client: CenterClient, settings: ServiceSettings) -> str:
    """Make sure that the service and its schemas are registered; its id. Raises `EngineError`, `EngineUnavailableError`."""
    service_id = await client.service_id()
    if service_id is None:
        service_id = await client.register_service(service_document(settings))
    elif settings.service_properties:
        await client.set_service_properties(service_id, settings.service_properties)
    await _upload_schemas(client, service_id, settings.schemas)
    return service_id


async def replace_former(client: CenterClient, registered: Registered, document: Json) -> None:
    """Take out what a former process registered under the same id. Raises `EngineError`, `EngineUnavailableError`.

    Registering an instance that the engine still has only renews its lease, and would keep the endpoints of that process.
    """
    known = await client.instance(registered.service_id, registered.instance_id)
    if known and not _agrees(document, known):
        await client.unregister_instance(registered.service_id, registered.instance_id)


def _agrees(document: Json, known: Json) -> bool:
    """Whether the engine has what is said here; it may add properties of its own."""
    properties, has = document.get("properties") or {}, known.get("properties") or {}
    if not isinstance(properties, dict) or not isinstance(has, dict) or not properties.items() <= has.items():
        return False
    said = ("endpoints", "hostName", "status", "dataCenterInfo")
    return all((document.get(name) or None) == (known.get(name) or None) for name in said)


async def _upload_schemas(client: CenterClient, service_id: str, schemas: Mapping[str, str]) -> None:
    known = await client.schema_summaries(service_id) if schemas else {}
    for name, content in schemas.items():
        summary = hashlib.sha256(content.encode()).hexdigest()
        if known.get(name) != summary:
            await client.upload_schema(service_id, name, content, summary)


def service_document(settings: ServiceSettings) -> Json:
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


def instance_document(settings: ServiceSettings, instance_id: str, status: str) -> Json:
    """The instance as it is registered."""
    zone = settings.data_center
    document = {
        "instanceId": instance_id,
        "hostName": settings.host_name,
        "endpoints": published(settings),
        "status": status,
        "properties": settings.instance_properties,
        "healthCheck": {
            "mode": "push",
            "interval": max(1, round(settings.heartbeat_interval)),
            "times": settings.heartbeat_times,
        },
        "dataCenterInfo": {"name": zone.name, "region": zone.region, "availableZone": zone.zone} if zone else None,
    }
    return {name: value for name, value in document.items() if value}

"""Health, version, alarms and the dump. Protocol: Service Center sections 10 and 11."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Iterator, Mapping

import orjson

from registry import __version__
from registry.api.call import EMPTY, Call, Reply, json_reply
from registry.api.checks import comma_list
from registry.catalog.records import Dependencies, Instance, Record, Schema, Service
from registry.catalog.services import DEFAULT_TENANT
from registry.engine.alarms import BACKEND
from registry.errors import RegistryError


async def health(call: Call) -> Reply:
    """GET health: the engine's own instance, or what is wrong with its store."""
    detail = call.engine.alarms.active(BACKEND)
    if detail is not None:
        raise RegistryError(400002, detail)
    catalog = call.engine.catalog
    if not catalog.services.own_id:
        raise RegistryError(400012, "the engine does not register itself")
    own = catalog.state.existing(DEFAULT_TENANT).instances_of(catalog.services.own_id).values()
    return json_reply({"instances": [orjson.Fragment(instance.encoded) for instance in own]})


async def version_v4(_call: Call) -> Reply:
    """GET version of the v4 API."""
    return json_reply({**version_facts(), "apiVersion": "4.0.0"})


async def version_v3(_call: Call) -> Reply:
    """GET version of the v3 API."""
    return json_reply({**version_facts(), "apiVersion": "3.0.0"})


def version_facts() -> Mapping[str, str]:
    """What runs where. `goVersion` is what clients of the original may read; here it names Python."""
    return {
        "version": __version__,
        "buildTag": f"waggle-{__version__}",
        "goVersion": f"python{platform.python_version()}",
        "os": platform.system().lower(),
        "arch": platform.machine(),
    }


async def alarms(call: Call) -> Reply:
    """GET admin/alarms."""
    found = call.engine.alarms.list(call.tenant)
    return json_reply({"alarms": found} if found else {})


async def forget_alarms(call: Call) -> Reply:
    """DELETE admin/alarms."""
    call.engine.alarms.forget(call.tenant)
    return EMPTY


async def clusters(call: Call) -> Reply:
    """GET admin/clusters: this engine is one cluster."""
    return json_reply({"clusters": {"default": [f"{call.request.scheme}://{call.header('Host')}"]}})


async def dump(call: Call) -> Reply:
    """GET admin/dump: what the engine holds; nothing of its settings."""
    if call.tenant != DEFAULT_TENANT:
        raise RegistryError(403001, "Required admin permission")
    options = comma_list(call, "options") or ["cache"]
    parts: dict[str, object] = {}
    if "info" in options or "all" in options:
        parts["info"] = {**version_facts(), "apiVersion": "4.0.0"}
    if "cache" in options or "all" in options:
        parts["cache"] = _dump(call.engine.catalog.state.records())
    return json_reply(parts)


def _dump(records: Iterable[Record]) -> Mapping[str, object]:
    dumped: dict[str, list[Mapping[str, object]]] = {}
    for record in records:
        name, value = _dumped(record)
        row = {"key": record.path, "rev": record.revision, "cluster": "default", "value": value}
        dumped.setdefault(name, []).append(row)
        if isinstance(record, Service):
            for part, key, found in _indexes(record):
                dumped.setdefault(part, []).append({**row, "key": key, "value": found})
    return dumped


def _indexes(service: Service) -> Iterator[tuple[str, str, object]]:
    """The parts of the dump that follow from a service: its index, its alias, its tags."""
    place = f"{service.tenant}/{service.key.environment}/{service.key.app}"
    yield "serviceIndexes", f"{place}/{service.key.name}/{service.version}", service.service_id
    if service.alias:
        yield "serviceAliases", f"{place}/{service.alias}/{service.version}", service.service_id
    if service.tags:
        yield "serviceTags", service.path, service.tags


def _dumped(record: Record) -> tuple[str, object]:
    match record:
        case Service():
            return "services", record.document
        case Instance():
            return "instances", orjson.Fragment(record.encoded)
        case Schema():
            return "summaries", record.summary
        case Dependencies():
            return "dependencyRules", [key._asdict() for key in sorted(record.providers)]

"""Which instances have metrics, as Prometheus' http_sd reads it. docs/prometheus.md says what an instance is registered with for that."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import urlsplit

from registry.api.call import Call, Parameter, Reply, Route, Tenancy, json_reply
from registry.api.checks import check_tenant
from registry.catalog.records import Instance, Service
from registry.catalog.views import Selection
from registry.engine.reporting import lane_of

_HOST, _PORT, _PATH, _SCHEME = (f"prometheus.{name}" for name in ("host", "port", "path", "scheme"))
_AT_ONCE = 20
"""Services whose instances are read before others are served: Prometheus asks for all of them, again and again."""
_META = "__meta_waggle_"
_PLACES = {"name": "datacenter", "region": "region", "availableZone": "zone"}
_CHOSEN = tuple(Parameter(name, f"only of this {name}") for name in ("app", "environment", "service"))


async def targets(call: Call) -> Reply:
    """GET prometheus/targets: the instances that have metrics, in the form of http_sd."""
    check_tenant(call)
    query = call.query
    wanted = Selection(query.get("app", ""), query.get("service", ""), query.get("environment", ""))
    catalog = call.engine.catalog
    tenant = catalog.state.existing(call.tenant)
    found: list[Mapping[str, object]] = []
    chosen = [service for service in catalog.views.select(call.tenant, wanted) if call.sees(service.labels)]
    for place, service in enumerate(chosen, start=1):
        found += (
            _group(target, service, instance)
            for instance in tenant.instances_of(service.service_id).values()
            for target in _target(instance)
        )
        if place % _AT_ONCE == 0:
            await asyncio.sleep(0)
    return json_reply(found)


def prometheus_routes() -> Sequence[Route]:
    """The table of routes."""
    about = (targets.__doc__ or "").strip()
    path = "/waggle/v1/prometheus/targets"
    return (Route("GET", path, targets, "service", about, Tenancy.QUERY, parameters=_CHOSEN, listed=True),)


def _target(instance: Instance) -> Iterator[str]:
    """The host and port of an instance's metrics, where its properties make sense."""
    port = instance.properties.get(_PORT, "")
    if not (port.isascii() and port.isdigit() and 0 < int(port[:6]) <= 65535):
        return
    host = instance.properties.get(_HOST) or _endpoint_host(instance)
    if host:
        yield f"[{host}]:{port}" if ":" in host and not host.startswith("[") else f"{host}:{port}"


def _endpoint_host(instance: Instance) -> str:
    endpoints = instance.document().get("endpoints")
    for endpoint in endpoints if isinstance(endpoints, list) else ():
        try:
            host = urlsplit(str(endpoint)).hostname
        except ValueError:
            continue
        if host:
            return host
    return ""


def _group(target: str, service: Service, instance: Instance) -> Mapping[str, object]:
    properties, document = instance.properties, instance.document()
    path = properties.get(_PATH) or "/metrics"
    said = {
        "app": service.key.app,
        "service": service.key.name,
        "version": service.version,
        "environment": service.key.environment,
        "instance_id": instance.instance_id,
        "host_name": str(document.get("hostName", "")),
        "status": instance.status,
        "lane": lane_of(instance),
        **_place(document),
    }
    labels = {
        "__metrics_path__": path if path.startswith("/") else f"/{path}",
        "__scheme__": "https" if properties.get(_SCHEME, "").lower() == "https" else "http",
        **{f"{_META}{name}": text for name, text in said.items() if text},
    }
    return {"targets": [target], "labels": labels}


def _place(document: Mapping[str, object]) -> Mapping[str, str]:
    place = document.get("dataCenterInfo")
    return {name: str(place.get(part) or "") for part, name in _PLACES.items()} if isinstance(place, dict) else {}

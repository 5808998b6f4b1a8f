"""Whom an item is for: the registered services that ask for its labels, and who waits for its changes now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import orjson

from registry.api.call import Call, Reply, json_reply
from registry.api.kie.parameters import labels_of, page_of
from registry.catalog.records import Instance
from registry.config.records import NO_LABELS, Labels
from registry.engine.askers import Place
from registry.engine.listening import Listener
from registry.engine.readers import Reading, readers_of

_MOST = 100
"""Instances of each service that are named."""


async def readers(call: Call) -> Reply:
    """GET readers: the registered services that ask for items with exactly these labels, each as the kind of client that it is."""
    labels = labels_of(call)
    found = await call.engine.read(lambda: readers_of(call.engine.catalog, call.tenant, labels))
    return json_reply({"services": list(map(_service, found)), "instances": sum(len(one.instances) for one in found)})


async def listeners(call: Call) -> Reply:
    """GET listeners: who waits now for changes of items with exactly these labels, or of any; and the revision that each has."""
    asked = [name for name, _ in call.pairs]
    labels = labels_of(call) if "label" in asked or call.query.get("match") == "exact" else None
    offset, limit = page_of(call)
    found = [one for one in call.engine.listening.of(call.tenant) if _is_about(call, one, labels)]
    part = found[offset : offset + (limit or _MOST)]
    revision = call.engine.config.state.revision(call.tenant)
    return json_reply({"revision": revision, "total": len(found), "listeners": [_listener(call, one) for one in part]})


def _is_about(call: Call, one: Listener, labels: Labels | None) -> bool:
    return bool(_visible(call, one)) and (labels is None or one.is_told_of(labels))


def _visible(call: Call, one: Listener) -> Sequence[Mapping[str, str]]:
    """What it asks for, as far as whoever asks may see that."""
    return [labels for labels in map(_labels, one.label_sets) if call.sees(labels, exact=True)]


def _service(reading: Reading) -> Mapping[str, object]:
    service = reading.service
    instances = [
        {"instanceId": one.instance_id, "hostName": _host(one), "status": one.status}
        for one in reading.instances[:_MOST]
    ]
    return {
        "serviceId": service.service_id,
        "app": service.key.app,
        "service": service.key.name,
        "version": service.version,
        "environment": service.key.environment,
        "client": reading.kind,
        "level": reading.level,
        "total": len(reading.instances),
        "instances": instances,
    }


def _host(instance: Instance) -> str:
    return str(orjson.loads(instance.encoded).get("hostName") or "")


def _listener(call: Call, one: Listener) -> Mapping[str, object]:
    facts = {"protocol": one.protocol, "address": one.address, "revision": int(one.revision or 0)}
    asks = {"labels": _visible(call, one), "exact": one.exact}
    return {**facts, **asks, "instances": _instances(call, one)}


def _labels(labels: Labels) -> Mapping[str, str]:
    return dict(sorted(labels))


def _instances(call: Call, one: Listener) -> Sequence[Mapping[str, str]]:
    """The registered instances that it may be: one where it says so or its address does."""
    widest = max(one.label_sets, key=len, default=NO_LABELS)
    place, catalog = Place(one.tenant, one.address, one.instance, dict(widest)), call.engine.catalog
    services = catalog.state.existing(one.tenant).services
    return [
        {
            "instanceId": found.instance_id,
            "service": services[found.service_id].key.name,
            "version": services[found.service_id].version,
        }
        for found in place.instances(catalog)[:_MOST]
    ]

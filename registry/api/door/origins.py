"""Where a request comes from: the service and instance that it is of, as far as it says so."""

from __future__ import annotations

from collections.abc import Sequence

from registry.access.callers import Origin
from registry.access.permissions import Labels
from registry.api.call import Call
from registry.api.kie.parameters import labels_of
from registry.api.service_center import shapes
from registry.api.service_center.instances import BAD_JSON
from registry.api.shapes import read
from registry.engine.askers import INSTANCE
from registry.errors import Refusal

_OF_ITSELF = frozenset(
    f"{module}.{name}"
    for module, names in {
        "instances": ("heartbeat", "register", "unregister", "set_properties"),
        "service_center": ("watch", "beat"),
        "schemas": ("upload", "replace"),
    }.items()
    for name in names
)
"""Routes whose path names the one that asks. Others may be asked by anybody: an operator sets the status of an instance, too."""
_MOST_OF_BATCH = 100


def origins_of(call: Call) -> Sequence[Origin]:
    """The instances that a request is of: one, or some of those whose heartbeats come together."""
    if call.route.name == "instances.heartbeats" and (found := _of_batch(call)):
        return found
    own = call.route.name in _OF_ITSELF
    service = call.params.get("serviceId", "") if own else call.header("X-ConsumerId")[:64]
    instance = call.params.get("instanceId", "") if own else call.header(INSTANCE)[:64]
    labels = topic_labels(call)[0] if not service and call.route.resource == "config" else {}
    names = (labels.get("app", "")[:160], labels.get("service", "")[:160])
    return (Origin(call.tenant, call.address, service[:64], instance[:64], *names),)


def topic_labels(call: Call) -> Sequence[Labels]:
    """The labels that a list of the config centre is asked by."""
    try:
        return (dict(labels_of(call)),)
    except Refusal:
        return ({},)


def _of_batch(call: Call) -> Sequence[Origin]:
    try:
        beats = read(shapes.BEATS, call.body, BAD_JSON).get("instances")
    except Refusal:
        return ()
    rows = [beat for beat in beats if beat][:_MOST_OF_BATCH] if isinstance(beats, list) else []
    tenant, address = call.tenant, call.address
    return [
        Origin(tenant, address, str(beat.get("serviceId", ""))[:64], str(beat.get("instanceId", ""))[:64])
        for beat in rows
    ]

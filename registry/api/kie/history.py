"""The history of a key-value. Protocol: KIE section A.11."""

from __future__ import annotations

from registry.api.call import Call, Reply, json_reply
from registry.api.kie.keyvalues import key_id, with_label_format
from registry.api.kie.parameters import page_of
from registry.config.records import KeyValue
from registry.errors import ConfigError

KEPT = 100
"""The most snapshots that clients of KIE are answered."""


async def revisions(call: Call) -> Reply:
    """GET kie/revision/:kv_id: what the key-value was, the newest first."""
    offset, limit = page_of(call)
    engine, tenant, name = call.engine, call.tenant, key_id(call)
    known = engine.config.state.table(tenant).by_id.get(name)
    if known is None:
        raise ConfigError(404001, "revision does not exist")
    snapshots = [
        KeyValue.decoded(tenant, event.body)
        for event in await engine.journal.history(known.path, KEPT)
        if event.body is not None and event.revision >= known.create_revision
    ]
    page = snapshots[offset : offset + limit] if limit else snapshots
    domain, _, project = tenant.partition("/")
    shown = [{**with_label_format(snapshot), "domain": domain, "project": project} for snapshot in page]
    return json_reply({"total": len(snapshots), "data": shown})

"""Import of many key-values at once, in the form that KIE's consoles export. Protocol: KIE section A.10."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import orjson

from registry.api.call import Call, Reply
from registry.api.kie import shapes, values
from registry.api.kie.bodies import document_reply, read
from registry.config.keyvalues import KeyValues
from registry.config.records import Draft
from registry.config.rules import check_draft
from registry.errors import ConfigError

_MODES = ("force", "skip", "abort")
Failure = Mapping[str, object]


async def upload(call: Call) -> Reply:
    """POST kie/file: import; `override` says what becomes of what is there already."""
    mode = call.query.get("override", "")
    if not mode:
        raise ConfigError(400001, "Query parameter 'override' is required")
    if mode not in _MODES:
        raise ConfigError(400001, f"override must be one of {', '.join(_MODES)}")
    data = (await read(call, shapes.UPLOAD)).get("data", [])
    assert isinstance(data, list)  # noqa: S101  decoded as a list
    engine, tenant = call.engine, call.tenant
    most = engine.config.keys.quota
    if len(data) > most:
        raise ConfigError(400001, f"{len(data)} key-values at once are more than the quota of {most}")
    drafts = [shapes.draft_of(item) for item in data if item is not None]
    unparsable = await values.unparsable(call, drafts)
    stored, failed = await call.execute(
        lambda: import_all(engine.config.keys, tenant, drafts, mode, engine.now(), unparsable)
    )
    return await document_reply(call, {"success": [orjson.Fragment(encoded) for encoded in stored], "failure": failed})


def import_all(
    keys: KeyValues, tenant: str, drafts: Iterable[Draft], mode: str, now: int, unparsable: Mapping[int, ConfigError]
) -> tuple[Sequence[bytes], Sequence[Failure]]:
    """Import in order; what was stored and what was not. In mode `abort` the first that is there already ends it.

    `unparsable` are refusals of drafts by their place that were decided before.
    """
    stored: list[bytes] = []
    failed: list[Failure] = []
    stop: ConfigError | None = None
    for place, draft in enumerate(drafts):
        if stop is not None:
            failed.append(_failure(draft, stop))
            continue
        try:
            if place in unparsable:
                raise unparsable[place]
            stored.append(_import(keys, tenant, draft, mode, now))
        except ConfigError as error:
            stop = error if error.error.code == 400005 else None
            failed.append(_failure(draft, error))
    return stored, failed


def _import(keys: KeyValues, tenant: str, draft: Draft, mode: str, now: int) -> bytes:
    check_draft(draft)
    known = keys.named(tenant, draft)
    if known is None:
        return keys.create(tenant, draft, now).encoded
    if mode == "skip":
        raise ConfigError(400004, "skip overriding duplicate kvs")
    if mode == "abort":
        raise ConfigError(400005, "stop overriding kvs after reaching the duplicate kv")
    return keys.update(tenant, known.key_id, draft.value, draft.status, now).encoded


def _failure(draft: Draft, error: ConfigError) -> Failure:
    shown: dict[str, object] = {"key": draft.key, "labels": draft.labels}
    shown = {name: value for name, value in shown.items() if value}
    return {**shown, "error_code": error.error.code, "error_message": error.detail}

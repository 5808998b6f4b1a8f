"""Key-values over KIE's API: create, read, update, delete, list and wait. Protocol: KIE sections A.4 to A.8."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import orjson

from registry.api.call import Call, Reply
from registry.api.kie import parameters, shapes, values
from registry.api.kie.bodies import NO_CONTENT, document_reply, read, reply
from registry.config.query import Query, answer
from registry.config.records import KeyValue, label_format
from registry.config.rules import check_id
from registry.engine.askers import INSTANCE, Choice, Place
from registry.errors import ConfigError

REVISION = "X-Kie-Revision"
"""Java clients compare this header's name with its case."""
NOT_MODIFIED = Reply(304)
LONGEST_WAIT = 300.0
"""Seconds."""


async def create(call: Call) -> Reply:
    """POST kie/kv: create a key-value; 409001 where its key has these labels already."""
    draft = shapes.draft_of(await read(call, shapes.KEY_VALUE))
    engine, tenant = call.engine, call.tenant
    try:
        await values.check(call, draft)
        created = await call.execute(lambda: engine.config.keys.create(tenant, draft, engine.now()))
    except ConfigError as error:
        raise wrapped(error) from error
    return await document_reply(call, orjson.Fragment(created.encoded))


def wrapped(refusal: ConfigError) -> ConfigError:
    """A refusal to create as the original words it: the detail repeats the message. Section A.12."""
    return ConfigError(refusal.error.code, f"{refusal.error.message}({refusal.detail})")


async def update(call: Call) -> Reply:
    """PUT kie/kv/:kv_id: change the value or the status."""
    given = await read(call, shapes.UPDATE)
    value, status = str(given.get("value", "")), str(given.get("status", ""))
    engine, tenant, name = call.engine, call.tenant, key_id(call, "UpdateKVRequest")
    known = engine.config.state.table(tenant).by_id.get(name)
    if known is not None and value:
        await values.check(call, replace(known.draft, value=value))
    changed = await call.execute(lambda: engine.config.keys.update(tenant, name, value, status, engine.now()))
    return await document_reply(call, orjson.Fragment(changed.encoded))


async def get(call: Call) -> Reply:
    """GET kie/kv/:kv_id: one key-value."""
    engine, tenant, name = call.engine, call.tenant, key_id(call)
    found = await engine.read(lambda: engine.config.keys.get(tenant, name))
    return reply(orjson.dumps(with_label_format(found)))


async def delete(call: Call) -> Reply:
    """DELETE kie/kv/:kv_id: delete one key-value."""
    engine, tenant, name = call.engine, call.tenant, call.params["kv_id"]
    await call.execute(lambda: engine.config.keys.delete(tenant, name, engine.now()))
    return NO_CONTENT


async def delete_many(call: Call) -> Reply:
    """DELETE kie/kv: delete the key-values of a list of ids, those that are known."""
    ids = (await read(call, shapes.IDS)).get("ids", [])
    assert isinstance(ids, list)  # noqa: S101  decoded as a list
    engine, tenant = call.engine, call.tenant
    await call.execute(lambda: engine.config.keys.delete_many(tenant, ids, engine.now()))
    return NO_CONTENT


async def list_all(call: Call) -> Reply:
    """GET kie/kv: list by labels; with `revision` only what is newer, with `wait` as soon as it is there."""
    query = parameters.query_of(call)
    wait, known = parameters.wait_of(call), parameters.revision_of(call)
    current = call.engine.config.state.revision(call.tenant)
    if is_news(known, current, waits=wait is not None):
        return await _listed(call, query)
    if wait is None:
        return NOT_MODIFIED
    if query.key:
        raise ConfigError(400001, "can not accept key params, when using wait")
    if wait > LONGEST_WAIT:
        raise ConfigError(
            400003, "wait param should be formed with number and time unit like 5s,100ms, and less than 5m"
        )
    return await _waited(call, query, wait)


def is_news(known: int | None, current: int, *, waits: bool) -> bool:
    """Whether a client that knows this revision is answered a list at once. One that names none and waits does so for the next change."""
    return not waits if known is None else known != current


async def _waited(call: Call, query: Query, seconds: float) -> Reply:
    """What follows a change is the whole topic: neither status nor value nor page narrow it. Section A.8 item 6."""
    assert call.listeners is not None  # noqa: S101  the gate gives them to every call
    changed = seconds > 0 and await call.listeners.poll(call, query.topic, seconds)
    return await _listed(call, Query(query.topic)) if changed else NOT_MODIFIED


async def _listed(call: Call, query: Query) -> Reply:
    state = call.engine.config.state
    place = Place(call.tenant, call.address, call.header(INSTANCE), dict(query.topic.labels))
    choice = Choice(call.engine.catalog, place)
    sees = None if call.granted is None else partial(_sees, call)
    revision, body = await call.engine.read(lambda: (state.revision(call.tenant), answer(state, query, choice, sees)))
    return listed(revision, body)


def _sees(call: Call, item: KeyValue) -> bool:
    return call.sees(item.draft.labels, exact=True)


def listed(revision: int, body: bytes) -> Reply:
    """A list of that revision."""
    return reply(body, {REVISION: str(revision)})


def key_id(call: Call, request: str = "GetKVRequest") -> str:
    """The id of the path. Raises 400001 for one that is too long, which calls the request so."""
    check_id(request, call.params["kv_id"])
    return call.params["kv_id"]


def with_label_format(record: KeyValue) -> dict[str, object]:
    """The document of a key-value with its labels as text, as reads by id and histories show it."""
    document: dict[str, object] = orjson.loads(record.encoded)
    return {**document, "label_format": label_format(record.draft.labels)}

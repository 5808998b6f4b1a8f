"""Items of Config Center: read, write and delete them. Protocol: Config Center sections B.3 and B.4."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import orjson

from registry.api.call import Call, Reply
from registry.api.config_center.asked import Asked, asked_of
from registry.api.config_center.filters import key_filter
from registry.api.config_center.views import Views
from registry.api.kie.bodies import reply
from registry.api.shapes import Kind, Member, Shape, read
from registry.config.edits import Edit, carry_out, plan
from registry.config.records import ENABLED, KeyValue
from registry.engine import Engine
from registry.errors import ConfigError

WRITTEN = Shape("ItemsRequest", (Member("dimensionsInfo"), Member("items", Kind.OBJECT)))
DELETED = Shape("ItemsRequest", (Member("dimensionsInfo"), Member("keys", Kind.TEXTS)))
SCOPE = Shape("ScopeRequest", (Member("dimensionInfo"), Member("flush"), Member("keys", Kind.TEXTS)))
NOT_MODIFIED = Reply(304)
_DONE = reply(b'{"Result":"Success"}')


class Items:
    """The handlers of items."""

    def __init__(self, views: Views) -> None:
        self._views = views

    async def get(self, call: Call) -> Reply:
        """GET configuration/items: what a client sees; 304 where `revision` says that it has all of it."""
        query = call.query
        asked = asked_of(call, query.get("dimensionsInfo", ""))
        wanted = key_filter(query["keyFilter"]) if query.get("keyFilter") else None
        view = await self._views.view(asked)
        if wanted is not None:
            view = view.narrowed(wanted)
        known = query.get("revision", "")
        return NOT_MODIFIED if known == view.revision else reply(view.body(with_revision=bool(known)))


async def write_items(call: Call) -> Reply:
    """POST configuration/items: create or change items of a dimension, all or none."""
    given = read(WRITTEN, call.body)
    asked, items = asked_of(call, str(given.get("dimensionsInfo", ""))), given.get("items")
    if not isinstance(items, dict):
        raise ConfigError(400001, "items: an object of keys and values is missing")
    edits = [Edit(key, asked.labels, _text(value), "text", ENABLED) for key, value in items.items()]
    engine = call.engine

    def command() -> None:
        keys = engine.config.keys
        carry_out(keys, asked.tenant, plan(keys, asked.tenant, edits), engine.now())

    await call.execute(command)
    return _DONE


async def delete_items(call: Call) -> Reply:
    """DELETE configuration/items: delete items of a dimension by their keys, those that there are."""
    given = read(DELETED, call.body)
    asked, keys = asked_of(call, str(given.get("dimensionsInfo", ""))), _keys(given)
    if not keys:
        raise ConfigError(400001, "keys: a list of keys is missing")
    await _delete(call, asked, keys)
    return _DONE


async def delete_scope(call: Call) -> Reply:
    """DELETE govern/configs/:dimension: delete items of a dimension by their keys, or all where none is named."""
    given = read(SCOPE, call.body) if call.body else {}
    asked = asked_of(call, call.params["dimension"])
    await _delete(call, asked, _keys(given))
    return _DONE


async def _delete(call: Call, asked: Asked, keys: frozenset[str]) -> None:
    engine = call.engine
    await call.execute(
        lambda: engine.config.keys.delete_many(asked.tenant, list(_named(engine, asked, keys)), engine.now())
    )


def _named(engine: Engine, asked: Asked, keys: frozenset[str]) -> Iterable[str]:
    """The ids of the dimension's own items of these keys, or of all; what is disabled is not in Config Center."""
    group: Mapping[str, KeyValue] = engine.config.state.table(asked.tenant).groups.get(
        frozenset(asked.labels.items()), {}
    )
    return (item.key_id for item in group.values() if item.enabled and (not keys or item.draft.key in keys))


def _keys(given: Mapping[str, object]) -> frozenset[str]:
    keys = given.get("keys", [])
    assert isinstance(keys, list)  # noqa: S101  decoded as a list
    return frozenset(keys)


def _text(value: object) -> str:
    """Config Center knows texts alone: any other value is kept as its JSON."""
    return value if isinstance(value, str) else orjson.dumps(value).decode()

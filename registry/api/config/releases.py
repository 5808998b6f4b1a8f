"""Gradual releases: a new value is first given to some instances, watched, then promoted or dropped."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace

import orjson

from registry.api.call import Call, Reply, json_reply
from registry.api.config.items import name_of
from registry.api.config.problems import problems_of, refuse_contradictions
from registry.api.shapes import Kind, Member, Shape, read
from registry.config.edits import Action, Step
from registry.config.records import Draft, KeyValue, id_of
from registry.config.targets import Release, Target
from registry.config.values import refuse_unparsable
from registry.engine.askers import Reached, reached
from registry.errors import ConfigError

RELEASE = Shape(
    "Release",
    (
        Member("value"),
        Member("instances", Kind.TEXTS),
        Member("share", Kind.INT),
        Member("properties", Kind.MAP),
        Member("force", Kind.FLAG),
    ),
)


async def list_all(call: Call) -> Reply:
    """GET releases: every release, and which registered instances it reaches."""
    config = call.engine.config
    found = await call.engine.read(lambda: config.releases.all(call.tenant))
    seen = [release for release in found if call.sees(release.labels, exact=True)]
    return json_reply({"releases": [_shown(call, release) for release in seen]})


async def start(call: Call) -> Reply:
    """PUT releases/one: give some instances a new value of an item, or change the value or who gets it."""
    given = read(RELEASE, call.body)
    value, target = _text(given, "value"), _target(given)
    config, engine = call.engine.config, call.engine
    name = _item_id(call)
    item = await engine.read(lambda: config.keys.get(call.tenant, name))
    if given.get("force") is not True:
        draft = replace(item.draft, value=value)
        await asyncio.to_thread(refuse_unparsable, draft)
        await refuse_contradictions(call, [Step(Action.CHANGED, item, draft)])
    release = await call.execute(
        lambda: config.releases.start(config.keys.get(call.tenant, name), value, target, engine.now())
    )
    (wrong,) = await problems_of(call, [replace(item.draft, value=value)])
    return json_reply({**_shown(call, release), **wrong})


async def promote(call: Call) -> Reply:
    """POST releases/promote: let the new value be that of the item, for all."""
    config, engine, name = call.engine.config, call.engine, _item_id(call)
    item = await call.execute(lambda: config.releases.promote(call.tenant, name, engine.now()))
    return json_reply({"action": "promoted", "item": _fragment(item)})


async def drop(call: Call) -> Reply:
    """DELETE releases/one: let everyone have the item as it is."""
    config, engine, name = call.engine.config, call.engine, _item_id(call)

    def command() -> KeyValue:
        config.releases.drop(call.tenant, name, engine.now())
        return config.keys.get(call.tenant, name)

    return json_reply({"action": "dropped", "item": _fragment(await call.execute(command))})


def _item_id(call: Call) -> str:
    key, labels = name_of(call)
    return id_of(call.tenant, key, labels)


def _target(given: Mapping[str, object]) -> Target:
    instances, share, properties = (given.get(name) for name in ("instances", "share", "properties"))
    return Target(
        frozenset(instances) if isinstance(instances, list) else frozenset(),
        share if isinstance(share, int) else 0,
        properties if isinstance(properties, dict) else {},
    )


def _text(given: Mapping[str, object], name: str) -> str:
    value = given.get(name)
    if not isinstance(value, str):
        raise ConfigError(400001, f"the member {name} is missing")
    return value


def _shown(call: Call, release: Release) -> Mapping[str, object]:
    item = call.engine.config.keys.named(call.tenant, Draft(release.key, labels=release.labels))
    reach = [_instance(row) for row in reached(call.engine.catalog, release)]
    facts = {**release.document(), "revision": release.revision, "instances": reach}
    return {**facts, "item": _fragment(item)} if item is not None else facts


def _instance(row: Reached) -> Mapping[str, object]:
    facts = {"instanceId": row.instance_id, "service": row.service, "version": row.version, "chosen": row.chosen}
    return {**facts, "told_apart": row.told_apart}


def _fragment(item: KeyValue) -> orjson.Fragment:
    return orjson.Fragment(item.encoded)

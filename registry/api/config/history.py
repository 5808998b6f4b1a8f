"""What items were, and taking changes back. Deleted items have their history too, until the journal forgets them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import orjson

from registry.api.call import Call, Reply, json_reply
from registry.api.config.items import name_of
from registry.config.edits import Action
from registry.config.history import Version, difference, version_at
from registry.config.records import KeyValue, id_of, path_of
from registry.errors import ConfigError

_MOST = 1000


async def history(call: Call) -> Reply:
    """GET history: the versions of an item, the newest first, with their authors and times."""
    versions = await _versions(call)
    return json_reply({"versions": [shown(version) for version in versions], "total": len(versions)})


async def diff(call: Call) -> Reply:
    """GET diff: what differs between two versions of an item; without `from` and `to` the last change."""
    versions = await _versions(call)
    after = version_asked(call, "to", versions) or versions[0]
    before = version_asked(call, "from", versions) or version_at(versions, after.revision - 1)
    lines = difference(before, after)
    return json_reply({"from": before.revision if before else 0, "to": after.revision, "diff": lines})


async def rollback(call: Call) -> Reply:
    """POST rollback: let an item be as it was at a revision; that is a new revision."""
    wanted = version_asked(call, "revision", await _versions(call))
    if wanted is None:
        raise ConfigError(400001, "the parameter revision is missing")
    engine, tenant = call.engine, call.tenant
    key, labels = name_of(call)

    def command() -> Mapping[str, object]:
        keys = engine.config.keys
        if wanted.draft is not None:
            before = keys.named(tenant, wanted.draft)
            item = keys.set(tenant, wanted.draft, engine.now())
            return {"action": Action.UNCHANGED if item is before else Action.CHANGED, "item": _fragment(item)}
        keys.delete(tenant, id_of(tenant, key, labels), engine.now())
        return {"action": Action.DELETED}

    done = await call.execute(command)
    return json_reply({**done, "to": wanted.revision, "revision": engine.config.state.revision(tenant)})


def shown(version: Version) -> Mapping[str, object]:
    """A version as clients read it."""
    facts: dict[str, object] = {"revision": version.revision, "at": version.at, "author": version.author}
    facts["action"] = version.action
    return {**facts, "item": _fragment(version.item)} if version.item is not None else facts


async def _versions(call: Call) -> Sequence[Version]:
    return await versions_of(call, *name_of(call))


async def versions_of(call: Call, key: str, labels: Mapping[str, str]) -> Sequence[Version]:
    """The versions of an item, the newest first. Raises 404001 where there are none."""
    path = path_of(call.tenant, id_of(call.tenant, key, labels))
    events = await call.engine.journal.history(path, _MOST)
    if not events:
        raise ConfigError(404001, "there is no item of this key with exactly these labels, and no history of one")
    return [
        Version(
            event.revision,
            event.at,
            event.author,
            KeyValue.decoded(call.tenant, event.body) if event.body is not None else None,
            event.replaces == 0,
        )
        for event in events
    ]


def version_asked(call: Call, name: str, versions: Sequence[Version]) -> Version | None:
    """The version of a revision that the query names. Raises 400001 for no number, 404001 for one before all that is kept."""
    text = call.query.get(name, "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise ConfigError(400001, f"{name}: a revision is a number, not {text[:64]!r}")
    newest = call.engine.config.state.revision(call.tenant)
    if int(text) > newest:
        raise ConfigError(400001, f"{name}: there is no revision {text} yet, the newest is {newest}")
    found = version_at(versions, int(text))
    if found is None:
        oldest = versions[-1].revision
        raise ConfigError(404001, f"{name}: the history of this item begins with revision {oldest}")
    return found


def _fragment(item: KeyValue) -> orjson.Fragment:
    return orjson.Fragment(item.encoded)

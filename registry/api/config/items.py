"""Items named by key and labels: find, read, put and delete them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import orjson

from registry.api.call import JSON_TYPE, Call, Reply, json_reply
from registry.api.checks import flag
from registry.api.config.changes import changed
from registry.api.config.problems import listed_problems, problems_of
from registry.api.kie.parameters import labels_of, query_of, revision_of
from registry.api.kie.shapes import KEY_VALUE
from registry.api.shapes import Kind, Member, Shape, decode, parse
from registry.config.edits import Action, Edit, Step, refuse_outdated
from registry.config.query import Query, listed
from registry.config.records import Draft, KeyValue
from registry.config.rules import LONGEST_QUERY
from registry.errors import ConfigError

_ITEM = Shape("Item", (*KEY_VALUE.members, Member("force", Kind.FLAG), Member("revision", Kind.INT)))


async def find_all(call: Call) -> Reply:
    """GET items: the items with at least these labels, or with exactly these. `problems` has what is wrong with rules, by id."""
    query, state = _query(call), call.engine.config.state
    revision, found = await call.engine.read(lambda: (state.revision(call.tenant), listed(state, query)))
    problems = await listed_problems(call, [item.key_id for item in found.items])
    told = b'"problems":%b,' % orjson.dumps(problems) if problems else b""
    if flag(call, "authors"):
        told += b'"authors":%b,' % orjson.dumps(await _authors(call, query, found.items))
    return Reply(200, b'{"revision":%d,%b%b' % (revision, told, found.body[1:]), JSON_TYPE)


def _query(call: Call) -> Query:
    contains = call.query.get("contains", "")
    if len(contains) > LONGEST_QUERY:
        raise ConfigError(400001, f"contains: at most {LONGEST_QUERY} characters")
    return replace(query_of(call), rules=flag(call, "rules"), contains=contains)


async def _authors(call: Call, query: Query, items: Sequence[KeyValue]) -> Mapping[str, str]:
    """Who made the newest version of each item of a page, by id."""
    if not query.limit:
        raise ConfigError(400001, "authors are told of the items of a page: limit is missing")
    found: dict[str, str] = {}
    for item in items:
        newest = await call.engine.journal.history(item.path, 1)
        found[item.key_id] = newest[0].author if newest else ""
    return found


async def get_one(call: Call) -> Reply:
    """GET items/one: the item of a key and exactly these labels."""
    key, labels = name_of(call)
    found = await call.engine.read(lambda: _existing(call, key, labels))
    return json_reply(orjson.Fragment(found.encoded))


async def put(call: Call) -> Reply:
    """PUT items: let an item, or each of a list, be as the body says; all of a list or none. The answer has what is wrong with rules."""
    body = parse(call.body)
    edits = (
        [edit_of(item, f"[{place}]") for place, item in enumerate(body)] if isinstance(body, list) else [edit_of(body)]
    )
    revision, done = await changed(call, edits)
    problems = await problems_of(call, [step.after for step, _ in done])
    shown = [{**_shown(*one), **wrong} for one, wrong in zip(done, problems, strict=True)]
    return json_reply({"revision": revision, "items": shown} if isinstance(body, list) else shown[0])


async def delete(call: Call) -> Reply:
    """DELETE items: delete the item of a key and exactly these labels; the answer has what it was. With `revision` only as it was then."""
    key, labels = name_of(call)
    engine, expected = call.engine, revision_of(call)

    def command() -> KeyValue:
        found = _existing(call, key, labels)
        if expected is not None:
            refuse_outdated(found, expected)
        engine.config.keys.delete(call.tenant, found.key_id, engine.now())
        return found

    gone = await call.execute(command)
    return json_reply({"action": Action.DELETED, "item": orjson.Fragment(gone.encoded)})


def _existing(call: Call, key: str, labels: Mapping[str, str]) -> KeyValue:
    found = call.engine.config.keys.named(call.tenant, Draft(key, labels=labels))
    if found is None:
        raise ConfigError(404001, "there is no item of this key with exactly these labels")
    return found


def name_of(call: Call) -> tuple[str, Mapping[str, str]]:
    """Key and labels of the query, which name one item. Raises 400001."""
    key = call.query.get("key", "")
    if not key:
        raise ConfigError(400001, "the parameter key is missing")
    return key, dict(labels_of(call))


def edit_of(item: object, place: str = "") -> Edit:
    """What a body says of an item. A member that is unknown is refused: it may be a misspelt one."""
    given = decode(_ITEM, item, place)
    assert isinstance(item, dict) or item is None  # noqa: S101  decoded as an object
    sent = {name for name, value in (item or {}).items() if value is not None}
    for name in sorted(sent - set(_ITEM.by_name)):
        raise ConfigError(400001, f"{place or 'the body'} has no member {name[:64]!r}, only {', '.join(_ITEM.by_name)}")

    def text(name: str) -> str | None:
        return str(given.get(name, "")) if name in sent else None

    key = text("key")
    if not key:
        raise ConfigError(400001, f"{place or 'the body'} has no key")
    labels, priority, revision = given.get("labels", {}), given.get("priority", 0), given.get("revision", 0)
    assert isinstance(labels, dict)  # noqa: S101  decoded as a map
    assert isinstance(priority, int)  # noqa: S101  decoded as a number
    assert isinstance(revision, int)  # noqa: S101  decoded as a number
    return Edit(
        key,
        labels,
        text("value"),
        text("value_type"),
        text("status"),
        priority if "priority" in sent else None,
        text("check"),
        force=given.get("force") is True,
        revision=revision if "revision" in sent else None,
    )


def _shown(step: Step, record: KeyValue | None) -> Mapping[str, object]:
    return {"action": step.action, "item": orjson.Fragment(record.encoded) if record is not None else None}

"""Governance policies: created, listed, changed and deleted as items of configuration. Protocol: Service Center section 12.

The original is a proxy to KIE. Here both are one store, so that what is written through one is seen through the other.
"""

from __future__ import annotations

import asyncio
import secrets
import string
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import orjson

from governance.rules.problems import Problem, Severity
from registry.api.call import JSON_TYPE, Call, Handler, Reply, json_reply
from registry.api.config.problems import problems_of, shown
from registry.api.service_center import policies, shapes
from registry.api.service_center.policies import KINDS, MATCH_GROUP
from registry.api.shapes import read
from registry.config.query import Query, find
from registry.config.records import ENABLED, KeyValue, Labels
from registry.config.rules import check_project, check_query
from registry.config.state import Topic
from registry.errors import ConfigError, Refusal, invalid

if TYPE_CHECKING:
    from aiohttp import web

    from governance.rules.printing import Plain

_ANY_ENVIRONMENT = "all"
_LETTERS = string.digits + string.ascii_lowercase
_one_at_a_time = asyncio.Lock()
_Document = Mapping[str, object]


async def create(call: Call) -> Reply:
    """POST gov/:kind: create a policy; a match group without a name is given one."""
    kind, given = _kind(call), read(shapes.POLICY, call.body)
    engine, tenant, keys = call.engine, call.tenant, call.engine.config.keys
    name = str(given.get("name") or "")
    if not name and kind == MATCH_GROUP:
        name = await engine.read(lambda: _free_name(call))
    selector = given.get("selector")
    labels = selector if isinstance(selector, dict) else {}
    draft = await asyncio.to_thread(policies.draft_of, kind, name, labels, _spec(given), ENABLED)
    created = await call.execute(lambda: keys.create(tenant, draft, engine.now()))
    (wrong,) = await problems_of(call, [draft])
    return json_reply({"id": created.key_id, **wrong})


async def list_all(call: Call) -> Reply:
    """GET gov/:kind: the policies of a kind, of an application and environment."""
    kind = _kind(call)
    found = await _listed(call, policies.prefix_of(kind))
    chosen = [item for item in found if policies.policy_name(kind, item.draft.key)]
    return _indented(await _documents(call, [(kind, item) for item in chosen]))


async def display(call: Call) -> Reply:
    """GET gov/display: the match groups, each with its policies: those of its name and selector."""
    found = await _listed(call, "servicecomb.")
    named = [(kind, item) for kind in KINDS for item in found if policies.policy_name(kind, item.draft.key)]
    documents = await _documents(call, named)
    bound: dict[tuple[object, Labels], list[_Document]] = {}
    for (kind, item), document in zip(named, documents, strict=True):
        if kind != MATCH_GROUP:
            bound.setdefault((document["name"], item.label_set), []).append(document)
    groups = [
        _group(document, bound.get((document["name"], item.label_set), ()))
        for (kind, item), document in zip(named, documents, strict=True)
        if kind == MATCH_GROUP
    ]
    return _indented(groups)


async def get(call: Call) -> Reply:
    """GET gov/:kind/:id: one policy."""
    kind = _kind(call)
    found = await call.engine.read(lambda: _existing(call, kind))
    (document,) = await _documents(call, [(kind, found)])
    return _indented(document)


async def update(call: Call) -> Reply:
    """PUT gov/:kind/:id: change spec and status; without a status it stays as it is."""
    kind, given = _kind(call), read(shapes.POLICY, call.body)
    engine, tenant, keys = call.engine, call.tenant, call.engine.config.keys
    before = await engine.read(lambda: _existing(call, kind).draft)
    name, status = policies.policy_name(kind, before.key), str(given.get("status") or "")
    wanted = await asyncio.to_thread(
        policies.draft_of, kind, name, before.labels, _spec(given), status or before.status
    )

    def command() -> None:
        now = _existing(call, kind).draft
        keys.set(tenant, policies.changed(now, wanted, keep_status=not status), engine.now())

    await call.execute(command)
    return Reply()


async def delete(call: Call) -> Reply:
    """DELETE gov/:kind/:id: delete a policy; with a match group, all policies of its name and selector go."""
    kind, engine, keys = _kind(call), call.engine, call.engine.config.keys

    def command() -> None:
        found = _existing(call, kind)
        keys.delete_many(call.tenant, [item.key_id for item in _with_bound(call, kind, found)], engine.now())

    await call.execute(command)
    return Reply()


def in_registry_words(refusal: Refusal) -> Refusal:
    """A refusal of the config centre in the registry's words, where there are any: what KIE says passes through."""
    known = isinstance(refusal, ConfigError) and refusal.error.code == 400001
    return invalid(refusal.detail) if known else refusal


def in_tenant(handler: Handler) -> Handler:
    """The handler, for a domain and project as configuration has them. Refuses 400001."""

    async def checked(call: Call) -> Reply | web.StreamResponse:
        for name in call.tenant.split("/", 1):
            check_project("Policy", name)
        return await handler(call)

    checked.__doc__, checked.__qualname__ = handler.__doc__, handler.__qualname__
    return checked


def _kind(call: Call) -> str:
    kind = call.params["kind"]
    if kind not in KINDS:
        raise invalid(f"not support kind[{kind[:64]}] yet")
    return kind


def _spec(given: Mapping[str, object]) -> Mapping[str, Plain]:
    spec = given.get("spec")
    return spec if isinstance(spec, dict) else {}


def _free_name(call: Call) -> str:
    """A name that no match group of the tenant has."""
    taken = {item.draft.key for item in call.engine.config.state.table(call.tenant).by_id.values()}
    while True:
        name = "scene-" + "".join(secrets.choice(_LETTERS) for _ in range(4))
        if policies.prefix_of(MATCH_GROUP) + name not in taken:
            return name


def _existing(call: Call, kind: str) -> KeyValue:
    """The item of the path's id. Raises 404001 where there is none, or one of another kind."""
    found = call.engine.config.keys.get(call.tenant, call.params["id"])
    if not policies.policy_name(kind, found.draft.key):
        raise ConfigError(404001, f"what has this id is no policy of the kind {kind}")
    return found


def _with_bound(call: Call, kind: str, found: KeyValue) -> Iterable[KeyValue]:
    if kind != MATCH_GROUP:
        return [found]
    name = policies.policy_name(kind, found.draft.key)
    same_labels = call.engine.config.state.table(call.tenant).groups[found.label_set].values()
    return [item for item in same_labels if policies.belongs_to_group(item.draft.key, name)]


async def _listed(call: Call, beginning: str) -> Sequence[KeyValue]:
    """The items whose keys begin so, of the query's application and environment; an environment that is missing is the empty one."""
    query = call.query
    app, environment = query.get("app", ""), query.get("environment", "")
    labels = {"app": app} if app else {}
    if environment != _ANY_ENVIRONMENT:
        labels["environment"] = environment
    check_query(labels, "", "", "")
    asked = Query(Topic(call.tenant, frozenset(labels.items()), exact=False), f"beginWith({beginning})")
    return await call.engine.read(lambda: find(call.engine.config.state, asked))


async def _documents(call: Call, named: Sequence[tuple[str, KeyValue]]) -> Sequence[_Document]:
    """Policies with what is wrong with each. Parsing takes time: it is done aside, for one request at a time."""
    async with _one_at_a_time:
        problems = await problems_of(call, [item.draft for _, item in named])
        specs = await asyncio.to_thread(lambda: [policies.spec_or_problem(item.draft.value) for _, item in named])
    return [
        {**_document(kind, item), **_spec_and_problems(spec, wrong)}
        for (kind, item), spec, wrong in zip(named, specs, problems, strict=True)
    ]


def _spec_and_problems(spec: Mapping[str, Plain] | Problem, wrong: Mapping[str, object]) -> _Document:
    """A text that does not parse is an empty spec, and that is a problem even where clients might read it."""
    if not isinstance(spec, Problem):
        return {"spec": spec, **wrong}
    found = wrong.get("problems")
    told = found if isinstance(found, list) else []
    failed = any(problem["severity"] == Severity.ERROR for problem in told)
    return {"spec": {}, "problems": told if failed else [shown(spec), *told]}


def _document(kind: str, item: KeyValue) -> _Document:
    draft = item.draft
    return {
        "name": policies.policy_name(kind, draft.key),
        "id": item.key_id,
        "status": draft.status,
        "creatTime": item.create_time,
        "updateTime": item.update_time,
        "selector": dict(sorted(draft.labels.items())),
        "kind": kind,
    }


def _group(document: _Document, bound: Sequence[_Document]) -> Mapping[str, object]:
    return {**({"policies": bound} if bound else {}), "matchGroup": document}


def _indented(document: object) -> Reply:
    return Reply(200, orjson.dumps(document, option=orjson.OPT_INDENT_2), JSON_TYPE)

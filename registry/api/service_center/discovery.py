"""Finding instances, and who depends on whom. Protocol: Service Center sections 7.5 to 7.11 and 8."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import orjson

from registry.api.call import JSON_TYPE, Call, Reply, json_reply
from registry.api.checks import checked, comma_list, flag
from registry.api.service_center import shapes
from registry.api.service_center.instances import BAD_JSON, instance_id
from registry.api.service_center.services import service_id
from registry.api.shapes import read, validate
from registry.api.stored import of_stored
from registry.catalog.discovery import Answer, Query, make_answer, revision_of
from registry.catalog.records import ProviderKey, Service
from registry.errors import RegistryError, invalid

_Item: TypeAlias = Mapping[str, Any]
REVISION = "X-Resource-Revision"
"""Java clients compare this header's name with its case."""


def _consumer_id(call: Call) -> str:
    return checked(shapes.CONSUMER_ID_RULE, "FindInstancesRequest.ConsumerServiceId", call.header("X-ConsumerId"))


def _tags(call: Call) -> Sequence[str]:
    return [checked(shapes.TAG_RULE, "FindInstancesRequest.Tags", tag) for tag in comma_list(call, "tags")]


def honoured_revision(call: Call) -> str:
    """The revision that the client has, unless it wants a read that is not cached. Section 2."""
    return "" if flag(call, "noCache") or flag(call, "cacheOnly") else call.query.get("rev", "")


def answered(answer: Answer, known: str) -> Reply:
    """The answer of a find: 304 where the client's revision is still the current one."""
    headers = {REVISION: answer.revision}
    if known == answer.revision:
        return Reply(304, headers=headers)
    return Reply(200, answer.body, JSON_TYPE, headers)


def query_of(call: Call) -> Query:
    """What a find asks for. `filterVersion` and `filterProperty` are this engine's own."""
    query = call.query
    key = ProviderKey(
        checked(shapes.ENVIRONMENT_RULE, "FindInstancesRequest.Environment", query.get("env", "")),
        checked(shapes.APP_RULE, "FindInstancesRequest.AppId", query.get("appId", "")),
        checked(shapes.FIND_NAME_RULE, "FindInstancesRequest.ServiceName", query.get("serviceName", "")),
    )
    properties = [_property(text) for name, text in call.pairs if name == "filterProperty"]
    rule = query.get("filterVersion", "").replace(" ", "+")
    return Query(key, _consumer_id(call), _tags(call), rule, properties)


def _property(text: str) -> tuple[str, str]:
    name, separator, value = text.partition(":")
    if not separator or not name:
        raise invalid(f"filterProperty: write name:value, not '{text[:256]}'")
    return name, value


async def find(call: Call) -> Reply:
    """GET instances: by application and name or alias."""
    engine, tenant, query = call.engine, call.tenant, query_of(call)
    _record(call, [query])
    answer = await engine.read(lambda: engine.catalog.discovery.find(tenant, query))
    return answered(answer, honoured_revision(call))


def _record(call: Call, queries: Sequence[Query]) -> None:
    """Note who depends on whom. Where the journal cannot store that, finds are answered all the same, and the next one notes it."""
    engine, tenant = call.engine, call.tenant

    def command() -> None:
        for query in queries:
            with contextlib.suppress(RegistryError):  # the find itself says what is wrong with it
                engine.catalog.discovery.record(tenant, query, engine.now())

    with contextlib.suppress(RegistryError):
        engine.begin(command, call.author)


@of_stored
async def of_service(call: Call) -> Reply:
    """GET microservices/:serviceId/instances."""
    answer = call.engine.catalog.discovery.of_service(call.tenant, service_id(call), _consumer_id(call), _tags(call))
    return answered(answer, honoured_revision(call))


@of_stored
async def one(call: Call) -> Reply:
    """GET microservices/:serviceId/instances/:instanceId."""
    discovery, consumer = call.engine.catalog.discovery, _consumer_id(call)
    found = discovery.one(call.tenant, service_id(call), instance_id(call), consumer, _tags(call))
    answer = Answer(revision_of((found,)), b'{"instance":' + found.encoded + b"}", (found.encoded,))
    return answered(answer, honoured_revision(call))


async def batch(call: Call) -> Reply:
    """POST instances/action?type=query: many finds at once."""
    action = call.query.get("type", "")
    if action != "query":
        raise invalid(f"Invalid action: {action[:256]}")
    given = read(shapes.BATCH_FIND, call.body, BAD_JSON)
    services, instances = given.get("services"), given.get("instances")
    if not services and not instances:
        raise invalid("Required services or instances")
    validate(shapes.BATCH_FIND, given)
    consumer = _consumer_id(call)

    def look() -> Mapping[str, object]:
        parts, room = {}, _Room(call.engine.catalog.limits.max_answer_bytes)
        if isinstance(services, list) and services:
            parts["services"] = _each(services, room, lambda item: _find_service(call, item["service"], consumer))
        if isinstance(instances, list) and instances:
            parts["instances"] = _each(instances, room, lambda item: _find_instance(call, item["instance"], consumer))
        return parts

    _record(call, [_query(item["service"], consumer) for item in services] if isinstance(services, list) else [])
    return json_reply(await call.engine.read(look))


class _Room:
    """What is left of the largest answer: a short request can ask for the same long list many times."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._left = size

    def take(self, size: int) -> None:
        """Make room for so many bytes. Raises 400001 where there is none."""
        self._left -= size
        if self._left < 0:
            raise invalid(f"the answer would be larger than {self._size} bytes; ask for less at once")


def _query(wanted: Mapping[str, str], consumer: str) -> Query:
    key = ProviderKey(wanted.get("environment", ""), wanted["appId"], wanted["serviceName"])
    return Query(key, consumer, by_alias=False)


def _find_service(call: Call, wanted: Mapping[str, str], consumer: str) -> Answer:
    return call.engine.catalog.discovery.find(call.tenant, _query(wanted, consumer))


def _find_instance(call: Call, wanted: Mapping[str, str], consumer: str) -> Answer:
    discovery = call.engine.catalog.discovery
    return make_answer((discovery.one(call.tenant, wanted["serviceId"], wanted["instanceId"], consumer),))


def _each(items: Sequence[_Item], room: _Room, find_one: Callable[[_Item], Answer]) -> Mapping[str, object]:
    failed: dict[int, tuple[RegistryError, list[int]]] = {}
    not_modified: list[int] = []
    updated: list[Mapping[str, object]] = []
    for index, item in enumerate(items):
        try:
            answer = find_one(item)
        except RegistryError as error:
            failed.setdefault(error.error.code, (error, []))[1].append(index)
            continue
        if item.get("rev") == answer.revision:
            not_modified.append(index)
        else:
            room.take(len(answer.body))
            updated.append(_updated(index, answer))
    parts = {
        "failed": [_failure(error, indexes) for error, indexes in failed.values()],
        "notModified": not_modified,
        "updated": updated,
    }
    return {name: part for name, part in parts.items() if part}


def _updated(index: int, answer: Answer) -> Mapping[str, object]:
    found: dict[str, object] = {"index": index, "rev": answer.revision}
    if answer.encoded:
        found["instances"] = [orjson.Fragment(encoded) for encoded in answer.encoded]
    return found


def _failure(error: RegistryError, indexes: Sequence[int]) -> Mapping[str, object]:
    shown = {
        "errorCode": str(error.error.code),
        "errorMessage": error.error.message,
        "detail": f"{error.error.message}({error.detail})",
    }
    return {"indexes": indexes, "error": shown}


@of_stored
async def providers(call: Call) -> Reply:
    """GET microservices/:consumerId/providers."""
    found = call.engine.catalog.graph.providers(call.tenant, call.params["serviceId"])
    return _dependants(call, "providers", found)


@of_stored
async def consumers(call: Call) -> Reply:
    """GET microservices/:providerId/consumers."""
    found = call.engine.catalog.graph.consumers(call.tenant, call.params["serviceId"])
    return _dependants(call, "consumers", found)


def _dependants(call: Call, name: str, services: Sequence[Service]) -> Reply:
    itself = call.params["serviceId"] if call.query.get("noSelf") == "1" else ""
    shown = [service.document for service in services if service.service_id != itself]
    return json_reply({name: shown} if shown else {})


async def add_dependencies(call: Call) -> Reply:
    """POST dependencies: deprecated, since finds record them."""
    return await _set_dependencies(call, replace=False)


async def replace_dependencies(call: Call) -> Reply:
    """PUT dependencies: deprecated, since finds record them."""
    return await _set_dependencies(call, replace=True)


async def _set_dependencies(call: Call, *, replace: bool) -> Reply:
    given = read(shapes.DEPENDENCIES, call.body)
    validate(shapes.DEPENDENCIES, given)
    rules = given["dependencies"]
    assert isinstance(rules, list)  # noqa: S101  validated
    graph, now, tenant = call.engine.catalog.graph, call.engine.now(), call.tenant

    def command() -> None:
        for rule in rules:
            wanted = rule["consumer"]
            key = ProviderKey(wanted.get("environment", ""), wanted["appId"], wanted["serviceName"])
            consumer = graph.consumer(tenant, key, wanted["version"])
            providers = _provider_keys(rule.get("providers", []), key.app, may_be_empty=replace)
            (graph.replace if replace else graph.add)(consumer, providers, now)

    await call.execute(command)
    return Reply(headers={"Deprecation": 'version="v4"'})


def _provider_keys(items: Sequence[Mapping[str, str]], app: str, *, may_be_empty: bool) -> Sequence[ProviderKey]:
    if not items and not may_be_empty:
        raise invalid("Invalid request body for provider info.Provider is empty.")
    keys = [ProviderKey(item.get("environment", ""), item.get("appId") or app, item["serviceName"]) for item in items]
    if len(set(keys)) < len(keys):
        raise invalid("Invalid request body for provider info.Duplicate provider or (serviceName and appId is same).")
    return keys

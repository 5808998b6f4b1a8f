"""What becomes of one request: `POST /waggle/v1/governance/explain`. docs/rules.md describes it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import orjson

from governance.rules.check import not_a_rule
from governance.rules.distribution import Outcome
from governance.rules.explain import Considered, Routing, Side, explain_consumer, explain_provider
from governance.rules.marker import Request
from registry.api.call import Call, Reply, Route, Tenancy, json_reply
from registry.api.checking import checking_routes
from registry.api.checks import check_tenant
from registry.api.config.problems import shown as shown_problem
from registry.api.drafts import DRAFTS, FEW, draft_of, drafts_in, texts_of
from registry.api.kie.bodies import in_our_words
from registry.api.shapes import Kind, Member, Rule, Shape, read, validate
from registry.config.clients import Kind as ClientKind
from registry.config.preview import Caution
from registry.config.records import KeyValue
from registry.config.rules import check_query
from registry.engine.explaining import Gathered, Question, Reader, gather
from registry.engine.rules import TaggedInstance
from registry.errors import ConfigError, Refusal

_NAME = Rule(1, 160)
EXPLAIN = Shape(
    "Explain",
    (
        Member("service", rule=_NAME),
        Member("consumer", rule=_NAME),
        Member("app"),
        Member("environment"),
        Member("version"),
        Member("consumer_app"),
        Member("consumer_version"),
        Member("client"),
        Member("operation"),
        Member("path", default="/"),
        Member("method", default="GET"),
        Member("headers", Kind.MAP, items=FEW),
        Member("queries", Kind.MAP, items=FEW),
        DRAFTS,
    ),
)
_SAMPLE = {"service": "weather", "consumer": "fusionweather", "headers": {"type": "gray"}}
_MOST_KEYS = 20


def explain_routes() -> Sequence[Route]:
    """The table of routes of what is asked about rules before they are saved."""
    about = (explain.__doc__ or "").strip()
    path, limit = "/waggle/v1/governance/explain", "max_config_body_bytes"
    return (
        Route(
            "POST",
            path,
            explain,
            "governance",
            about,
            Tenancy.QUERY,
            limit,
            body=EXPLAIN,
            sample=_SAMPLE,
            refused=in_our_words,
            verb="get",
        ),
        *checking_routes(),
    )


async def explain(call: Call) -> Reply:
    """POST explain: which rules apply to a request, at the consumer and at the provider, where it goes, and why."""
    check_tenant(call)
    question = _question(call)
    gathered = await call.engine.read(lambda: gather(call.engine, call.tenant, question))
    return json_reply(await asyncio.to_thread(_explained, question, gathered))


def _question(call: Call) -> Question:
    """The question of a body. Raises 400001."""
    try:
        given = read(EXPLAIN, call.body)
        validate(EXPLAIN, given)
    except Refusal as error:
        raise ConfigError(400001, error.detail) from error
    sent = {name.lower(): value for name, value in orjson.loads(call.body).items()}
    text = {name: str(given.get(name, "")) for name in EXPLAIN.by_name if EXPLAIN.by_name[name].kind is Kind.TEXT}
    places = ("app", "service", "version", "environment")
    check_query({name: text[name] for name in places}, "", "", "")
    check_query(
        {"app": text["consumer_app"], "service": text["consumer"], "version": text["consumer_version"]}, "", "", ""
    )
    request = Request(text["path"], text["method"], texts_of(given, "headers"), texts_of(given, "queries"))
    return Question(
        text["service"],
        text["consumer"],
        request,
        _given(sent, "app"),
        _given(sent, "environment"),
        text["version"],
        _given(sent, "consumer_app"),
        text["consumer_version"],
        _operation(text["operation"]),
        _client(text["client"]),
        [draft_of(one) for one in drafts_in(given)],
    )


def _given(sent: Mapping[str, object], name: str) -> str | None:
    """A member that may be empty, which is not the same as missing."""
    value = sent.get(name)
    return value if isinstance(value, str) else None


def _operation(text: str) -> tuple[str, str]:
    schema, dot, operation = text.rpartition(".")
    if text and not (schema and dot and operation):
        raise ConfigError(400001, f"operation: schema.operation is expected, not {text[:64]!r}")
    return schema, operation


def _client(text: str) -> ClientKind | None:
    try:
        return ClientKind(text) if text else None
    except ValueError as error:
        raise ConfigError(400001, f"client must be one of {', '.join(ClientKind)}") from error


# --- the answer


@dataclass(slots=True)
class _Provided:
    """Versions of the callee that do the same with the request."""

    side: Side
    versions: list[str]
    registered: bool
    cautions: Sequence[Caution]


def _explained(question: Question, known: Gathered) -> Mapping[str, object]:
    consumer, cautions = known.consumer.process(known.drafts, known.scene.checks)
    side, routing = explain_consumer(consumer, question.service, question.request, known.instances, question.operation)
    provided: list[_Provided] = []
    for reader in known.providers:
        process, surprising = reader.process(known.drafts, known.scene.checks)
        found = explain_provider(process, consumer, question.request, question.operation)
        same = next((one for one in provided if one.side == found and one.registered == _registered(reader)), None)
        if same is None:
            provided.append(_Provided(found, [process.version], _registered(reader), surprising))
        else:
            same.versions.append(process.version)
    where = {"app": known.app, "environment": known.environment}
    return {
        "revision": known.revision,
        "service": question.service,
        **where,
        "consumer": {**_client_of(known.consumer), **_side(side, cautions)},
        "routing": {**_routing(routing), "away": known.away},
        "providers": [
            {"versions": one.versions, "registered": one.registered, **_side(one.side, one.cautions)}
            for one in provided
        ],
        "drafts": _drafts(known),
    }


def _registered(reader: Reader) -> bool:
    return reader.service is not None


def _client_of(reader: Reader) -> Mapping[str, object]:
    names = ("app", "service", "version", "environment")
    facts = {name: getattr(reader.client, name) for name in names}
    return {**facts, "client": reader.client.kind, "registered": _registered(reader)}


def _side(side: Side, cautions: Sequence[Caution]) -> Mapping[str, object]:
    return {
        "rules": list(map(_rule, side.rules)),
        "notes": list(side.notes),
        "warnings": list(map(_caution, cautions)),
    }


def _rule(one: Considered) -> Mapping[str, object]:
    item = {
        "key": one.item.key,
        "labels": dict(one.item.labels),
        "revision": one.item.revision,
        "draft": one.item.revision is None,
    }
    place = {"line": one.at.line, "column": one.at.column} if one.at is not None else {}
    told = {"verdict": one.verdict, "why": one.why, "does": one.does, "item": item, **place}
    return {"kind": one.kind, "name": one.name, **told, "problems": list(map(shown_problem, one.problems))}


def _caution(caution: Caution) -> Mapping[str, object]:
    keys = [item.draft.key for item in caution.items]
    return {"text": caution.text, "labels": dict(sorted(caution.labels)), "keys": keys[:_MOST_KEYS], "items": len(keys)}


def _routing(routing: Routing[TaggedInstance]) -> Mapping[str, object]:
    return {
        "why": routing.why,
        "rules": list(map(_rule, routing.rules)),
        "outcomes": list(map(_outcome, routing.outcomes)),
    }


def _outcome(outcome: Outcome[TaggedInstance]) -> Mapping[str, object]:
    instances = [{"instanceId": one.instance.instance_id, "version": one.version} for one in outcome.instances]
    return {"share": round(float(outcome.share * 100), 2), "why": outcome.why, "instances": instances}


def _drafts(known: Gathered) -> Sequence[Mapping[str, object]]:
    """What is wrong with the drafts, alone and with the others as they would be then."""
    over = {name: item.draft for name, item in known.drafts.items()}
    checked = known.scene.check(over, over)

    def shown(name: str, item: KeyValue) -> Mapping[str, object]:
        problems = list(map(shown_problem, checked[name].problems or not_a_rule(item.draft.key, item.draft.value_type)))
        return {"key": item.draft.key, "labels": dict(item.draft.labels), "problems": problems}

    return [shown(name, item) for name, item in known.drafts.items()]

"""What a client would see."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from registry.api.call import Call, Reply, json_reply
from registry.api.config.transfer import choice
from registry.api.kie.parameters import labels_of
from registry.config.clients import Client, Kind, Level, select
from registry.config.preview import Candidate, Caution, Preview, merge
from registry.config.records import KeyValue, Labels
from registry.config.releases import Chosen
from registry.config.rules import check_query
from registry.engine.askers import Place, choice_of
from registry.errors import ConfigError

_MOST_KEYS = 20


async def preview(call: Call) -> Reply:
    """GET preview: the merged configuration of a client, with the source of each key and what it hides."""
    client, tenant, state = _client(call), call.tenant, call.engine.config.state
    revision, selection = await call.engine.read(
        lambda: (state.revision(tenant), select(state, tenant, client, _chosen(call, client)))
    )
    merged = await asyncio.to_thread(merge, selection)
    levels = [_level(level, len(items)) for level, items in selection.levels]
    return json_reply({"revision": revision, "client": _place(client), "levels": levels, **_shown(merged)})


def _client(call: Call) -> Client:
    given = {name: call.query.get(name, "") for name in ("app", "service", "version", "environment")}
    for name in ("app", "service"):
        if not given[name]:
            raise ConfigError(400001, f"the parameter {name} is missing")
    check_query(given, "", "", "")
    labels = sorted(labels_of(call)) or [("public", "")]
    if len(labels) > 1:
        raise ConfigError(400001, "a client has one custom label")
    kind = choice(call, "client", Kind.JAVA)
    return Client(kind, **given, label=labels[0], instance=call.query.get("instance", ""))


def _chosen(call: Call, client: Client) -> Chosen:
    """Which gradual releases are for the client: none, where it is no instance in particular. Raises 404001 for one that is unknown."""
    if not client.instance:
        return lambda _release: False
    catalog = call.engine.catalog
    place = Place(call.tenant, "", client.instance, {"app": client.app, "service": client.service})
    found = place.instances(catalog)
    if not found:
        raise ConfigError(
            404001, f"no instance {client.instance[:64]} of {client.service} in {client.app} is registered"
        )
    return choice_of(catalog, found[0], by_name=client.kind is Kind.PYTHON)


def _place(client: Client) -> Mapping[str, object]:
    names = ("kind", "app", "service", "version", "environment", "instance")
    return {**{name: getattr(client, name) for name in names}, "label": dict([client.label])}


def _level(level: Level, items: int) -> Mapping[str, object]:
    return {"name": level.name, "labels": list(map(_labels, level.label_sets)), "exact": level.exact, "items": items}


def _shown(merged: Preview) -> Mapping[str, object]:
    properties = [
        {
            "key": found.key,
            "value": found.source.value,
            "source": _candidate(found.source),
            "shadows": [{"value": shadow.value, **_candidate(shadow)} for shadow in found.shadows],
        }
        for found in merged.properties
    ]
    return {"properties": properties, "warnings": list(map(_caution, merged.cautions))}


def _candidate(candidate: Candidate) -> Mapping[str, object]:
    return {"level": candidate.level, **_item(candidate.item)}


def _item(item: KeyValue) -> Mapping[str, object]:
    return {
        "id": item.key_id,
        "key": item.draft.key,
        "value_type": item.draft.value_type,
        "labels": _labels(item.label_set),
        "revision": item.revision,
    }


def _caution(caution: Caution) -> Mapping[str, object]:
    keys = [item.draft.key for item in caution.items]
    shown = {"labels": _labels(caution.labels), "keys": keys[:_MOST_KEYS], "items": len(keys)}
    return {"kind": caution.kind, "text": caution.text, **shown}


def _labels(labels: Labels) -> Mapping[str, str]:
    return dict(sorted(labels))

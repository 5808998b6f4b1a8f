"""What a tree of items shows: which labels there are, which beginnings of keys, and how many items of each."""

from __future__ import annotations

from registry.api.call import Call, Reply, json_reply
from registry.api.kie.parameters import labels_of
from registry.config.branches import by_labels, by_prefix
from registry.config.rules import LONGEST_QUERY
from registry.config.state import Topic
from registry.errors import ConfigError


async def tree(call: Call) -> Reply:
    """GET tree: how many items have exactly which labels, and how many keys begin how, one part further than `prefix`."""
    prefix = call.query.get("prefix", "")
    if len(prefix) > LONGEST_QUERY:
        raise ConfigError(400001, f"prefix: at most {LONGEST_QUERY} characters")
    topic, state = Topic(call.tenant, labels_of(call), call.query.get("match") == "exact"), call.engine.config.state
    revision, items = await call.engine.read(lambda: (state.revision(call.tenant), state.listing(topic).items))
    seen = [item for item in items if call.sees(item.draft.labels, exact=True)]
    sets = [{"labels": dict(sorted(labels)), "items": count} for labels, count in by_labels(seen).items()]
    branches = [branch._asdict() for branch in by_prefix(seen, prefix)]
    return json_reply({"revision": revision, "total": len(seen), "label_sets": sets, "prefixes": branches})

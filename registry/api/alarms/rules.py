"""Alarm rules: list, write, take back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import orjson

from registry.alarms.builtin import BUILT_IN
from registry.alarms.records import rule_path
from registry.alarms.rules import Rule
from registry.api.alarms.asked import document_of, named
from registry.api.call import Call, Reply, json_reply
from registry.api.checks import number
from registry.api.stored import of_stored
from registry.errors import RegistryError

_MOST = 1000


@of_stored
async def list_all(call: Call) -> Reply:
    """GET rules: all that count, the built-in ones among them."""
    rules = call.engine.alarming.state.rules(call.tenant)
    return json_reply({"rules": [_shown(call, rules[name]) for name in sorted(rules)]})


async def put(call: Call) -> Reply:
    """PUT rules: let a rule, named in the body, be as the body says; what is not in it stays as it is, or as it is built in."""
    return await _put(call, document_of(call))


async def delete(call: Call) -> Reply:
    """DELETE rules: delete what somebody wrote; a built-in rule is again as it was built in."""
    engine, name = call.engine, named(call, "name")
    rule = await call.execute(lambda: engine.alarming.delete_rule(call.tenant, name, engine.now()))
    return json_reply({"rule": _shown(call, rule) if rule is not None else None})


async def history(call: Call) -> Reply:
    """GET rules/history: the versions of a rule that somebody wrote, the newest first, also after its end."""
    return json_reply({"versions": await _versions(call)})


async def rollback(call: Call) -> Reply:
    """POST rules/rollback: let a rule be as it was at a revision; that is a new revision."""
    wanted = number(call, "revision", 0)
    found = next((one for one in await _versions(call) if one["revision"] <= wanted), None)  # type: ignore[operator]
    if found is None:
        raise RegistryError(404001, f"the history of this rule does not reach back to revision {wanted}")
    rule = found["rule"]
    return await _put(call, rule) if isinstance(rule, dict) else await delete(call)


async def _put(call: Call, document: Mapping[str, object]) -> Reply:
    engine = call.engine
    kept = await call.execute(lambda: engine.alarming.put_rule(call.tenant, document, engine.now()))
    return json_reply({"rule": _shown(call, kept.rule), "revision": kept.revision})


async def _versions(call: Call) -> Sequence[Mapping[str, object]]:
    path = rule_path(call.tenant, named(call, "name"))
    events = await call.engine.journal.history(path, _MOST)
    if not events:
        raise RegistryError(404001, "nobody ever wrote a rule of this name")
    return [
        {
            "revision": event.revision,
            "at": event.at,
            "author": event.author,
            "rule": orjson.loads(event.body) if event.body is not None else None,
        }
        for event in events
    ]


def _shown(call: Call, rule: Rule) -> Mapping[str, object]:
    """A rule, whether it is built in, and whether somebody wrote it, or over it."""
    own = call.engine.alarming.state.table(call.tenant).rules.get(rule.name)
    facts = {"builtIn": rule.name in BUILT_IN, "written": own is not None}
    return {**rule.document, **facts, "revision": own.revision if own is not None else 0}

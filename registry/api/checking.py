"""What is wrong with drafts of rules, and which runtimes obey them: `POST /waggle/v1/governance/check`. docs/rules.md describes it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from governance.rules.check import not_a_rule, rule_key
from governance.rules.obedience import obedience
from governance.rules.problems import Problem
from governance.rules.runtimes import Runtime
from registry.api.call import Call, Reply, Route, Tenancy, json_reply
from registry.api.checks import check_tenant
from registry.api.config.problems import scene_of
from registry.api.config.problems import shown as shown_problem
from registry.api.drafts import DRAFTS, draft_of, drafts_in
from registry.api.kie.bodies import in_our_words
from registry.api.shapes import Shape, read, validate
from registry.config.records import Draft, id_of
from registry.errors import ConfigError, Refusal

CHECK = Shape("Check", (DRAFTS,))
_SAMPLE = {"drafts": [{"key": "servicecomb.retry.orders", "value": "maxAttempts: 2", "labels": {"app": "mall"}}]}


def checking_routes() -> Sequence[Route]:
    """The table of routes."""
    return (
        Route(
            "POST",
            "/waggle/v1/governance/check",
            check_drafts,
            "governance",
            (check_drafts.__doc__ or "").strip(),
            Tenancy.QUERY,
            "max_config_body_bytes",
            body=CHECK,
            sample=_SAMPLE,
            refused=in_our_words,
            verb="get",
        ),
    )


async def check_drafts(call: Call) -> Reply:
    """POST check: what is wrong with rules that are not saved, with the others as they are then, and which runtimes obey them."""
    check_tenant(call)
    drafts = _drafts(call)
    over = {id_of(call.tenant, draft.key, draft.labels): draft for draft in drafts}
    scene = await scene_of(call, over.values())
    checked = await asyncio.to_thread(scene.check, over, over)
    rows = [
        _row(draft, checked[name].problems, scene.runtimes, sound=checked[name].rule is not None)
        for name, draft in over.items()
    ]
    return json_reply({"drafts": rows})


def _drafts(call: Call) -> Sequence[Draft]:
    """Those of the body. Raises 400001."""
    try:
        given = read(CHECK, call.body)
        validate(CHECK, given)
    except Refusal as error:
        raise ConfigError(400001, error.detail) from error
    return [draft_of(one) for one in drafts_in(given)]


def _row(
    draft: Draft, problems: Sequence[Problem], runtimes: Sequence[Runtime], *, sound: bool
) -> Mapping[str, object]:
    key = rule_key(draft.key)
    told = problems or not_a_rule(draft.key, draft.value_type)
    return {
        "key": draft.key,
        "labels": dict(draft.labels),
        "kind": key.kind if key is not None else "",
        "name": key.name if key is not None else "",
        "problems": list(map(shown_problem, told)),
        "runtimes": [_told(one, problems, sound=sound) for one in runtimes] if key is not None else [],
    }


def _told(runtime: Runtime, problems: Sequence[Problem], *, sound: bool) -> Mapping[str, object]:
    found = obedience(runtime, problems, sound=sound)
    return {"name": runtime.name, "version": runtime.version, "does": found.does, "why": found.why}

"""What an item would come to if it were saved, and what is wrong with it: for whoever writes it, while it is written."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from governance.rules.parsing import ParseError
from governance.rules.problems import Code, Problem, Severity
from registry.api.call import Call, Reply, json_reply
from registry.api.config.items import edit_of
from registry.api.config.problems import problems_of, shown
from registry.api.config.transfer import members_of
from registry.api.shapes import parse
from registry.config.edits import Step, plan
from registry.config.history import compared
from registry.config.records import Draft
from registry.config.values import check_value


async def check(call: Call) -> Reply:
    """POST check: what an item would come to if it were put: the action, what differs, and all that is wrong with it. Nothing is stored."""
    edit, config = edit_of(parse(call.body)), call.engine.config
    (step,) = await call.engine.read(lambda: plan(config.keys, call.tenant, [edit]))
    draft = step.draft
    return json_reply({**_comes_to(step), "problems": await _unparsable(draft) or await _wrong(call, draft)})


def _comes_to(step: Step) -> Mapping[str, object]:
    before, revision = (step.before.draft, step.before.revision) if step.before is not None else (None, 0)
    sides = {"before": members_of(before), "after": members_of(step.after)}
    lines = compared(before, step.after, revision, "as it will be")
    return {"action": step.action, "revision": revision, **sides, "diff": lines}


async def _unparsable(draft: Draft) -> Sequence[Mapping[str, object]]:
    try:
        await asyncio.to_thread(check_value, draft.value_type, draft.value)
    except ParseError as error:
        return [shown(Problem(Severity.ERROR, Code.SYNTAX, error.at, f"as {draft.value_type}, {error.why}"))]
    return []


async def _wrong(call: Call, draft: Draft) -> object:
    (found,) = await problems_of(call, [draft])
    return found.get("problems", ())

"""What is wrong with rules, for the answers that show what became of them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from governance.rules.problems import Problem
from registry.api.call import Call
from registry.config.records import Draft
from registry.config.values import rule_problems
from registry.engine.runtimes import runtimes_of


async def problems_of(call: Call, drafts: Sequence[Draft | None]) -> Sequence[Mapping[str, object]]:
    """For each draft the member `problems`, which is left out where there are none. It takes time: large rules take seconds."""
    runtimes = await call.engine.read(lambda: runtimes_of(call.engine.catalog, call.tenant))

    def look() -> Sequence[Mapping[str, object]]:
        found = [rule_problems(draft, runtimes) if draft is not None else () for draft in drafts]
        return [{"problems": list(map(_shown, problems))} if problems else {} for problems in found]

    return await asyncio.to_thread(look)


def _shown(problem: Problem) -> Mapping[str, object]:
    runtimes = [{"name": runtime.name, "version": runtime.version} for runtime in problem.runtimes]
    place = {"line": problem.line, "column": problem.column, "why": problem.why, "instead": problem.instead}
    return {"severity": problem.severity, "code": problem.code, **place, "runtimes": runtimes}

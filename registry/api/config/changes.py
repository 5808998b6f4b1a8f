"""Edits carried out for a request: their values are checked aside, then all are stored by one command."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from registry.api.call import Call
from registry.api.config.problems import refuse_contradictions
from registry.config.edits import Edit, Existing, Step, carry_out, check_values, plan
from registry.config.records import KeyValue

Prune = Callable[[], Iterable[KeyValue]]


@dataclass(frozen=True, slots=True)
class Plan:
    """What edits come to at a revision; `again` makes the steps anew."""

    revision: int
    steps: Sequence[Step]
    again: Callable[[], Sequence[Step]]


class _OutdatedError(Exception):
    """Between the check of the values and the command, someone changed what the edits come to."""


def nothing() -> Iterable[KeyValue]:
    """What is pruned where nobody asked for it."""
    return ()


async def planned(
    call: Call, edits: Sequence[Edit], existing: Existing = Existing.FORCE, prune: Prune = nothing
) -> Plan:
    """What the edits come to, with their values checked. Raises 400001, 400006, 409001, 422001."""
    config, tenant = call.engine.config, call.tenant

    def steps() -> Sequence[Step]:
        return plan(config.keys, tenant, edits, existing, prune())

    made = await call.engine.read(lambda: Plan(config.state.revision(tenant), steps(), steps))
    await asyncio.to_thread(check_values, made.steps)
    await refuse_contradictions(call, made.steps)
    return made


async def changed(
    call: Call, edits: Sequence[Edit], existing: Existing = Existing.FORCE, prune: Prune = nothing
) -> tuple[int, Sequence[tuple[Step, KeyValue | None]]]:
    """Carry the edits out: the revision then, and what became of each item. Raises what `planned` raises."""
    while True:
        made = await planned(call, edits, existing, prune)
        try:
            return await call.execute(partial(_carry_out, call, made))
        except _OutdatedError:
            continue


def _carry_out(call: Call, made: Plan) -> tuple[int, Sequence[tuple[Step, KeyValue | None]]]:
    """The command. Only values that were checked are stored, so a plan that comes to something else now is not carried out."""
    config, tenant = call.engine.config, call.tenant
    steps = made.steps if config.state.revision(tenant) == made.revision else made.again()
    if [step.after for step in steps] != [step.after for step in made.steps]:
        raise _OutdatedError
    done = carry_out(config.keys, tenant, steps, call.engine.now())
    return config.state.revision(tenant), list(zip(steps, done, strict=True))

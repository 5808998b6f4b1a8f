"""Edits carried out for a request: their values are checked aside, then all are stored by one command."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence

from registry.api.call import Call
from registry.config.edits import Edit, Existing, Step, carry_out, check_values, plan
from registry.config.records import Draft, KeyValue

Prune = Callable[[], Iterable[KeyValue]]


class _OutdatedError(Exception):
    """Between the check of the values and the command, someone changed what the edits come to."""


def nothing() -> Iterable[KeyValue]:
    """What is pruned where nobody asked for it."""
    return ()


async def planned(call: Call, edits: Sequence[Edit], existing: Existing, prune: Prune = nothing) -> Sequence[Step]:
    """What the edits come to, with their values checked. Raises 400001, 400006, 409001, 422001."""
    keys, tenant = call.engine.config.keys, call.tenant
    steps = await call.engine.read(lambda: plan(keys, tenant, edits, existing, prune()))
    await asyncio.to_thread(check_values, steps)
    return steps


async def changed(
    call: Call, edits: Sequence[Edit], existing: Existing = Existing.FORCE, prune: Prune = nothing
) -> tuple[int, Sequence[tuple[Step, KeyValue | None]]]:
    """Carry the edits out: the revision then, and what became of each item. Raises what `planned` raises."""
    engine, tenant = call.engine, call.tenant
    keys = engine.config.keys

    def command() -> tuple[int, Sequence[tuple[Step, KeyValue | None]]]:
        steps = plan(keys, tenant, edits, existing, prune())
        if _stored(steps) != checked:
            raise _OutdatedError
        done = carry_out(keys, tenant, steps, engine.now())
        return engine.config.state.revision(tenant), list(zip(steps, done, strict=True))

    while True:
        checked = _stored(await planned(call, edits, existing, prune))
        try:
            return await engine.execute(command, call.author)
        except _OutdatedError:
            continue


def _stored(steps: Iterable[Step]) -> Sequence[Draft | None]:
    return [step.after for step in steps]

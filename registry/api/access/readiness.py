"""Who would break if access control were enforced. docs/access.md says how that is known, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from registry.access import Mode, Scope
from registry.api.access.shapes import SCOPE
from registry.api.call import Call, Reply, json_reply
from registry.api.shapes import validate
from registry.engine.readiness import Readiness, Row, assess, document
from registry.errors import RegistryError

MOST_ROWS = 1000
"""Instances that an answer lists; the numbers are of all."""

_SCOPE = {"resource": "resources", "application": "applications", "environment": "environments"}


async def readiness(call: Call) -> Reply:
    """GET access/readiness: every instance and caller, and whether it would break; for a part where a scope is named."""
    scope = _scope_of(call)
    found = await _assessed(call, scope)
    access = call.engine.access
    return json_reply(
        {
            "mode": access.mode.value,
            "scope": scope.document,
            "observedSince": access.callers.began,
            "ready": not found.breaking,
            "breaking": len(found.breaking),
            "total": len(found.instances),
            "instances": _shown(call, found.instances),
            "others": _shown(call, found.others),
        }
    )


def _scope_of(call: Call) -> Scope:
    """The part that the query names. Raises 400001."""
    asked = {member: [text for name, text in call.pairs if name == wanted] for wanted, member in _SCOPE.items()}
    validate(SCOPE, asked)
    return Scope(**{member: tuple(found) for member, found in asked.items()})


async def refusal_to_enforce(call: Call, mode: Mode, scope: Scope) -> Reply | None:
    """409202 with the list of those that would break; nothing where none would, or where it is not about enforcing."""
    if mode is not Mode.ENFORCE:
        return None
    breaking = (await _assessed(call, scope)).breaking
    if not breaking:
        return None
    refusal = RegistryError(
        409202,
        f"{len(breaking)} would break: `waggle access readiness` shows them; confirm (`--confirm`) to enforce all the same",
    )
    error = refusal.error
    shown = {
        "errorCode": str(error.code),
        "errorMessage": error.message,
        "detail": refusal.detail,
        "breaking": _shown(call, breaking),
    }
    reply = json_reply(shown)
    return Reply(error.status, reply.body, reply.content_type)


async def _assessed(call: Call, scope: Scope) -> Readiness:
    engine = call.engine
    return await assess(engine.access, engine.catalog, scope, engine.now())


def _shown(call: Call, rows: Sequence[Row]) -> Sequence[Mapping[str, object]]:
    began, now = call.engine.access.callers.began, call.engine.now()
    return [document(row, began, now) for row in rows[:MOST_ROWS]]

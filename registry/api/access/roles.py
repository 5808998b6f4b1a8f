"""Roles. Protocol: Service Center section 14.6."""

from __future__ import annotations

from registry.api.access.accounts import BAD_JSON
from registry.api.access.shapes import CHANGED_ROLE, ROLE
from registry.api.call import EMPTY, Call, Reply, json_reply
from registry.api.shapes import Shape, read, validate
from registry.api.stored import of_stored


@of_stored
async def list_all(call: Call) -> Reply:
    """GET roles."""
    found = call.engine.access.roles.all()
    return json_reply({"total": len(found), "data": [role.document for role in found]})


@of_stored
async def get(call: Call) -> Reply:
    """GET roles/:roleName."""
    return json_reply(call.engine.access.roles.get(call.params["roleName"]).document)


async def create(call: Call) -> Reply:
    """POST roles."""
    given, perms = _read(ROLE, call)
    roles, name = call.engine.access.roles, str(given["name"])
    await call.execute(lambda: roles.create(name, perms, call.engine.now()))
    return EMPTY


async def change(call: Call) -> Reply:
    """PUT roles/:roleName: other permissions, from the next request on."""
    _, perms = _read(CHANGED_ROLE, call)
    roles, name = call.engine.access.roles, call.params["roleName"]
    await call.execute(lambda: roles.change(name, perms, call.engine.now()))
    return EMPTY


async def delete(call: Call) -> Reply:
    """DELETE roles/:roleName."""
    roles, name = call.engine.access.roles, call.params["roleName"]
    await call.execute(lambda: roles.delete(name, call.engine.now()))
    return EMPTY


def _read(shape: Shape, call: Call) -> tuple[dict[str, object], list[dict[str, object]]]:
    given = read(shape, call.body, BAD_JSON)
    validate(shape, given)
    perms = given.get("perms", [])
    assert isinstance(perms, list)  # noqa: S101  decoded as a list
    return given, perms

"""This engine's own API of access control: the switch between off, observe and enforce, and new signing keys. docs/access.md."""

from __future__ import annotations

from collections.abc import Mapping

import structlog

from registry.access import Access, Identity, Mode, Need, Scope
from registry.access.records import ADMIN, ROOT
from registry.api.access.readiness import refusal_to_enforce
from registry.api.access.shapes import SWITCH
from registry.api.access.signing_in import SigningIn
from registry.api.call import Call, Reply, json_reply
from registry.api.shapes import read, validate
from registry.api.stored import of_stored
from registry.errors import RegistryError

log = structlog.get_logger(__name__)


@of_stored
async def show(call: Call) -> Reply:
    """GET access: the mode, and what enforcement is about; for everyone, as it tells whether to sign in."""
    return json_reply(_shown(call.engine.access))


async def change(call: Call, signing_in: SigningIn) -> Reply:
    """PUT access: another mode or scope, at once. It needs root's password, or a token that may, even where access is off."""
    given = read(SWITCH, call.body)
    validate(SWITCH, given)
    call.identity = await _identity(call, signing_in, str(given.get("password", "")))
    mode, scope = Mode(str(given["mode"])), _scope(given.get("scope"))
    access = call.engine.access
    if not given.get("confirm") and (refusal := await refusal_to_enforce(call, mode, scope)) is not None:
        return refusal
    await call.execute(lambda: access.switch(mode, scope, call.engine.now()))
    log.info("access.switched", mode=mode.value, by=call.identity.account, **scope.document)
    return json_reply(_shown(access))


async def rotate(call: Call) -> Reply:
    """POST access/keys/rotate: a new key signs from now on; tokens that were issued before stay good until they end."""
    key = await call.engine.credentials.rotate(call.author)
    return json_reply({"key": key.key_id})


async def _identity(call: Call, signing_in: SigningIn, password: str) -> Identity:
    if password:
        await signing_in.prove(call, ROOT, password)
        return Identity(ROOT, (ADMIN,), 0)
    access, header = call.engine.access, call.header("Authorization")
    if not header:
        raise RegistryError(401204, "the switch needs root's password, or a token of somebody who may")
    identity = access.verify(header, call.engine.now())
    refusal = access.permit(identity, Need("access", "update"))
    if refusal is not None:
        raise refusal
    return identity


def _scope(given: object) -> Scope:
    lists = given if isinstance(given, Mapping) else {}
    return Scope(**{name: tuple(items) for name, items in lists.items()})


def _shown(access: Access) -> Mapping[str, object]:
    return {"mode": access.mode.value, "scope": access.scope.document}

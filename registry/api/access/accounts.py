"""Accounts, their passwords and lock-outs. Protocol: Service Center section 14.5."""

from __future__ import annotations

from collections.abc import Mapping

from registry.access import Identity
from registry.access.accounts import Draft
from registry.access.passwords import check_password, check_unlike_name
from registry.access.records import ADMIN
from registry.api.access.shapes import ACCOUNT, ACCOUNTS, CHANGED_ACCOUNT, PASSWORD
from registry.api.access.signing_in import SigningIn
from registry.api.call import EMPTY, Call, Reply, json_reply
from registry.api.shapes import decode, read, validate
from registry.api.stored import of_stored
from registry.errors import RegistryError, invalid

BAD_JSON = "json is invalid"


def caller(call: Call) -> Identity:
    """Who asks. The gate has found that out; where it did not, there is nobody: 401204."""
    if call.identity is None:
        raise RegistryError(401204)
    return call.identity


@of_stored
async def list_all(call: Call) -> Reply:
    """GET accounts."""
    found = call.engine.access.accounts.all()
    return json_reply({"total": len(found), "data": [account.document for account in found]})


@of_stored
async def get(call: Call) -> Reply:
    """GET accounts/:name."""
    return json_reply(call.engine.access.accounts.get(call.params["name"]).document)


async def create(call: Call) -> Reply:
    """POST accounts."""
    await _create(call, read(ACCOUNT, call.body))
    return EMPTY


async def create_many(call: Call) -> Reply:
    """POST accounts/batch-create: each on its own; one without a password gets a random one that nobody is told."""
    given = read(ACCOUNTS, call.body)
    validate(ACCOUNTS, given)
    accounts = given["accounts"]
    assert isinstance(accounts, list)  # noqa: S101  validated
    return json_reply({"accounts": [await _outcome(call, one) for one in accounts]})


async def _outcome(call: Call, given: Mapping[str, object]) -> Mapping[str, object]:
    name = given.get("name") if isinstance(given.get("name"), str) else ""
    try:
        await _create(call, decode(ACCOUNT, given), may_be_random=True)
    except RegistryError as error:
        if error.error.status >= 500:
            raise
        told = {"errorCode": str(error.error.code), "errorMessage": error.error.message, "detail": error.detail}
        return {"name": name, **{member: text for member, text in told.items() if text}}
    return {"name": name}


async def _create(call: Call, given: Mapping[str, object], *, may_be_random: bool = False) -> None:
    call.engine.access.accounts.check_room()
    validate(ACCOUNT, given)
    name, password, roles = str(given["name"]), str(given.get("password", "")), given["roles"]
    assert isinstance(roles, list)  # noqa: S101  validated
    if password or not may_be_random:
        check_password(password)
        check_unlike_name(name, password)
    draft = Draft(name, tuple(roles), str(given.get("id", "")), str(given["status"]))
    await call.engine.credentials.create(draft, password, call.author)


async def change(call: Call) -> Reply:
    """PUT accounts/:name: other roles, and another status."""
    given = read(CHANGED_ACCOUNT, call.body)
    validate(CHANGED_ACCOUNT, given)
    roles, status = given["roles"], str(given.get("status", ""))
    assert isinstance(roles, list)  # noqa: S101  validated
    accounts, by, name = call.engine.access.accounts, caller(call).account, call.params["name"]
    await call.execute(lambda: accounts.change(name, roles, status, by, call.engine.now()))
    return EMPTY


async def delete(call: Call) -> Reply:
    """DELETE accounts/:name."""
    accounts, by, name = call.engine.access.accounts, caller(call).account, call.params["name"]
    await call.execute(lambda: accounts.delete(name, by, call.engine.now()))
    return EMPTY


async def set_password(call: Call, signing_in: SigningIn) -> Reply:
    """POST accounts/:name/password: one's own with the current one; another's as an administrator."""
    given = read(PASSWORD, call.body, BAD_JSON)
    password, current = str(given.get("password", "")), str(given.get("currentPassword", ""))
    check_password(password)
    identity, name = caller(call), call.params["name"]
    if name == identity.account:
        await _check_own(call, signing_in, password, current)
    elif ADMIN not in identity.roles:
        raise RegistryError(403001, "can not change other account password")
    call.engine.access.accounts.get(name)
    check_unlike_name(name, password)
    await call.engine.credentials.set_password(name, password, call.author)
    return EMPTY


async def _check_own(call: Call, signing_in: SigningIn, password: str, current: str) -> None:
    if not current:
        raise invalid("current password is empty")
    name, origin, credentials = caller(call).account, signing_in.admitted(call), call.engine.credentials
    credentials.check_lock(name, origin)
    if password == current:
        raise RegistryError(400206, "the password can not be same as old one")
    await credentials.prove(name, current, origin, wrong=401207)


async def self_perms(call: Call) -> Reply:
    """GET self-perms: what the roles of the token allow."""
    return json_reply({"perms": call.engine.access.roles.permissions(caller(call).roles)})


async def locks(call: Call) -> Reply:
    """GET account-locks: who must wait before signing in again."""
    found = call.engine.access.lockouts.listed(call.engine.now() // 1000)
    return json_reply({"total": len(found), "data": found})

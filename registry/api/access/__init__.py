"""The access API: its table of routes. Protocol: Service Center section 14; the engine's own part is described in docs/access.md.

While access control is off, there are none of the protocol's routes: 404, as in the original. Clients count on that.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Sequence

from registry.api.access import accounts, client_credentials, roles, switch
from registry.api.access.readiness import readiness
from registry.api.access.shapes import ACCOUNT, ACCOUNTS, CHANGED_ACCOUNT, CHANGED_ROLE, PASSWORD, ROLE, SIGN_IN, SWITCH
from registry.api.access.signing_in import SigningIn
from registry.api.call import TEXT_TYPE, Call, Handler, Parameter, Reply, Route, Tenancy

_ACCOUNT = "/v4/accounts/:name"
_ROLE = "/v4/roles/:roleName"
_OWN = "/waggle/v1/access"
_NEW = {"name": "orders", "password": "Complicated1!", "roles": ["developer"]}
_PERMS = {"perms": [{"resources": [{"type": "service", "labels": {"serviceName": "orders"}}], "verbs": ["*"]}]}
_PART = tuple(
    Parameter(name, f"repeatable: as if enforcement had begun with this {name}")
    for name in ("resource", "application", "environment")
)
_RATE = {429: "More tries to sign in from this address than token_rate allows"}


def access_routes(signing_in: SigningIn) -> Sequence[Route]:
    """The table of routes."""
    return (
        _row(
            "POST",
            "/v4/token",
            signing_in.token,
            "public",
            "14.4",
            body=SIGN_IN,
            sample={"name": "orders", "password": "Complicated1!"},
            failures=_RATE,
        ),
        *_account_routes(signing_in),
        *_role_routes(),
        _row("GET", "/v4/self-perms", accounts.self_perms, "self", "14.5"),
        _row("GET", "/v4/account-locks", accounts.locks, "account", "14.4"),
        *_own_routes(signing_in),
    )


def _account_routes(signing_in: SigningIn) -> Sequence[Route]:
    set_password = _with(accounts.set_password, signing_in)
    return (
        _row("GET", "/v4/accounts", accounts.list_all, "account", "14.5"),
        _done("POST", "/v4/accounts", accounts.create, "account", "14.5", body=ACCOUNT, sample=_NEW),
        _row(
            "POST",
            "/v4/accounts/batch-create",
            accounts.create_many,
            "account",
            "14.5",
            body=ACCOUNTS,
            sample={"accounts": [_NEW]},
        ),
        _row("GET", _ACCOUNT, accounts.get, "account", "14.5"),
        _done(
            "PUT",
            _ACCOUNT,
            accounts.change,
            "account",
            "14.5",
            body=CHANGED_ACCOUNT,
            sample={"roles": ["developer"]},
        ),
        _done("DELETE", _ACCOUNT, accounts.delete, "account", "14.5"),
        _done(
            "POST",
            f"{_ACCOUNT}/password",
            set_password,
            "self",
            "14.5",
            body=PASSWORD,
            sample={"currentPassword": "Complicated1!", "password": "Complicated2!"},
            failures=_RATE,
        ),
    )


def _role_routes() -> Sequence[Route]:
    return (
        _row("GET", "/v4/roles", roles.list_all, "role", "14.6"),
        _done("POST", "/v4/roles", roles.create, "role", "14.6", body=ROLE, sample={"name": "orders", **_PERMS}),
        _row("GET", _ROLE, roles.get, "role", "14.6"),
        _done("PUT", _ROLE, roles.change, "role", "14.6", body=CHANGED_ROLE, sample=_PERMS),
        _done("DELETE", _ROLE, roles.delete, "role", "14.6"),
    )


def _own_routes(signing_in: SigningIn) -> Sequence[Route]:
    own = Tenancy.NONE
    return (
        _row("GET", f"{_OWN}/readiness", readiness, "access", tenancy=own, parameters=_PART),
        _row("GET", _OWN, switch.show, "public", tenancy=own, needs_access=False),
        _row(
            "PUT",
            _OWN,
            _with(switch.change, signing_in),
            "public",
            body=SWITCH,
            sample={"mode": "observe", "password": "Complicated1!"},
            failures={**_RATE, 409: "Some would break; the answer lists them"},
            tenancy=own,
            needs_access=False,
        ),
        _row("POST", f"{_OWN}/keys/rotate", switch.rotate, "access", tenancy=own),
        _row(
            "POST",
            f"{_OWN}/oauth2/token",
            _with(client_credentials.issue, signing_in),
            "public",
            failures={**_RATE, 400: "Not the form that is expected: see error and error_description"},
            tenancy=own,
        ),
    )


def _with(handler: Callable[[Call, SigningIn], Awaitable[Reply]], signing_in: SigningIn) -> Handler:
    """A handler that tries passwords, with where they are tried."""

    @functools.wraps(handler)
    async def bound(call: Call) -> Reply:
        return await handler(call, signing_in)

    return bound


def _row(method: str, path: str, handler: Handler, resource: str, section: str = "", **more: object) -> Route:
    about = (handler.__doc__ or "").strip().splitlines()[0]
    options = {"needs_access": True, **more}
    return Route(method, path, handler, resource, about, section=section, **options)  # type: ignore[arg-type]


def _done(method: str, path: str, handler: Handler, resource: str, section: str, **more: object) -> Route:
    """A route whose success is an empty answer."""
    return _row(method, path, handler, resource, section, answers=TEXT_TYPE, **more)

"""POST /waggle/v1/access/oauth2/token: a token by OAuth 2.0's client credentials (RFC 6749, section 4.4), for tools that renew theirs so.

Prometheus is one: its `oauth2` takes an account's name and password, and asks for a new token when the old one ends.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import parse_qsl, unquote_plus

from registry.access.tokens import DEFAULT_SECONDS
from registry.api.access.signing_in import SigningIn
from registry.api.call import Call, Reply, json_reply

_MOST_FIELDS = 20
_GRANT = "client_credentials"
_UNCACHED = {"Cache-Control": "no-store"}


async def issue(call: Call, signing_in: SigningIn) -> Reply:
    """POST oauth2/token: sign in as OAuth's clients do, by a form."""
    form = _form(call.body)
    given = _from_header(call.header("Authorization")) or (form.get("client_id", ""), form.get("client_secret", ""))
    if form.get("grant_type") != _GRANT:
        return _refused("unsupported_grant_type", f"grant_type must be {_GRANT}")
    if not all(given):
        return _refused("invalid_request", "an account's name and password are expected as client_id and client_secret")
    token = await signing_in.sign_in(call, *given, DEFAULT_SECONDS)
    told = {"access_token": token, "token_type": "Bearer", "expires_in": DEFAULT_SECONDS}
    return json_reply(told, _UNCACHED)


def _form(body: bytes) -> Mapping[str, str]:
    try:
        return dict(parse_qsl(body.decode("ascii"), max_num_fields=_MOST_FIELDS))
    except ValueError:
        return {}


def _from_header(header: str) -> tuple[str, str] | None:
    """Name and password of HTTP's basic scheme, each written as in a form."""
    scheme, _, coded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, password = base64.b64decode(coded.strip(), validate=True).decode().partition(":")
    except ValueError:
        return None
    return (unquote_plus(name), unquote_plus(password)) if colon else None


def _refused(error: str, about: str) -> Reply:
    return replace(json_reply({"error": error, "error_description": about}), status=400)

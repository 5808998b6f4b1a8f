"""Tokens: what they say, how they are signed, and what is wrong with one. Protocol: Service Center sections 14.3 and 14.4.

A token is an RS512 JWT whose claims are exactly `account`, `roles` and `exp`. Which key signed it is in its header as `kid`. Time is an
argument: the library's own clock is never asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import jwt
import orjson
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from registry.errors import RegistryError

ALGORITHM = "RS512"
_ACCEPTED = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
_LONGEST = 8192
MIN_SECONDS = 15 * 60
MAX_SECONDS = 24 * 3600
DEFAULT_SECONDS = 12 * 3600
_JWS = jwt.PyJWS(algorithms=_ACCEPTED)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a token says it is, and until when: unix seconds."""

    account: str
    roles: tuple[str, ...]
    expires: int


def token_of(header: str) -> str:
    """The token in an Authorization header; its scheme counts for nothing. Raises 401204, 401201."""
    if not header:
        raise RegistryError(401204)
    parts = header.split(" ")
    if len(parts) != 2:
        raise RegistryError(401201, "invalid auth header")
    return parts[1]


def sign(identity: Identity, key_id: str, private: str) -> str:
    """A token for an identity."""
    claims = {"account": identity.account, "roles": list(identity.roles), "exp": identity.expires}
    return _JWS.encode(orjson.dumps(claims), private_key(private), ALGORITHM, headers={"kid": key_id, "typ": "JWT"})


def read(token: str, key_of: Callable[[str], str | None], now: int) -> Identity:
    """Who a token says it is; `key_of` gives a key's private half by its id. Raises 401205, before all else, and 401201."""
    if len(token) > _LONGEST:
        raise RegistryError(401201, "token is too long")
    try:
        unproven = _JWS.decode_complete(token, options={"verify_signature": False})
        claims = _claims(unproven["payload"])
        _check_times(claims, now)
        private = key_of(str(unproven["header"].get("kid", "")))
        if private is None:
            raise RegistryError(401201, "the key of the token is not known")
        _JWS.decode_complete(token, public_key(private), algorithms=list(_ACCEPTED))
    except jwt.PyJWTError as error:
        raise RegistryError(401201, str(error)) from error
    return _identity(claims)


@lru_cache(maxsize=16)
def private_key(pem: str) -> RSAPrivateKey:
    """The key of a PEM text."""
    key = load_pem_private_key(pem.encode(), None)
    assert isinstance(key, RSAPrivateKey)  # noqa: S101  the engine makes no others
    return key


@lru_cache(maxsize=16)
def public_key(pem: str) -> RSAPublicKey:
    """The public half of a key."""
    return private_key(pem).public_key()


def _claims(payload: bytes) -> Mapping[str, object]:
    try:
        claims = orjson.loads(payload)
    except ValueError as error:
        raise RegistryError(401201, "token claims are no JSON") from error
    if not isinstance(claims, dict):
        raise RegistryError(401201, "type convert error")
    return claims


def _check_times(claims: Mapping[str, object], now: int) -> None:
    """A token without an end is none of this engine's."""
    expires, begins = claims.get("exp"), claims.get("nbf", 0)
    if not _is_number(expires) or not _is_number(begins):
        raise RegistryError(401201, "token has no valid times")
    if expires <= now or begins > now:  # type: ignore[operator]
        raise RegistryError(401205)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _identity(claims: Mapping[str, object]) -> Identity:
    account = claims.get("account")
    if not isinstance(account, str):
        raise RegistryError(401201, "type convert error")
    return Identity(account, _roles(claims), int(claims["exp"]))  # type: ignore[call-overload]


def _roles(claims: Mapping[str, object]) -> tuple[str, ...]:
    """The roles of the token; the claim `role` of older versions wins."""
    older, roles = claims.get("role"), claims.get("roles")
    if isinstance(older, str):
        return (older,)
    if not isinstance(roles, Sequence) or isinstance(roles, str) or not all(isinstance(role, str) for role in roles):
        raise RegistryError(401201, "token contains no valid roles")
    if not roles:
        raise RegistryError(401201, "no role found in token")
    return tuple(roles)

"""Who calls, proved: a caller signs a token, and a provider checks it with the public key that the caller's instance is registered with.

The token is Java Chassis's, `instanceId@serviceId@time@random@signature` in the context, so either side may be a Java service. It is
renewed after most of a day, and taken for a little longer than that.
"""

from __future__ import annotations

import base64
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from governance.logs import logger
from governance.sdk.calls import EngineError, EngineUnavailableError
from governance.sdk.client import CenterClient

TOKEN = "x-cse-auth-rsatoken"  # noqa: S105  the name in the context, not a secret
PUBLIC_KEY = "publickey"
"""The property of the instance."""
_LIVES = 24 * 3600.0
_RENEWED_EARLIER = _TAKEN_LONGER = 15 * 60.0
_CHECKED_AGAIN = 30 * 60.0
"""After so many seconds the engine is asked again who a token is of: keys and properties change with a new registration."""
_MOST_KNOWN = 10_000
_LONGEST = 4096

log = logger(__name__)
WallClock = Callable[[], float]


class Signature:
    """The key pair of this process and the token that it signs. `now` is the time of day in seconds."""

    def __init__(self, instance_id: str, service_id: Callable[[], str], now: WallClock = time.time) -> None:
        self._instance_id = instance_id
        self._service_id = service_id
        self._now = now
        self._key = generate_private_key(public_exponent=65537, key_size=2048)
        self._token = ""
        self._signed_for = ""
        self._renew_at = 0.0

    @property
    def public_key(self) -> str:
        """As it is registered."""
        return base64.b64encode(
            self._key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        ).decode()

    def token(self) -> str | None:
        """The token of this moment; None while the service is not registered."""
        service_id = self._service_id()
        if not service_id:
            return None
        if service_id != self._signed_for or self._now() >= self._renew_at:
            self._sign(service_id)
        return self._token

    def _sign(self, service_id: str) -> None:
        now = self._now()
        plain = f"{self._instance_id}@{service_id}@{int(now * 1000)}@{secrets.token_hex(64)}"
        signature = self._key.sign(plain.encode(), PKCS1v15(), SHA256())
        self._token = f"{plain}@{base64.b64encode(signature).decode()}"
        self._signed_for, self._renew_at = service_id, now + _LIVES - _RENEWED_EARLIER


@dataclass(frozen=True, slots=True)
class _Token:
    """A token taken apart. `at` is seconds of the time of day."""

    instance_id: str
    service_id: str
    at: float
    plain: bytes
    signature: bytes


class Callers:
    """Who a token is of, by the registry. A token that was checked is known for half an hour."""

    def __init__(self, client: CenterClient, now: WallClock = time.time) -> None:
        self._client = client
        self._now = now
        self._known: OrderedDict[str, tuple[float, Mapping[str, str] | None]] = OrderedDict()

    async def facts(self, context: Mapping[str, str]) -> Mapping[str, str] | None:
        """`serviceName`, `version`, `appId`, `environment` and the properties of the caller's service; None where it proves nothing."""
        text = context.get(TOKEN, "")
        token = _parsed(text)
        if token is None or not -_TAKEN_LONGER <= self._now() - token.at <= _LIVES + _TAKEN_LONGER:
            return None
        until, known = self._known.get(text, (0.0, None))
        if self._now() < until:
            self._known.move_to_end(text)
            return known
        try:
            found = await self._asked(token)
        except (EngineUnavailableError, EngineError) as error:
            # What was true half an hour ago is better than to refuse everyone while the engine is away.
            log.warning("caller.unverified", caller=token.service_id, error=str(error))
            return known
        if found is not None:
            self._known[text] = (self._now() + _CHECKED_AGAIN, found)
            if len(self._known) > _MOST_KNOWN:
                self._known.popitem(last=False)
        return found

    async def _asked(self, token: _Token) -> Mapping[str, str] | None:
        instance = await self._client.instance(token.service_id, token.instance_id)
        properties = instance.get("properties")
        key = properties.get(PUBLIC_KEY, "") if isinstance(properties, dict) else ""
        if not _is_signed(token, str(key)):
            log.warning("caller.not_proved", instance=token.instance_id, service=token.service_id)
            return None
        service = await self._client.service(token.service_id)
        more = service.get("properties")
        named = ("serviceName", "version", "appId", "environment")
        return {
            **({str(name): str(value) for name, value in more.items()} if isinstance(more, dict) else {}),
            **{name: str(service.get(name) or "") for name in named},
        }


def _parsed(text: str) -> _Token | None:
    parts = text.split("@") if len(text) <= _LONGEST else ()
    if len(parts) != 5 or not (parts[2].isascii() and parts[2].isdigit() and len(parts[2]) < 16):
        return None
    try:
        signature = base64.b64decode(parts[4], validate=True)
        return _Token(parts[0], parts[1], int(parts[2]) / 1000, "@".join(parts[:4]).encode(), signature)
    except (ValueError, UnicodeError):
        return None


def _is_signed(token: _Token, key: str) -> bool:
    try:
        public = load_der_public_key(base64.b64decode(key))
        if not isinstance(public, RSAPublicKey):
            return False
        public.verify(token.signature, token.plain, PKCS1v15(), SHA256())
    except (InvalidSignature, UnsupportedAlgorithm, ValueError):
        return False
    return True

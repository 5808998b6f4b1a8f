"""POST /v4/token: a name and a password for a token. Protocol: Service Center section 14.4.

How a wrong one is answered decides when a client asks again: decision 005.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv6Address, ip_address, ip_network

from registry.access.attempts import Attempts
from registry.access.tokens import DEFAULT_SECONDS, MAX_SECONDS, MIN_SECONDS
from registry.api.access.shapes import SIGN_IN
from registry.api.call import Call, Reply, json_reply
from registry.api.kie.durations import seconds_of
from registry.api.shapes import read
from registry.errors import RegistryError, invalid

_ONE_MACHINE = 64


class SigningIn:
    """Where passwords are tried: at most `rate` a minute from one address. What `proxies` say of an address is believed."""

    def __init__(self, rate: int, proxies: Sequence[str] = ()) -> None:
        self._attempts = Attempts(rate)
        self._proxies = [ip_network(name, strict=False) for name in proxies]

    async def token(self, call: Call) -> Reply:
        """POST token: sign in."""
        given = read(SIGN_IN, call.body)
        seconds = _lifetime(str(given.get("tokenExpirationTime", "")))
        name, password = str(given.get("name", "")), str(given.get("password", ""))
        return json_reply({"token": await self.sign_in(call, name, password, seconds)})

    async def sign_in(self, call: Call, name: str, password: str, seconds: int) -> str:
        """A token of so many seconds. Raises what `prove` does."""
        return await call.engine.credentials.sign_in(name, password, self.admitted(call), seconds)

    async def prove(self, call: Call, name: str, password: str) -> None:
        """Check a password that came with another request. Raises 429001, 403201, 401202 or 401302."""
        origin = self.admitted(call)
        await call.engine.credentials.prove(name, password, origin)

    def admitted(self, call: Call) -> str:
        """The address that a password comes from. Raises 429001 where too many did."""
        origin = self._origin(call)
        if not self._attempts.allow(origin, call.engine.now()):
            raise RegistryError(429001, "too many tries to sign in from this address; wait a minute")
        return origin

    def _origin(self, call: Call) -> str:
        """The connection's other end, or what a trusted proxy says of it: anybody can write such a header."""
        forwarded = ",".join(call.request.headers.getall("X-Forwarded-For", ()))
        hops = [hop.strip() for hop in forwarded.split(",") if hop.strip()]
        origin = _address(str(call.request.remote or ""))
        while hops and self._trusts(origin):
            origin = _address(hops.pop())
        return _place(origin)

    def _trusts(self, address: str) -> bool:
        try:
            found = ip_address(address)
        except ValueError:
            return False
        return any(found in network for network in self._proxies)


def _address(text: str) -> str:
    """An address as it is compared: without the port that some proxies add, and IPv4 never in its IPv6 form."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ip_address(text)
    except ValueError:
        return text[:64]
    return str(getattr(found, "ipv4_mapped", None) or found)


def _place(address: str) -> str:
    """What counts as one address: of IPv6 a whole /64, as one machine may have any of it."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if isinstance(found, IPv6Address) and not found.is_loopback:
        return str(ip_network((found.packed, _ONE_MACHINE), strict=False))
    return address


def _lifetime(text: str) -> int:
    """The seconds of a token. Raises 400001."""
    if not text:
        return DEFAULT_SECONDS
    try:
        seconds = seconds_of(text)
    except ValueError as error:
        raise invalid(f"tokenExpirationTime: {error}") from error
    if not MIN_SECONDS <= seconds <= MAX_SECONDS:
        raise invalid("tokenExpirationTime: 15m to 24h")
    return int(seconds)

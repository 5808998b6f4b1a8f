"""Which addresses the engine sends to: what a name resolves to is judged, and that very address is connected to.

Link-local addresses are where clouds answer for the machine's own credentials. They, and what is no host at all, are refused, in every
way of writing them, unless a setting allows the network.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence
from typing import TypeAlias
from urllib.parse import urlsplit

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
_METADATA = tuple(
    map(ipaddress.ip_network, ("100.100.100.200/32", "fd00:ec2::/32", "192.0.0.192/32", "168.63.129.16/32"))
)
"""Where clouds answer for the machine's credentials outside of the link-local networks."""
_TRANSLATED = ipaddress.ip_network("64:ff9b::/96")


class RefusedAddressError(OSError):
    """An address that nothing is sent to."""


class Reach:
    """Judges addresses; those of `allowed` are in order, whatever they are."""

    def __init__(self, allowed: Sequence[str] = ()) -> None:
        self._allowed = [ipaddress.ip_network(name, strict=False) for name in allowed]

    def check(self, text: str) -> None:
        """Raise `RefusedAddressError` for an address that nothing is sent to."""
        address = _plain(ipaddress.ip_address(text.partition("%")[0]))
        if not _is_in(address, self._allowed) and _is_refused(address):
            raise RefusedAddressError(f"{address} is link-local or no host, and webhook_allow does not name it")

    def check_url(self, url: str) -> None:
        """As `check`, for an address that stands in a URL: no resolver is asked for that."""
        try:
            ipaddress.ip_address((urlsplit(url).hostname or "").partition("%")[0])
        except ValueError:
            return
        self.check(urlsplit(url).hostname or "")


class CheckedResolver(AbstractResolver):
    """Resolves names as the system does. One that leads to a refused address, among others, leads nowhere."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        self._resolver = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses of a name."""
        found = await self._resolver.resolve(host, port, family)
        for one in found:
            self._reach.check(one["host"])
        return found

    async def close(self) -> None:
        """Nothing is kept open."""
        await self._resolver.close()


def _plain(address: Address) -> Address:
    """The IPv4 address within an IPv6 one, where there is one."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _TRANSLATED:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _is_refused(address: Address) -> bool:
    if address.is_link_local or address.is_multicast or address.is_unspecified or _is_in(address, _METADATA):
        return True
    return address.is_reserved and not address.is_loopback


def _is_in(address: Address, networks: Sequence[Network]) -> bool:
    return any(address.version == network.version and address in network for network in networks)

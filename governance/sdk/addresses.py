"""Several engine addresses: one is used after another, and one that fails rests until a probe finds it again."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence

import aiohttp
from yarl import URL

_FAILURES = 3


class AddressPool:
    """Round robin over the addresses that are not resting; over all where every one rests."""

    def __init__(self, addresses: Sequence[str]) -> None:
        self._addresses = [address.rstrip("/") for address in addresses]
        self._failures = dict.fromkeys(self._addresses, 0)
        self._resting: set[str] = set()
        self._next = 0

    @property
    def resting(self) -> Sequence[str]:
        """The addresses that are left out for now."""
        return sorted(self._resting)

    def order(self) -> Sequence[str]:
        """The addresses to try for one call, the best first."""
        usable = [address for address in self._addresses if address not in self._resting] or self._addresses
        self._next += 1
        start = self._next % len(usable)
        return [*usable[start:], *usable[:start]]

    def worked(self, address: str) -> None:
        """An answer came, whatever it said."""
        self._failures[address] = 0
        self._resting.discard(address)

    def failed(self, address: str) -> None:
        """No answer came: the third time in a row lets the address rest."""
        self._failures[address] += 1
        if self._failures[address] >= _FAILURES:
            self._resting.add(address)

    async def probe(self, healthy: Callable[[str], Awaitable[bool]]) -> None:
        """Bring back the resting addresses that are healthy."""
        for address in self.resting:
            if await healthy(address):
                self.worked(address)


async def is_healthy(session: aiohttp.ClientSession, address: str, project: str) -> bool:
    """Ask an address as the other frameworks do: readiness, or, where that is unknown (404), an open port."""
    url = f"{address}/v4/{project}/registry/health/readiness"
    try:
        async with session.get(url, timeout=aiohttp.ClientTimeout(total=3)) as response:
            if response.status != 404:
                return response.status < 300
    except (aiohttp.ClientError, TimeoutError, OSError):
        return False
    parsed = URL(address)
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(3):
            _, writer = await asyncio.open_connection(parsed.host, parsed.port)
            writer.close()
            return True
    return False

"""Several engine addresses: one is used until it fails, and one that keeps failing rests until a probe finds it again."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence

import aiohttp
from yarl import URL

_FAILURES = 3
_PROBE_TIMEOUT = 3.0


class AddressPool:
    """Stays with one address, and moves on to the next that is not resting where that fails.

    Staying keeps a client's own writes visible to its reads. `start` spreads clients over the addresses.
    """

    def __init__(self, addresses: Sequence[str], start: int = 0) -> None:
        self.addresses = tuple(addresses)
        self._failures = dict.fromkeys(self.addresses, 0)
        self._resting: set[str] = set()
        self._current = start % len(self.addresses)

    @property
    def resting(self) -> Sequence[str]:
        """The addresses that are left out for now."""
        return sorted(self._resting)

    def order(self) -> Sequence[str]:
        """The addresses to try for one call, the best first; all where every one rests."""
        turned = [*self.addresses[self._current :], *self.addresses[: self._current]]
        return [address for address in turned if address not in self._resting] or turned

    def worked(self, address: str) -> None:
        """It answered: it does not rest, and is the one to stay with."""
        self._failures[address] = 0
        self._resting.discard(address)
        self._current = self.addresses.index(address)

    def failed(self, address: str) -> None:
        """It did not answer, or only that it cannot: the third time in a row lets it rest."""
        self._failures[address] += 1
        if self._failures[address] >= _FAILURES:
            self._resting.add(address)
        if self.addresses[self._current] == address:
            self._current = (self._current + 1) % len(self.addresses)

    async def probe(self, healthy: Callable[[str], Awaitable[bool]]) -> None:
        """Let the resting addresses that are healthy be used again, when another fails."""
        for address in self.resting:
            if await healthy(address):
                self._failures[address] = 0
                self._resting.discard(address)


async def is_healthy(session: aiohttp.ClientSession, address: str, project: str) -> bool:
    """Ask an address as the other frameworks do: readiness, or, where that is unknown (404), an open port."""
    url = f"{address}/v4/{project}/registry/health/readiness"
    try:
        async with session.get(url, timeout=aiohttp.ClientTimeout(total=_PROBE_TIMEOUT)) as response:
            if response.status != 404:
                return response.status < 300
    except (aiohttp.ClientError, TimeoutError, OSError):
        return False
    parsed = URL(address)
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(_PROBE_TIMEOUT):
            _, writer = await asyncio.open_connection(parsed.host, parsed.port)
            writer.close()
            return True
    return False

"""What a name resolves to is judged before anything is connected to."""

from __future__ import annotations

import socket

import pytest
from aiohttp.abc import ResolveResult

from registry.engine.reach import CheckedResolver, Reach, RefusedAddressError

_OWN = ["127.0.0.1", "::1", "10.0.0.1", "192.168.1.1", "fd00::1", "93.184.216.34", "2606:2800:220::1"]


@pytest.mark.parametrize("address", _OWN)
def test_loopback_private_and_public_addresses_are_in_order(address: str) -> None:
    Reach().check(address)


@pytest.mark.parametrize(
    "address", ["169.254.169.254", "fe80::1%eth0", "ff02::1", "::", "240.0.0.1", "2002:a9fe:a9fe::1"]
)
def test_what_is_allowed_is_in_order_whatever_it_is(address: str) -> None:
    with pytest.raises(RefusedAddressError):
        Reach(["10.0.0.0/8"]).check(address)
    Reach(["0.0.0.0/0", "::/0"]).check(address)


async def test_a_name_that_leads_to_a_refused_address_leads_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """One refused address among others is enough: which one is connected to is chance."""
    found = ["93.184.216.34", "169.254.169.254"]

    async def resolve(host: str, port: int, family: socket.AddressFamily) -> list[ResolveResult]:
        return [
            ResolveResult(hostname=host, host=one, port=port, family=socket.AF_INET, proto=0, flags=0) for one in found
        ]

    resolver = CheckedResolver(Reach())
    monkeypatch.setattr(resolver._resolver, "resolve", resolve)
    with pytest.raises(RefusedAddressError):
        await resolver.resolve("alerts.example", 80)
    found.pop()
    assert [one["host"] for one in await resolver.resolve("alerts.example", 80)] == ["93.184.216.34"]
    await resolver.close()

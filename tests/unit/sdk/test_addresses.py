"""Failing over between the addresses of an engine."""

from __future__ import annotations

from governance.sdk.addresses import AddressPool


def test_one_address_is_stayed_with_until_it_fails() -> None:
    pool = AddressPool(["a", "b", "c"])
    assert pool.order() == pool.order() == ["a", "b", "c"]
    pool.failed("a")
    assert pool.order() == ["b", "c", "a"]
    pool.worked("b")
    assert pool.order() == ["b", "c", "a"]
    pool.failed("b")
    pool.worked("c")
    assert pool.order() == ["c", "a", "b"]


def test_clients_are_spread_over_the_addresses() -> None:
    assert {AddressPool(["a", "b", "c"], start).order()[0] for start in range(3)} == {"a", "b", "c"}


def test_an_address_that_fails_three_times_in_a_row_rests() -> None:
    pool = AddressPool(["a", "b"])
    pool.failed("a")
    pool.failed("a")
    pool.worked("a")
    pool.failed("a")
    assert pool.resting == [], "it worked in between"
    pool.failed("a")
    pool.failed("a")
    assert pool.resting == ["a"]
    assert pool.order() == ["b"]


def test_all_are_tried_where_every_one_rests() -> None:
    pool = AddressPool(["a", "b"])
    for address in ("a", "b") * 3:
        pool.failed(address)
    assert pool.resting == ["a", "b"]
    assert sorted(pool.order()) == ["a", "b"]
    pool.worked("b")
    assert pool.order() == ["b"]


async def test_a_probe_brings_back_what_is_healthy() -> None:
    pool = AddressPool(["a", "b", "c"])
    for address in ("a", "b") * 3:
        pool.failed(address)
    assert pool.order() == ["c"]
    asked: list[str] = []

    async def healthy(address: str) -> bool:
        asked.append(address)
        return address == "b"

    await pool.probe(healthy)
    assert asked == ["a", "b"], "only those that rest are asked"
    assert pool.order() == ["c", "b"], "the address in use is kept"
    assert pool.resting == ["a"]

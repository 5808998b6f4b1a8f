"""One at a time, each place in its turn."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from registry.engine.turns import Turns


async def _gone(places: Sequence[str], *, leaves: int = -1) -> tuple[Turns, list[tuple[str, int]]]:
    """Who went in which order, of those who came in this one; one of them leaves before its turn."""
    turns, gone, inside = Turns(), [], 0

    async def go(place: str, number: int) -> None:
        nonlocal inside
        async with turns.turn(place):
            inside += 1
            assert inside == 1
            try:
                await asyncio.sleep(0)
            finally:
                inside -= 1
            gone.append((place, number))

    tasks = [asyncio.create_task(go(place, number)) for number, place in enumerate(places)]
    await asyncio.sleep(0)
    if leaves >= 0:
        tasks[leaves].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return turns, gone


async def test_a_crowd_at_one_place_keeps_nobody_waiting_at_another() -> None:
    """Who comes last of all, from another place, goes after one of the crowd has."""
    turns, gone = await _gone(["crowd"] * 50 + ["one"])
    assert [place for place, _ in gone].index("one") <= 2
    assert [number for place, number in gone if place == "crowd"] == list(range(50)), "the first who came goes first"
    assert not turns._lines, "nothing is kept of places where nobody waits"


async def test_many_crowds_take_turns() -> None:
    turns, gone = await _gone(["a"] * 5 + ["b"] * 5 + ["c"] * 5)
    assert sorted(place for place, _ in gone[:6]) == ["a", "a", "b", "b", "c", "c"]
    assert not turns._lines


async def test_who_leaves_before_its_turn_holds_nobody_up() -> None:
    for leaves in (0, 1, 5):
        turns, gone = await _gone(["a"] * 5 + ["b"] * 2, leaves=leaves)
        assert sorted(number for _, number in gone) == [number for number in range(7) if number != leaves]
        assert not turns._lines

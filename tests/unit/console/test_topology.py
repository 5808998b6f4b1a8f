"""The graph of calls: everything has a place of its own, the same each time, and filters show what they say."""

from __future__ import annotations

from itertools import combinations
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from registry.console.measures import together
from registry.console.pages.topology.drawing import drawing
from registry.console.pages.topology.layout import HEIGHT, WIDTH, layout
from registry.console.pages.topology.picture import MOST_DRAWN, Name, Picture, Wanted, picture

NAMES = st.sampled_from([f"s{number}" for number in range(12)])
PAIRS = st.lists(st.tuples(NAMES, NAMES), max_size=30)


def band_of(name: str) -> tuple[str, str]:
    return f"app-{int(name[1:]) % 3}", ""


@settings(deadline=None)
@given(PAIRS)
def test_no_box_covers_another_and_all_are_in_the_picture(pairs: list[tuple[str, str]]) -> None:
    names = {name for pair in pairs for name in pair} | {"s0"}
    made = layout({name: band_of(name) for name in names}, pairs)
    assert set(made.places) == names
    for one, other in combinations(made.places.values(), 2):
        assert abs(one.x - other.x) >= WIDTH or abs(one.y - other.y) >= HEIGHT
    for name, place in made.places.items():
        assert 0 <= place.x <= made.width - WIDTH
        frame = next(frame for frame in made.frames if frame.band == band_of(name))
        assert frame.y < place.y <= frame.y + frame.height - HEIGHT
    assert layout({name: band_of(name) for name in sorted(names)}, sorted(pairs, reverse=True)) == made


@settings(deadline=None)
@given(PAIRS)
def test_who_calls_stands_left_of_whom_it_calls_unless_they_call_in_a_circle(pairs: list[tuple[str, str]]) -> None:
    forward = [(one, other) for one, other in pairs if int(one[1:]) < int(other[1:])]
    made = layout({name: band_of(name) for pair in forward for name in pair}, forward)
    for one, other in forward:
        assert made.places[one].x < made.places[other].x


def version(name: str, *, rate: float = 1, lanes: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
    sums = {**together(()), "rate": rate, "reporting": 1, "registered": 1, **more}
    return {
        **sums,
        "service": name,
        "versions": [{**sums, "version": "1", "serviceId": f"id-{name}", "lanes": list(lanes)}],
    }


def app(name: str, *services: dict[str, Any], environment: str = "") -> dict[str, Any]:
    return {"app": name, "environment": environment, "services": services}


def call(caller: str, callee: str, lane: str = "", rate: float = 2, failing: float = 0) -> dict[str, Any]:
    consumer, provider = (
        dict(zip(("app", "environment", "service", "version"), (*text.split("/"), "1"), strict=True))
        for text in (caller, callee)
    )
    return {
        "consumer": consumer,
        "provider": provider,
        "lane": lane,
        "rate": rate,
        "latency": 4,
        "p99": 9,
        "failureRate": failing,
    }


APPS = (
    app("mall", version("cart", lanes=("gray",)), version("stock"), version("alone", registered=0, reporting=0)),
    app("pay", version("bank"), environment="production"),
)
CALLS = (call("mall//cart", "mall//stock", "gray"), call("mall//stock", "pay/production/bank", failing=0.5))


def named(shown: Picture) -> tuple[set[str], set[str]]:
    return {name.service for name in shown.nodes}, {f"{one.caller.service}-{one.callee.service}" for one in shown.links}


def test_filters_show_what_matches_with_its_neighbours() -> None:
    def seen(**wanted: Any) -> tuple[set[str], set[str]]:
        return named(picture(APPS, CALLS, {}, Wanted(**wanted)))

    assert seen() == ({"cart", "stock", "alone", "bank"}, {"cart-stock", "stock-bank"})
    assert seen(app="pay", environment="production") == ({"stock", "bank"}, {"stock-bank"})
    assert seen(app="pay", environment="") == (set(), set())
    assert seen(q="CART") == ({"cart", "stock"}, {"cart-stock"})
    assert seen(lane="gray") == ({"cart", "stock"}, {"cart-stock"})
    assert seen(lane="gray", q="stock") == (set(), set())


def test_who_looks_for_whom_is_there_before_anybody_calls() -> None:
    lines = [
        {"from": {"id": f"id-{one}"}, "to": {"id": f"id-{other}"}}
        for one, other in (("cart", "stock"), ("cart", "alone"))
    ]
    shown = picture(APPS, CALLS, {"lines": [*lines, {"from": {"id": "gone"}, "to": {"id": "id-cart"}}]}, Wanted())
    quiet = [one for one in shown.links if not one.sums["rate"]]
    assert [(one.caller.service, one.callee.service, one.rows) for one in quiet] == [("cart", "alone", ())]


def test_who_is_called_without_being_registered_is_drawn_and_said_to_be_unknown() -> None:
    shown = picture(APPS, [call("mall//cart", "mall//ghost")], {}, Wanted())
    assert not shown.nodes[Name("mall", "", "ghost")].known


def test_the_busiest_are_drawn_where_there_are_too_many() -> None:
    services = [version(f"s{number}", rate=number) for number in range(MOST_DRAWN + 5)]
    shown = picture([app("mall", *services)], [call("mall//s0", "mall//s1")], {}, Wanted())
    assert (len(shown.nodes), shown.found, shown.links) == (MOST_DRAWN, MOST_DRAWN + 5, [])


def test_what_fails_and_what_has_no_instances_is_marked_and_lanes_have_colours() -> None:
    made = drawing(picture(APPS, CALLS, {}, Wanted()))
    assert {box.title: box.state for box in made.boxes} == {"cart": "", "stock": "", "alone": "bad", "bank": ""}
    assert made.colours == {"gray": 1}
    assert {curve.link.callee.service: (curve.tone, curve.colour) for curve in made.curves} == {
        "stock": ("", 1),
        "bank": ("bad", 0),
    }


def test_a_circle_leads_back_below() -> None:
    calls = [call("mall//cart", "mall//stock"), call("mall//stock", "mall//cart"), call("mall//cart", "mall//cart")]
    made = drawing(picture(APPS, calls, {}, Wanted(app="mall")))
    places = {box.title: box.place for box in made.boxes}
    for curve in made.curves:
        if curve.link.callee.service == "cart":
            assert curve.y > places["cart"].y + HEIGHT
    assert all(curve.y < made.plan.height for curve in made.curves)

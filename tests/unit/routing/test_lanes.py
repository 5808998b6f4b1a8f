"""The lane of a request at the entry, and that the whole chain behind it keeps to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import pytest

from governance.routing.lanes import Lanes
from governance.rules.objects.forms import expand
from governance.rules.objects.lane import SHARE, HeaderRule, Lane, LaneGroup
from tests.unit.routing.callees import Callee, Instance, calling

BASE = Lane(name="base", label="base")
GRAY = Lane(name="gray", label="gray", rules=(HeaderRule(header="type", condition="prefix", value="gray"),))
GROUP = LaneGroup(name="lane-test", app="unit", gateway="edge", target="controller", on=True, lanes=(BASE, GRAY))


def lanes(*groups: LaneGroup, gateway: str = "edge") -> Lanes:
    """The lanes of a gateway that reads the items of groups."""
    found = Lanes(gateway)
    found.obey({expand(group)[0].key: expand(group)[0].value for group in groups})
    return found


def label(entry: Lanes, headers: Mapping[str, str], context: Mapping[str, str] | None = None) -> str:
    """The label of a request to the target."""
    mark = entry.mark("controller", headers, context or {})
    assert mark is not None
    return mark.label


def gray(*rules: tuple[str, str, str], match: str = "any") -> LaneGroup:
    """A group whose gray lane has rules of header, condition and value."""
    made = tuple(HeaderRule(header=header, condition=condition, value=value) for header, condition, value in rules)
    return replace(GROUP, lanes=(BASE, replace(GRAY, rules=made, match=match)))


@pytest.mark.parametrize(
    ("group", "headers", "expected"),
    [
        (GROUP, {"type": "grayish"}, "gray"),
        (GROUP, {"type": "Gray"}, "base"),
        (GROUP, {}, "base"),
        (GROUP, {"other": "gray"}, "base"),
        (replace(GROUP, on=False), {"type": "gray"}, "base"),
        (gray(("type", "exact", "gray")), {"type": "gray"}, "gray"),
        (gray(("type", "exact", "gray")), {"type": "grayish"}, "base"),
        (gray(("type", "regex", "gr[ae]y")), {"type": "grey"}, "gray"),
        (gray(("type", "regex", "gr[ae]y")), {"type": "greys"}, "base"),
        (gray(("type", "exact", "a"), ("user", "exact", "b")), {"user": "b"}, "gray"),
        (gray(("type", "exact", "a"), ("user", "exact", "b"), match="all"), {"user": "b"}, "base"),
        (gray(("type", "exact", "a"), ("user", "exact", "b"), match="all"), {"user": "b", "type": "a"}, "gray"),
        (gray(), {"type": "gray"}, "base"),
    ],
)
def test_the_way_into_a_lane_by_content(group: LaneGroup, headers: dict[str, str], expected: str) -> None:
    assert label(lanes(group), headers) == expected


def test_lanes_are_looked_at_in_order() -> None:
    red = Lane(name="red", label="red", rules=GRAY.rules)
    assert label(lanes(replace(GROUP, lanes=(BASE, red, GRAY))), {"type": "gray"}) == "red"
    assert label(lanes(replace(GROUP, lanes=(BASE, GRAY, red))), {"type": "gray"}) == "gray"


def test_of_a_hundred_requests_at_half_and_half_fifty_are_gray() -> None:
    """Vector 22."""
    entry = lanes(shared(50, 50))
    assert Counter(label(entry, {"type": "gray"}) for _ in range(100)) == {"base": 50, "gray": 50}
    assert [label(entry, {}) for _ in range(4)] in (["base", "gray"] * 2, ["gray", "base"] * 2)


def shared(base: int, gray: int) -> LaneGroup:
    """A group by weights."""
    return replace(GROUP, routing=SHARE, lanes=(replace(BASE, weight=base), replace(GRAY, weight=gray)))


def test_draws_go_on_when_other_configuration_changes() -> None:
    entry = lanes(shared(80, 20))
    item = expand(shared(80, 20))[0]
    drawn = []
    for number in range(100):
        entry.obey({item.key: item.value, "other": str(number)})
        drawn.append(label(entry, {}))
    assert Counter(drawn) == {"base": 80, "gray": 20}


def test_what_a_trusted_peer_has_said_stays_and_is_not_drawn_again() -> None:
    assert label(lanes(shared(100, 0)), {}, {"x_cse_canary": "gray"}) == "gray"
    assert label(lanes(GROUP), {"type": "gray"}, {"x_cse_canary": "red"}) == "red", "of another entry before this one"
    assert label(lanes(GROUP), {}, {"x_cse_canary": "gray\r\nEvil: 1"}) == "base"
    assert label(lanes(GROUP), {}, {"x_cse_canary": "x" * 65}) == "base"


def test_what_is_not_this_entry_gets_no_lane() -> None:
    assert lanes(GROUP).mark("consumer", {}, {}) is None
    assert lanes(GROUP, gateway="other").mark("controller", {}, {}) is None
    assert lanes(replace(GROUP, on=False, lanes=())).mark("controller", {}, {}) is None
    broken = Lanes("edge")
    broken.obey({"servicecomb.x.lane.lane-test": "{", "servicecomb.x.lane.other": expand(GROUP)[0].value})
    assert broken.mark("controller", {}, {}) is None


def test_the_label_is_in_both_spellings_of_the_groups_header() -> None:
    mark = lanes(replace(GROUP, header="x_lane_tag")).mark("controller", {"type": "gray"}, {})
    assert mark is not None
    assert mark.headers == {"x_lane_tag": "gray", "x-lane-tag": "gray"}
    assert lanes(replace(GROUP, header="x_lane_tag"), gateway="other").headers == {"x_lane_tag", "x-lane-tag"}


@pytest.mark.parametrize(("said", "expected"), [("gray", "gbg"), ("base", "bbb"), ("", "bbb"), ("red", "bbb")])
async def test_the_chain_of_the_guide(said: str, expected: str) -> None:
    """Controller and provider have gray copies, the consumer has none."""
    tags = {name[0]: Instance(name[0], properties={"cas_lane_tag": name}) for name in ("base", "gray")}
    rule = expand(GROUP)[1].value
    chain = ([tags["b"], tags["g"]], [tags["b"]], [tags["b"], tags["g"]])
    context = {"x_cse_canary": said} if said else {}
    for hop, some in zip(expected, chain, strict=True):
        callee = Callee(some, globalRouteRule=rule)
        assert {await callee.once(calling(**context)) for _ in range(4)} == {hop}

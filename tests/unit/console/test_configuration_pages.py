"""What the pages of the configuration make of the API's answers and of forms, apart from how they look."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from registry.console.pages.configuration.listing import Node, Wanted, begin_of, grow
from registry.console.pages.configuration.naming import Name, changed_members, hit, name_sent
from registry.console.pages.configuration.reading import together
from registry.console.pages.configuration.releases import target_sent
from registry.console.view import View


def view(*fields: tuple[str, str]) -> Any:
    return SimpleNamespace(fields=fields, form=dict(fields), say=lambda text, **names: text.format(**names))


def wanted(labels: dict[str, str], *, exact: bool = False) -> Wanted:
    return Wanted(labels, exact, "", "", rules=False, prefix="")


SETS = [
    {"labels": {"app": "mall", "environment": ""}, "items": 2},
    {"labels": {"app": "mall", "environment": "", "service": "cart"}, "items": 3},
    {"labels": {"app": "mall", "environment": "production", "service": "cart", "version": "1.0.0"}, "items": 1},
    {"labels": {"app": "shop"}, "items": 4},
    {"labels": {"public": ""}, "items": 1},
    {"labels": {}, "items": 5},
]


def shown(nodes: Any) -> list[tuple[str, int]]:
    return [(node.title, node.items) for node in nodes]


def test_the_tree_opens_along_the_way_to_what_is_shown() -> None:
    nodes = grow(view(), SETS, wanted({"app": "mall", "environment": ""}))
    assert shown(nodes) == [("mall", 6), ("shop", 4), ("public=", 1), ("without labels", 5)]
    mall = nodes[0]
    assert shown(mall.nodes) == [("empty environment", 5), ("production", 1)]
    assert (mall.here, mall.nodes[0].here) == (False, True)
    assert shown(mall.nodes[0].nodes) == [("cart", 3)]
    assert not mall.nodes[1].nodes, "what is beside the way stays closed"
    assert mall.nodes[0].path == "/console/configuration?label=app%3Amall&label=environment%3A"


def test_a_set_of_other_labels_is_a_place_of_its_own() -> None:
    nodes = grow(view(), SETS, wanted({}, exact=True))
    (here,) = [node for node in nodes if node.here]
    assert (here.title, here.path) == ("without labels", "/console/configuration?match=exact")


def test_a_wide_tree_says_how_much_of_it_is_not_shown() -> None:
    sets = [{"labels": {"app": f"app{number:03}"}, "items": 1} for number in range(203)]
    nodes = grow(view(), sets, wanted({}))
    assert (len(nodes), nodes[-1]) == (201, Node("", "", 3, here=False))


@pytest.mark.parametrize(
    ("value", "begin"),
    [("a: 1\nb:  2\n", "a: 1 b: 2"), ("", ""), ("x" * 150, "x" * 100 + " …"), ("a" + " " * 500 + "b", "a …")],
)
def test_a_value_is_begun_on_one_line(value: str, begin: str) -> None:
    assert begin_of(value) == begin


def test_a_form_names_an_item_by_all_labels_or_by_parts() -> None:
    given = name_sent(view(("key", "a"), ("label", "app:mall"), ("label", "environment:")))
    assert given == Name("a", {"app": "mall", "environment": ""})
    new = [("key", " a "), ("app", "mall"), ("environment", ""), ("service", " cart "), ("version", "")]
    assert name_sent(view(*new)) == Name("a", {"app": "mall", "service": "cart"})
    others = ("others", "team = one\n\nzone=")
    assert name_sent(view(*new, ("with-environment", "1"), others)).labels == {
        "app": "mall",
        "service": "cart",
        "environment": "",
        "team": "one",
        "zone": "",
    }


@pytest.mark.parametrize(
    ("fields", "target"),
    [
        ([("way", "share"), ("share", "25")], {"share": 25}),
        ([("way", "share"), ("share", "many")], {"share": 0}),
        (
            [("way", "properties"), ("properties", "lane=gray\r\n zone = a ")],
            {"properties": {"lane": "gray", "zone": "a"}},
        ),
        (
            [("way", "instances"), ("instance", "1"), ("instance", "2"), ("more-instances", "3")],
            {"instances": ["1", "2", "3"]},
        ),
        ([("way", "instances")], {"instances": []}),
    ],
)
def test_a_form_says_who_gets_a_release(fields: list[tuple[str, str]], target: dict[str, object]) -> None:
    assert target_sent(view(*fields)) == target


def test_what_differs_beside_the_value_is_named() -> None:
    before = {"value_type": "text", "status": "enabled", "priority": 0, "value": "a"}
    assert changed_members(before, {**before, "status": "disabled", "value": "b"}) == [
        ("Status", "enabled", "disabled")
    ]
    assert changed_members(None, before) == ()


def test_whom_a_change_hits_is_said_with_a_few_names() -> None:
    services = [{"service": f"s{number}", "version": "1"} for number in range(7)]
    said = hit(view(), {"services": services, "instances": 70})
    assert said == "Instances that read it: 70, of s0 1, s1 1, s2 1, s3 1, s4 1 …."
    assert hit(view(), {"services": [], "instances": 0}) == "No registered service asks for it."


def test_one_who_listens_several_times_is_one_row_with_the_oldest_of_its_revisions() -> None:
    instance = {"instanceId": "i", "service": "cart", "version": "1"}

    def listener(revision: int, labels: dict[str, str], instances: list[dict[str, str]]) -> dict[str, object]:
        facts = {"protocol": "kie", "address": "10.0.0.1", "revision": revision, "exact": True}
        return {**facts, "labels": [labels], "instances": instances}

    found = together(
        [
            listener(9, {}, []),
            listener(7, {"app": "mall", "service": "cart"}, [instance]),
            listener(5, {"app": "mall"}, [instance]),
        ]
    )
    assert [(row["revision"], len(row["asks"])) for row in found] == [(5, 2), (9, 1)]
    assert found[0]["asks"] == [({"app": "mall"}, True), ({"app": "mall", "service": "cart"}, True)]


def test_a_part_that_is_no_number_is_the_first() -> None:
    for text, number in (("3", 3), ("0", 1), ("-1", 1), ("²", 1), ("", 1), ("9" * 9, 1)):
        one = View.__new__(View)
        one.query = {"page": text}
        assert one.part_asked == number

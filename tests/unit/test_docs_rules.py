"""docs/rules.md is true: every field is there with its default, every example is in order, every code is explained."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import re
from pathlib import Path

import pytest

from governance.rules.check import check
from governance.rules.darklaunch import DarkItem, DarkLaunch
from governance.rules.gochassis import Marker, MarkerMatch
from governance.rules.marker import Match, MatchGroup
from governance.rules.policies import KINDS, Policy
from governance.rules.problems import Code
from governance.rules.reading import camel, readers_of
from governance.rules.routes import RouteRule

PAGE = (Path(__file__).parents[2] / "docs" / "rules.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^`(servicecomb\.[^`]+)`:\n\n```(?:yaml|json)\n(.*?)```", PAGE, re.MULTILINE | re.DOTALL)
SCALARS = re.findall(r"^\| `((?:servicecomb|spring\.cloud)\.[^`]+)` \| `([^`]*)` \|", PAGE, re.MULTILINE)
SHARED = readers_of(Policy)


def _section(heading: str) -> str:
    return re.split(r"^##", PAGE.partition(f"# {heading}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]


def _rows(text: str) -> dict[str, str]:
    """Default by field, of the tables in a text."""
    return dict(re.findall(r"^\| `(\w+)` \| ([^|]*?) \|", text, re.MULTILINE))


def _shown(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case tuple():
            return ", ".join(map(str, value))
        case float():
            return f"{value:g}"
    return str(value)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "contextMapper"])
def test_every_field_of_a_policy_is_there_with_its_default(kind: str) -> None:
    rows = _rows(_section(kind))
    fields = {camel(one.name): one for one in dataclasses.fields(KINDS[kind]) if "reader" in one.metadata}
    assert set(rows) == set(fields) - set(SHARED)
    for name, shown in rows.items():
        if shown == "required":
            assert fields[name].default is dataclasses.MISSING, name
        elif shown != "empty":
            assert shown == f"`{_shown(fields[name].default)}`", name


@pytest.mark.parametrize(
    ("heading", "records"),
    [
        ("Policies", [Policy]),
        ("Traffic marker", [MatchGroup, Match]),
        ("Markers of go-chassis", [Marker, MarkerMatch]),
        ("Route rules", [RouteRule]),
        ("Dark launch", [DarkLaunch, DarkItem]),
    ],
)
def test_every_field_of_the_other_rules_is_there(heading: str, records: list[type]) -> None:
    assert set(_rows(_section(heading))) == {name for record in records for name in readers_of(record)}


def test_every_kind_has_an_example() -> None:
    shown = {key.split(".")[1] for key, _ in EXAMPLES}
    assert shown == {*KINDS, "matchGroup", "match", "routeRule", "globalRouteRule", "darklaunch"}


@pytest.mark.parametrize(("key", "value"), EXAMPLES + SCALARS)
def test_every_example_is_in_order(key: str, value: str) -> None:
    checked = check(key, value)
    assert checked.rule is not None
    # What the page says of it is what the check says.
    expected = {Code.NO_EFFECT} if key.split(".")[1] in ("timeLimiter", "cache") else set()
    assert {problem.code for problem in checked.problems} == expected


def test_every_code_is_explained() -> None:
    assert set(re.findall(r"^\| `([a-z-]+)` \|", _section("Problems"), re.MULTILINE)) == {str(code) for code in Code}


def test_the_code_that_is_shown_prints_what_is_shown() -> None:
    shown = re.search(r"```python\n(.*?)```\n\n```\n(.*?)```", PAGE, re.DOTALL)
    assert shown
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(shown[1], {})  # noqa: S102  the page's own code is what is tested
    assert printed.getvalue() == shown[2]

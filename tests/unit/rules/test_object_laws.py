"""Objects and items: there and back without loss, whatever is drawn; and what the items mean to the runtimes that read them."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from governance.rules.check import check
from governance.rules.distribution import Plan
from governance.rules.marker import Request
from governance.rules.objects.degrade import Degrade
from governance.rules.objects.forms import FORMS, Form, Object, collapse, expand, read, read_item, same
from governance.rules.objects.gray import PROMOTED, ROLLED_BACK, RUNNING, GrayRelease, _numbers, routes_of
from governance.rules.printing import print_rule
from governance.rules.problems import Severity
from governance.rules.routes import RouteRules, first_match
from tests.unit.rules.object_strategies import degrades, lane_groups, releases

RUNNING_ONES = releases((RUNNING,))
OBJECTS = releases() | degrades() | lane_groups()
# Other work on the machine may hold an example up.
UNHURRIED = settings(deadline=None, max_examples=60)


class One:
    """An instance of a version."""

    def __init__(self, version: str) -> None:
        self.version = version
        self.properties: dict[str, str] = {}


def _form(one: Object) -> Form:
    return next(form for form in FORMS if isinstance(one, form.record))


def _bare(release: GrayRelease) -> GrayRelease:
    """What a rule alone can say of a release."""
    place = {name: getattr(release, name) for name in ("service", "app", "environment", "version", "baseline")}
    return GrayRelease(**place, share=release.share, headers=release.headers)


def _shares(release: GrayRelease, headers: dict[str, str]) -> dict[str, int]:
    """Percent of the requests with these headers by version, where one instance of each version runs."""
    rule = first_match(routes_of(release), Request(headers=headers))
    assert rule is not None
    instances = tuple(One(version) for version in (release.version, *release.baseline))
    return {one.instances[0].version: round(one.share * 100) for one in Plan(rule, instances).outcomes()}


@UNHURRIED
@given(OBJECTS)
def test_what_an_object_expands_to_collapses_to_it(one: Object) -> None:
    assert collapse(expand(one)) == [one]


@UNHURRIED
@given(st.lists(OBJECTS, max_size=3, unique_by=lambda one: one.place.key))
def test_objects_side_by_side_are_told_apart(several: list[Object]) -> None:
    found = collapse(item for one in several for item in expand(one))
    assert {one.place.key: one for one in found} == {one.place.key: one for one in several}


@UNHURRIED
@given(RUNNING_ONES)
def test_a_rule_alone_is_told_by_its_shape_while_it_names_both_sides(release: GrayRelease) -> None:
    """Of a rule for one version, nobody can say what it is released beside; of several versions, the newest is the new one."""
    release = replace(release, baseline=tuple(sorted(release.baseline)))
    newest = max((release.version, *release.baseline), key=_numbers) == release.version
    assume(release.headers or (0 < release.share < 100 and newest))
    (found,) = collapse(expand(release)[1:])
    assert isinstance(found, GrayRelease)
    assert replace(found, baseline=tuple(sorted(found.baseline))) == _bare(release)
    assert same("servicecomb.routeRule.x", expand(found)[1].value, expand(release)[1].value)


@UNHURRIED
@given(releases())
def test_a_rule_that_names_one_version_alone_is_no_release(release: GrayRelease) -> None:
    assume(not release.by_content and release.gray_share in (0, 100) and len(release.baseline) == 1)
    assert collapse(expand(release)[1:]) == []


@UNHURRIED
@given(degrades())
def test_a_degradation_is_told_by_its_fallback_keys(degrade: Degrade) -> None:
    (found,) = collapse(expand(degrade)[1:])
    bare = {name: getattr(degrade, name) for name in ("consumer", "target", "app", "environment", "policy")}
    assert found == Degrade(**bare)


@UNHURRIED
@given(OBJECTS)
def test_what_is_written_is_a_rule_without_an_error_at_the_same_level(one: Object) -> None:
    kept, *items = expand(one)
    assert items
    assert len({item.key for item in (kept, *items)}) == len(items) + 1
    for item in items:
        checked = check(item.key, item.value)
        assert checked.rule is not None, f"{item.key}: {item.value!r}: {checked.problems}"
        assert item.labels == kept.labels
    assert check(kept.key, kept.value).problems == (), "no runtime's rule begins like the item that keeps an object"


@UNHURRIED
@given(OBJECTS)
def test_a_document_is_read_as_the_object_that_wrote_it(one: Object) -> None:
    form = _form(one)
    kept = expand(one)[0]
    assert read_item(form, kept) == one
    assert read_item(form, replace(kept, labels={**kept.labels, "app": "elsewhere-0"})) is None, "it belongs elsewhere"
    assert read(form, kept.value)[1] == []


@UNHURRIED
@given(RUNNING_ONES)
def test_the_share_of_a_release_is_what_its_rule_gives(release: GrayRelease) -> None:
    assume(not release.headers)
    shares = _shares(release, {})
    assert shares.get(release.version, 0) == release.share
    rest = [shares.get(version, 0) for version in release.baseline]
    assert sum(rest) == 100 - release.share
    assert max(rest) - min(rest) <= 1, "several versions share the rest alike"


@UNHURRIED
@given(releases((PROMOTED, ROLLED_BACK)))
def test_a_release_that_is_over_has_one_side_only(release: GrayRelease) -> None:
    expected = 100 if release.state == PROMOTED else 0
    assert _shares(release, {"type": "gray"}).get(release.version, 0) == expected == release.gray_share
    assert len(routes_of(release).rules) == 1, "headers no longer decide"


@UNHURRIED
@given(OBJECTS, st.text(max_size=40))
def test_any_text_is_read_or_refused_with_its_place(one: Object, text: str) -> None:
    form = _form(one)
    found, problems = read(form, text)
    assert found is None
    assert any(problem.severity is Severity.ERROR for problem in problems)
    assert collapse([replace(item, value=text) for item in expand(one)[:1]]) == []


@UNHURRIED
@given(RUNNING_ONES)
def test_rules_are_the_same_in_any_order(release: GrayRelease) -> None:
    routes = routes_of(release)
    turned = RouteRules(
        routes.service,
        tuple(
            replace(rule, precedence=(rule.precedence or 0) * 7, route=rule.route[::-1]) for rule in routes.rules[::-1]
        ),
    )
    key = f"servicecomb.routeRule.{routes.service}"
    assert same(key, print_rule(routes), print_rule(turned))
    other = routes_of(replace(release, version="99.98", baseline=("99.99",)))
    assert not same(key, print_rule(routes), print_rule(other)), "it leads to other versions"

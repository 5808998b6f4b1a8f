"""Gray release: a new version of a service gets a share of the requests, or those with certain headers, before it gets all.

It expands to the route rule of the service at the level of its application, where every consumer reads it. While two versions run, there
is always a rule: without one, consumers would spread their requests over all instances.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from governance.rules.conditions import Condition, Operator, condition
from governance.rules.objects.items import PREFIX, Item, Place
from governance.rules.printing import plain_record, print_plain, print_rule
from governance.rules.problems import Code, Notes
from governance.rules.reading import by, choice, duration, list_of, mapping_by, number, some_text, text, whole
from governance.rules.routes import RouteItem, RouteMatch, RouteRule, RouteRules

RUNNING = "running"
PROMOTED = "promoted"
ROLLED_BACK = "rolled-back"
_KEY = f"{PREFIX}gray."
_Shape: TypeAlias = tuple[object, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GrayRelease:
    """One service, in one application and environment, whose `version` is released beside its `baseline`.

    `share` is in percent; with `headers` it does not count: requests that have all of them get the new version, all others the baseline.
    The bounds: `max_error_rate` in percent, `max_latency` in milliseconds of the mean or the 99th percentile, judged from `min_calls` on.
    """

    service: str = field(metadata=by(some_text, "the service that is released"))
    app: str = field(metadata=by(some_text, "its application"))
    environment: str = field(default="", metadata=by(text, "the environment that the service is registered in"))
    version: str = field(metadata=by(some_text, "the new version"))
    baseline: tuple[str, ...] = field(
        metadata=by(list_of(some_text, empty=False), "the versions that run now; several share their part alike")
    )
    share: int = field(default=0, metadata=by(whole(0, 100), "percentage of the requests for the new version"))
    headers: Mapping[str, Condition] = field(
        default_factory=dict,
        metadata=by(
            mapping_by(condition([*Operator], folding=True)),
            "instead of a share: requests with all of these headers get the new version, all others the baseline",
        ),
    )
    state: str = field(
        default=RUNNING,
        metadata=by(
            choice(RUNNING, PROMOTED, ROLLED_BACK),
            "promoted: all to the new version; rolled-back: all to the baseline. A new share or new headers let it run again.",
        ),
    )
    reason: str = field(default="", metadata=by(text, "why, for those who look later"))
    max_error_rate: float | None = field(
        default=None, metadata=by(number(0, 100), "percentage of errors that is too much")
    )
    max_latency: int | None = field(default=None, metadata=by(duration(1), "how long an answer may take"))
    latency: str = field(
        default="p99", metadata=by(choice("mean", "p99"), "whether that is about the mean or the 99th percentile")
    )
    min_calls: int = field(default=20, metadata=by(whole(1), "calls of the new version before anything is judged"))

    @property
    def place(self) -> Place:
        """Where its item is; the route rule has the same labels."""
        return gray_place(self.service, self.app, self.environment)

    @property
    def by_content(self) -> bool:
        """Whether headers decide now."""
        return self.state == RUNNING and bool(self.headers)

    @property
    def gray_share(self) -> int:
        """The share of the new version now, in percent, of the requests that no header decides."""
        if self.state != RUNNING or self.headers:
            return 100 if self.state == PROMOTED else 0
        return self.share


def gray_place(service: str, app: str, environment: str) -> Place:
    """Where the release of a service is kept."""
    return Place(f"{_KEY}{service}", {"app": app, "environment": environment})


def check_gray(release: GrayRelease, notes: Notes) -> None:
    """Note what single fields do not show."""
    if release.version in release.baseline:
        notes.error(
            ("baseline",), Code.TWICE, "the new version is among the baseline", "name the versions that run now"
        )
    if len(set(release.baseline)) < len(release.baseline):
        notes.error(("baseline",), Code.TWICE, "a version is there twice", "name each version once")
    if release.share and release.headers:
        notes.error(("share",), Code.TWICE, "there are a share and headers", "give one of the two")
    for name, asked in release.headers.items():
        if not name or not asked.operators:
            notes.error(("headers",), Code.MISSING, f"the header {name[:100]!r} asks for nothing", "write exact: value")


def gray_items(release: GrayRelease) -> Sequence[Item]:
    """The item that keeps the release, then its route rule."""
    place = release.place
    rule = Item(f"servicecomb.routeRule.{release.service}", place.labels, print_rule(routes_of(release)))
    return Item(*place, print_plain(plain_record(release))), rule


def routes_of(release: GrayRelease) -> RouteRules:
    """The rule of the service. At 0 and at 100 one side has it all; several baseline versions share alike."""
    gray: tuple[RouteItem, ...] = (RouteItem(100, {"version": release.version}),)
    if release.by_content:
        match = RouteMatch(headers=release.headers)
        content = RouteRule(precedence=2, match=match, route=gray)
        return RouteRules(release.service, (content, RouteRule(precedence=1, route=_baseline(release, 100))))
    share = release.gray_share
    if 0 < share < 100:
        gray = (*_baseline(release, 100 - share), RouteItem(share, {"version": release.version}))
    return RouteRules(release.service, (RouteRule(precedence=1, route=gray if share else _baseline(release, 100)),))


def _baseline(release: GrayRelease, total: int) -> tuple[RouteItem, ...]:
    each, more = divmod(total, len(release.baseline))
    return tuple(RouteItem(each + (at < more), {"version": one}) for at, one in enumerate(release.baseline))


def gray_of(routes: RouteRules, labels: Mapping[str, str]) -> GrayRelease | None:
    """The release that a rule stands for, whoever wrote it; None where it has another shape.

    Of the versions in one rule the newest is taken to be the new one. A rule with one version alone does not say what is beside it.
    """
    found = _candidate(routes, labels)
    return found if found is not None and same_routes(routes_of(found), routes) else None


def _candidate(routes: RouteRules, labels: Mapping[str, str]) -> GrayRelease | None:
    if routes.service is None or set(labels) != {"app", "environment"}:
        return None
    *content, last = routes.ordered
    versions = {item.tags["version"]: item.weight for item in last.route if set(item.tags) == {"version"}}
    names = sorted(versions, key=lambda one: -versions[one])
    headers: Mapping[str, Condition] = {}
    if content:
        rule = content[0]
        version, headers = rule.route[0].tags.get("version", ""), rule.match.headers if rule.match else {}
    elif len(names) > 1:
        version = max(names, key=_numbers)
    else:
        return None
    share = 0 if content else versions[version]
    baseline = tuple(one for one in names if one != version)
    if not (version and baseline) or bool(content) != bool(headers):
        return None
    return GrayRelease(
        service=routes.service,
        app=labels["app"],
        environment=labels["environment"],
        version=version,
        baseline=baseline,
        share=share,
        headers=headers,
    )


def same_routes(one: RouteRules, other: RouteRules) -> bool:
    """Whether two rules do the same, in whatever order and with whatever precedences they are written."""
    return one.service == other.service and list(map(_shape, one.ordered)) == list(map(_shape, other.ordered))


def _shape(rule: RouteRule) -> _Shape:
    routes = [
        sorted((sorted(item.tags.items()), item.weight) for item in items) for items in (rule.route, rule.fallback)
    ]
    return rule.match, *routes, rule.empty_protection


def _numbers(version: str) -> tuple[tuple[int, ...], str]:
    return tuple(int(part[:9]) for part in re.findall("[0-9]+", version)), version

"""Which runtimes would misread a route rule, though it is in order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from governance.rules.conditions import GO_ONLY, Condition, Operator
from governance.rules.lint import Lint, of
from governance.rules.problems import Code, Path
from governance.rules.routes import RouteMatch, RouteRule, RouteRules
from governance.rules.runtimes import JAVA, Family, Runtime

_BY_MARKER = (Operator.PREFIX, Operator.SUFFIX, Operator.CONTAINS, Operator.COMPARE)


def _old_spring(runtime: Runtime) -> bool:
    """Without `fallback` and, before that, without the rule for all services."""
    return runtime.family is Family.SPRING and bool(runtime.numbers) and runtime.numbers < (1, 11, 5)


def note_routes(routes: RouteRules, lint: Lint) -> None:
    """Note which of the runtimes would misread them."""
    if routes.service is None:
        why = "a rule for all services is not read"
        lint.note(
            (),
            Code.UNSUPPORTED,
            why,
            "write a servicecomb.routeRule for each service",
            lambda one: one.before(2, 8, 11) or one.family is Family.GO,
        )
    for index, rule in enumerate(routes.rules):
        _note_rule(rule, (index,), lint)
        if rule.match is not None:
            _note_match(rule.match, (index, "match"), lint)


def _note_rule(rule: RouteRule, path: Path, lint: Lint) -> None:
    if len(rule.route) == 1 and rule.route[0].weight < 100:
        why = "the only item of a route gets all requests, whatever its weight is"
        lint.note((*path, "route"), Code.MISREAD, why, "write an item for the rest", lambda one: one.before(2, 8))
    if rule.fallback:
        lint.note(
            (*path, "fallback"),
            Code.UNSUPPORTED,
            "fallback is not read",
            "upgrade it, or let the route's items cover all versions",
            lambda one: one.before(2, 8, 14) or _old_spring(one) or one.family is Family.GO,
        )
    if not rule.empty_protection:
        why = "emptyProtection is not read"
        lint.note(
            (*path, "emptyProtection"),
            Code.UNSUPPORTED,
            why,
            "upgrade it",
            lambda one: one.before(2, 8, 19) or one.family is Family.GO,
        )
    for place, item in enumerate(rule.route):
        if set(item.tags) - {"version"}:
            why = "tags other than version are compared with the service's properties, not the instance's"
            lint.note(
                (*path, "route", place, "tags"), Code.MISREAD, why, "write a version", lambda one: one.before(2, 8)
            )


def _note_match(match: RouteMatch, path: Path, lint: Lint) -> None:
    others = {
        "apiPath": match.api_path, "method": match.method, "queries": match.queries, "serviceName": match.service_name,
        "customMatcher": match.custom_matcher,
    }  # fmt: skip
    for name, asked in others.items():
        if asked:
            why = f"{name} is not looked at in a route rule, so it matches more than it says"
            lint.note((*path, name), Code.MISREAD, why, "write headers", of(Family.CHASSIS_2, Family.SPRING, Family.GO))
    of_go: Mapping[str, object] = {
        "refer": match.refer,
        "source": match.source,
        "sourceTags": match.source_tags,
        "httpHeaders": match.http_headers,
    }
    for name, given in of_go.items():
        if given:
            why = f"{name} is not looked at, so it matches more than it says"
            lint.note((*path, name), Code.MISREAD, why, "write headers", of(*JAVA))
    for name, asked in match.headers.items():
        _note_header(name, asked, (*path, "headers", name), lint)


def _note_header(name: str, asked: Condition, path: Path, lint: Lint) -> None:
    for operator, families, instead in _unknown(asked):
        why = f"{operator} is not known in a route rule, so it never matches"
        lint.note((*path, operator), Code.MISREAD, why, instead, of(*families))
    _note_header_of_2(asked, path, lint)
    if asked.fold is not None:
        place = (*path, "caseInsensitive")
        lint.note(
            place,
            Code.MISREAD,
            "caseInsensitive is taken for an operator, so it never matches",
            "leave it away",
            of(Family.CHASSIS_3),
        )
        lint.note(
            place, Code.MISREAD, "caseInsensitive means its opposite", "leave it away", lambda one: one.before(2, 8)
        )
    exact = asked.operators.get(Operator.EXACT, "")
    if asked.fold is None and exact != exact.lower():
        why = "upper and lower case differ here, and are the same for other runtimes"
        lint.note((*path, "exact"), Code.MISREAD, why, "use lower case in values", of(Family.CHASSIS_3, Family.GO))
    if name != name.lower():
        why = "the name of the header is looked up in exactly this case"
        lint.note(path, Code.MISREAD, why, "use lower case in names", of(Family.CHASSIS_2, Family.SPRING))


def _unknown(asked: Condition) -> Iterator[tuple[Operator, tuple[Family, ...], str]]:
    for operator in asked.operators:
        if operator is Operator.REGEX:
            yield operator, (Family.CHASSIS_3,), "write exact or prefix"
        elif operator in GO_ONLY:
            yield operator, (Family.CHASSIS_3,), "write exact"
        elif operator in _BY_MARKER and operator is not Operator.CONTAINS:
            yield operator, (Family.GO,), "write exact or regex"


def _note_header_of_2(asked: Condition, path: Path, lint: Lint) -> None:
    """Java Chassis 2 and Spring Cloud Huawei look at exact and regex, and raise an error where neither is there (governance.md 4.3)."""
    who = of(Family.CHASSIS_2, Family.SPRING)
    known = {Operator.EXACT, Operator.REGEX}
    if not known & set(asked.operators):
        why = "neither exact nor regex is there, so that calls with this header fail"
        lint.note(path, Code.MISREAD, why, "write exact or regex", who)
        return
    for operator in asked.operators:
        if operator not in known:
            why = f"{operator} is not looked at in a route rule, so it matches more than it says"
            lint.note((*path, operator), Code.MISREAD, why, "write exact or regex", who)

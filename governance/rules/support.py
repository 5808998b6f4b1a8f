"""Which runtimes would misread a rule, though it is in order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from governance.rules.access import AccessPart
from governance.rules.conditions import GO_ONLY, Condition, Operator
from governance.rules.darklaunch import DarkLaunch
from governance.rules.legacy import Setting
from governance.rules.marker import MatchGroup
from governance.rules.policies import CircuitBreaker, InstanceIsolation, LoadBalance, Policy, RateLimiting, Retry
from governance.rules.problems import Code, Notes, Path
from governance.rules.routes import RouteMatch, RouteRule, RouteRules
from governance.rules.runtimes import CHASSIS, JAVA, Family, Runtime

_BIZKEEPER = ("isolation", "circuitBreaker", "fallback", "fallbackpolicy")
_BY_MARKER = (Operator.PREFIX, Operator.SUFFIX, Operator.CONTAINS, Operator.COMPARE)
_NOT_APPLIED: Mapping[str, tuple[tuple[Family, ...], str]] = {
    "faultInjection": (
        CHASSIS,
        "write servicecomb.governance.Consumer.<service>.policy.fault.protocols.rest.abort.percent for it, too",
    ),
    "loadbalance": (CHASSIS, "write servicecomb.loadbalance.<service>.strategy.name for it, too"),
    "identifierRateLimiting": (CHASSIS, "write a rateLimiting for it"),
    "mapper": ((Family.CHASSIS_2, Family.SPRING), "write servicecomb.contextMapper for Spring Cloud Huawei"),
    "contextMapper": (CHASSIS, "write servicecomb.mapper for Java Chassis 3"),
}


class _Lint:
    """Notes what some of the runtimes would do."""

    def __init__(self, runtimes: Sequence[Runtime], notes: Notes) -> None:
        self.runtimes = runtimes
        self.notes = notes

    def note(self, path: Path, code: Code, why: str, instead: str, concerned: Callable[[Runtime], bool]) -> None:
        """A warning, where it concerns any."""
        who = [runtime for runtime in self.runtimes if concerned(runtime)]
        if who:
            self.notes.warn(path, code, why, instead, who)


def _of(*families: Family) -> Callable[[Runtime], bool]:
    return lambda runtime: runtime.family in families


def note_support(kind: str, prefix: str, rule: object, runtimes: Sequence[Runtime], notes: Notes) -> None:
    """Note which of the runtimes would misread a rule, and what no runtime obeys."""
    lint = _Lint(runtimes, notes)
    if prefix == "cse":
        lint.note(
            (),
            Code.UNSUPPORTED,
            "keys that begin with cse. are not read",
            "write servicecomb. for it",
            _of(Family.CHASSIS_3, Family.SPRING),
        )
    match rule:
        case RouteRules():
            _note_routes(rule, lint)
        case MatchGroup():
            _note_services(rule.services, notes)
            _note_group(rule, lint)
        case Policy():
            _note_services(rule.services, notes)
            _note_policy(kind, rule, lint)
        case DarkLaunch():
            lint.note(
                (), Code.UNSUPPORTED, "dark launch is not known", "write a servicecomb.routeRule", _of(Family.SPRING)
            )
        case Setting():
            _note_setting(rule, lint)
        case AccessPart():
            why = "this access list is not read"
            instead = "write spring.cloud.servicecomb.webmvc.public-key.access-control in its settings"
            lint.note((), Code.UNSUPPORTED, why, instead, _of(Family.SPRING, Family.GO))


def _note_services(services: str, notes: Notes) -> None:
    if any(part != part.strip() for part in services.split(",")):
        notes.warn(
            ("services",),
            Code.UNTRIMMED,
            "a name with a blank before or after it is no service's",
            "write the names without blanks",
        )


def _note_group(group: MatchGroup, lint: _Lint) -> None:
    for index, one in enumerate(group.matches):
        if one.queries:
            path = ("matches", index, "queries")
            why = "queries are not looked at, so it matches more than it says"
            lint.note(path, Code.MISREAD, why, "write a header", _of(Family.CHASSIS_2, Family.SPRING))


def _note_policy(kind: str, policy: Policy, lint: _Lint) -> None:
    if kind == "timeLimiter":
        lint.notes.warn((), Code.NO_EFFECT, "no Java runtime applies a timeLimiter", "set the timeout of the client")
    if kind in _NOT_APPLIED:
        families, instead = _NOT_APPLIED[kind]
        lint.note((), Code.UNSUPPORTED, f"{kind} is not applied", instead, _of(*families))
    if kind in ("instanceIsolation", "instanceBulkhead"):
        lint.note((), Code.UNSUPPORTED, f"{kind} is known from 2.7.8 on", "upgrade it", lambda one: one.before(2, 7, 8))
    match policy:
        case InstanceIsolation(force_closed=True):
            lint.note(
                ("forceClosed",), Code.NO_EFFECT, "forceClosed is not read", "delete the item instead", _of(*CHASSIS)
            )
        case InstanceIsolation(force_open=True):
            lint.note(
                ("forceOpen",),
                Code.NO_EFFECT,
                "forceOpen is not read before 2.8",
                "upgrade it",
                lambda one: one.before(2, 8),
            )
        case CircuitBreaker() if kind == "circuitBreaker" and (policy.force_open or policy.force_closed):
            name = "forceOpen" if policy.force_open else "forceClosed"
            lint.notes.warn(
                (name,), Code.NO_EFFECT, f"{name} has no effect on a provider's breaker", "write an instanceIsolation"
            )
        case LoadBalance(rule="SessionStickiness"):
            lint.note(
                ("rule",),
                Code.UNSUPPORTED,
                "SessionStickiness is not known, RoundRobin is used",
                "write another rule",
                _of(Family.SPRING),
            )
        case Retry() if policy.retry_on_same:
            lint.note(
                ("retryOnSame",),
                Code.NO_EFFECT,
                "retryOnSame is not read here",
                "write servicecomb.loadbalance.retryOnSame",
                _of(*CHASSIS),
            )
        case RateLimiting() if kind == "rateLimiting":
            lint.note(
                (),
                Code.MISREAD,
                "go-chassis wants match and burst in a rateLimiting",
                "set its limits in its own files",
                _of(Family.GO),
            )


def _note_setting(setting: Setting, lint: _Lint) -> None:
    if setting.namespace in _BIZKEEPER:
        instead = "write the policies of rule governance for it, too"
        lint.note(
            (),
            Code.UNSUPPORTED,
            f"{setting.namespace} of the older handlers is not read",
            instead,
            _of(Family.CHASSIS_3, Family.SPRING),
        )
        return
    lint.note(
        (),
        Code.UNSUPPORTED,
        "keys of the older handlers are not read",
        "write a policy for it, too",
        _of(Family.SPRING),
    )
    if setting.property.startswith("isolation.") or setting.property in ("retryEnabled", "retryOnNext"):
        why = f"{setting.property} is gone from 3.0 on"
        lint.note(
            (), Code.UNSUPPORTED, why, "write servicecomb.retry or servicecomb.instanceIsolation", _of(Family.CHASSIS_3)
        )


def _old_spring(runtime: Runtime) -> bool:
    """Without `fallback` and, before that, without the rule for all services."""
    return runtime.family is Family.SPRING and bool(runtime.numbers) and runtime.numbers < (1, 11, 5)


def _note_routes(routes: RouteRules, lint: _Lint) -> None:
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


def _note_rule(rule: RouteRule, path: Path, lint: _Lint) -> None:
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


def _note_match(match: RouteMatch, path: Path, lint: _Lint) -> None:
    others = {
        "apiPath": match.api_path, "method": match.method, "queries": match.queries, "serviceName": match.service_name,
        "customMatcher": match.custom_matcher,
    }  # fmt: skip
    for name, asked in others.items():
        if asked:
            why = f"{name} is not looked at in a route rule, so it matches more than it says"
            lint.note(
                (*path, name), Code.MISREAD, why, "write headers", _of(Family.CHASSIS_2, Family.SPRING, Family.GO)
            )
    of_go: Mapping[str, object] = {
        "refer": match.refer,
        "source": match.source,
        "sourceTags": match.source_tags,
        "httpHeaders": match.http_headers,
    }
    for name, given in of_go.items():
        if given:
            why = f"{name} is not looked at, so it matches more than it says"
            lint.note((*path, name), Code.MISREAD, why, "write headers", _of(*JAVA))
    for name, asked in match.headers.items():
        _note_header(name, asked, (*path, "headers", name), lint)


def _note_header(name: str, asked: Condition, path: Path, lint: _Lint) -> None:
    for operator, families, instead in _misread(asked):
        lint.note(
            (*path, operator),
            Code.MISREAD,
            f"{operator} is not known in a route rule, so it never matches",
            instead,
            _of(*families),
        )
    if asked.fold is not None:
        place = (*path, "caseInsensitive")
        lint.note(
            place,
            Code.MISREAD,
            "caseInsensitive is taken for an operator, so it never matches",
            "leave it away",
            _of(Family.CHASSIS_3),
        )
        lint.note(
            place, Code.MISREAD, "caseInsensitive means its opposite", "leave it away", lambda one: one.before(2, 8)
        )
    exact = asked.operators.get(Operator.EXACT, "")
    if asked.fold is None and exact != exact.lower():
        why = "upper and lower case differ here, and are the same for other runtimes"
        lint.note((*path, "exact"), Code.MISREAD, why, "use lower case in values", _of(Family.CHASSIS_3, Family.GO))
    if name != name.lower():
        why = "the name of the header is looked up in exactly this case"
        lint.note(path, Code.MISREAD, why, "use lower case in names", _of(Family.CHASSIS_2, Family.SPRING))


def _misread(asked: Condition) -> Iterator[tuple[Operator, tuple[Family, ...], str]]:
    for operator in asked.operators:
        if operator is Operator.REGEX:
            yield operator, (Family.CHASSIS_3,), "write exact or prefix"
        elif operator in GO_ONLY:
            yield operator, JAVA, "write exact"
        elif operator in _BY_MARKER:
            go = () if operator is Operator.CONTAINS else (Family.GO,)
            yield operator, (Family.CHASSIS_2, Family.SPRING, *go), "write exact or regex"

"""Which runtimes would misread a rule, though it is in order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from governance.rules.access import AccessPart
from governance.rules.conditions import Condition, Operator
from governance.rules.darklaunch import DarkLaunch
from governance.rules.gochassis import Marker
from governance.rules.legacy import Setting
from governance.rules.lint import Lint, of
from governance.rules.marker import Match, MatchGroup
from governance.rules.policies import CircuitBreaker, InstanceIsolation, LoadBalance, Policy, RateLimiting, Retry
from governance.rules.problems import Code, Notes, Path
from governance.rules.routes import RouteRules
from governance.rules.runtimes import CHASSIS, JAVA, Family, Runtime
from governance.rules.security import SecurityPart
from governance.rules.support_routes import note_routes

_BIZKEEPER = ("isolation", "circuitBreaker", "fallback", "fallbackpolicy")
_UNKNOWN_TO_GO = (Operator.PREFIX, Operator.SUFFIX, Operator.COMPARE)
_NOWHERE: Mapping[str, str] = {
    "timeLimiter": "set the timeout of the client",
    "cache": "keep answers in the service itself",
}
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


def note_support(kind: str, prefix: str, rule: object, runtimes: Sequence[Runtime], notes: Notes) -> None:
    """Note which of the runtimes would misread a rule, and what no runtime obeys."""
    lint = Lint(runtimes, notes)
    if prefix == "cse":
        lint.note(
            (),
            Code.UNSUPPORTED,
            "keys that begin with cse. are not read",
            "write servicecomb. for it",
            of(Family.CHASSIS_3, Family.SPRING),
        )
    match rule:
        case RouteRules():
            note_routes(rule, lint)
        case MatchGroup():
            _note_services(rule.services, notes)
            _note_group(rule, lint)
        case Policy():
            _note_services(rule.services, notes)
            _note_kind(kind, lint)
            _note_policy(kind, rule, lint)
        case DarkLaunch():
            lint.note(
                (), Code.UNSUPPORTED, "dark launch is not known", "write a servicecomb.routeRule", of(Family.SPRING)
            )
        case Setting():
            _note_setting(prefix, rule, lint)
        case AccessPart():
            _note_access(rule, lint)
        case SecurityPart():
            why, instead = "a security policy is not read", "write an access list for it, too"
            lint.note((), Code.UNSUPPORTED, why, instead, of(*CHASSIS, Family.GO))
        case Marker():
            why, instead = "markers of go-chassis are not read", f"write servicecomb.matchGroup.{rule.name} for it, too"
            lint.note((), Code.UNSUPPORTED, why, instead, of(*JAVA))
            _note_dots(rule.name, lint)


def _note_access(part: AccessPart, lint: Lint) -> None:
    spring = "spring.cloud.servicecomb.webmvc.public-key.access-control"
    instead = f"write {'servicecomb.publicKey.accessControl' if part.spring else spring} for it, too"
    who = CHASSIS if part.spring else (Family.SPRING,)
    lint.note((), Code.UNSUPPORTED, "this access list is not read", instead, of(*who))
    lint.note((), Code.UNSUPPORTED, "there are no access lists", "set what may call it elsewhere", of(Family.GO))


def _note_services(services: str, notes: Notes) -> None:
    if any(part != part.strip() for part in services.split(",")):
        notes.warn(
            ("services",),
            Code.UNTRIMMED,
            "a name with a blank before or after it is no service's",
            "write the names without blanks",
        )


def _note_group(group: MatchGroup, lint: Lint) -> None:
    _note_dots(group.name, lint)
    for index, one in enumerate(group.matches):
        path = ("matches", index)
        if one.queries:
            why = "queries are not looked at, so it matches more than it says"
            lint.note((*path, "queries"), Code.MISREAD, why, "write a header", of(Family.CHASSIS_2, Family.SPRING))
        for name, asked in (("serviceName", one.service_name), ("customMatcher", one.custom_matcher)):
            if asked is not None:
                why = f"{name} is not looked at, so it matches more than it says"
                lint.note((*path, name), Code.MISREAD, why, "write a header", of(Family.GO))
        _note_operators(one, path, lint)


def _note_operators(match: Match, path: Path, lint: Lint) -> None:
    conditions: dict[Path, Condition] = {("headers", name): asked for name, asked in match.headers.items()}
    if match.api_path is not None:
        conditions["apiPath",] = match.api_path
        if len(match.api_path.operators) > 1:
            why = "of several operators on the path, one is enough"
            lint.note((*path, "apiPath"), Code.MISREAD, why, "write one", of(Family.GO))
    for place, asked in conditions.items():
        for operator in asked.operators:
            if operator in _UNKNOWN_TO_GO:
                why = f"{operator} is not known in a marker, so it never holds"
                lint.note((*path, *place, operator), Code.MISREAD, why, "write exact or contains", of(Family.GO))


def _note_dots(name: str, lint: Lint) -> None:
    if "." in name:
        why = "a key with a dot in its name is not read"
        lint.note((), Code.UNSUPPORTED, why, "write a name without dots", of(Family.GO))


def _note_kind(kind: str, lint: Lint) -> None:
    if kind in _NOWHERE:
        lint.notes.warn((), Code.NO_EFFECT, f"no Java runtime applies a {kind}", _NOWHERE[kind])
    if kind != "rateLimiting":
        why, instead = "of the policies, rateLimiting alone is read", "write the cse. key of its handler for it, too"
        lint.note((), Code.UNSUPPORTED, why, instead, of(Family.GO))
    if kind in _NOT_APPLIED:
        families, instead = _NOT_APPLIED[kind]
        lint.note((), Code.UNSUPPORTED, f"{kind} is not applied", instead, of(*families))
    if kind in ("instanceIsolation", "instanceBulkhead"):
        lint.note((), Code.UNSUPPORTED, f"{kind} is known from 2.7.8 on", "upgrade it", lambda one: one.before(2, 7, 8))


def _note_policy(kind: str, policy: Policy, lint: Lint) -> None:
    match policy:
        case InstanceIsolation(force_closed=True):
            lint.note(
                ("forceClosed",), Code.NO_EFFECT, "forceClosed is not read", "delete the item instead", of(*CHASSIS)
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
                of(Family.SPRING),
            )
        case Retry() if policy.retry_on_same:
            lint.note(
                ("retryOnSame",),
                Code.NO_EFFECT,
                "retryOnSame is not read here",
                "write servicecomb.loadbalance.retryOnSame",
                of(*CHASSIS),
            )
        case RateLimiting() if kind == "rateLimiting":
            _note_limit(policy, lint)


def _note_limit(policy: RateLimiting, lint: Lint) -> None:
    _note_dots(policy.name, lint)
    if not policy.match or not policy.burst:
        instead = "add match: the name of a marker, and burst: the calls above the rate that still pass"
        lint.note((), Code.MISREAD, "go-chassis wants match and burst in a rateLimiting", instead, of(Family.GO))
    if policy.match not in ("", policy.name):
        why = f"match is not read, the group {policy.name[:100]} counts"
        lint.note(("match",), Code.MISREAD, why, "give the policy and its group one name", of(*JAVA))


def _note_setting(prefix: str, setting: Setting, lint: Lint) -> None:
    if prefix != "cse":
        why, instead = "of the older keys, those that begin with cse. are read", "write cse. for it, too"
        lint.note((), Code.UNSUPPORTED, why, instead, of(Family.GO))
    if setting.namespace in _BIZKEEPER:
        instead = "write the policies of rule governance for it, too"
        lint.note(
            (),
            Code.UNSUPPORTED,
            f"{setting.namespace} of the older handlers is not read",
            instead,
            of(Family.CHASSIS_3, Family.SPRING),
        )
        return
    lint.note(
        (),
        Code.UNSUPPORTED,
        "keys of the older handlers are not read",
        "write a policy for it, too",
        of(Family.SPRING),
    )
    if setting.property.startswith("isolation.") or setting.property in ("retryEnabled", "retryOnNext"):
        why = f"{setting.property} is gone from 3.0 on"
        lint.note(
            (), Code.UNSUPPORTED, why, "write servicecomb.retry or servicecomb.instanceIsolation", of(Family.CHASSIS_3)
        )

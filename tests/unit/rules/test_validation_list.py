"""The engine's list of errors and warnings (governance, section 10), each row with a rule that has it and its correction that has not."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from governance.rules.check import check
from governance.rules.problems import Code, Severity
from governance.rules.runtimes import Runtime
from governance.rules.together import check_all

ROUTE = "servicecomb.routeRule.weather"
GLOBAL = "servicecomb.globalRouteRule"
GROUP = "servicecomb.matchGroup.g"
RETRY = "servicecomb.retry.g"
FAULT = "servicecomb.faultInjection.g"
BREAKER = "servicecomb.circuitBreaker.g"
MARKER = "servicecomb.match.g"
SPRING_ACCESS = "spring.cloud.servicecomb.webmvc.public-key.access-control"
SPRING_POLICY = "spring.cloud.servicecomb.webmvc.public-key.acls"
DARK = "servicecomb.darklaunch.policy.weather"
FULL = "[{weight: 100, tags: {version: 1.0.0}}]"
CHASSIS_279 = Runtime("servicecomb-java-chassis", "ServiceComb:2.7.9")
CHASSIS_28 = Runtime("servicecomb-java-chassis", "ServiceComb:2.8.31")
CHASSIS_3 = Runtime("servicecomb-java-chassis", "ServiceComb:3.2.1")
SPRING = Runtime("springCloud", "1.11.11-2021.0.x")
GO = Runtime("go-chassis", "2.7.0")
ALL = (CHASSIS_279, CHASSIS_28, CHASSIS_3, GO, SPRING)


def _dark(condition: str, kind: str = "RULE") -> str:
    item = f'{{"groupName":"g","groupCondition":"version=1","policyCondition":"{condition}"}}'
    return f'{{"policyType":"{kind}",\n"ruleItems":[{item}]}}'


def _lane(label: str, precedence: int) -> str:
    return f"- precedence: {precedence}\n  route: [{{weight: 100, tags: {{cas_lane_tag: {label}}}}}]\n"


# What it is in the list, key, wrong text, code, line and column, a word of the advice, the corrected text.
ERRORS = [
    ("E1 syntax of YAML", RETRY, "maxAttempts: 1\n  b: [", Code.SYNTAX, (2, 4), "", "maxAttempts: 1"),
    ("E1 syntax of JSON", DARK, '{"policyType":}', Code.SYNTAX, (1, 15), "", _dark("a=1")),
    ("E2 a route rule is a list", ROUTE, f"route: {FULL}", Code.TYPE, (1, 1), "begin each item with -", f"- route: {FULL}"),
    ("E2 a policy is a mapping", RETRY, "- maxAttempts: 1", Code.TYPE, (1, 1), "name: value", "maxAttempts: 1"),
    ("E3 range", RETRY, "order: 1\nmaxAttempts: 0", Code.RANGE, (2, 1), "write 1 or more", "maxAttempts: 1"),
    ("E3 range of a share", BREAKER, "failureRateThreshold: 101", Code.RANGE, (1, 1), "at most 100", "failureRateThreshold: 100"),
    ("E3 range of a window", BREAKER, "slidingWindowSize: 0", Code.RANGE, (1, 1), "1 or more", 'slidingWindowSize: "10"'),
    ("E3 percentage", FAULT, "percentage: 101", Code.RANGE, (1, 1), "-1 to 100", "percentage: 100"),
    ("E3 no number", RETRY, "maxAttempts: three", Code.TYPE, (1, 1), "whole number", 'maxAttempts: "3"'),
    ("E4 duration with ms", RETRY, "waitDuration: 500ms", Code.DURATION, (1, 1), "write 500 or 0.5S", "waitDuration: 0.5S"),
    ("E4 duration with PT", RETRY, "waitDuration: PT1S", Code.DURATION, (1, 1), "write 1S", "waitDuration: 1S"),
    ("E4 duration in days", RETRY, "waitDuration: 1d", Code.DURATION, (1, 1), "write 24H", "waitDuration: 24H"),
    ("E4 empty delay", FAULT, "delayTime: ''", Code.DURATION, (1, 1), "as 500", "delayTime: 0"),
    ("E5 precedence is missing", ROUTE, f"- route: {FULL}\n- precedence: 1\n  route: {FULL}", Code.PRECEDENCE, (1, 3), "add precedence",
     f"- precedence: 2\n  match: {{headers: {{a: {{exact: b}}}}}}\n  route: {FULL}\n- precedence: 1\n  route: {FULL}"),
    ("E5 equal precedence", ROUTE, f"- precedence: 1\n  route: {FULL}\n- precedence: 1\n  route: {FULL}",
     Code.PRECEDENCE, (1, 3), "different", f"- route: {FULL}"),
    ("E6 weight is missing", ROUTE, "- route: [{tags: {version: 1.0.0}}]", Code.MISSING, (1, 11), "add weight", f"- route: {FULL}"),
    ("E6 weight is negative", ROUTE, "- route: [{weight: -1, tags: {a: b}}]", Code.RANGE, (1, 12), "0 or more", f"- route: {FULL}"),
    ("E6 weight is no whole number", ROUTE, "- route: [{weight: 0.5, tags: {a: b}}]",
     Code.TYPE, (1, 12), "whole number", f"- route: {FULL}"),
    ("E7 sum above 100", ROUTE, "- route: [{weight: 60, tags: {a: b}}, {weight: 60, tags: {a: c}}]",
     Code.SUM, (1, 3), "add up to 100", f"- route: {FULL}"),
    ("E7 sum of 101", ROUTE, "- route: [{weight: 51, tags: {a: b}}, {weight: 50, tags: {a: c}}]",
     Code.SUM, (1, 3), "100", f"- route: {FULL}"),
    ("E8 empty route", ROUTE, "- route: []", Code.MISSING, (1, 3), "add an item", f"- route: {FULL}"),
    ("E8 empty tags", ROUTE, "- route: [{weight: 100, tags: {}}]", Code.MISSING, (1, 25), "add an entry", f"- route: {FULL}"),
    ("E9 mixed && and ||", DARK, _dark("a=1&&b=2||c=3"), Code.EXPRESSION, (2, 60), "write one of the two", _dark("a=1&&b=2")),
    ("E9 no share", DARK, _dark("101", "RATE"), Code.RANGE, (2, 60), "0 to 100", _dark("100", "RATE")),
    ("E10 lane label twice", GLOBAL, _lane("gray", 2) + _lane("gray", 1), Code.TWICE, (3, 3), "one rule for each lane", _lane("gray", 1)),
    ("E11 weights of lanes", GLOBAL, _lane("gray", 2).replace("100", "60"), Code.SUM, (2, 3), "add up to 100", _lane("gray", 2)),
    ("E11 weights of a fallback to lanes", GLOBAL, _lane("gray", 2) + "  fallback: [{weight: 0, tags: {cas_lane_tag: base}}]",
     Code.SUM, (3, 3), "add up to 100", _lane("gray", 2) + "  fallback: [{weight: 100, tags: {cas_lane_tag: base}}]"),
    ("traps: empty", RETRY, "", Code.MISSING, (1, 1), "delete the item", "{}"),
    ("traps: no matches", GROUP, "matches: []", Code.MISSING, (1, 1), "add an item", "matches: [{}]"),
    ("traps: matches is not there", GROUP, "services: a", Code.MISSING, (1, 1), "add matches", "matches: [{}]"),
    ("traps: operator of the marker", GROUP, "matches: [{apiPath: {regex: a}}]",
     Code.OPERATOR, (1, 22), "prefix", "matches: [{apiPath: {prefix: a}}]"),
    ("traps: comparison", GROUP, "matches: [{headers: {a: {compare: '==5'}}}]",
     Code.COMPARE, (1, 26), "a number", "matches: [{headers: {a: {compare: '=5'}}}]"),
    ("traps: pattern", ROUTE, f"- match: {{headers: {{a: {{regex: '('}}}}}}\n  route: {FULL}",
     Code.REGEX, (1, 25), "simpler", f"- route: {FULL}"),
    ("traps: field twice", RETRY, "maxAttempts: 1\nmaxAttempts: 2", Code.TWICE, (2, 1), "keep one", "maxAttempts: 2"),
    ("traps: word", FAULT, "type: Abort", Code.CHOICE, (1, 1), "write abort", "type: abort"),
    ("traps: header of a limiter", "servicecomb.identifierRateLimiting.g", "rate: 1",
     Code.MISSING, (1, 1), "add identifier", "identifier: user"),
    ("traps: empty header of a limiter", "servicecomb.identifierRateLimiting.g", "identifier: ''", Code.MISSING, (1, 1), "write a value",
     "identifier: a"),
    ("traps: seconds of a window", BREAKER, "slidingWindowSize: 10ms", Code.RANGE, (1, 1), "10 or 10S", "slidingWindowSize: 10S"),
    ("traps: calls of a window", BREAKER, "slidingWindowType: COUNT_BASED\nslidingWindowSize: 10S", Code.RANGE, (2, 1), "calls",
     "slidingWindowType: COUNT_BASED\nslidingWindowSize: 10"),
    ("traps: status", RETRY, "retryOnResponseStatus: [5XX]", Code.RANGE, (1, 25), "5xx", "retryOnResponseStatus: [5xx]"),
    ("traps: statuses", RETRY, "retryOnResponseStatus: 502", Code.TYPE, (1, 1), "- ", "retryOnResponseStatus: [502]"),
    ("traps: flag", BREAKER, "forceOpen: 1", Code.TYPE, (1, 1), "true or false", "forceOpen: yes"),
    ("traps: flag that is a list", BREAKER, "forceOpen: []", Code.TYPE, (1, 1), "single value", "forceOpen: no"),
    ("traps: duration that is a list", RETRY, "waitDuration: []", Code.TYPE, (1, 1), "single value", "waitDuration: 1"),
    ("traps: number that is a list", RETRY, "maxAttempts: {}", Code.TYPE, (1, 1), "single value", "maxAttempts:"),
    ("traps: word that is a list", FAULT, "type: []", Code.TYPE, (1, 1), "single value", "type: delay"),
    ("traps: share that is no number", BREAKER, "failureRateThreshold: half",
     Code.TYPE, (1, 1), "write a number", "failureRateThreshold: 50.5"),
    ("traps: multiplier", RETRY, "multiplier: 0", Code.RANGE, (1, 1), "above 0", "multiplier: 1.5"),
    ("traps: operators that are a text", GROUP, "matches: [{apiPath: /a}]",
     Code.TYPE, (1, 12), "name: value", "matches: [{apiPath: {exact: /a}}]"),
    ("traps: operator of go-chassis", ROUTE, f"- match: {{headers: {{a: {{noLess: x}}}}}}\n  route: {FULL}",
     Code.COMPARE, (1, 25), "digits",
     f"- route: {FULL}"),
    ("traps: caseInsensitive", ROUTE, f"- match: {{headers: {{a: {{exact: x, caseInsensitive: 1}}}}}}\n  route: {FULL}",
     Code.TYPE, (1, 35), "true",
     f"- route: {FULL}"),
    ("traps: name", "servicecomb.retry.", "maxAttempts: 1", Code.KEY, (1, 1), "add a name", None),
    ("traps: key", "servicecomb.fallback.Consumer.a.forse", "true", Code.KEY, (1, 1), "write force", None),
    ("traps: policy of a fallback", "servicecomb.fallbackpolicy.Consumer.a.policy", "null",
     Code.CHOICE, (1, 1), "returnnull", "returnnull"),
    ("traps: star within a path", f"{SPRING_POLICY}.action.allow[0].uri", "/orders/**",
     Code.EXPRESSION, (1, 1), "write /orders/*", "/orders/*"),
    ("traps: stars around a path", f"{SPRING_POLICY}.action.allow[0].uri", "*a*", Code.EXPRESSION, (1, 1), "prefix*", "*a"),
    ("traps: any consumer", f"{SPRING_POLICY}.action.deny[0].consumer", "edge*", Code.EXPRESSION, (1, 1), "each one", "edge"),
    ("traps: any method", f"{SPRING_POLICY}.action.deny[0].method", "*", Code.CHOICE, (1, 1), "one method", "GET"),
    ("traps: method in lower case", f"{SPRING_POLICY}.action.deny[0].method", "get", Code.CHOICE, (1, 1), "write GET", "GET"),
    ("traps: empty consumer", f"{SPRING_POLICY}.action.deny[0].consumer", " ", Code.MISSING, (1, 1), "delete the item", "edge"),
    ("traps: key of a security policy", f"{SPRING_POLICY}.action.allow.uri", "/", Code.KEY, (1, 1), "action.allow[0]", None),
    ("traps: key of an access list of Spring", f"{SPRING_ACCESS}.grey[0].rule", "a", Code.KEY, (1, 1), "white or black", None),
    ("traps: operator of a marker of go-chassis", MARKER, "matches: [{headers: {a: {prefix: b}}}]", Code.OPERATOR, (1, 26), "contains",
     "matches: [{headers: {a: {contains: b}}}]"),
    ("traps: policy of a marker", MARKER, "matches: [{trafficMarkPolicy: always}]", Code.CHOICE, (1, 12), "once",
     "matches: [{trafficMarkPolicy: once}]"),
    ("traps: burst", "servicecomb.rateLimiting.g", "burst: -1", Code.RANGE, (1, 1), "0 or more", "burst: 0"),
    ("traps: ttl", "servicecomb.cache.g", "ttl: 6h30", Code.DURATION, (1, 1), "1H30M", "ttl: 6H30M"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("key", "wrong", "code", "at", "instead", "right"), [row[1:] for row in ERRORS], ids=[row[0] for row in ERRORS]
)
def test_an_error(key: str, wrong: str, code: Code, at: tuple[int, int], instead: str, right: str | None) -> None:
    checked = check(key, wrong)
    (first, *_) = [one for one in checked.problems if one.severity is Severity.ERROR]
    assert (first.code, (first.line, first.column)) == (code, at), str(first)
    assert instead in first.instead, str(first)
    assert checked.rule is None
    if right is not None:
        corrected = check(key, right)
        assert corrected.rule is not None, [str(one) for one in corrected.problems]


@pytest.mark.parametrize("value_type", ["yaml", "properties"])
def test_an_item_that_clients_take_apart_is_an_error(value_type: str) -> None:
    """E13."""
    (problem,) = check(RETRY, "maxAttempts: 1", value_type=value_type).problems
    assert (problem.severity, problem.code) == (Severity.ERROR, Code.VALUE_TYPE)
    assert check(RETRY, "maxAttempts: 1", value_type="text").problems == ()


def _header(text: str) -> str:
    return f"- match: {{headers: {{{text}}}}}\n  route: {FULL}"


# What it is in the list, key, text, code, and the runtimes that would misread it.
WARNINGS: list[tuple[str, str, str, Code, tuple[Runtime, ...]]] = [
    ("W1 sum below 100", ROUTE, "- route: [{weight: 20, tags: {version: 1.0.0}}]", Code.REMAINDER, ()),
    ("W1 one item alone", ROUTE, "- route: [{weight: 20, tags: {version: 1.0.0}}]", Code.MISREAD, (CHASSIS_279,)),
    ("W3 operator regex", ROUTE, _header("a: {regex: b}"), Code.MISREAD, (CHASSIS_3,)),
    ("W3 operator prefix", ROUTE, _header("a: {prefix: b}"), Code.MISREAD, (GO,)),
    ("W3 neither exact nor regex", ROUTE, _header("a: {prefix: b}"), Code.MISREAD, (CHASSIS_279, CHASSIS_28, SPRING)),
    ("W3 no operator", ROUTE, _header("a: {}"), Code.MISREAD, (CHASSIS_279, CHASSIS_28, SPRING)),
    ("W3 prefix beside exact", ROUTE, _header("a: {exact: b, prefix: b}"), Code.MISREAD, (CHASSIS_279, CHASSIS_28, SPRING)),
    ("W3 operator of go-chassis", ROUTE, _header("a: {noLess: '1'}"), Code.MISREAD, (CHASSIS_3,)),
    ("W3 operator of go-chassis alone", ROUTE, _header("a: {noLess: '1'}"), Code.MISREAD, (CHASSIS_279, CHASSIS_28, SPRING)),
    ("W3 apiPath in a route", ROUTE, f"- match: {{apiPath: {{exact: /a}}}}\n  route: {FULL}",
     Code.MISREAD, (GO, CHASSIS_279, CHASSIS_28, SPRING)),
    ("W3 source", ROUTE, f"- match: {{source: edge}}\n  route: {FULL}", Code.MISREAD, (CHASSIS_279, CHASSIS_28, CHASSIS_3, SPRING)),
    ("W3 case of a name", ROUTE, _header("X-User: {exact: b}"), Code.MISREAD, (CHASSIS_279, CHASSIS_28, SPRING)),
    ("W3 case of a value", ROUTE, _header("a: {exact: Canton}"), Code.MISREAD, (GO, CHASSIS_3)),
    ("W3 fallback", ROUTE, f"- route: {FULL}\n  fallback: {FULL}", Code.UNSUPPORTED, (GO, CHASSIS_279)),
    ("W3 emptyProtection", ROUTE, f"- route: {FULL}\n  emptyProtection: false", Code.UNSUPPORTED, (GO, CHASSIS_279)),
    ("W3 tags of instances", ROUTE, "- route: [{weight: 100, tags: {zone: a}}]", Code.MISREAD, (CHASSIS_279,)),
    ("W3 rule for all services", GLOBAL, f"- route: {FULL}", Code.UNSUPPORTED, (GO, CHASSIS_279)),
    ("W3 queries", GROUP, "matches: [{queries: {a: {exact: b}}}]", Code.MISREAD, (CHASSIS_279, CHASSIS_28, SPRING)),
    ("W5 faultInjection", FAULT, "type: abort", Code.UNSUPPORTED, (CHASSIS_279, CHASSIS_28, CHASSIS_3)),
    ("W5 loadbalance", "servicecomb.loadbalance.g", "rule: WeightedResponse", Code.UNSUPPORTED, (CHASSIS_279, CHASSIS_28, CHASSIS_3)),
    ("W5 timeLimiter", "servicecomb.timeLimiter.g", "timeoutDuration: 1S", Code.NO_EFFECT, ()),
    ("W5 identifierRateLimiting", "servicecomb.identifierRateLimiting.g", "identifier: a",
     Code.UNSUPPORTED, (CHASSIS_279, CHASSIS_28, CHASSIS_3)),
    ("W5 mapper", "servicecomb.mapper.g", "target: {a: $U}", Code.UNSUPPORTED, (CHASSIS_279, CHASSIS_28, SPRING)),
    ("W5 bizkeeper", "servicecomb.fallback.Consumer.a.force", "true", Code.UNSUPPORTED, (CHASSIS_3, SPRING)),
    ("W5 cse.", "cse.flowcontrol.Consumer.qps.limit.a", "1", Code.UNSUPPORTED, (CHASSIS_3, SPRING)),
    ("W5 older retry", "servicecomb.loadbalance.a.retryOnNext", "1", Code.UNSUPPORTED, (CHASSIS_3,)),
    ("W5 dark launch", DARK, _dark("a=1"), Code.UNSUPPORTED, (SPRING,)),
    ("W5 access list", "servicecomb.publicKey.accessControl.white.a.rule", "b", Code.UNSUPPORTED, (SPRING,)),
    ("W5 access list of Spring", f"{SPRING_ACCESS}.white[0].rule", "b", Code.UNSUPPORTED, (CHASSIS_279, CHASSIS_28, CHASSIS_3)),
    ("W5 access list of go-chassis", f"{SPRING_ACCESS}.white[0].rule", "b", Code.UNSUPPORTED, (GO,)),
    ("W5 security policy", f"{SPRING_POLICY}.mode", "enforcing", Code.UNSUPPORTED, (GO, CHASSIS_279, CHASSIS_28, CHASSIS_3)),
    ("W5 policies of go-chassis", RETRY, "{}", Code.UNSUPPORTED, (GO,)),
    ("W5 older keys of go-chassis", "servicecomb.fallback.Consumer.a.force", "true", Code.UNSUPPORTED, (GO,)),
    ("W5 marker of go-chassis", MARKER, "matches: [{}]", Code.UNSUPPORTED, (CHASSIS_279, CHASSIS_28, CHASSIS_3, SPRING)),
    ("W5 cache", "servicecomb.cache.g", "ttl: 1H", Code.NO_EFFECT, ()),
    ("W5 dot in a name", "servicecomb.matchGroup.a.b", "matches: [{}]", Code.UNSUPPORTED, (GO,)),
    ("W5 dot in a name of a marker", "servicecomb.match.a.b", "matches: [{}]", Code.UNSUPPORTED, (GO,)),
    ("W5 dot in a name of a limit", "servicecomb.rateLimiting.a.b", "{match: a, burst: 1}", Code.UNSUPPORTED, (GO,)),
    ("W5 retryOnSame", RETRY, "retryOnSame: 1", Code.NO_EFFECT, (CHASSIS_279, CHASSIS_28, CHASSIS_3)),
    ("W5 forceClosed", "servicecomb.instanceIsolation.g", "forceClosed: true", Code.NO_EFFECT, (CHASSIS_279, CHASSIS_28, CHASSIS_3)),
    ("W5 forceOpen of old", "servicecomb.instanceIsolation.g", "forceOpen: true", Code.NO_EFFECT, (CHASSIS_279,)),
    ("W5 rateLimiting of go-chassis", "servicecomb.rateLimiting.g", "rate: 1", Code.MISREAD, (GO,)),
    ("W5 rateLimiting of go-chassis without burst", "servicecomb.rateLimiting.g", "match: g", Code.MISREAD, (GO,)),
    ("W5 match of another group", "servicecomb.rateLimiting.g", "match: h\nburst: 1",
     Code.MISREAD, (CHASSIS_279, CHASSIS_28, CHASSIS_3, SPRING)),
    ("W3 operator of a marker", GROUP, "matches: [{headers: {a: {prefix: b}}}]", Code.MISREAD, (GO,)),
    ("W3 operator of a path", GROUP, "matches: [{apiPath: {prefix: b}}]", Code.MISREAD, (GO,)),
    ("W3 operators of a path", GROUP, "matches: [{apiPath: {exact: b, contains: a}}]", Code.MISREAD, (GO,)),
    ("W3 serviceName of a marker", GROUP, "matches: [{serviceName: b}]", Code.MISREAD, (GO,)),
    ("W7 forceOpen of a provider", BREAKER, "forceOpen: true", Code.NO_EFFECT, ()),
    ("W9 services", RETRY, 'services: "a, b"', Code.UNTRIMMED, ()),
    ("W10 catch-all above", ROUTE, f"- precedence: 2\n  route: {FULL}\n- precedence: 1\n  route: {FULL}", Code.SHADOWED, ()),
    ("traps: method", GROUP, "matches: [{method: [get]}]", Code.NEVER_MATCHES, ()),
    ("traps: mode", f"{SPRING_POLICY}.mode", "Permissive", Code.CHOICE, ()),
    ("traps: path", f"{SPRING_POLICY}.action.allow[0].uri", "orders", Code.NEVER_MATCHES, ()),
    ("traps: path behind a star", f"{SPRING_POLICY}.action.allow[0].uri", "*/admin", Code.MISREAD, ()),
    ("traps: star within a rule", "servicecomb.publicKey.accessControl.black.a.rule", "a*b", Code.NEVER_MATCHES, ()),
    ("traps: stars around a rule", f"{SPRING_ACCESS}.white[0].rule", "*b*", Code.NEVER_MATCHES, ()),
    ("traps: category", "servicecomb.publicKey.accessControl.white.a.category", "properties", Code.NEVER_MATCHES, ()),
    ("traps: category of Spring", f"{SPRING_ACCESS}.white[0].category", "Property", Code.NEVER_MATCHES, ()),
    ("traps: no method", GROUP, "matches: [{method: []}]", Code.NEVER_MATCHES, ()),
    ("traps: operator is null", GROUP, "matches: [{headers: {a: }}]", Code.NEVER_MATCHES, ()),
    ("traps: value of an operator is null", GROUP, "matches: [{apiPath: {prefix: }}]", Code.NEVER_MATCHES, ()),
    ("traps: operator is missing", GROUP, "matches: [{apiPath: {}}]", Code.NEVER_MATCHES, ()),
    ("traps: empty duration", RETRY, "waitDuration: ''", Code.NO_EFFECT, ()),
    ("traps: empty size", BREAKER, "slidingWindowSize: ''", Code.NO_EFFECT, ()),
    ("traps: field", RETRY, "maxAttemps: 1", Code.UNKNOWN_FIELD, ()),
    ("traps: class", GROUP, "matches: [{customMatcher: {customMatcherHandler: a.B, customMatcherParameters: c}}]", Code.UNSUPPORTED, ()),
    ("traps: schema", "servicecomb.fallback.Consumer.a.schema.force", "true", Code.NO_EFFECT, ()),
]  # fmt: skip


@pytest.mark.parametrize(
    ("key", "text", "code", "who"), [row[1:] for row in WARNINGS], ids=[row[0] for row in WARNINGS]
)
def test_a_warning(key: str, text: str, code: Code, who: tuple[Runtime, ...]) -> None:
    checked = check(key, text, ALL)
    assert checked.rule is not None
    found = [one for one in checked.problems if (one.code, one.runtimes) == (code, tuple(sorted(who)))]
    assert len(found) == 1, [str(one) for one in checked.problems]
    if who:
        others = check(key, text, sorted(set(ALL) - set(who)))
        assert found[0].why not in [one.why for one in others.problems], "it is told where it concerns nobody"


FALLBACK = f"- route: {FULL}\n  fallback: {FULL}"


@pytest.mark.parametrize(
    ("key", "text", "name", "last_without", "first_with"),
    [
        (ROUTE, FALLBACK, "servicecomb-java-chassis", "ServiceComb:2.8.13", "ServiceComb:2.8.14"),
        (ROUTE, FALLBACK, "springCloud", "1.11.4-2021.0.x", "1.11.5-2021.0.x"),
        (ROUTE, f"- route: {FULL}\n  emptyProtection: false", "servicecomb-java-chassis", "2.8.18", "2.8.19"),
        (GLOBAL, f"- route: {FULL}", "servicecomb-java-chassis", "2.8.10", "2.8.11"),
        ("servicecomb.instanceIsolation.g", "{}", "servicecomb-java-chassis", "2.7.7", "2.7.8"),
        ("servicecomb.instanceBulkhead.g", "{}", "servicecomb-java-chassis", "2.7.7", "2.7.8"),
    ],
)
def test_what_a_version_brought_is_told_to_the_one_before(
    key: str, text: str, name: str, last_without: str, first_with: str
) -> None:
    (problem,) = check(key, text, [Runtime(name, last_without), Runtime(name, first_with)]).problems
    assert problem.runtimes == (Runtime(name, last_without),)


def test_a_runtime_without_a_version_is_not_taken_for_an_old_one() -> None:
    assert check(ROUTE, FALLBACK, [Runtime("servicecomb-java-chassis"), Runtime("springCloud")]).problems == ()


def test_case_insensitive_is_misread_in_two_ways() -> None:
    """W3: 3.x takes it for an operator, and 2.7.9 for its opposite."""
    said = check(ROUTE, _header("a: {exact: b, caseInsensitive: true}"), ALL).problems
    assert [(one.runtimes, one.line, one.column) for one in said] == [((CHASSIS_3,), 1, 35), ((CHASSIS_279,), 1, 35)]


def test_what_becomes_of_calls_with_an_operator_that_is_not_known_is_said() -> None:
    """2.x fails calls that have the header (4.3), unless exact or regex is there, too; 3.x lets the rule match nothing."""
    alone = check(ROUTE, _header("a: {prefix: b}"), [CHASSIS_28]).problems
    assert ["calls with this header fail" in one.why for one in alone] == [True]
    beside = check(ROUTE, _header("a: {exact: b, prefix: b}"), [CHASSIS_28]).problems
    assert ["matches more than it says" in one.why for one in beside] == [True]
    newer = check(ROUTE, _header("a: {regex: b}"), [CHASSIS_3]).problems
    assert ["never matches" in one.why for one in newer] == [True]


@pytest.mark.parametrize(
    ("key", "text", "instead"),
    [
        (RETRY, "maxAttemps: 1", "write maxAttempts"), (RETRY, "MAXATTEMPTS: 1", "write maxAttempts"),
        (GROUP, "matches: [{path: {prefix: /}}]", "write apiPath"),
        (GROUP, "matches: [{uri: {prefix: /}}]", "known are name, apiPath, method,"),
    ],
)  # fmt: skip
def test_what_may_be_meant_by_a_field_is_said(key: str, text: str, instead: str) -> None:
    """Section 1.1: the path of a request is not called uri in a rule, and it is not its queries either."""
    (problem,) = check(key, text).problems
    assert problem.code is Code.UNKNOWN_FIELD
    assert problem.instead.startswith(instead)


def test_the_portable_form_is_right_for_all() -> None:
    assert check(ROUTE, _header("type: {exact: gray}"), ALL).problems == ()


def test_a_kind_that_is_misspelt_is_told() -> None:
    (problem,) = check("servicecomb.ratelimiting.g", "rate: 1").problems
    assert (problem.severity, problem.code, problem.instead) == (
        Severity.WARNING,
        Code.KEY,
        "write servicecomb.rateLimiting.",
    )


@dataclass(frozen=True)
class Instance:
    """One that is registered."""

    version: str
    properties: Mapping[str, str] = field(default_factory=dict)


def _codes(items: Mapping[str, str], instances: Mapping[str, list[Instance]] | None = None) -> dict[str, list[Code]]:
    java = [one for one in ALL if one != GO]
    return {key: [one.code for one in found.problems] for key, found in check_all(items, java, instances).items()}


def test_w2_and_w11_tags_that_instances_do_not_have() -> None:
    items = {ROUTE: "- route:\n  - {weight: 50, tags: {version: 1.0.0}}\n  - {weight: 50, tags: {version: 3.0.0}}"}
    found = check_all(items, (), {"weather": [Instance("1.0.0"), Instance("2.0.0")]})[ROUTE].problems
    assert [(one.code, one.line) for one in found] == [(Code.NO_INSTANCE, 3)]
    tagged = {ROUTE: "- route: [{weight: 100, tags: {zone: a}}]"}
    assert _codes(tagged, {"weather": [Instance("1", {"zone": "a"}), Instance("1")]})[ROUTE] == [
        Code.MISREAD,
        Code.TAG_ABSENT,
    ]
    assert _codes(tagged, {"weather": [Instance("1", {"zone": "a"})]})[ROUTE] == [Code.MISREAD]


def test_w4_policies_and_groups_come_in_pairs() -> None:
    assert _codes({RETRY: "{}"}) == {RETRY: [Code.UNPAIRED]}
    assert _codes({GROUP: "matches: [{method: [GET]}]"}) == {GROUP: [Code.UNPAIRED]}
    assert _codes({RETRY: "{}", GROUP: "matches: [{method: [GET]}]"}) == {RETRY: [], GROUP: []}


def test_w6_a_retry_repeats_writes() -> None:
    assert _codes({RETRY: "{}", GROUP: "matches: [{}]"})[RETRY] == [Code.REPEATS_WRITES]
    assert _codes({RETRY: "{}", GROUP: "matches: [{method: [GET, POST]}]"})[RETRY] == [Code.REPEATS_WRITES]


def test_w8_a_provider_knows_no_callee() -> None:
    group = {GROUP: "matches: [{serviceName: a}]"}
    assert _codes({**group, BREAKER: "{}"})[GROUP] == [Code.NO_CALLEE]
    assert _codes({**group, "servicecomb.instanceIsolation.g": "{}"})[GROUP] == []


def test_e12_a_route_rule_of_a_lane_member() -> None:
    """E12. It would replace the lanes' rules."""
    instances = {"weather": [Instance("1", {"cas_lane_tag": "base"})], "other": [Instance("1")]}
    items = {GLOBAL: _lane("base", 1), ROUTE: f"- route: {FULL}", "servicecomb.routeRule.other": f"- route: {FULL}"}
    checked = check_all(items, (), instances)
    assert checked[ROUTE].rule is None
    assert Code.LANE in [one.code for one in checked[ROUTE].problems]
    assert checked["servicecomb.routeRule.other"].rule is not None
    assert Code.LANE not in _codes({ROUTE: f"- route: {FULL}"}, instances)[ROUTE]


def _unpaired(items: Mapping[str, str]) -> dict[str, str]:
    """What to write instead, by the end of the key, of those that lack others."""
    found = check_all(items)
    return {
        key.rpartition(".")[2]: one.instead
        for key, checked in found.items()
        for one in checked.problems
        if one.code is Code.UNPAIRED
    }


@pytest.mark.parametrize("entry", ["servicecomb.publicKey.accessControl.white.edge", f"{SPRING_ACCESS}.black[3]"])
def test_an_access_entry_lacks_a_part(entry: str) -> None:
    items = {f"{entry}.propertyName": "serviceName", f"{entry}.rule": "a"}
    assert _unpaired(items) == dict.fromkeys(("propertyName", "rule"), f"add {entry}.category")
    assert _unpaired({**items, f"{entry}.category": "property"}) == {}


def test_a_security_policy_lacks_a_mode_an_entry_or_a_part() -> None:
    allow = {f"{SPRING_POLICY}.action.allow[0].{part}": value for part, value in (("consumer", "a"), ("uri", "/"))}
    mode, method = {f"{SPRING_POLICY}.mode": "enforcing"}, {f"{SPRING_POLICY}.action.allow[0].method": "GET"}
    assert _unpaired(mode) == {"mode": f"add {SPRING_POLICY}.action.allow[0].consumer, method, uri"}
    assert _unpaired({**allow, **method}) == dict.fromkeys(("consumer", "uri", "method"), f"add {SPRING_POLICY}.mode")
    assert set(_unpaired({**mode, **allow})) == {"mode", "consumer", "uri"}
    assert _unpaired({**mode, **allow, **method}) == {}


def test_limits_of_go_chassis_and_its_markers_come_in_pairs() -> None:
    limit = {"servicecomb.rateLimiting.l": "{match: m, burst: 1}"}
    assert _unpaired(limit) == {"l": "add servicecomb.match.m"}
    assert _unpaired({**limit, "servicecomb.match.m": "matches: [{}]"}) == {}
    assert _unpaired({**limit, "servicecomb.matchGroup.m": "matches: [{}]"}) == {}
    assert _unpaired({"servicecomb.rateLimiting.l": "{match: none, burst: 1}"}) == {}
    assert _unpaired({"servicecomb.match.m": "matches: [{}]"}) == {"m": "write match: m in a servicecomb.rateLimiting"}
    refer = {ROUTE: f"- match: {{refer: m}}\n  route: {FULL}"}
    assert _unpaired({**refer, "servicecomb.match.m": "matches: [{}]"}) == {}


PROTOCOL = Path(__file__).parents[4] / "shared" / "protocol" / "governance.md"


@pytest.mark.skipif(not PROTOCOL.is_file(), reason="the protocol notes are not beside the checkout")
def test_every_row_of_the_list_has_a_test() -> None:
    """Rows are what semicolons part, counted within the errors and within the warnings."""
    text = PROTOCOL.read_text(encoding="utf-8").partition("## 10.")[2].partition("## 11.")[0]
    rows = {letter: re.findall(rf"^{letter}: (.*)$", text, re.MULTILINE) for letter in "EW"}
    listed = {letter: len(re.sub(r"\([^)]*\)", "", row).split(";")) for letter, (row,) in rows.items()}
    here = Path(__file__).read_text(encoding="utf-8")
    tested = {letter: set(re.findall(rf"(?:\b|_){letter}([0-9]+)", here, re.IGNORECASE)) for letter in "EW"}
    assert tested == {letter: {str(row) for row in range(1, count + 1)} for letter, count in listed.items()}
    assert sum(listed.values()) == 24

"""What becomes of a request is explained as the rules decide it: which apply, why the others do not, and where it goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.rules.check import check
from governance.rules.explain import Item, Process, Routing, Side, Verdict, explain_consumer, explain_provider
from governance.rules.legacy import Setting, Settings, qps_limit, setting_of
from governance.rules.marker import Request
from governance.rules.runtimes import Runtime

GROUP = "servicecomb.matchGroup."
READS = "matches: [{name: reads, apiPath: {prefix: /}, method: [GET]}]"
ROUTE = "servicecomb.routeRule.weather"
GRAY = """
- precedence: 2
  match: { headers: { type: { exact: gray } } }
  route: [{ weight: 50, tags: { version: 2.0.0 } }, { weight: 50, tags: { version: 1.0.0 } }]
- precedence: 1
  route: [{ weight: 100, tags: { version: 1.0.0 } }]
"""
OLD_ONLY = "- route: [{weight: 100, tags: {version: 1.0.0}}]"
TWO_THIRDS = "- route: [{weight: 33, tags: {version: 1.0.0}}, {weight: 33, tags: {version: 3.0.0}}]"
OLD_CHASSIS = Runtime("servicecomb-java-chassis", "ServiceComb:2.7.9")


@dataclass(frozen=True, eq=False)
class Instance:
    """One of the callee."""

    version: str
    properties: Mapping[str, str] = field(default_factory=dict)


OLD, NEW = Instance("1.0.0"), Instance("2.0.0")
BOTH = (OLD, NEW)


def items(values: Mapping[str, str]) -> list[Item]:
    """Items of an application, the first with revision 1."""
    return [Item(key, value, {"app": "w"}, place) for place, (key, value) in enumerate(values.items(), 1)]


def consumed(
    values: Mapping[str, str],
    request: Request | None = None,
    instances: Sequence[Instance] = BOTH,
    runtime: Runtime | None = None,
    operation: tuple[str, str] = ("", ""),
) -> tuple[Side, Routing[Instance]]:
    """What the consumer fusion does with a request to weather."""
    consumer = Process("fusion", "0.1", "w", items(values), {"team": "a"}, runtime)
    return explain_consumer(consumer, "weather", request or Request("/a"), instances, operation)


def provided(values: Mapping[str, str], request: Request | None = None, facts: Mapping[str, str] | None = None) -> Side:
    """What the provider weather does with a request from fusion."""
    provider = Process("weather", "1.0.0", "w", items(values), {})
    return explain_provider(provider, Process("fusion", "0.1", "w", (), facts), request or Request("/a"))


def told(side: Side | Routing[Instance]) -> list[tuple[str, str, str]]:
    """Name, verdict and reason of all that was looked at."""
    return [(one.name, str(one.verdict), one.why) for one in side.rules]


def shares(routing: Routing[Instance]) -> dict[Fraction, list[str]]:
    """Versions by share, where each share is there once."""
    return {one.share: [instance.version for instance in one.instances] for one in routing.outcomes}


# --- policies


@pytest.mark.parametrize(
    ("group", "policy", "request_", "why"),
    [
        (READS, "order: 0", Request("/a", "POST"), "the method is POST, asked for is GET"),
        ("matches: [{apiPath: {exact: /b}}]", "", Request("/a"), "the path is /a, asked for is exact /b"),
        ("matches: [{headers: {x: {prefix: a}}}]", "", Request(), "the header x is missing, asked for is prefix a"),
        (
            "matches: [{headers: {X: {compare: '>3'}}}]",
            "",
            Request(headers={"x": "2"}),
            "the header X is 2, asked for is compare >3",
        ),
        ("matches: [{queries: {q: {exact: a}}}]", "", Request(), "the parameter q is missing, asked for is exact a"),
        (
            "matches: [{headers: {x: {}}}]",
            "",
            Request(headers={"x": ""}),
            "the header x is empty, asked for is nothing",
        ),
        ("matches: [{serviceName: other}]", "", Request(), "serviceName is weather, asked for is other"),
        (
            "matches: [{method: [PUT]}, {apiPath: {exact: /b}}]",
            "",
            Request("/a"),
            "the method is GET, asked for is PUT; the path is /a, asked for is exact /b",
        ),
    ],
)
def test_the_part_that_does_not_hold_is_named(group: str, policy: str, request_: Request, why: str) -> None:
    side, _ = consumed({f"{GROUP}a": group, "servicecomb.retry.a": policy or "{}"}, request_)
    assert told(side) == [("a", "skipped", f"the request is not of its group: {why}")]


def test_one_policy_of_a_kind_applies_and_the_others_say_why_not() -> None:
    side, _ = consumed(
        {
            f"{GROUP}a": READS,
            f"{GROUP}b": READS,
            f"{GROUP}c": f"services: other\n{READS}",
            f"{GROUP}e": READS,
            "servicecomb.retry.a": "order: 1",
            "servicecomb.retry.b": "maxAttempts: 2\nwaitDuration: 5",
            "servicecomb.retry.c": "order: 2",
            "servicecomb.retry.d": "order: 3",
            "servicecomb.retry.e": "order: 4\nservices: 'fusion ,x'",
            "servicecomb.retry.wrong": "waitDuration: 500ms",
            "servicecomb.instanceBulkhead.a": "maxConcurrentCalls: 5",
            "servicecomb.rateLimiting.a": "rate: 1",
        }
    )
    assert told(side) == [
        ("b", "applies", "match 1 (reads) of its group holds"),
        ("a", "skipped", "b goes first (order 0, this has 1)"),
        ("c", "skipped", "services is 'other', which does not name fusion"),
        ("d", "skipped", "servicecomb.matchGroup.d is missing or wrong"),
        ("e", "skipped", "services is 'fusion ,x', which does not name fusion (blanks count)"),
        (
            "wrong",
            "wrong",
            "line 1, column 1: waitDuration is '500ms', which is no duration: write 500 or 0.5S",
        ),
        ("a", "applies", "match 1 (reads) of its group holds"),
    ], "a rate limit is the provider's, so the consumer's side does not show it"
    assert side.rules[0].does == "maxAttempts: 2, waitDuration: 5"
    assert (side.rules[0].item.key, side.rules[0].item.revision) == ("servicecomb.retry.b", 6)


def test_a_wrong_group_is_shown_and_counts_as_missing() -> None:
    side, _ = consumed({f"{GROUP}a": "matches: []", "servicecomb.retry.a": "{}"})
    assert told(side) == [
        ("a", "wrong", "line 1, column 1: matches is empty: add an item"),
        ("a", "skipped", "servicecomb.matchGroup.a is missing or wrong"),
    ]


def test_the_provider_has_its_own_kinds_and_does_not_know_the_callee() -> None:
    values = {
        f"{GROUP}a": READS,
        f"{GROUP}b": "matches: [{serviceName: weather}]",
        "servicecomb.bulkhead.a": "{}",
        "servicecomb.rateLimiting.b": "{}",
        "servicecomb.circuitBreaker.a": "{}",
        "servicecomb.retry.a": "{}",
    }
    assert [(one.kind, str(one.verdict)) for one in provided(values).rules] == [
        ("rateLimiting", "skipped"),
        ("circuitBreaker", "applies"),
        ("bulkhead", "applies"),
    ]
    assert "serviceName is not known at the provider" in provided(values).rules[0].why


@pytest.mark.parametrize(
    ("framework", "version", "verdict"),
    [
        ("waggle-python", "1.0", "applies"), ("springCloud", "1.11.5", "applies"),
        ("servicecomb-java-chassis", "ServiceComb:2.7.9", "skipped"), ("servicecomb-java-chassis", "ServiceComb:3.2.1", "skipped"),
    ],
)  # fmt: skip
def test_a_provider_that_takes_the_callers_name_is_explained_so(framework: str, version: str, verdict: str) -> None:
    """Section 1.4."""
    values = {f"{GROUP}b": "matches: [{serviceName: fusion}]", "servicecomb.rateLimiting.b": "{}"}
    provider = Process("weather", "1.0.0", "w", items(values), {}, Runtime(framework, version))
    side = explain_provider(provider, Process("fusion", "0.1", "w", (), {}), Request("/a"))
    assert [str(one.verdict) for one in side.rules] == [verdict]


def test_what_the_consumers_runtime_does_not_know_does_not_apply() -> None:
    values = {f"{GROUP}a": READS, "servicecomb.faultInjection.a": "percentage: 10"}
    assert consumed(values)[0].rules[0].verdict is Verdict.APPLIES
    (fault,) = consumed(values, runtime=OLD_CHASSIS)[0].rules
    assert fault.verdict is Verdict.SKIPPED
    assert fault.why.startswith("faultInjection is not applied: write servicecomb.governance.Consumer")


# --- access


WHITE = "servicecomb.publicKey.accessControl.white.edge."
ENTRY = {f"{WHITE}category": "property", f"{WHITE}propertyName": "serviceName", f"{WHITE}rule": "edge*"}


def test_the_access_list_says_whom_it_lets_pass() -> None:
    refused = provided(ENTRY, facts={})
    assert refused.notes == ("the access list refuses it: no white rule matches",)
    assert [(one.why, one.does) for one in refused.rules] == [
        ("the consumer's serviceName is fusion", "white: serviceName edge*")
    ]
    assert provided({**ENTRY, f"{WHITE}rule": "fus*"}, facts={}).notes == (
        "the access list lets it pass: white: serviceName is fus*",
    )
    assert provided(ENTRY).notes == ("the access list refuses it: nothing is known of the consumer",)
    assert provided({}).notes == ()


def test_an_entry_that_lacks_a_part_does_nothing() -> None:
    side = provided({f"{WHITE}rule": "edge"}, facts={})
    assert (told(side), side.notes) == (
        [("white.edge.rule", "skipped", "category, propertyName or rule is missing")],
        (),
    )


def test_the_security_policy_decides_by_call() -> None:
    acls = "spring.cloud.servicecomb.webmvc.public-key.acls."
    deny = f"{acls}action.deny[0]."
    allow = f"{acls}action.allow[0]."
    values = {
        f"{acls}mode": "enforcing",
        f"{allow}consumer": "fusion", f"{allow}method": "GET", f"{allow}uri": "/*",
        f"{deny}consumer": "fusion", f"{deny}method": "GET", f"{deny}uri": "/secret",
    }  # fmt: skip
    passed, refused = provided(values, Request("/a")), provided(values, Request("/secret"))
    assert passed.notes[0].startswith("the security policy lets it pass: allow")
    assert refused.notes[0].startswith("the security policy refuses it: deny")
    assert [str(one.verdict) for one in refused.rules] == ["applies", "applies"]


# --- older keys


def test_the_narrowest_of_the_older_keys_holds() -> None:
    key = "servicecomb.fallback.Consumer."
    values = {
        f"{key}weather.force": "true",
        f"{key}force": "false",
        f"{key}other.force": "true",
        f"{key}weather.s.o.force": "false",
    }
    side, _ = consumed(values)
    assert told(side) == [
        ("Consumer.weather.force", "applies", "it is for weather"),
        ("Consumer.force", "skipped", f"{key}weather.force goes before it"),
    ]
    assert side.notes == ("weather is never called: it is degraded",)
    narrow, _ = consumed(values, operation=("s", "o"))
    assert (narrow.rules[0].does, narrow.notes) == ("force = false", ())


def test_older_keys_and_policies_of_one_name_are_told_apart() -> None:
    values = {
        "servicecomb.loadbalance.weather.strategy.name": "Fair",
        "servicecomb.loadbalance.a": "rule: Fair",
        "servicecomb.circuitBreaker.Consumer.weather.enabled": "perhaps",
        "servicecomb.circuitBreaker.Provider.enabled": "perhaps",
        "servicecomb.circuitBreaker.a": "forceOpen: perhaps",
    }
    names = [one.name for one in consumed(values)[0].rules]
    assert names == ["a", "weather.strategy.name", "Consumer.weather.enabled"]
    assert [one.name for one in provided(values).rules] == ["a", "Provider.enabled"]


def test_a_time_limit_is_obeyed_by_no_java_runtime() -> None:
    values = {f"{GROUP}a": READS, "servicecomb.timeLimiter.a": "timeoutDuration: 100"}
    (limit,) = consumed(values, runtime=OLD_CHASSIS)[0].rules
    assert (limit.verdict, limit.why.startswith("no Java runtime applies a timeLimiter")) == (Verdict.SKIPPED, True)
    assert consumed(values, runtime=Runtime("waggle-python", "0.1.0"))[0].rules[0].verdict is Verdict.APPLIES


_SCOPES = st.sampled_from(["", "weather", "weather.s", "weather.s.o", "other", "ANY", "ANY.s"])
_PROPERTIES = st.sampled_from(
    [
        ("fallback", "Consumer", "force"),
        ("isolation", "Consumer", "maxConcurrentRequests"),
        ("loadbalance", "", "retryOnNext"),
        ("fault", "Consumer", "rest.delay.percent"),
        ("flowcontrol", "Consumer", "qps.limit"),
    ]
)


def _key(setting: Setting) -> str:
    dotted = f".{setting.scope}" if setting.scope else ""
    match setting.namespace:
        case "fault":
            parts = setting.scope.split(".") if setting.scope else ["_global"]
            words = zip(("", ".schemas.", ".operations."), parts, strict=False)
            scope = "".join(word + part for word, part in words)
            return f"servicecomb.governance.Consumer.{scope}.policy.fault.protocols.{setting.property}"
        case "loadbalance":
            return f"servicecomb.loadbalance{dotted}.{setting.property}"
        case "flowcontrol":
            return f"servicecomb.flowcontrol.Consumer.qps.limit{dotted or '.ANY'}"
    return f"servicecomb.{setting.namespace}.Consumer{dotted}.{setting.property}"


@given(_PROPERTIES, st.dictionaries(_SCOPES, st.integers(0, 50), min_size=1), st.sampled_from([("", ""), ("s", "o")]))
def test_the_older_key_that_is_said_to_hold_is_the_one_that_does(
    name: tuple[str, str, str], values: dict[str, int], operation: tuple[str, str]
) -> None:
    settings = [Setting(*name[:2], scope, name[2], value) for scope, value in values.items()]
    texts = {_key(one): "true" if name[2] == "force" else str(one.value) for one in settings}
    read = Settings(rule for key, text in texts.items() if isinstance(rule := check(key, text).rule, Setting))
    side, _ = consumed(texts, operation=operation)
    applied = [one.does.rpartition(" ")[2] for one in side.rules if one.verdict is Verdict.APPLIES]
    target = ("weather", *operation)
    holds = qps_limit(read, "Consumer", target)[1] if name[2] == "qps.limit" else setting_of(read, *name, target)
    if applied:
        assert applied == [str(holds).lower()]
    else:
        assert setting_of(read, name[0], name[1], name[2], target) == setting_of(Settings(), *name, target)


# --- routes


def test_the_first_rule_that_matches_counts_and_the_shares_are_its() -> None:
    side, gray = consumed({ROUTE: GRAY}, Request(headers={"TYPE": "Gray"}))
    assert [(one.share, one.instances, one.why) for one in gray.outcomes] == [
        (Fraction(1, 2), (NEW,), "route 1"),
        (Fraction(1, 2), (OLD,), "route 2"),
    ]
    assert [(str(one.verdict), one.why) for one in gray.rules] == [
        ("applies", "all that it asks for holds"),
        ("skipped", "the rule of precedence 2 goes first"),
    ]
    assert side.rules == ()
    _, plain = consumed({ROUTE: GRAY})
    assert shares(plain) == {Fraction(1): ["1.0.0"]}
    assert [(str(one.verdict), one.why) for one in plain.rules] == [
        ("skipped", "the header type is missing, asked for is exact gray"),
        ("applies", "it is for all requests"),
    ]
    assert [one.at.line for one in plain.rules if one.at is not None] == [2, 5]


def test_a_services_own_rule_replaces_the_one_for_all() -> None:
    values = {ROUTE: OLD_ONLY, "servicecomb.globalRouteRule": GRAY, "servicecomb.routeRule.other": GRAY}
    _, routing = consumed(values, Request(headers={"type": "gray"}))
    assert shares(routing) == {Fraction(1): ["1.0.0"]}
    assert told(routing) == [
        ("weather", "applies", "it is for all requests"),
        ("", "skipped", "servicecomb.routeRule.weather replaces it; the two are never merged"),
    ]


def test_a_wrong_rule_counts_as_missing() -> None:
    values = {ROUTE: "- route: []", "servicecomb.globalRouteRule": OLD_ONLY}
    _, routing = consumed(values)
    assert shares(routing) == {Fraction(1): ["1.0.0"]}
    assert [str(one.verdict) for one in routing.rules] == ["applies", "wrong"]


def test_without_a_rule_all_instances_may_be_chosen() -> None:
    _, none = consumed({})
    assert [(one.share, one.instances) for one in none.outcomes] == [(1, BOTH)]
    assert none.why == "there is no route rule"
    _, unmatched = consumed(
        {ROUTE: "- {match: {headers: {a: {exact: b}}}, route: [{weight: 100, tags: {version: 1}}]}"}
    )
    assert (unmatched.why, unmatched.outcomes[0].instances) == ("no rule is for the request", BOTH)


def test_nobody_is_an_answer() -> None:
    _, away = consumed({ROUTE: OLD_ONLY}, instances=())
    assert (away.outcomes, away.why) == ((), "no instance is up")
    _, strict = consumed({ROUTE: f"{OLD_ONLY}\n  emptyProtection: false"}, instances=[NEW])
    assert [one.instances for one in strict.outcomes] == [()]


def test_old_runtimes_that_send_the_rest_elsewhere_are_told() -> None:
    side, routing = consumed({ROUTE: OLD_ONLY}, instances=[NEW], runtime=OLD_CHASSIS)
    assert routing.outcomes[0].why == "all instances, because nobody else is there"
    only = "sends all requests to the only item, or to the latest version where it has no instance"
    assert side.notes == (f"servicecomb-java-chassis ServiceComb:2.7.9 {only}",)
    (rest,) = consumed({ROUTE: TWO_THIRDS}, runtime=OLD_CHASSIS)[0].notes
    assert rest.endswith("sends what is for no item, or for one without instances, to the latest version instead")
    (go,) = consumed({ROUTE: TWO_THIRDS}, runtime=Runtime("go-chassis", "2.0"))[0].notes
    assert go.startswith("go-chassis 2.0 sends what is for no item to the latest version, and answers 503")
    assert consumed({ROUTE: OLD_ONLY}, runtime=OLD_CHASSIS)[0].notes == ()
    assert consumed({ROUTE: OLD_ONLY}, instances=[NEW])[0].notes == ()


def test_a_rule_that_refers_to_a_marker_names_it() -> None:
    values = {ROUTE: "- {match: {refer: a}, route: [{weight: 100, tags: {version: 1.0.0}}]}"}
    assert "servicecomb.matchGroup.a, which is not there" in consumed(values)[1].rules[0].why
    marked = {**values, f"{GROUP}a": READS}
    assert consumed(marked)[1].rules[0].verdict is Verdict.APPLIES
    assert "the request is not of the group a" in consumed(marked, Request(method="PUT"))[1].rules[0].why


RATE = '{"policyType": "RATE", "ruleItems": [{"groupName": "new", "groupCondition": "version=2.0.0", "policyCondition": "30"}]}'
RULE = RATE.replace("RATE", "RULE").replace('"30"', '"uid=7"')


def test_a_dark_launch_counts_where_there_is_no_route_rule() -> None:
    key = "servicecomb.darklaunch.policy.weather"
    _, rate = consumed({key: RATE})
    assert shares(rate) == {Fraction(3, 10): ["2.0.0"], Fraction(7, 10): ["1.0.0"]}
    assert shares(consumed({key: RULE}, Request(headers={"uid": "7"}))[1]) == {Fraction(1): ["2.0.0"]}
    assert shares(consumed({key: RULE})[1]) == {Fraction(1): ["1.0.0"]}
    _, both = consumed({key: RATE, ROUTE: OLD_ONLY})
    assert ("weather", "skipped", "there are route rules, which go before it") in told(both)
    assert shares(both) == {Fraction(1): ["1.0.0"]}
    _, spring = consumed({key: RATE}, runtime=Runtime("spring-cloud-huawei", "1.11"))
    assert (len(spring.outcomes), spring.rules[0].why) == (
        1,
        "dark launch is not known: write a servicecomb.routeRule (spring-cloud-huawei 1.11)",
    )


# --- anything at all


_KINDS = ("matchGroup", "retry", "loadbalance", "rateLimiting", "faultInjection", "timeLimiter", "mapper", "routeRule")
_KEYS = st.builds("servicecomb.{}.{}".format, st.sampled_from(_KINDS), st.sampled_from(["a", "b", "weather"])) | (
    st.sampled_from(
        [
            "servicecomb.globalRouteRule",
            "cse.darklaunch.policy.weather",
            "servicecomb.darklaunch.policy.weather",
            "servicecomb.fallback.Consumer.weather.force",
            "cse.fallback.Consumer.weather.force",
            "servicecomb.flowcontrol.Provider.qps.limit.fusion",
            f"{WHITE}category",
            f"{WHITE}propertyName",
            f"{WHITE}rule",
        ]
    )
)
_VALUES = st.text(max_size=20) | st.sampled_from(
    [
        READS,
        GRAY,
        OLD_ONLY,
        TWO_THIRDS,
        RATE,
        RULE,
        "order: 1",
        "{}",
        "true",
        "5",
        "property",
        "serviceName",
        "fus*",
        "*",
    ]
)
_RUNTIMES = st.sampled_from([None, OLD_CHASSIS, Runtime("spring-cloud-huawei", "1.11"), Runtime("go-chassis", "2.0")])
_TEXTS = st.dictionaries(st.sampled_from(["type", "uid", "X"]) | st.text(max_size=5), st.text(max_size=8), max_size=3)
_ONE_OF_A_KIND = ("retry", "loadbalance", "rateLimiting", "faultInjection", "timeLimiter", "mapper")


@given(
    st.dictionaries(_KEYS, _VALUES, max_size=8),
    st.builds(Request, st.text(max_size=5), st.sampled_from(["GET", "get", ""]), _TEXTS, _TEXTS),
    st.lists(st.sampled_from(BOTH), unique=True, max_size=2),
    _RUNTIMES,
)
def test_whatever_the_rules_are_there_is_an_explanation(
    values: dict[str, str], request_: Request, instances: list[Instance], runtime: Runtime | None
) -> None:
    side, routing = consumed(values, request_, instances, runtime)
    provider = provided(values, request_, {})
    assert sum(one.share for one in routing.outcomes) == (1 if instances else 0)
    looked_at = [*side.rules, *provider.rules]
    assert all(one.why for one in (*looked_at, *routing.rules))
    for kind in _ONE_OF_A_KIND:
        found = [one for one in looked_at if one.kind == kind and one.verdict is Verdict.APPLIES]
        assert len([one for one in found if one.item.key.count(".") == 2]) <= 1, "one policy of a kind at most"
    assert sum(one.verdict is Verdict.APPLIES for one in routing.rules) <= 1

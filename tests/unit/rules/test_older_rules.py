"""The older ways to steer: dark launch, the scalars of Java Chassis 2, and access lists."""

from __future__ import annotations

import fnmatch
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.rules.check import check
from governance.rules.darklaunch import DarkLaunch, parse_expression
from governance.rules.legacy import Setting, Settings, qps_limit, setting_of


@pytest.mark.parametrize(
    ("expression", "holds", "does_not"),
    [
        ("uid<100&&city=sz", {"uid": "9", "city": "sz"}, {"uid": "100", "city": "sz"}),
        ("uid>=100||city=sz", {"city": "sz"}, {"uid": "99", "city": "a"}),
        ("version=1.0.1,1.0.2", {"version": "1.0.2"}, {"version": "1.0.3"}),
        ("a!=b", {"a": "c"}, {"a": "b"}),
        ("a!=b", {"a": ""}, {}),
        ("a~x*z", {"a": "xyz"}, {"a": "xy"}),
        ("a~x?z", {"a": "xyz"}, {"a": "xz"}),
        ("a>9", {"a": "10"}, {"a": "9"}),
        ("a>b", {"a": "c"}, {"a": "b"}),
        ("a<=9", {"a": "9.0"}, {"a": "9.5"}),
    ],
)
def test_expressions(expression: str, holds: dict[str, str], does_not: dict[str, str]) -> None:
    assert parse_expression(expression).holds(holds)
    assert not parse_expression(expression).holds(does_not)


def test_case_counts_unless_it_is_told_not_to() -> None:
    assert not parse_expression("a=B").holds({"a": "b"})
    assert parse_expression("a=B").holds({"a": "b"}, fold=True)


@given(st.text("ab*?", max_size=6), st.text("ab", max_size=6))
def test_like_is_what_a_shell_does(pattern: str, text: str) -> None:
    if pattern:
        assert parse_expression(f"k~{pattern}").holds({"k": text}) == fnmatch.fnmatchcase(text, pattern)


def test_no_pattern_is_slow() -> None:
    """In seconds of the processor."""
    before = time.process_time()
    for pattern in ("*a" * 400 + "b", "*" + "a?" * 200 + "b*b", "*" * 1000 + "b"):
        assert not parse_expression(f"k~{pattern}").holds({"k": "a" * 65_536})
    assert time.process_time() - before < 5


@given(st.text())
def test_any_text_is_an_expression_or_none(text: str) -> None:
    try:
        assert parse_expression(text).holds({"a": "b"}) in (True, False)
    except ValueError as error:
        assert ", so write" in str(error)


def test_a_request_goes_to_the_first_group_that_it_is_for() -> None:
    items = ",".join(
        f'{{"groupName":"{name}","groupCondition":"version={version}","policyCondition":"{condition}"}}'
        for name, version, condition in (("old", "1", "uid<10"), ("new", "2", "uid<20"))
    )
    dark = check("servicecomb.darklaunch.policy.a", f'{{"policyType":"RULE",\n\t"ruleItems":[{items}]}}').rule
    assert isinstance(dark, DarkLaunch)
    assert [dark.group_of_request({"uid": uid}) for uid in ("5", "15", "25")] == ["old", "new", None]
    assert dark.group_of_request({}) is None
    assert dark.group_of_instance({"version": "2"}) == "new"


def test_shares_follow_each_other() -> None:
    items = ",".join(f'{{"groupName":"{n}","groupCondition":"version={n}","policyCondition":"{n}0"}}' for n in (1, 2))
    key = "servicecomb.darklaunch.policy.a"
    dark = check(key, f'{{"policyType":"RATE","ruleItems":[{items}]}}').rule
    assert isinstance(dark, DarkLaunch)
    assert [dark.group_of_rate(chance) for chance in (0, 9, 10, 29, 30, 99)] == ["1", "1", "2", "2", None, None]
    (problem,) = check(key, f'{{"policyType":"RATE","ruleItems":[{items.replace("20", "95")}]}}').problems
    assert problem.why == "the shares add up to 105"


def _setting(key: str, value: str) -> Setting:
    rule = check(key, value).rule
    assert isinstance(rule, Setting), check(key, value).problems
    return rule


@pytest.mark.parametrize(
    ("key", "value", "setting"),
    [
        ("servicecomb.isolation.Consumer.timeout.enabled", "TRUE", Setting("isolation", "Consumer", "", "timeout.enabled", value=True)),
        ("servicecomb.isolation.Consumer.a.s.o.timeoutInMilliseconds", " 5 ",
        Setting("isolation", "Consumer", "a.s.o", "timeoutInMilliseconds", 5)),
        ("cse.fallbackpolicy.Provider.a.policy", "FromCache", Setting("fallbackpolicy", "Provider", "a", "policy", "fromcache")),
        ("servicecomb.loadbalance.strategy.name", "Random", Setting("loadbalance", "", "", "strategy.name", "Random")),
        ("servicecomb.loadbalance.a.isolation.enabled", "false", Setting("loadbalance", "", "a", "isolation.enabled", value=False)),
        ("servicecomb.flowcontrol.Consumer.qps.global.limit", "9", Setting("flowcontrol", "Consumer", "", "qps.global.limit", 9)),
        ("servicecomb.flowcontrol.Consumer.qps.limit.a.s.o", "9", Setting("flowcontrol", "Consumer", "a.s.o", "qps.limit", 9)),
        ("servicecomb.governance.Consumer.a.schemas.s.operations.o.policy.fault.protocols.highway.abort.percent", "9",
         Setting("fault", "Consumer", "a.s.o", "highway.abort.percent", 9)),
    ],
)  # fmt: skip
def test_keys_are_taken_apart(key: str, value: str, setting: Setting) -> None:
    assert _setting(key, value) == setting


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("servicecomb.isolation.Consumer.a.timeout.enabled", "yes"),
        ("servicecomb.isolation.Consumer.a.timeoutInMilliseconds", "1S"),
        ("servicecomb.circuitBreaker.Provider.errorThresholdPercentage", "101"),
        ("servicecomb.flowcontrol.Consumer.qps.limit.", "1"),
        ("servicecomb.flowcontrol.Consumer.qps.limits.a", "1"),
        ("servicecomb.governance.Consumer._global.policy.fault.protocols.rest.delay.fixed", "1"),
        ("servicecomb.loadbalance.a.strategy.name", "roundrobin"),
        ("servicecomb.publicKey.accessControl.grey.a.rule", "a"),
        ("servicecomb.publicKey.accessControl.white.a.rule", ""),
    ],
)
def test_what_is_wrong_with_a_scalar_is_an_error(key: str, value: str) -> None:
    checked = check(key, value)
    assert checked.rule is None
    assert [problem.instead != "" for problem in checked.problems] == [True]


def test_the_narrowest_setting_counts() -> None:
    keys = {"": "1", "a.": "2", "a.s.o.": "3"}
    all_of_them = [
        _setting(f"servicecomb.isolation.Consumer.{scope}timeoutInMilliseconds", value) for scope, value in keys.items()
    ]

    def found(*target: str) -> object:
        service, schema, operation = target
        return setting_of(
            Settings(all_of_them), "isolation", "Consumer", "timeoutInMilliseconds", (service, schema, operation)
        )

    assert [found("a", "s", "o"), found("a", "s", "p"), found("b", "s", "o")] == [3, 2, 1]
    assert setting_of(Settings(), "isolation", "Consumer", "timeoutInMilliseconds", ("a", "s", "o")) == 30_000
    assert setting_of(Settings(), "fault", "Consumer", "rest.delay.percent", ("a", "s", "o")) is None


def test_a_fault_of_a_schema_counts_for_its_operations() -> None:
    begin, end = "servicecomb.governance.Consumer", "policy.fault.protocols.rest.abort.percent"
    scopes = {"_global": "1", "a": "2", "a.schemas.s": "3", "a.schemas.s.operations.o": "4"}
    faults = Settings(_setting(f"{begin}.{scope}.{end}", value) for scope, value in scopes.items())

    def found(target: tuple[str, str, str]) -> object:
        return setting_of(faults, "fault", "Consumer", "rest.abort.percent", target)

    assert [found(("a", "s", "o")), found(("a", "s", "p")), found(("a", "t", "o")), found(("b", "s", "o"))] == [
        4,
        3,
        2,
        1,
    ]


def test_a_setting_of_a_schema_is_none_for_a_breaker() -> None:
    breaker = Settings([Setting("circuitBreaker", "Consumer", "a.s", "forceOpen", value=True)])
    assert setting_of(breaker, "circuitBreaker", "Consumer", "forceOpen", ("a", "s", "o")) is False


def test_of_equal_settings_the_last_counts() -> None:
    twice = Settings(Setting("loadbalance", "", "a", "retryOnNext", n) for n in (1, 2))
    assert setting_of(twice, "loadbalance", "", "retryOnNext", ("a", "s", "o")) == 2


def test_limits_are_looked_up_from_operation_to_any() -> None:
    order = ["a.s.o", "a.s", "a", "ANY.s.o", "ANY.s", "ANY"]
    limits = [_setting(f"servicecomb.flowcontrol.Provider.qps.limit.{scope}", str(n)) for n, scope in enumerate(order)]
    limits.append(_setting("servicecomb.flowcontrol.Provider.qps.global.limit", "99"))
    for n, scope in enumerate(order):
        assert qps_limit(Settings(limits[n:]), "Provider", ("a", "s", "o")) == (scope, n)
    assert qps_limit(Settings(limits[-1:]), "Provider", ("a", "s", "o")) == ("", 99)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("enabled", "true"),
        ("filter.zoneaware.enabled", "false"),
        ("filter.zoneaware.ratio", "10"),
        ("filter.isolation.enabled", "true"),
        ("filter.priorityInstanceProperty.key", "environment"),
        ("stats.timerIntervalInMillis", "10000"),
        ("transactionControl.options.tag", "x"),
        ("weather.transactionControl.options.tag", "x"),
        ("weather.emptyInstanceProtectionEnabled", "true"),
    ],
)
def test_switches_of_load_balancing_are_no_policies(key: str, value: str) -> None:
    """They are values of their own, so they can be saved, and nobody tells that they are broken rules."""
    for prefix in ("servicecomb", "cse"):
        checked = check(f"{prefix}.loadbalance.{key}", value)
        assert (checked.rule, checked.problems) == (None, ())
    assert check("servicecomb.loadbalance.filter", "rule: Random").rule is not None

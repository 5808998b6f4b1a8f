"""The rules as they are now: what is in order counts, what is not is told once, and states last as long as their policies do."""

from __future__ import annotations

import logging
from collections.abc import Iterable

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from governance.invocation.live import LiveRules
from governance.invocation.measures import Measure, RuleCollector
from governance.invocation.rulebook import Rulebook
from governance.rules.legacy import setting_of
from governance.rules.marker import Request
from governance.rules.policies import RateLimiting, Retry
from governance.rules.selection import OwnService

GROUP = {"servicecomb.matchGroup.all": "matches: [{apiPath: {prefix: /}}]"}


class Counter:
    """A state that counts."""

    def __init__(self) -> None:
        self.count = 0

    def measures(self) -> Iterable[Measure]:
        """How far it is."""
        yield Measure("available.permissions", self.count, {"kind": "x"})


def live(**values: str) -> LiveRules:
    """Rules of a service shop with these items."""
    rules = LiveRules(OwnService("shop", "1.0"))
    rules.update({**GROUP, **{f"servicecomb.{key.replace('__', '.')}": text for key, text in values.items()}})
    return rules


def limiter(rules: LiveRules) -> RateLimiting:
    """The limit that applies to any request."""
    policy = rules.book.applied(RateLimiting, Request("/a"))
    assert policy is not None
    return policy


def test_a_policy_applies_until_it_is_deleted() -> None:
    rules = live(rateLimiting__all="rate: 2")
    assert limiter(rules).rate == 2
    rules.update(GROUP)
    assert rules.book.applied(RateLimiting, Request("/a")) is None


def test_of_two_policies_the_lower_order_applies() -> None:
    rules = live(rateLimiting__all="{rate: 1, order: 1}", rateLimiting__first="{rate: 2, order: 0}")
    assert limiter(rules).rate == 1, "without its group the other is none"
    rules = live(
        rateLimiting__all="{rate: 1, order: 1}",
        rateLimiting__first="{rate: 2, order: 0}",
        matchGroup__first="matches: [{apiPath: {prefix: /}}]",
    )
    assert limiter(rules).rate == 2


def test_a_rule_in_error_is_told_once_and_the_others_work(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    values = {**GROUP, "servicecomb.retry.all": "waitDuration: 500ms", "servicecomb.rateLimiting.all": "rate: 3"}
    rules = LiveRules(OwnService("shop"))
    rules.update(values)
    rules.update({**values, "other": "1"})
    assert rules.book.applied(Retry, Request("/a")) is None
    assert limiter(rules).rate == 3
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 1
    assert "servicecomb.retry.all" in told[0]
    assert "write 500 or 0.5S" in told[0]


def test_a_state_lasts_while_its_policy_stays_the_same() -> None:
    rules = live(rateLimiting__all="rate: 2")
    state = rules.processor(limiter(rules), Counter)
    state.count = 5
    rules.update({**rules.book.values, "servicecomb.matchGroup.all": "matches: [{method: [GET]}]"})
    assert rules.processor(limiter(rules), Counter) is state, "only the group has changed"
    rules.update({**rules.book.values, "servicecomb.rateLimiting.all": "rate: 3"})
    assert rules.processor(limiter(rules), Counter) is not state


def test_a_rule_that_is_no_policy_may_say_itself_whether_it_is_there() -> None:
    class Older:
        """Keys that mean a rule while there is the value `older`."""

        def is_in(self, book: Rulebook) -> bool:
            return "older" in book.values

    rules = live()
    rules.update({**GROUP, "older": "1"})
    state = rules.state("servicecomb.older.a", Older(), Counter)
    other = rules.state("servicecomb.other.a", "a rule that says nothing", Counter)
    rules.update({**GROUP, "older": "2"})
    assert [one for _, one in rules.processors()] == [state, other]
    rules.update(GROUP)
    assert [one for _, one in rules.processors()] == [other]


def test_states_are_metrics_by_the_names_of_the_protocol() -> None:
    rules = live(rateLimiting__all="rate: 2")
    registry = CollectorRegistry()
    registry.register(RuleCollector(rules.processors))
    rules.processor(limiter(rules), Counter).count = 7
    text = generate_latest(registry).decode()
    expected = 'servicecomb_rateLimiting_available_permissions{kind="x",name="servicecomb.rateLimiting.all"} 7.0'
    assert expected in text
    rules.update(GROUP)
    assert expected not in generate_latest(registry).decode(), "a policy that is gone measures nothing"


def test_servicecomb_counts_before_cse() -> None:
    both = {"cse.fallback.Consumer.forecast.force": "true", "servicecomb.fallback.Consumer.forecast.force": "false"}
    rules = LiveRules(OwnService("shop"))
    rules.update(both)
    assert setting_of(rules.book.settings, "fallback", "Consumer", "force", ("forecast", "", "")) is False


def test_a_header_that_a_route_rule_asks_for_goes_along() -> None:
    rules = live(
        routeRule__weather="[{match: {headers: {Type: {exact: gray}}}, route: [{weight: 100, tags: {version: 2.0.0}}]}]"
    )
    rules.update({**rules.book.values, "servicecomb.router.header": "user, x-lane"})
    assert rules.book.lifted == {"type", "user", "x-lane"}

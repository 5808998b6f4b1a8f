"""The client session under rules: what goes out, to whom, how often, and what comes back in place of an answer."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from governance.sdk import LocalAnswer, RetriesExhaustedError, context
from tests.unit.sdk.known import Known, instance, session_of
from tests.unit.sdk.servers import nobody, serving

EVERYONE = {"servicecomb.matchGroup.all": "matches: [{apiPath: {prefix: /}}]"}
SWAGGER = (
    'swagger: "2.0"\nbasePath: /cart\npaths: {/show: {get: {operationId: show}}, /count: {get: {operationId: count}}}'
)


class Shop:
    """A provider that counts who asks, and answers with a status."""

    def __init__(self, status: int = 200) -> None:
        self.status = status
        self.seen: list[Mapping[str, str]] = []

    async def answer(self, request: web.Request) -> web.Response:
        """Answer."""
        self.seen.append(request.headers.copy())
        return web.json_response({"path": request.path}, status=self.status)


def rules(**texts: str) -> dict[str, str]:
    """Items, with a group for everyone."""
    return EVERYONE | {f"servicecomb.{key.replace('__', '.')}": text for key, text in texts.items()}


async def test_a_route_rule_shares_the_calls_in_turn() -> None:
    old, new = Shop(), Shop()
    text = "[{precedence: 1, route: [{weight: 50, tags: {version: 1.0.0}}, {weight: 50, tags: {version: 2.0.0}}]}]"
    async with serving(old.answer) as one, serving(new.answer) as two:
        known = Known(cart=[instance(one, version="1.0.0"), instance(two, version="2.0.0")])
        async with session_of(known, rules(routeRule__cart=text)) as http:
            order = []
            for _ in range(6):
                async with http.get("cse://cart/") as answer:
                    assert answer.status == 200
                order.append((len(old.seen), len(new.seen)))
    assert order == [(1, 0), (1, 1), (2, 1), (2, 2), (3, 2), (3, 3)]


async def test_a_route_rule_sees_headers_and_what_has_come_along() -> None:
    old, new = Shop(), Shop()
    text = """
- precedence: 2
  match: {headers: {type: {exact: gray}}}
  route: [{weight: 100, tags: {version: 2.0.0}}]
- precedence: 1
  route: [{weight: 100, tags: {version: 1.0.0}}]
"""
    async with serving(old.answer) as one, serving(new.answer) as two:
        known = Known(cart=[instance(one, version="1.0.0"), instance(two, version="2.0.0")])
        async with session_of(known, rules(routeRule__cart=text)) as http:
            async with http.get("cse://cart/"), http.get("cse://cart/", headers={"Type": "gray"}):
                pass
            with context.having(type="gray"):
                async with http.get("cse://cart/"):
                    pass
                async with http.get("cse://cart/", headers={"Type": "plain"}):
                    pass
    assert (len(old.seen), len(new.seen)) == (2, 2), "a header of the call goes before what has come along, in any case"


async def test_the_context_goes_out_in_both_headers() -> None:
    shop = Shop()
    async with serving(shop.answer) as address, session_of(Known(cart=[instance(address)])) as http:
        with context.having(user="tom"):
            async with http.get("cse://cart/", headers={"x-own": "1"}):
                pass
    sent = shop.seen[0]
    assert json.loads(sent["x-cse-context"]) == {"user": "tom", "x-microservice-name": "shop"}
    assert context.read(sent) == {"user": "tom", "x-microservice-name": "shop"}
    assert sent["x-own"] == "1"


@pytest.mark.parametrize(
    ("url", "params"),
    [("cse://cart/?city=Berlin", None), ("cse://cart/", {"city": "Berlin"}), ("cse://cart/?x=1", "city=Berlin")],
)
async def test_a_rule_sees_the_parameters_whichever_way_they_are_given(url: str, params: Any) -> None:
    items = {
        "servicecomb.matchGroup.berlin": "matches: [{queries: {city: {exact: Berlin}}}]",
        "servicecomb.faultInjection.berlin": "{type: abort, percentage: 100, errorCode: 418}",
    }
    async with serving(Shop().answer) as address, session_of(Known(cart=[instance(address)]), items) as http:
        async with http.get(url, params=params) as answer:
            assert answer.status == 418
        async with http.get("cse://cart/?city=Bonn&city=Berlin") as answer:
            assert answer.status == 200


async def test_a_dark_launch_sees_the_parameters_of_a_call() -> None:
    old, new = Shop(), Shop()
    launch = {
        "policyType": "RULE",
        "ruleItems": [{"groupName": "g", "groupCondition": "version=2.0.0", "policyCondition": "uid<100"}],
    }
    async with serving(old.answer) as one, serving(new.answer) as two:
        known = Known(cart=[instance(one, version="1.0.0"), instance(two, version="2.0.0")])
        items = {"servicecomb.darklaunch.policy.cart": json.dumps(launch)}
        async with session_of(known, items) as http:
            for uid in (7, 700, 99):
                async with http.get("cse://cart/", params={"uid": uid}) as answer:
                    assert answer.status == 200
    assert (len(old.seen), len(new.seen)) == (1, 2)


async def test_a_context_that_is_too_long_is_left_out_and_told_once(caplog: pytest.LogCaptureFixture) -> None:
    shop = Shop()
    async with serving(shop.answer) as address, session_of(Known(cart=[instance(address)])) as http:
        with context.having(user="x" * context.LARGEST):
            for _ in range(2):
                async with http.get("cse://cart/") as answer:
                    assert answer.status == 200
    assert not {"x-cse-context", "x-invocation-context"} & {name.lower() for sent in shop.seen for name in sent}
    assert caplog.text.count("context.too_long") == 1
    assert "xxx" not in caplog.text


async def test_a_retry_repeats_so_often_and_passes_the_last_answer_on() -> None:
    shop = Shop(503)
    async with serving(shop.answer) as address:
        known = Known(cart=[instance(address)])
        async with (
            session_of(known, rules(retry__all="{maxAttempts: 3, waitDuration: 1}")) as http,
            http.get("cse://cart/x") as answer,
        ):
            assert (answer.status, await answer.json()) == (503, {"path": "/x"})
    assert len(shop.seen) == 4


async def test_a_policy_that_does_not_parse_repeats_nothing() -> None:
    shop = Shop(503)
    async with serving(shop.answer) as address:
        items = rules(retry__all="{maxAttempts: 3, waitDuration: 500ms}")
        async with session_of(Known(cart=[instance(address)]), items) as http, http.get("cse://cart/") as answer:
            assert answer.status == 503
    assert len(shop.seen) == 1


async def test_a_retry_goes_to_another_instance() -> None:
    ill, well = Shop(502), Shop()
    async with serving(ill.answer) as one, serving(well.answer) as two:
        known = Known(cart=[instance(one), instance(two)])
        async with session_of(known, rules(retry__all="{maxAttempts: 1}")) as http:
            for _ in range(6):
                async with http.post("cse://cart/", data=b"again") as answer:
                    assert answer.status == 200
    assert len(well.seen) == 6
    assert len(ill.seen) == 3


async def test_a_body_that_can_be_read_once_is_not_repeated() -> None:
    shop = Shop(503)
    async with serving(shop.answer) as address:
        known = Known(cart=[instance(address)])
        async with (
            session_of(known, rules(retry__all="{maxAttempts: 3}")) as http,
            http.post("cse://cart/", data=io.BytesIO(b"once")) as answer,
        ):
            assert answer.status == 503
    assert len(shop.seen) == 1


async def test_exhaustion_is_an_error_where_the_policy_says_so() -> None:
    async with serving(Shop(503).answer) as address:
        items = rules(retry__all="{maxAttempts: 1, failAfterMaxAttempts: true}")
        async with session_of(Known(cart=[instance(address)]), items) as http:
            with pytest.raises(RetriesExhaustedError, match="the last try brought 503"):
                async with http.get("cse://cart/"):
                    pass


async def test_a_degraded_service_is_not_called_and_answers_nothing() -> None:
    shop = Shop()
    items = {
        "servicecomb.fallback.Consumer.cart.force": "true",
        "servicecomb.fallbackpolicy.Consumer.cart.policy": "returnnull",
    }
    async with serving(shop.answer) as address:
        for known in (Known(cart=[instance(address)]), Known()):
            async with session_of(known, items) as http, http.get("cse://cart/") as answer:
                assert isinstance(answer, LocalAnswer)
                assert (answer.status, await answer.json(), await answer.read()) == (200, None, b"")
    assert shop.seen == []


async def test_an_operation_is_degraded_by_what_the_provider_has_uploaded() -> None:
    shop = Shop()
    items = {
        "servicecomb.fallback.Consumer.cart.cart.show.force": "true",
        "servicecomb.fallbackpolicy.Consumer.cart.policy": "throwexception",
    }
    async with serving(shop.answer) as address:
        known = Known(cart=[instance(address)])
        async with session_of(known, items, {"cart": SWAGGER}) as http:
            async with http.get("cse://cart/cart/show") as answer:
                assert answer.status == 490
                with pytest.raises(aiohttp.ClientResponseError, match="490"):
                    answer.raise_for_status()
            async with http.get("cse://cart/cart/count") as answer:
                assert answer.status == 200
            async with http.request("GET", "cse://cart/else", operation="cart.show") as answer:
                assert answer.status == 490
    assert len(shop.seen) == 1


async def test_what_was_good_last_is_given_again_from_the_cache() -> None:
    shop = Shop()
    items = {"servicecomb.fallbackpolicy.Consumer.cart.policy": "fromcache"}
    async with serving(shop.answer) as address, session_of(Known(cart=[instance(address)]), items) as http:
        async with http.get("cse://cart/a") as answer:
            assert await answer.json() == {"path": "/a"}
        shop.status = 503
        for _ in range(2):
            async with http.get("cse://cart/b") as answer:
                assert (answer.status, await answer.json()) == (200, {"path": "/a"})
                assert json.loads(await answer.read()) == {"path": "/a"}, "as often as it is given"


async def test_an_isolated_instance_is_left_alone() -> None:
    ill, well = Shop(503), Shop()
    isolation = "{slidingWindowType: COUNT_BASED, slidingWindowSize: 4, minimumNumberOfCalls: 4}"
    async with serving(ill.answer) as one, serving(well.answer) as two:
        known = Known(cart=[instance(one), instance(two)])
        async with session_of(known, rules(instanceIsolation__all=isolation)) as http:
            statuses: Counter[int] = Counter()
            for _ in range(20):
                async with http.get("cse://cart/") as answer:
                    statuses[answer.status] += 1
    assert statuses == {503: 4, 200: 16}
    assert len(ill.seen) == 4


async def test_faults_are_injected_in_their_share() -> None:
    shop = Shop()
    fault = "{type: abort, percentage: 50, errorCode: 421}"
    async with serving(shop.answer) as address:
        known = Known(cart=[instance(address)])
        async with session_of(known, rules(faultInjection__all=fault)) as http:
            statuses = []
            for _ in range(6):
                async with http.get("cse://cart/") as answer:
                    statuses.append(answer.status)
                    if answer.status == 421:
                        assert await answer.json() == {"message": "aborted by fault inject"}
    assert statuses == [200, 421] * 3
    assert len(shop.seen) == 3


async def test_with_retry_and_isolation_a_dead_instance_costs_nobody_an_answer() -> None:
    well = Shop()
    items = rules(
        retry__all="{maxAttempts: 2}",
        instanceIsolation__all="{slidingWindowType: COUNT_BASED, slidingWindowSize: 2, minimumNumberOfCalls: 2}",
    )
    async with serving(well.answer) as alive:
        with nobody() as dead:
            async with session_of(Known(cart=[instance(dead), instance(alive)]), items) as http:
                for _ in range(20):
                    async with http.get("cse://cart/") as answer:
                        assert answer.status == 200
    assert len(well.seen) == 20


async def test_the_older_isolation_leaves_an_ill_instance_alone() -> None:
    ill, well = Shop(503), Shop()
    async with serving(ill.answer) as one, serving(well.answer) as two:
        items = rules(loadbalance__filter__isolation__enabled="true")
        async with session_of(Known(cart=[instance(one), instance(two)]), items) as http:
            for _ in range(20):
                async with http.get("cse://cart/") as answer:
                    assert answer.status in (200, 503)
    assert (len(ill.seen), len(well.seen)) == (5, 15)

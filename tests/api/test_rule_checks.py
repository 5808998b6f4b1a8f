"""`POST /waggle/v1/governance/check`: drafts are checked with what is registered and configured, and nothing is stored."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from tests.api.own_config import OwnConfig
from tests.engine import EngineProcess, client_of

pytestmark = pytest.mark.asyncio(loop_scope="module")
APP = {"app": "mall", "environment": ""}


@pytest_asyncio.fixture(loop_scope="module")
async def own(shared_engine: EngineProcess) -> AsyncIterator[OwnConfig]:
    """An application with one service of Java Chassis and one of the SDK."""
    domain = f"d{uuid.uuid4().hex[:8]}"
    frameworks = [("servicecomb-java-chassis", "ServiceComb:2.7.9"), ("waggle-python", "0.1.0")]
    async with aiohttp.ClientSession() as session, client_of(shared_engine.url, domain) as registry:
        for name, version in frameworks:
            given = {"appId": "mall", "framework": {"name": name, "version": version}}
            await registry.instance(await registry.service(f"of-{name}", version="1.0.0", **given))
        yield OwnConfig(session, shared_engine.url, "default", domain)


async def _checked(own: OwnConfig, *drafts: object, status: int = 200) -> list[Any]:
    answered, answer = await own.call("POST", "../governance/check", body={"drafts": drafts})
    assert answered == status, answer
    return list(answer.get("drafts", ()))


async def test_a_draft_is_checked_alone_and_with_the_others_of_the_body(own: OwnConfig) -> None:
    retry = {"key": "servicecomb.retry.reads", "value": "maxAttempts: 2", "labels": APP}
    group = {"key": "servicecomb.matchGroup.reads", "value": "matches: [{method: [GET]}]", "labels": APP}
    (alone,) = await _checked(own, retry)
    assert (alone["kind"], alone["name"]) == ("retry", "reads")
    assert [one["code"] for one in alone["problems"]] == ["unpaired"]
    assert [one["problems"] for one in await _checked(own, retry, group)] == [[], []]


async def test_it_says_which_runtimes_obey_and_why_others_do_not(own: OwnConfig) -> None:
    draft = {"key": "servicecomb.faultInjection.slow", "value": "type: delay\ndelayTime: 9", "labels": APP}
    (told,) = await _checked(own, draft)
    does = {one["name"]: (one["version"], one["does"]) for one in told["runtimes"]}
    assert does == {
        "servicecomb-java-chassis": ("ServiceComb:2.7.9", "ignores"),
        "waggle-python": ("0.1.0", "obeys"),
    }
    (java,) = [one for one in told["runtimes"] if one["does"] == "ignores"]
    assert java["why"] == "faultInjection is not applied"


async def test_what_is_wrong_has_its_line_and_nothing_is_stored(own: OwnConfig) -> None:
    draft = {"key": "servicecomb.retry.bad", "value": "maxAttempts: 2\nwaitDuration: 500ms", "labels": APP}
    (told,) = await _checked(own, draft)
    assert [(one["line"], one["code"]) for one in told["problems"] if one["severity"] == "error"] == [(2, "duration")]
    assert {one["does"] for one in told["runtimes"]} == {"ignores"}
    (no_rule,) = await _checked(own, {"key": "timeout", "value": "1"})
    assert [one["code"] for one in no_rule["problems"]] == ["key"]
    assert no_rule["runtimes"] == []
    assert await own.values() == {}


async def test_a_body_that_is_none_is_refused(own: OwnConfig) -> None:
    await _checked(own, {"value": "1"}, status=400)
    await _checked(own, *[{"key": "servicecomb.retry.a"}] * 101, status=400)

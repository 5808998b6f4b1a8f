"""Five thousand rules beside a thousand services: their list stays usable."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio

from tests.console.working import part
from tests.engine import eventually, running_engine

pytestmark = pytest.mark.asyncio(loop_scope="module")
RULES, SERVICES, _AT_ONCE = 5000, 1000, 1000
_PATIENCE = 1.0
"""Seconds for a search among all: it takes a third of one where the machine does something else, too."""
_KINDS = (
    ("rateLimiting", "rate: 5\n"),
    ("retry", "maxAttempts: 3\n"),
    ("timeLimiter", "timeoutDuration: 1S\n"),
    ("bulkhead", "maxConcurrentCalls: 5\n"),
    ("matchGroup", "matches:\n  - apiPath: { prefix: / }\n"),
)


def _rule(number: int) -> dict[str, object]:
    kind, value = _KINDS[number % len(_KINDS)]
    labels = {"app": f"app-{number % 20}", "environment": ""}
    return {"key": f"servicecomb.{kind}.rule-{number}", "value": value, "labels": labels, "status": "enabled"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def many(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """The page of an engine that has them all."""
    folder = tmp_path_factory.mktemp("many-rules") / "data"
    async with running_engine(folder, storage="memory") as engine, aiohttp.ClientSession(engine.url) as session:
        for number in range(SERVICES):
            service = {"appId": f"app-{number % 20}", "serviceName": f"service-{number}", "version": "1.0.0"}
            async with session.post("/v4/default/registry/microservices", json={"service": service}) as answer:
                assert answer.status == 200, await answer.text()
        for first in range(0, RULES, _AT_ONCE):
            rules = [_rule(number) for number in range(first, first + _AT_ONCE)]
            async with session.put("/waggle/v1/config/items", json=rules) as answer:
                assert answer.status == 200, await answer.text()
        yield f"{engine.url}/console/governance"


async def test_a_search_among_them_is_answered_at_once(many: str) -> None:
    async with aiohttp.ClientSession() as session:

        async def quick(**query: str) -> bool:
            return (await part(session, many, **query))[1] < _PATIENCE

        # On a machine that does much else at once, one answer in a row of them tells what the engine takes.
        await eventually(lambda: quick(q="rule-4999"), 60)
        await eventually(lambda: quick(kind="retry"), 60)
        text, _ = await part(session, many, q="rule-4999")
        assert text.count("<tr data-href>") == 1
        assert "matchGroup" in text


async def test_the_list_comes_in_parts_and_counts_all(many: str) -> None:
    async with aiohttp.ClientSession() as session:
        text, _ = await part(session, many, page="50")
        assert text.count("<tr data-href>") == 100
        assert "4901 to 5000 of 5000" in text
        text, _ = await part(session, many, kind="retry", app="app-1")
        assert "1 to 100 of 250" in text

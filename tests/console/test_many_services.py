"""A thousand services of ten instances each: the list stays usable, and a search is answered before one notices."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio

from tests.console.working import part
from tests.engine import eventually, running_engine

pytestmark = pytest.mark.asyncio(loop_scope="module")
SERVICES, INSTANCES = 1000, 10
_AT_ONCE = 20
_NOTICED = 0.2


async def _register(session: aiohttp.ClientSession, url: str, numbers: range) -> None:
    for number in numbers:
        service = {"appId": f"app-{number % 20}", "serviceName": f"service-{number}", "version": "1.0.0"}
        hosts = [{"hostName": f"h{one}", "endpoints": [f"rest://10.0.0.{one}:80"]} for one in range(INSTANCES)]
        body = {"service": service, "instances": hosts}
        async with session.post(f"{url}/v4/default/registry/microservices", json=body) as answer:
            assert answer.status == 200, await answer.text()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def many(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """The address of an engine that has them all."""
    folder = tmp_path_factory.mktemp("many") / "data"
    async with running_engine(folder, storage="memory") as engine, aiohttp.ClientSession() as session:
        shares = (range(first, SERVICES, _AT_ONCE) for first in range(_AT_ONCE))
        await asyncio.gather(*(_register(session, engine.url, share) for share in shares))
        yield f"{engine.url}/console/services"


async def test_a_search_among_them_is_answered_in_200_ms(many: str) -> None:
    async with aiohttp.ClientSession() as session:

        async def quick(**query: str) -> bool:
            return (await part(session, many, **query))[1] < _NOTICED

        # On a machine that does much else at once, one answer in a row of them tells what the engine takes.
        await eventually(lambda: quick(q="service-77"), 60)
        await eventually(lambda: quick(status="UP"), 60)
        text, _ = await part(session, many, q="service-777")
        assert text.count("<tr data-href>") == 1
        assert "1 services, 1 versions, 10 of 10 instances up" in text


async def test_the_list_comes_in_parts(many: str) -> None:
    async with aiohttp.ClientSession() as session:
        text, _ = await part(session, many)
        assert text.count("<tr data-href>") == 100
        assert "1 to 100 of 1000" in text
        assert "1000 services, 1000 versions, 10000 of 10000 instances up" in text
        text, _ = await part(session, many, app="app-7", page="1")
        assert text.count("<tr data-href>") == 50
        text, _ = await part(session, many, page="10")
        assert "901 to 1000 of 1000" in text
        text, _ = await part(session, many, page="99")
        assert "1 to 100 of 1000" in text, "beyond the end is the beginning"

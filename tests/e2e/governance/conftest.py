"""One weathermap for the tests of this folder that a worker runs. Each leaves it as it was."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import aiohttp
import pytest
import pytest_asyncio

from tests.e2e.governance.rules import Rules
from tests.e2e.governance.world import World, a_world, whole


@pytest.fixture(scope="package")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Engine, weather twice, forecast, fusionweather and the edge."""
    with a_world(tmp_path_factory.mktemp("world")) as made:
        asyncio.run(whole(made))
        yield made


@pytest_asyncio.fixture
async def rules(world: World) -> AsyncIterator[Rules]:
    """The rules of the weathermap; what a test has left is deleted, and nobody obeys it any more."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session:
        made = Rules(world, session)
        yield made
        await made.delete()
